//! A login on another device (RFC 8628): a code is shown here and typed there.

use std::sync::Arc;
use std::time::Duration;

use auth_http::grant::DeviceCode;
use auth_http::manager::TokioTimer;
use auth_http::wire::DeviceEndpoint;

use super::{LoggedIn, Login, countdown};
use crate::exit::Failure;
use crate::source::{self, Endpoint, Server};

/// Checks what shows before anybody is asked.
pub(super) fn check(login: &Login<'_>) -> Result<(), Failure> {
    let [device, token] = endpoints(login);
    Server::check(&login.client, &[device, token])?;
    if let Some(url) = token.given {
        login.token_endpoint(url)?;
    }
    if let Some(url) = device.given {
        endpoint(login, url)?;
    }
    Ok(())
}

/// Has the person log in; the token that came of it is what the grant gives first.
pub(super) async fn log_in(login: &Login<'_>) -> Result<LoggedIn, Failure> {
    let [device, token] = endpoints(login);
    let server = Server::discover(&login.client, &[device, token]).await?;
    let tokens = login.token_endpoint(&server.url(&token)?)?;
    let endpoint = endpoint(login, &server.url(&device)?)?;
    let http = Arc::clone(&login.client.http);
    let begun = endpoint.read(&http.exchange(endpoint.request(&login.wanted, None)?).await?)?;
    login.show.user_code(&begun)?;
    let grant = DeviceCode::new(tokens, http, &begun, Arc::new(TokioTimer::start()));
    let grant = grant.with_wanted(login.redeemed.clone());
    let patience = begun.expires_in.min(Duration::from_secs(login.options.timeout));
    countdown::during(grant.log_in(), patience, login.show.is_live()).await?;
    Ok(LoggedIn { grant: Box::new(grant), revocation: server.revocation() })
}

fn endpoints<'a>(login: &Login<'a>) -> [Endpoint<'a>; 2] {
    let device = Endpoint {
        flag: "--device-authorization-url",
        given: login.options.device_authorization_url.as_deref(),
        stated: |metadata| metadata.device_authorization_endpoint.as_ref(),
    };
    [device, source::token_endpoint(&login.client, login.options.token_url.as_deref())]
}

fn endpoint(login: &Login<'_>, url: &str) -> Result<DeviceEndpoint, Failure> {
    let endpoint = DeviceEndpoint::new(url, login.client.authentication.clone());
    endpoint.map_err(|error| Failure::Usage(format!("--device-authorization-url: {error}")))
}

//! A login with a browser of this machine: the authorization code grant with PKCE (RFC 8252, RFC 7636).

use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auth_http::freshness::SystemFreshness;
use auth_http::grant::AuthorizationCode;
use auth_http::redirect::RedirectListener;
use auth_http::wire::{AuthorizationEndpoint, ServerMetadata};
use tempfile::NamedTempFile;

use super::{LoggedIn, Login, countdown};
use crate::environment::{self, SECRETS};
use crate::exit::Failure;
use crate::source::{self, Endpoint, Server};

/// Checks what shows before anybody is asked.
pub(super) fn check(login: &Login<'_>) -> Result<(), Failure> {
    let [authorization, token] = endpoints(login);
    Server::check(&login.client, &[authorization, token])?;
    if let Some(url) = token.given {
        login.token_endpoint(url)?;
    }
    if let Some(url) = authorization.given {
        endpoint(login, url, "http://127.0.0.1/")?;
    }
    Ok(())
}

/// Has the person log in, and brings what redeems the code.
pub(super) async fn log_in(login: &Login<'_>) -> Result<LoggedIn, Failure> {
    let [authorization, token] = endpoints(login);
    let server = Server::discover(&login.client, &[authorization, token]).await?;
    let tokens = login.token_endpoint(&server.url(&token)?)?;
    check_proof_keys(server.metadata())?;
    let listener = RedirectListener::bind(&login.options.redirect_uri).await?;
    let endpoint = endpoint(login, &server.url(&authorization)?, listener.redirect_uri())?;
    let endpoint = match (&login.client.issuer, server.metadata()) {
        (Some(issuer), Some(metadata)) if metadata.authorization_response_iss_parameter_supported => {
            endpoint.with_required_issuer(issuer)
        }
        (Some(issuer), _) => endpoint.with_issuer(issuer),
        (None, _) => endpoint,
    };
    let pending = endpoint.begin(login.wanted.clone(), &SystemFreshness);
    // The page is there as long as somebody may be about to open it.
    let opened = if login.options.no_browser { None } else { open(&pending.url()) };
    login.show.page(&pending.url(), opened.is_some())?;
    let patience = Duration::from_secs(login.options.timeout);
    let code = countdown::during(listener.wait(&pending), patience, login.show.is_live()).await?;
    let grant = AuthorizationCode::new(tokens, Arc::clone(&login.client.http), code);
    Ok(LoggedIn {
        grant: Box::new(grant.with_wanted(login.redeemed.clone())),
        revocation: server.revocation(),
    })
}

fn endpoints<'a>(login: &Login<'a>) -> [Endpoint<'a>; 2] {
    let authorization = Endpoint {
        flag: "--authorization-url",
        given: login.options.authorization_url.as_deref(),
        stated: |metadata| metadata.authorization_endpoint.as_ref(),
    };
    [authorization, source::token_endpoint(&login.client, login.options.token_url.as_deref())]
}

fn endpoint(login: &Login<'_>, url: &str, redirect_uri: &str) -> Result<AuthorizationEndpoint, Failure> {
    let endpoint = AuthorizationEndpoint::new(url, &login.client.id, redirect_uri);
    endpoint.map_err(|error| Failure::Usage(format!("--authorization-url: {error}")))
}

/// A server that says which proof keys it knows, and not the one that is any good, would leave the code unprotected.
fn check_proof_keys(metadata: Option<&ServerMetadata>) -> Result<(), Failure> {
    let methods = metadata.map_or(&[][..], |metadata| &metadata.code_challenge_methods_supported);
    if methods.is_empty() || methods.iter().any(|method| method == "S256") {
        return Ok(());
    }
    let text = "the server's metadata say that it has no PKCE by S256, without which a stolen code could be redeemed; use \
                --device, or have it switched on there";
    Err(Failure::Operation(text.to_owned()))
}

/// Opens a page in the person's browser, by a file that leads there: what stands on a command line, every user of this machine
/// can read, and with the `state` of a login they could end it, or have it end in theirs.
fn open(url: &str) -> Option<NamedTempFile> {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else if ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| environment::variable(name).is_some()) {
        ("xdg-open", &[])
    } else {
        // A browser for terminals would take over this one.
        return None;
    };
    let page = page(url).ok()?;
    let mut command = Command::new(program);
    command.args(arguments).arg(page.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // They are none of a browser's business.
    for name in SECRETS {
        command.env_remove(name);
    }
    command.spawn().ok().map(|_| page)
}

/// A file for its owner only, which leads a browser on without a script.
fn page(url: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("rtauth-login-").suffix(".html").tempfile()?;
    let url = url.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#39;").replace('<', "&lt;");
    write!(
        file,
        "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n<title>Log in</title>\n\
         <p><a href=\"{url}\">Log in here</a> if the page does not change.\n"
    )?;
    file.flush()?;
    Ok(file)
}

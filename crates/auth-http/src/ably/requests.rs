//! REST requests of one's own, in the name of the client.

use auth_core::ably::ErrorCode;
use auth_core::{Demand, Error, Secret};
use bytes::Bytes;
use http::{Request, Response};

use super::Auth;
use super::obtaining::Purpose;
use super::wire::{Credential, error_of, is_token_error};

impl Auth {
    /// Sends a REST request, its URL a path such as `/channels/x/messages`, with the key or a token, which is obtained
    /// if need be (RSC9). The reply is handed back whatever its status: [`error_of`] reads an error.
    ///
    /// A token that the service refuses is renewed once, and the request sent once more with the new one (RSC10,
    /// RSA4b). The second reply is handed back as it is.
    ///
    /// # Errors
    ///
    /// Why there is no token: as for [`request_token`](Self::request_token), code 40171 with the service's refusal as
    /// its [`source`](std::error::Error::source) when the token was refused and there is no way to another (RSA4a2).
    /// Code 40000 when the URL is of another server.
    pub async fn request(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        if let Some(key) = self.basic_key() {
            return self.send(request, &Credential::Basic(key)).await;
        }
        let held = self.obtain(Demand::Current, Purpose::Request).await?;
        let response = self.send(request.clone(), &bearer(held.details.token())).await?;
        if !is_token_error(&response) {
            return Ok(response);
        }
        let renewed =
            self.obtain(Demand::InsteadOf(held.generation), Purpose::Request).await.map_err(|error| {
                // In the service's own words why the token is of no use, rather than in ours.
                match error_of(&response) {
                    Some(refusal) if error.code() == Some(ErrorCode::CANNOT_RENEW.number()) => {
                        error.with_source(refusal)
                    }
                    _ => error,
                }
            })?;
        let response = self.send(request, &bearer(renewed.details.token())).await?;
        if is_token_error(&response) {
            self.reject(renewed.generation);
        }
        Ok(response)
    }

    async fn send(&self, request: Request<Bytes>, credential: &Credential) -> Result<Response<Bytes>, Error> {
        let core = self.core();
        core.exchange(core.service.authorized(request, credential)?).await
    }
}

fn bearer(token: &Secret) -> Credential {
    Credential::Bearer(token.clone())
}

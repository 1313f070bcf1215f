//! The request for a connection: what its query says (RTN2).

use auth_core::Secret;
use auth_core::ably::ClientId;
use auth_core::time::Now;
use http::Request;

use super::super::credentials::{Credentials, invalid_client_id};
use super::super::{Caller, Records, Refusal, caller_of_key, caller_of_token};

/// What a request for a connection says.
#[derive(Debug)]
pub struct Opening {
    credentials: Result<Credentials, Refusal>,
    client_id: Result<Option<ClientId>, Refusal>,
    pub(super) echo: bool,
    pub(super) heartbeats: bool,
    pub(super) resumes: bool,
    pub(super) binary: bool,
}

impl Opening {
    /// Whether a request is for a connection of Ably's: whether its query has the version of the protocol, or a credential under
    /// Ably's names.
    #[must_use]
    pub fn is_asked_for<T>(request: &Request<T>) -> bool {
        parameters(request).any(|(name, _)| matches!(&*name, "v" | "key" | "access_token" | "accessToken"))
    }

    /// Reads a request. What is wrong with it is told over the connection: with an HTTP status, Ably's libraries only see that
    /// there is none, and try again.
    #[must_use]
    pub fn read<T>(request: &Request<T>) -> Self {
        let mut opening = Self {
            credentials: Credentials::read(request),
            client_id: Ok(None),
            echo: true,
            heartbeats: true,
            resumes: false,
            binary: false,
        };
        for (name, value) in parameters(request) {
            match &*name {
                "clientId" => {
                    let client_id = ClientId::new(&value).map(Some);
                    opening.client_id = client_id.map_err(|error| invalid_client_id(&error.to_string()));
                }
                "echo" => opening.echo = value != "false",
                // Whoever sees pings of WebSocket's says so (RTN23b).
                "heartbeats" => opening.heartbeats = value != "false",
                "resume" | "recover" => opening.resumes = true,
                "format" => opening.binary = value == "msgpack",
                _ => {}
            }
        }
        opening
    }

    /// Says who asks.
    ///
    /// # Errors
    ///
    /// As [`authenticate`](super::super::authenticate), and 40102 when the credentials are not good for the `clientId` in the
    /// query, 40012 when that can't be one.
    pub fn caller(&self, records: &Records, now: Now) -> Result<Caller, Refusal> {
        let caller = match &self.credentials {
            Ok(Credentials::Key(key)) => caller_of_key(records, key),
            Ok(Credentials::Token(token)) => caller_of_token(records, now, token),
            Err(refusal) => Err(refusal.clone()),
        };
        caller?.declared_as(self.client_id.as_ref().map_err(Refusal::clone)?.as_ref())
    }

    /// The token that it presents; `None` where it presents a key, or nothing that can be read.
    #[must_use]
    pub fn token(&self) -> Option<Secret> {
        match &self.credentials {
            Ok(Credentials::Token(token)) => Some(token.clone()),
            Ok(Credentials::Key(_)) | Err(_) => None,
        }
    }
}

fn parameters<T>(
    request: &Request<T>,
) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)> {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    #[test]
    fn a_request_is_for_ably_if_it_has_a_version_or_a_credential_of_ablys() {
        for uri in ["/?v=6", "/?key=a", "/?access_token=a", "/?accessToken=a&v=5"] {
            assert!(Opening::is_asked_for(&request(uri)), "{uri}");
        }
        for uri in ["/", "/?Authorization=a", "/?x=v", "/?format=json"] {
            assert!(!Opening::is_asked_for(&request(uri)), "{uri}");
        }
    }

    /// The queries of the facts, as the libraries send them.
    #[test]
    fn the_queries_of_the_libraries_are_read() {
        let read = |query: &str| {
            let opening = Opening::read(&request(&format!("/?{query}")));
            (opening.echo, opening.heartbeats, opening.resumes, opening.binary)
        };
        assert_eq!(read("key=a.b%3Ac&format=json&heartbeats=false&v=6"), (true, false, false, false));
        assert_eq!(
            read("access_token=a.t&resume=WORclSo5jCFD!er-B7k7B&format=json"),
            (true, true, true, false)
        );
        assert_eq!(read("key=a.b:c&recover=U9&echo=false&format=msgpack"), (false, true, true, true));
        assert_eq!(read("accessToken=a.t&v=5"), (true, true, false, false));
    }
}

//! Servers that read a bearer token from the upgrade, and say nothing more of it.

use super::super::{Dialect, Placement, Reconnection, SubprotocolEntry, Template};

impl Dialect {
    /// `Authorization: Bearer <token>` (RFC 6750 §2.1), in with the upgrade: the best place there is, but for a browser, which can't
    /// set headers. A connection that the server ends, or an answer of 401 or 403, is followed by one with a fresh token.
    ///
    /// By the standard.
    #[must_use]
    pub fn bearer_header() -> Self {
        Self {
            placement: authorization("Bearer ${credential}"),
            reconnection: Reconnection::Fresh,
            ..Self::new("bearer-header")
        }
    }

    /// `?access_token=<token>` (RFC 6750 §2.3), in with the upgrade. The token then stands in the access logs of whatever
    /// is between: for tokens that live briefly.
    ///
    /// By the standard.
    #[must_use]
    pub fn bearer_query() -> Self {
        let query = vec![("access_token".to_owned(), Template::text("${credential}"))];
        Self {
            placement: Placement { query, ..Placement::default() },
            reconnection: Reconnection::Fresh,
            ..Self::new("bearer-query")
        }
    }

    /// `Sec-WebSocket-Protocol: bearer, <token>`, in with an upgrade that selects `bearer`. For tokens without blanks and padding, as
    /// a JWT is.
    ///
    /// A custom of several services; Deepgram's client writes it like this (source).
    #[must_use]
    pub fn bearer_subprotocol() -> Self {
        let subprotocols = vec![
            SubprotocolEntry::Name("bearer".to_owned()),
            SubprotocolEntry::Credential(Template::text("${credential}")),
        ];
        let placement = Placement { subprotocols, ..Placement::default() };
        Self { placement, reconnection: Reconnection::Fresh, ..Self::new("bearer-subprotocol") }
    }

    /// Jupyter Server: `Authorization: token <token>`. It refuses with 403, also what has no token at all.
    ///
    /// Ran against Jupyter Server 2.21.1.
    #[must_use]
    pub fn jupyter() -> Self {
        Self { placement: authorization("token ${credential}"), ..Self::new("jupyter") }
    }
}

fn authorization(value: &str) -> Placement {
    let headers = vec![("Authorization".to_owned(), Template::text(value))];
    Placement { headers, ..Placement::default() }
}

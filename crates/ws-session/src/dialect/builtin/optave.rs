//! Optave: a token that serves for one connection, in a subprotocol or in the query.

use super::super::{CredentialUse, Dialect, Placement, Reconnection, SubprotocolEntry, Template};

impl Dialect {
    /// Optave, as its SDK connects by default: `Sec-WebSocket-Protocol: optave-v1, <token>`, where each token serves for one connection.
    /// Every 101 that selects `optave-v1` is the acceptance; one that selects the token is refused, since it shows it to whoever
    /// logs the answer. A refusal is status 401 or 403.
    ///
    /// The placement ran in the vendor's own SDK; that a token serves once is documentation.
    #[must_use]
    pub fn optave() -> Self {
        let subprotocols = vec![
            SubprotocolEntry::Name("optave-v1".to_owned()),
            SubprotocolEntry::Credential(Template::text("${credential}")),
        ];
        Self {
            placement: Placement { subprotocols, ..Placement::default() },
            credential_use: CredentialUse::Once,
            reconnection: Reconnection::Fresh,
            ..Self::new("optave")
        }
    }

    /// Optave by its SDK's other way: `?Authorization=<token>`. The token then stands in the access logs of whatever
    /// is between, which is why it is not the default.
    ///
    /// The placement ran in the vendor's own SDK.
    #[must_use]
    pub fn optave_query() -> Self {
        let query = vec![("Authorization".to_owned(), Template::text("${credential}"))];
        Self {
            name: "optave-query".into(),
            placement: Placement { query, ..Placement::default() },
            ..Self::optave()
        }
    }
}

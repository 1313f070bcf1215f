//! Optave: a token that serves for one connection, in a subprotocol or in the query.

use serde_json::json;

use super::super::{
    Condition, CredentialUse, Dialect, Matcher, Placement, Reconnection, Requests, SubprotocolEntry, Template,
};

impl Dialect {
    /// Optave, as its SDK connects by default: `Sec-WebSocket-Protocol: optave-v1, <token>`, where each token serves for one connection.
    /// Every 101 that selects `optave-v1` is the acceptance; one that selects the token is refused, since it shows it to whoever
    /// logs the answer. A refusal is status 401 or 403.
    ///
    /// A request has its identifier in `headers.correlationId`; a reply there or beside `headers`. One whose `state` is
    /// `started`, at the top or in its `payload`, is not the last; the vendor's own client takes it for the answer.
    ///
    /// The placement ran in the vendor's own SDK, from whose source the replies are; that a token serves once is documentation.
    #[must_use]
    pub fn optave() -> Self {
        let subprotocols = vec![
            SubprotocolEntry::Name("optave-v1".to_owned()),
            SubprotocolEntry::Credential(Template::text("${credential}")),
        ];
        let marked = |at: &str, mark: &str| Matcher::of([(at, json!(mark))]);
        let requests = Requests {
            reply_id: vec!["/headers/correlationId".to_owned(), "/correlationId".to_owned()],
            errors: vec![
                marked("/state", "error"),
                marked("/payload/state", "error"),
                marked("/actionType", "error"),
                Matcher::default().and("/error", Condition::Exists(true)),
            ],
            interim: vec![marked("/state", "started"), marked("/payload/state", "started")],
            ..Requests::new("/headers/correlationId")
        };
        Self {
            placement: Placement { subprotocols, ..Placement::default() },
            requests: Some(requests),
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

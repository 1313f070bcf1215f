//! What an upgrade request says in a dialect's terms.

use auth_core::Secret;

use crate::dialect::{Dialect, SubprotocolEntry};

/// What an upgrade request says in a dialect's terms.
#[derive(Debug)]
#[non_exhaustive]
pub struct Upgrade {
    /// The credential, where the dialect places it into the upgrade and the client did.
    pub credential: Option<Secret>,
    /// The subprotocol to select; `None` when none was offered that the dialect knows.
    pub subprotocol: Option<String>,
}

impl Upgrade {
    /// Reads the path, with its query, and the headers of a request. A credential that stands there twice is none.
    pub fn read<'a>(
        dialect: &Dialect,
        path_and_query: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let headers: Vec<_> = headers.into_iter().collect();
        let header = |wanted: &str| -> Vec<&str> {
            let values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            values.map(|(_, value)| *value).collect()
        };
        let (credential, subprotocol) = dialect.placement.read(path_and_query, &header);
        // Who offers other subprotocols alone speaks another language: an entry that looks like a credential is none of ours.
        let has_names =
            dialect.placement.subprotocols.iter().any(|entry| matches!(entry, SubprotocolEntry::Name(_)));
        let foreign = has_names && subprotocol.is_none() && !header("sec-websocket-protocol").is_empty();
        Self { credential: credential.filter(|_| !foreign), subprotocol }
    }
}

//! Which dialects are spoken at which paths, and who reaches the verdicts there.

use std::sync::Arc;

use http::Request;
use ws_session::dialect::Dialect;
use ws_session::server::Upgrade;

use crate::Authenticator;

/// A dialect that is spoken at a path.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) path: String,
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
}

/// All of them.
pub(crate) struct Doors(pub(crate) Vec<Door>);

impl Doors {
    /// Whether any dialect is spoken at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.iter().any(|door| door.path == path)
    }

    /// The dialect of an upgrade request: of those that are spoken at its path the first in which it has a credential, else the first.
    pub(crate) fn choose<T>(&self, request: &Request<T>) -> Option<(&Door, Upgrade)> {
        let path_and_query = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let headers = || {
            let headers = request.headers().iter();
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        };
        let here = self.0.iter().filter(|door| door.path == request.uri().path());
        let mut read: Vec<(&Door, Upgrade)> =
            here.map(|door| (door, Upgrade::read(&door.dialect, path_and_query, headers()))).collect();
        let meant = read.iter().position(|(_, upgrade)| upgrade.credential.is_some());
        (!read.is_empty()).then(|| read.swap_remove(meant.unwrap_or_default()))
    }
}

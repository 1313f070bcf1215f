//! The upgrade request of one attempt, with its credential in its place.

use auth_core::Secret;

use super::template::Filling;
use super::{Dialect, SubprotocolEntry};

/// What a driver sends to open a connection. Drop it when that is done: it holds the credential.
#[derive(Debug)]
pub struct UpgradeRequest {
    url: Secret,
    headers: Vec<(String, Secret)>,
    subprotocols: Vec<Secret>,
    /// Which of them the server may select.
    selectable: Vec<String>,
}

impl UpgradeRequest {
    /// Where to: `ws://…` or `wss://…`, with the query.
    #[must_use]
    pub const fn url(&self) -> &Secret {
        &self.url
    }

    /// Headers beside those of RFC 6455, `Sec-WebSocket-Protocol` not among them. Names and values are legal in a header.
    #[must_use]
    pub fn headers(&self) -> &[(String, Secret)] {
        &self.headers
    }

    /// The entries of `Sec-WebSocket-Protocol`, in order, each a legal and different one; a browser takes them as an array.
    #[must_use]
    pub fn subprotocols(&self) -> &[Secret] {
        &self.subprotocols
    }

    /// Whether the server may select this: a name that was offered, or none if none was. One that is
    /// the credential is refused: the server has shown it to whoever logs its answers.
    ///
    /// # Errors
    ///
    /// [`InvalidSelection`].
    pub fn check_selected(&self, selected: Option<&str>) -> Result<(), InvalidSelection> {
        match selected {
            None if self.selectable.is_empty() => Ok(()),
            Some(selected) if self.selectable.iter().any(|name| name == selected) => Ok(()),
            _ => Err(InvalidSelection),
        }
    }
}

impl Dialect {
    /// The upgrade request for a server at `url`.
    ///
    /// # Errors
    ///
    /// [`Unplaceable`] when the credential holds what can't stand in its place.
    pub(crate) fn upgrade(&self, url: &str, filling: &Filling<'_>) -> Result<UpgradeRequest, Unplaceable> {
        let mut headers = Vec::new();
        for (name, template) in &self.placement.headers {
            headers.push((name.clone(), template.render(filling)?));
        }
        let mut selectable = Vec::new();
        let mut subprotocols = Vec::new();
        for entry in &self.placement.subprotocols {
            match entry {
                SubprotocolEntry::Name(name) => {
                    selectable.push(name.clone());
                    subprotocols.push(Secret::from(name.as_str()));
                }
                SubprotocolEntry::Credential(template) => subprotocols.push(template.render(filling)?),
                SubprotocolEntry::Json { .. } => return Err(Unplaceable("not written yet")),
            }
        }
        Ok(UpgradeRequest { url: Secret::from(url), headers, subprotocols, selectable })
    }
}

/// Why a credential can't stand where the dialect wants it. Names the rule, never the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credential can't be placed: {0}")]
#[non_exhaustive]
pub struct Unplaceable(pub(crate) &'static str);

impl Unplaceable {
    pub(crate) const NO_SUCH_MESSAGE: Self = Self("the dialect has no such message");
}

/// The server selected no subprotocol that may be selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server selected no subprotocol that it may select")]
#[non_exhaustive]
pub struct InvalidSelection;

//! Who may have a session, and how often they may ask.

use std::time::Duration;

use auth_core::Secret;

/// A user, with a password as the one security factor.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) username: String,
    pub(super) password: Secret,
    pub(super) permissions: Vec<String>,
}

/// A service, with a merchant key.
#[derive(Debug, Clone)]
pub struct Merchant {
    pub(super) id: String,
    pub(super) key: Secret,
    pub(super) permissions: Vec<String>,
}

impl Account {
    /// A user who may have these permissions. With an empty password they are refused whatever they present.
    #[must_use]
    pub fn new(
        username: impl Into<String>,
        password: Secret,
        permissions: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let permissions = permissions.into_iter().map(Into::into).collect();
        Self { username: username.into(), password, permissions }
    }
}

impl Merchant {
    /// A service that may have these permissions. An empty key is refused.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        key: Secret,
        permissions: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self { id: id.into(), key, permissions: permissions.into_iter().map(Into::into).collect() }
    }
}

/// Who asks. Each needs a limit of its own: whoever guesses passwords must not use up what a live session is refreshed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Asking<'a> {
    /// A stranger who tries a password for this user name. There may be no such user, and the limit must not show it. The
    /// names are the stranger's choice: whoever keeps a limit for each needs a bound on how many.
    Password(&'a str),
    /// A stranger who tried a merchant key, and a wrong one.
    MerchantKey,
    /// An account, which is proven.
    Account(&'a str),
    /// A merchant, which is proven.
    Merchant(&'a str),
}

/// Says whether somebody may ask now, or else how long to wait.
pub type Admit<'a> = &'a mut dyn FnMut(Asking<'_>) -> Result<(), Duration>;

//! Which credential a store is for, so that a token never goes to the wrong server or to whoever asked for another.

use std::fmt::Write as _;

use auth_core::Secret;
use sha2::{Digest as _, Sha256};

/// Names a credential without holding it, in two halves: who holds it, and what its access tokens are wanted for.
///
/// The holder is a client at a token endpoint, with the key that its tokens are bound to, if they are. A refresh token belongs to
/// its holder alone. What is wanted is the kind of grant, the scopes, resources and the like: the access tokens for one
/// are of no use for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialKey {
    holder: String,
    wanted: String,
}

impl CredentialKey {
    /// Names what these texts say, by their hashes: equal texts, equal names.
    #[must_use]
    pub fn new(holder: &str, wanted: &str) -> Self {
        Self { holder: name(holder), wanted: name(wanted) }
    }

    /// The name of who holds it: 32 hexadecimal digits.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// The name of what is wanted.
    #[must_use]
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// The same holder's tokens for this subject, if one is named.
    pub(crate) fn of_subject(self, subject: Option<&Secret>) -> Self {
        let Some(subject) = subject else { return self };
        Self { wanted: name(&format!("{} {}", self.wanted, subject.expose())), ..self }
    }

    /// The name of this credential and another in one store.
    pub(crate) fn and(self, other: Self) -> Self {
        let both =
            |one: String, other: String| if one == other { one } else { name(&format!("{one} {other}")) };
        Self { holder: both(self.holder, other.holder), wanted: both(self.wanted, other.wanted) }
    }
}

/// The first half of the text's SHA-256.
fn name(text: &str) -> String {
    let hash = Sha256::digest(text);
    let (half, _) = hash.split_at(16);
    half.iter().fold(String::with_capacity(32), |mut name, byte| {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

//! What a session is for: its id, and the permissions that its tokens must have.

use std::sync::Arc;

use super::ConfigError;
use crate::store::CredentialKey;

/// The id of a session, and the permissions that are required of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPermissions {
    token_id: Arc<str>,
    permissions: Arc<[String]>,
}

/// The longest token id, in bytes; a UUID has 36.
pub(crate) const LONGEST_TOKEN_ID: usize = 256;

impl WantedPermissions {
    /// The session of this id with these permissions. Sessions that live side by side need ids of their own, each the same
    /// for as long as its session is to live: a device's id, say. A session of the same id displaces the one before.
    ///
    /// # Errors
    ///
    /// [`ConfigError::TokenId`] and [`ConfigError::Permissions`].
    pub fn new(
        token_id: &str,
        permissions: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, ConfigError> {
        if token_id.is_empty() || token_id.len() > LONGEST_TOKEN_ID {
            return Err(ConfigError::TokenId);
        }
        let permissions: Arc<[String]> = permissions.into_iter().map(Into::into).collect();
        if permissions.is_empty() || permissions.iter().any(String::is_empty) {
            return Err(ConfigError::Permissions);
        }
        Ok(Self { token_id: Arc::from(token_id), permissions })
    }

    /// The id of the session.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// The permissions, as they were named.
    #[must_use]
    pub fn permissions(&self) -> &[String] {
        &self.permissions
    }

    /// Whose tokens a store keeps: a refresh token holds its permissions, so another list of them is another credential.
    pub(crate) fn credential(&self, service: &str) -> CredentialKey {
        let mut permissions: Vec<_> = self.permissions.iter().collect();
        permissions.sort_unstable();
        let facts = [("service", service), ("token_id", &self.token_id)].into_iter();
        let facts =
            facts.chain(permissions.into_iter().map(|permission| ("permission", permission.as_str())));
        let holder = form_urlencoded::Serializer::new(String::new()).extend_pairs(facts).finish();
        CredentialKey::new(&holder, "permission token")
    }
}

//! What the service decided about one request, for its records.

use std::time::Duration;

use auth_core::Secret;
use auth_core::observe::{Label, Replayed};
use auth_core::scope::Scopes;

use super::Refusal;
use crate::endpoint::Decision;
use crate::spatium::wire::{BY_FACTORS_PATH, BY_KEY_PATH, CREDENTIALS_PATH, REFRESH_PATH};

/// What is known of a request so far, and what was decided about it.
pub(super) struct Told {
    /// What records call the call.
    grant: &'static str,
    client_id: Option<Label>,
    refresh_token: Option<Secret>,
    pub(super) decisions: Vec<Decision>,
}

impl Told {
    /// A request to this path.
    pub(super) fn at(path: &str) -> Self {
        let grant = match path {
            CREDENTIALS_PATH => "spatium_credentials",
            BY_FACTORS_PATH => "spatium_security_factors",
            BY_KEY_PATH => "spatium_merchant_key",
            REFRESH_PATH => "spatium_refresh",
            _ => "unknown",
        };
        Self { grant, client_id: None, refresh_token: None, decisions: Vec::new() }
    }

    /// It is this account or merchant that asks, or says so. One that the service does not know is not named: it may be a
    /// secret in the wrong place.
    pub(super) fn asks(&mut self, name: &str) {
        self.client_id = Some(Label::new(name));
    }

    /// It presents this refresh token, which its signature has vouched for.
    pub(super) fn presents(&mut self, refresh_token: &Secret) {
        self.refresh_token = Some(refresh_token.clone());
    }

    pub(super) fn minted(
        &mut self,
        token: Secret,
        refresh_token: Option<Secret>,
        scope: Scopes,
        expires_in: Duration,
    ) {
        let (grant, client_id) = (self.grant, self.client_id.clone());
        self.decisions.push(Decision::Minted { token, refresh_token, grant, client_id, scope, expires_in });
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        let client_id = self.client_id.clone();
        if refusal == Refusal::Reused {
            let token = self.refresh_token.take();
            let replayed = Replayed::RefreshToken;
            let target = client_id.as_ref().map(|name| Label::new(&format!("session of {name}")));
            self.decisions.push(Decision::Replayed { replayed, token, client_id });
            self.decisions.push(Decision::Revoked { token: None, target });
        } else {
            let reason = Label::new(refusal.code());
            self.decisions.push(Decision::Denied { grant: self.grant, reason, client_id });
        }
    }
}

/// The permissions of a session as scopes. They are the configuration's, and need not have the form of scopes: of those that
/// have not, the last scope says how many there are, such as `(2-more)`.
pub(super) fn scopes(permissions: &[String]) -> Scopes {
    let (fitting, others): (Vec<_>, Vec<_>) =
        permissions.iter().map(String::as_str).partition(|permission| Scopes::of([permission]).is_ok());
    let more = (!others.is_empty()).then(|| format!("({}-more)", others.len()));
    // Each of them fits, and a session has not as many as a set of scopes may.
    Scopes::of(fitting.into_iter().chain(more.as_deref())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(permissions: &[&str]) -> String {
        let permissions: Vec<_> = permissions.iter().map(ToString::to_string).collect();
        scopes(&permissions).to_string()
    }

    #[test]
    fn permissions_that_are_no_scopes_are_counted_and_the_others_are_named() {
        assert_eq!(told(&["read", "write"]), "read write");
        assert_eq!(told(&["read", "sign a contract", "écrire", "write", "read"]), "read write (2-more)");
        assert_eq!(told(&["a b"]), "(1-more)");
        assert_eq!(told(&[]), "");
    }
}

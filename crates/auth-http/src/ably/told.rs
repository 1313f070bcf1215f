//! What the observer of a client is told: tokens, signatures, refusals and revocations.

use auth_core::ably::{RevocationRequest, RevocationResult, RevocationTarget, TokenRequest};
use auth_core::fingerprint::Fingerprint;
use auth_core::observe::Label;
use auth_core::time::Now;
use auth_core::{AuthEvent, Error, ErrorKind, Secret};

use super::state::Held;
use crate::told::{Told, elapsed};

impl Told {
    /// A token came, in answer to a request that was begun then.
    pub(super) fn issued(&self, held: &Held, begun: Now, now: Now) {
        self.tell(&AuthEvent::TokenIssued {
            token: self.names.fingerprint(held.details.token()),
            generation: held.generation,
            expires_in: held.left(now).unwrap_or_default(),
            renews_in: held.renews_in(now).unwrap_or_default(),
            took: Some(elapsed(begun, now)),
        });
    }

    pub(super) fn signed(&self, request: &TokenRequest) {
        self.tell(&AuthEvent::TokenRequestSigned {
            key_name: Label::new(request.key_name()),
            client_id: request.client_id().map(Label::new),
        });
    }

    /// A server refused the token that was in use.
    pub(super) fn rejected(&self, held: &Held, now: Now) {
        self.tell(&AuthEvent::TokenRejected {
            token: self.names.fingerprint(held.details.token()),
            generation: held.generation,
            valid_for: held.left(now),
        });
    }

    /// What came of each target of a revocation.
    pub(super) fn revoked(&self, request: &RevocationRequest, outcome: &Result<RevocationResult, Error>) {
        let of = |target: &RevocationTarget| {
            let is_token = target.kind() == RevocationTarget::TOKEN;
            let token = is_token.then(|| self.names.fingerprint(target.value()));
            (token, (!is_token).then(|| named(target)))
        };
        let failed = |(token, target): (Option<Fingerprint>, Option<Label>), kind: ErrorKind, code| {
            AuthEvent::RevocationFailed { token, target, kind, code }
        };
        match outcome {
            Ok(result) => result.results.iter().for_each(|result| {
                self.tell(&match result {
                    Ok(revoked) => {
                        let (token, target) = of(&revoked.target);
                        AuthEvent::TokenRevoked { token, target, peer: None }
                    }
                    Err(refused) => {
                        let code = refused.error.code;
                        failed(of(&refused.target), code.error("refused").kind(), Some(code.number()))
                    }
                });
            }),
            Err(error) => request
                .targets
                .iter()
                .for_each(|target| self.tell(&failed(of(target), error.kind(), error.code()))),
        }
    }
}

/// A target that is no token, as a record may name it: of a kind that nobody knows, the value may be anything.
fn named(target: &RevocationTarget) -> Label {
    let known = [RevocationTarget::CLIENT_ID, RevocationTarget::REVOCATION_KEY, RevocationTarget::CHANNEL];
    if known.contains(&target.kind()) {
        Label::new(target.to_text().expose())
    } else {
        Label::new(target.kind())
    }
}

/// The name of a token, where there is somebody to name it to.
pub(super) fn name(told: Option<&Told>, token: &Secret) -> Option<Fingerprint> {
    told.map(|told| told.names.fingerprint(token))
}

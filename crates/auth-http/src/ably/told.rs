//! What the observer of a client is told: requests for tokens, what came of them, signatures, refusals and revocations.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use auth_core::ably::{RevocationRequest, RevocationResult, RevocationTarget, TokenRequest};
use auth_core::fingerprint::{Fingerprint, FingerprintKey};
use auth_core::observe::Label;
use auth_core::time::{Deadline, Now};
use auth_core::{AuthEvent, Error, ErrorKind, Observer, Retry, Secret};

use super::state::Held;

/// The observer, and how it is told of tokens.
#[derive(Clone)]
pub(super) struct Told {
    observer: Arc<dyn Observer>,
    pub(super) names: FingerprintKey,
}

impl Told {
    pub(super) fn new(observer: Arc<dyn Observer>, names: FingerprintKey) -> Self {
        Self { observer, names }
    }

    fn tell(&self, event: &AuthEvent) {
        // Whoever watches must not be able to end what it watches.
        let _ = catch_unwind(AssertUnwindSafe(|| self.observer.observe(event)));
    }

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

/// A request for a token, attempt by attempt.
pub(super) struct Asking<'a> {
    told: Option<&'a Told>,
    clock: &'a (dyn Fn() -> Now + Send + Sync),
    /// Until when the token in use lives.
    in_use: Option<Deadline>,
    attempt: u32,
    begun: Now,
}

impl<'a> Asking<'a> {
    /// Begins the first attempt.
    pub(super) fn begin(
        told: Option<&'a Told>,
        clock: &'a (dyn Fn() -> Now + Send + Sync),
        in_use: Option<Deadline>,
    ) -> Self {
        let mut asking = Self { told, clock, in_use, attempt: 0, begun: clock() };
        asking.ask();
        asking
    }

    /// An attempt failed for this reason, and another follows at once.
    pub(super) fn again(&mut self, error: &Error) {
        self.tell_of(error, Some(Duration::ZERO));
        self.ask();
    }

    /// The last attempt failed.
    pub(super) fn failed(&self, error: &Error) {
        self.tell_of(error, None);
    }

    fn ask(&mut self) {
        self.attempt += 1;
        self.begun = (self.clock)();
        let (attempt, valid_for) = (self.attempt, self.valid_for(self.begun));
        if let Some(told) = self.told {
            told.tell(&AuthEvent::TokenRequested { attempt, redeems: false, valid_for });
        }
    }

    fn tell_of(&self, error: &Error, retry_in: Option<Duration>) {
        let Some(told) = self.told else { return };
        let now = (self.clock)();
        let (attempt, took, valid_for) = (self.attempt, Some(elapsed(self.begun, now)), self.valid_for(now));
        told.tell(&match (error.kind(), error.retry()) {
            (ErrorKind::RateLimited, advice) => AuthEvent::RateLimited {
                attempt,
                took,
                retry_after: if let Retry::After(wait) = advice { Some(wait) } else { None },
                retry_in,
                valid_for,
            },
            (kind, _) => {
                AuthEvent::TokenRequestFailed { attempt, kind, code: error.code(), took, retry_in, valid_for }
            }
        });
    }

    fn valid_for(&self, now: Now) -> Option<Duration> {
        self.in_use.map(|until| until.remaining(now))
    }
}

/// The name of a token, where there is somebody to name it to.
pub(super) fn name(told: Option<&Told>, token: &Secret) -> Option<Fingerprint> {
    told.map(|told| told.names.fingerprint(token))
}

fn elapsed(begun: Now, now: Now) -> Duration {
    now.mono.elapsed().saturating_sub(begun.mono.elapsed())
}

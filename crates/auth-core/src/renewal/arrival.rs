//! The arrival of a token: from the endpoint or from another process, with its lifetime weighed.

use alloc::sync::Arc;
use core::time::Duration;

use super::credential::{Credential, Held, Noted};
use super::flight::{Departure, Flight};
use super::machine::Renewal;
use super::policy::{USUAL_LIFETIME, margin};
use super::record::age;
use super::server_clock::ServerClock;
use super::settling::Purpose;
use super::{Output, StoredToken, Ticket};
use crate::oauth::TokenResponse;
use crate::scope::Scopes;
use crate::time::{Deadline, Now, Timestamp};
use crate::{AuthEvent, Error, ErrorKind, Retry, Secret};

impl Renewal {
    pub(super) fn issued(&mut self, now: Now, ticket: Ticket, response: TokenResponse) {
        let Some(Departure { sent, locked, read, redeems }) = self.departure(ticket) else { return };
        self.learn_clock(now, response.server_time);
        // Before anything that can go wrong with the access token: the refresh token that came with it is the only one now.
        let rotated = self.rotation.answered(redeems, response.refresh_token.clone());
        let weighed = self.weigh(now, sent, &response);
        match weighed {
            Ok(life) => {
                self.take(now, sent, life, response);
                self.failed_flights = 0;
                self.spaced = Some(now.timer(self.policy.spacing));
                // What could not be read may be newer than what would be written.
                if locked && read {
                    let purpose =
                        if self.rotation.has_token() { Purpose::RefreshToken } else { Purpose::AccessToken };
                    self.save(now, self.rotation.record(None), purpose, None);
                } else {
                    self.unlock();
                    self.flight = Flight::Idle;
                }
            }
            // The computer slept while the answer was on its way: once its refresh token is safe, the next one is asked for.
            Err(_) if rotated && locked && sent.expiry(self.policy.flight).passed(now) => {
                self.save(now, self.rotation.record(None), Purpose::RefreshToken, None);
            }
            Err(error) if rotated && locked => {
                let until = self.pause_after_failure(now, &error);
                self.save(now, self.rotation.record(None), Purpose::RefreshToken, Some((error, until)));
            }
            Err(error) => self.attempt_failed(now, sent, error),
        }
    }

    /// The lifetime of an issued token, counted from the request: the server counts from its answer, which is later.
    fn weigh(&self, now: Now, sent: Now, response: &TokenResponse) -> Result<Duration, Error> {
        if response.token_type != self.token_type {
            return Err(Error::new(
                ErrorKind::Misconfigured,
                "the grant gave a token of another type than it says; mend what it says, or the server",
            ));
        }
        let bound = self.stated(now, &response.access_token);
        let life = match (response.expires_in, bound) {
            (Some(said), Some(bound)) => said.min(bound),
            (Some(said), None) => said,
            (None, Some(bound)) => bound,
            (None, None) => self.last_life.unwrap_or(USUAL_LIFETIME),
        };
        let life = self.policy.believed(life);
        if sent.expiry(life).passed(now) {
            return Err(Error::new(
                ErrorKind::MalformedResponse,
                "the token endpoint issued a token that had already expired; check its clock and its lifetimes",
            )
            .without_effect());
        }
        let name = self.names.fingerprint(&response.access_token);
        if self.held.as_ref().is_some_and(|held| held.refused && held.shared.fingerprint == name) {
            return Err(Error::new(
                ErrorKind::InvalidToken,
                "the token endpoint issued the very token that was refused; check what the server has against it",
            )
            .with_retry(Retry::Backoff));
        }
        Ok(life)
    }

    /// How long a JSON Web Token lives by its own account: until `exp`, from when it was issued or, where the server told
    /// the time and that is later, from then. Our clock has no say: it may be wrong.
    fn stated(&self, now: Now, token: &Secret) -> Option<Duration> {
        let claims = crate::jwt::read(token.expose()).ok()?.into_inner();
        let server_time = self.server.map(|clock| clock.time(now));
        let from = claims.issued_at().max(server_time)?;
        Some(claims.expires()?.saturating_since(from))
    }

    fn learn_clock(&mut self, now: Now, server_time: Option<Timestamp>) {
        let Some(server_time) = server_time else { return };
        let clock = ServerClock::new(server_time, now);
        let known = self.server.replace(clock).map_or(0, |known| known.offset_ms());
        // A `Date` has whole seconds, so a difference of one says nothing.
        if known.abs_diff(clock.offset_ms()) > 1_500 {
            self.tell(AuthEvent::ServerClockLearned { offset_ms: clock.offset_ms() });
        }
    }

    fn take(&mut self, now: Now, sent: Now, life: Duration, response: TokenResponse) {
        if self.stored && !self.policy.is_single_use() {
            self.rotation.keep(StoredToken {
                secret: response.access_token.clone(),
                issued: sent.wall,
                expires: sent.wall.saturating_add(life),
                scope: response.scope.clone(),
                details: response.details,
            });
        }
        let renew_after = self.policy.renew_after(life, &mut self.jitter);
        // The wall clock may have been set back since.
        let since = |after: Duration| sent.expiry(after).reset(now);
        let held = self.hold(now, life, renew_after, &since, response.access_token, response.scope);
        self.tell(AuthEvent::TokenIssued {
            token: held.fingerprint,
            generation: held.generation,
            expires_in: held.expires.remaining(now),
            renews_in: held.renew_at.remaining(now),
            took: Some(now.mono.elapsed().saturating_sub(sent.mono.elapsed())),
        });
    }

    /// Takes over a token that another process obtained, if it is of use.
    pub(super) fn adopt(&mut self, now: Now, stored: StoredToken) -> bool {
        let life = self.policy.believed(stored.expires.saturating_since(stored.issued));
        // Of one from before the clock was set back, nobody knows how long it still lives.
        let Some(age) = age(now, stored.issued) else { return false };
        let name = self.names.fingerprint(&stored.secret);
        let known = self.held.as_ref().is_some_and(|held| held.shared.fingerprint == name);
        if known || age >= life || self.policy.is_single_use() {
            return false;
        }
        let renew_after = self.policy.renew_after(life, &mut self.jitter);
        let since = |after: Duration| now.expiry(after.saturating_sub(age));
        let held = self.hold(now, life, renew_after, &since, stored.secret, stored.scope);
        if self.told != Some(name) {
            self.tell(AuthEvent::TokenAdopted {
                token: held.fingerprint,
                generation: held.generation,
                expires_in: held.expires.remaining(now),
                renews_in: held.renew_at.remaining(now),
                took: self.flight.store_took(now),
            });
        }
        true
    }

    fn hold(
        &mut self,
        now: Now,
        life: Duration,
        renew_after: Duration,
        since: &dyn Fn(Duration) -> Deadline,
        secret: Secret,
        scope: Option<Scopes>,
    ) -> Arc<Credential> {
        self.generation = self.generation.next();
        let shared = Arc::new(Credential {
            fingerprint: self.names.fingerprint(&secret),
            secret,
            generation: self.generation,
            scope,
            token_type: self.token_type,
            renew_at: since(renew_after),
            margin_from: since(life.saturating_sub(margin(life))),
            expires: since(life),
        });
        self.held = Some(Held {
            shared: Arc::clone(&shared),
            life,
            arrived: now,
            replaces_refused: self.held.as_ref().is_some_and(|held| held.refused),
            refused: false,
            noted: Noted::Nothing,
        });
        self.last_life = Some(life);
        self.changed = true;
        self.outputs.push_back(Output::Changed);
        shared
    }
}

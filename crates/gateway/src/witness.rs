//! One connection as the records see it: let in or refused once, and ended once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::fingerprint::Fingerprint;
use auth_core::observe::{Label, Replayed, RevocationPath};
use auth_core::time::Moment;
use auth_core::{AuthEvent, Secret};

use crate::clock::Clock;
use crate::ledger::{Ledger, Missing};

/// One connection as the records see it.
pub(crate) struct Witness {
    ledger: Arc<Ledger>,
    clock: Clock,
    connection: u64,
    dialect: Label,
    peer: SocketAddr,
    arrived: Moment,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The token that it presented last, whatever came of it.
    presented: Option<Fingerprint>,
    /// The token that it was let in by, or last renewed by.
    admitted: Option<Fingerprint>,
    /// Whether it was told that the token it was let in by was taken back, and no other accepted since.
    revoked: bool,
    /// When that token was taken back.
    revoked_at: Option<Moment>,
    /// Since when it is authenticated, where that is on record.
    since: Option<Moment>,
    /// How many records of it are under way that come before its end.
    under_way: u64,
    /// Its end, to be told after them.
    deferred: Option<End>,
    /// Whether its refusal or its end is told.
    ended: bool,
}

impl Witness {
    /// A connection that has just arrived.
    pub(crate) fn new(ledger: Arc<Ledger>, clock: Clock, dialect: &str, peer: SocketAddr) -> Self {
        Self {
            connection: ledger.number(),
            ledger,
            clock,
            dialect: Label::new(dialect),
            peer,
            arrived: clock.now().mono,
            state: Mutex::default(),
        }
    }

    /// It presents this credential.
    pub(crate) fn presents(&self, credential: &Secret) {
        self.state().presented = Some(self.ledger.fingerprint(credential));
    }

    /// The token that it presented is spent, whatever comes of it; the verdict on it took so long. Returns once that is on record.
    ///
    /// # Errors
    ///
    /// [`Missing`]: then it must not be let in. The token is spent nevertheless, and that is recorded as soon as it can be.
    pub(crate) async fn consumes(&self, client_id: &str, took: Duration) -> Result<(), Missing> {
        let Some(token) = self.state().presented else { return Ok(()) };
        let (client_id, took) = (Some(Label::new(client_id)), Some(took));
        let event = AuthEvent::TokenConsumed { token, client_id, peer: Some(self.peer), took, repeated: 0 };
        self.ledger.consume(self.clock.now(), event).await
    }

    /// It is about to be let in. Returns once that is on record.
    ///
    /// # Errors
    ///
    /// [`Missing`]: then it must not be.
    pub(crate) async fn admits(self: &Arc<Self>, client_id: &str) -> Result<(), Missing> {
        let now = self.clock.now().mono;
        let token = {
            let mut state = self.state();
            state.under_way += 1;
            state.presented
        };
        let event = AuthEvent::ClientAuthenticated {
            connection: self.connection,
            dialect: self.dialect.clone(),
            token,
            client_id: Some(Label::new(client_id)),
            latency: now.elapsed().saturating_sub(self.arrived.elapsed()),
            peer: Some(self.peer),
        };
        // Whoever waits for it may be gone by then: it is told as gone after it was told as let in, or not at all.
        let witness = Arc::clone(self);
        self.ledger.record(event, move |recorded| witness.admitted(recorded, now, token)).await
    }

    fn admitted(&self, recorded: bool, since: Moment, token: Option<Fingerprint>) {
        if recorded {
            let mut state = self.state();
            state.since = Some(since);
            state.admitted = token;
        }
        self.answered();
    }

    /// The recorder has answered for one of the records under way.
    fn answered(&self) {
        let deferred = {
            let mut state = self.state();
            state.under_way = state.under_way.saturating_sub(1);
            if state.under_way == 0 { state.deferred.take() } else { None }
        };
        if let Some(end) = deferred {
            self.tell(end);
        }
    }

    /// It is about to go on under a fresh token. Returns once that is on record.
    ///
    /// # Errors
    ///
    /// [`Missing`]: then it must not.
    pub(crate) async fn renews(&self, client_id: &str) -> Result<(), Missing> {
        let token = self.state().presented;
        let event = AuthEvent::ClientReauthenticated {
            connection: self.connection,
            token,
            client_id: Some(Label::new(client_id)),
        };
        self.ledger.record(event, |_| {}).await?;
        let mut state = self.state();
        state.admitted = token;
        state.revoked = false;
        state.revoked_at = None;
        Ok(())
    }

    /// The token that it presented serves once, and had been used: that is why it is refused.
    pub(crate) fn replays(&self) {
        let token = {
            let mut state = self.state();
            state.ended |= state.since.is_none();
            state.presented
        };
        let event = AuthEvent::ReplayRejected {
            replayed: Replayed::Token,
            token,
            client_id: None,
            peer: Some(self.peer),
            repeated: 0,
        };
        self.ledger.refuse(self.clock.now(), event);
    }

    /// The fresh token that it presented is refused, and it goes on as before for now.
    pub(crate) fn refuses_renewal(&self, reason: &str) {
        self.rejected(reason, None, None);
    }

    /// The credentials that it lives by were taken back at that moment, as is told elsewhere.
    pub(crate) fn is_revoked(&self, at: Moment) {
        self.state().revoked_at.get_or_insert(at);
    }

    /// The credentials that it lives by were taken back at that moment, which is told once of each.
    pub(crate) fn revokes(self: &Arc<Self>, at: Moment) {
        self.is_revoked(at);
        let token = {
            let mut state = self.state();
            if std::mem::replace(&mut state.revoked, true) {
                return;
            }
            state.under_way += 1;
            state.admitted
        };
        let target = token.is_none().then(|| Label::new(&format!("connection {}", self.connection)));
        let witness = Arc::clone(self);
        let event = AuthEvent::TokenRevoked { token, target, peer: None };
        self.ledger.past(self.clock.now(), event, move |_| witness.answered());
    }

    /// The server refuses or ends it.
    pub(crate) fn ends(&self, reason: &str, code: Option<u16>) {
        self.end(reason, code, true);
    }

    /// Its client ends it, or it is lost.
    pub(crate) fn leaves(&self, reason: &str, code: Option<u16>) {
        self.end(reason, code, false);
    }

    fn end(&self, reason: &str, code: Option<u16>, by_us: bool) {
        let at = self.clock.now().mono;
        let end = {
            let mut state = self.state();
            if std::mem::replace(&mut state.ended, true) {
                return;
            }
            // Who reads nothing is dropped before it can be told, and is lost; no other end comes of it.
            let revoked_at = state.revoked_at.filter(|_| matches!(reason, REVOKED | LOST));
            let end = End { reason: Label::new(reason), code, by_us, at, revoked_at };
            if state.under_way > 0 {
                state.deferred = Some(end);
                return;
            }
            end
        };
        self.tell(end);
    }

    fn tell(&self, End { reason, code, by_us, at, revoked_at }: End) {
        let since = self.state().since;
        let after = |before: Moment| at.elapsed().saturating_sub(before.elapsed());
        match since {
            Some(since) => self.ledger.observe(&AuthEvent::ClientDisconnected {
                connection: self.connection,
                reason,
                code,
                lasted: after(since),
                revoked_for: revoked_at.map(after),
                revoked_via: revoked_at.map(|_| RevocationPath::Local),
            }),
            None if by_us => self.rejected(reason.as_str(), code, Some(after(self.arrived))),
            None => {}
        }
    }

    fn rejected(&self, reason: &str, code: Option<u16>, latency: Option<Duration>) {
        let event = AuthEvent::ClientRejected {
            connection: self.connection,
            dialect: self.dialect.clone(),
            reason: Label::new(reason),
            code,
            token: self.state().presented,
            latency,
            peer: Some(self.peer),
            repeated: 0,
        };
        self.ledger.refuse(self.clock.now(), event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An end: who was let in is gone by it, and by one of ours who was not is refused.
struct End {
    reason: Label,
    code: Option<u16>,
    by_us: bool,
    at: Moment,
    /// When its token was taken back, where that is why it ends.
    revoked_at: Option<Moment>,
}

/// How records call the end of a connection whose token was taken back.
pub(crate) const REVOKED: &str = "revoked";

/// How they call one that nobody chose.
const LOST: &str = "lost";

impl Drop for Witness {
    /// Whatever became of it, who was let in is told to be gone.
    fn drop(&mut self) {
        self.leaves(LOST, None);
    }
}

#[cfg(test)]
mod tests {
    use auth_core::fingerprint::FingerprintKey;
    use auth_core::observe::Unconfirmed;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::ledger::tests::{Mood, Moody, ledger};

    fn witness(recorder: &Arc<Moody>) -> (Arc<Witness>, Arc<Ledger>) {
        let (ledger, clock) = ledger(recorder);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let witness = Witness::new(Arc::clone(&ledger), clock, "ably", peer);
        witness.presents(&Secret::from("token"));
        (Arc::new(witness), ledger)
    }

    /// Somebody who hangs up while they are let in, and what is told of that once the recorder is in this mood.
    async fn hung_up(mood: Mood) -> Vec<&'static str> {
        let recorder = Moody::new(Mood::Hangs);
        let (witness, ledger) = witness(&recorder);
        let admitted = timeout(Duration::from_secs(1), witness.admits("alice")).await;
        assert!(admitted.is_err());
        drop(witness);
        assert!(recorder.names().is_empty(), "no end before its beginning");
        recorder.set(mood);
        ledger.finish().await;
        recorder.names()
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_while_being_let_in_is_told_to_come_and_to_go_or_neither() {
        assert_eq!(hung_up(Mood::Records).await, ["client_authenticated", "client_disconnected"]);
        assert!(hung_up(Mood::Refuses).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_since_the_record_is_late_is_told_to_be_gone_after_it_or_refused_without_it() {
        for (mood, told) in [
            (Mood::Records, &["client_authenticated", "client_disconnected"][..]),
            (Mood::Refuses, &["client_rejected"]),
        ] {
            let recorder = Moody::new(Mood::Hangs);
            let (witness, ledger) = witness(&recorder);
            assert_eq!(witness.admits("alice").await, Err(Missing::Late));
            witness.ends("unrecorded", Some(1013));
            recorder.set(mood);
            ledger.finish().await;
            assert_eq!(recorder.names(), told);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_told_to_be_revoked_once_and_the_next_one_again() {
        let recorder = Moody::new(Mood::Records);
        let (witness, ledger) = witness(&recorder);
        witness.admits("alice").await.unwrap();
        let now = witness.clock.now().mono;
        (0..5).for_each(|_| witness.revokes(now));
        ledger.finish().await;
        assert_eq!(recorder.names(), ["client_authenticated", "token_revoked"]);
        witness.renews("alice").await.unwrap();
        (0..5).for_each(|_| witness.revokes(now));
        witness.ends("revoked", None);
        ledger.finish().await;
        assert_eq!(recorder.names()[2..], ["client_reauthenticated", "token_revoked", "client_disconnected"]);
    }

    /// How long ago a connection was revoked that comes to its end, as its record says.
    async fn revoked_for(ends: impl AsyncFnOnce(&Arc<Witness>)) -> Option<Duration> {
        let told = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&told);
        let recorder = Unconfirmed(move |event: &AuthEvent| {
            if let AuthEvent::ClientDisconnected { revoked_for, revoked_via, .. } = event {
                assert_eq!(revoked_via.is_some(), revoked_for.is_some());
                assert!(kept.lock().unwrap().replace(*revoked_for).is_none(), "it ends once");
            }
        });
        let clock = Clock::start();
        let patience = Duration::from_secs(1);
        let ledger = Ledger::new(Arc::new(recorder), FingerprintKey::new([5; 32]), patience, clock.now());
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let witness = Arc::new(Witness::new(Arc::new(ledger), clock, "ably", peer));
        witness.admits("alice").await.unwrap();
        ends(&witness).await;
        witness.ledger.finish().await;
        drop(witness);
        let told = told.lock().unwrap().take();
        told.expect("it is gone")
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_tells_how_long_ago_its_revocation_was_and_no_other_end_does() {
        const SECOND: Duration = Duration::from_secs(1);
        async fn revokes(witness: &Arc<Witness>) {
            witness.revokes(witness.clock.now().mono);
            sleep(SECOND).await;
            // Once more changes nothing: it is since the first.
            witness.revokes(witness.clock.now().mono);
            sleep(SECOND).await;
        }
        let ended = revoked_for(async |witness| {
            revokes(witness).await;
            witness.ends(REVOKED, Some(4401));
        });
        assert_eq!(ended.await, Some(2 * SECOND));
        assert_eq!(revoked_for(revokes).await, Some(2 * SECOND), "who reads nothing is dropped");
        let left = revoked_for(async |witness| {
            revokes(witness).await;
            witness.leaves("closed by the client", Some(1000));
        });
        assert_eq!(left.await, None);
        let drained = revoked_for(async |witness| {
            revokes(witness).await;
            witness.ends("draining", Some(1001));
        });
        assert_eq!(drained.await, None);
        let renewed = revoked_for(async |witness| {
            revokes(witness).await;
            witness.renews("alice").await.unwrap();
        });
        assert_eq!(renewed.await, None, "it is lost, under another token");
        assert_eq!(revoked_for(async |_| ()).await, None);
    }
}

//! One connection as the records see it: let in or refused once, and ended once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_core::fingerprint::Fingerprint;
use auth_core::observe::{Label, Replayed};
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
    /// Whether the token that it was let in by was taken back, and no other accepted since.
    revoked: bool,
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

    /// The token that it presented is spent, whatever comes of it. Returns once that is on record.
    ///
    /// # Errors
    ///
    /// [`Missing`]: then it must not be let in. The token is spent nevertheless, and that is recorded as soon as it can be.
    pub(crate) async fn consumes(&self, client_id: &str) -> Result<(), Missing> {
        let Some(token) = self.state().presented else { return Ok(()) };
        let client_id = Some(Label::new(client_id));
        let event = AuthEvent::TokenConsumed { token, client_id, peer: Some(self.peer) };
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
        self.rejected(reason, None);
    }

    /// The credentials that it lives by were taken back, which is told once of each.
    pub(crate) fn revokes(self: &Arc<Self>) {
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
        let end = End { reason: Label::new(reason), code, by_us, at: self.clock.now().mono };
        {
            let mut state = self.state();
            if std::mem::replace(&mut state.ended, true) {
                return;
            }
            if state.under_way > 0 {
                state.deferred = Some(end);
                return;
            }
        }
        self.tell(end);
    }

    fn tell(&self, End { reason, code, by_us, at }: End) {
        let since = self.state().since;
        match since {
            Some(since) => {
                let lasted = at.elapsed().saturating_sub(since.elapsed());
                let connection = self.connection;
                self.ledger.observe(&AuthEvent::ClientDisconnected { connection, reason, code, lasted });
            }
            None if by_us => self.rejected(reason.as_str(), code),
            None => {}
        }
    }

    fn rejected(&self, reason: &str, code: Option<u16>) {
        let event = AuthEvent::ClientRejected {
            connection: self.connection,
            dialect: self.dialect.clone(),
            reason: Label::new(reason),
            code,
            token: self.state().presented,
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
}

impl Drop for Witness {
    /// Whatever became of it, who was let in is told to be gone.
    fn drop(&mut self) {
        self.leaves("lost", None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

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
        (0..5).for_each(|_| witness.revokes());
        ledger.finish().await;
        assert_eq!(recorder.names(), ["client_authenticated", "token_revoked"]);
        witness.renews("alice").await.unwrap();
        (0..5).for_each(|_| witness.revokes());
        witness.ends("revoked", None);
        ledger.finish().await;
        assert_eq!(recorder.names()[2..], ["client_reauthenticated", "token_revoked", "client_disconnected"]);
    }
}

//! One connection as the records see it: let in or refused once, and ended once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// Since when it is authenticated.
    since: Option<Moment>,
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
    /// [`Missing`]: then it must not be let in. The token is spent nevertheless.
    pub(crate) async fn consumes(&self, client_id: &str) -> Result<(), Missing> {
        let Some(token) = self.state().presented else { return Ok(()) };
        let client_id = Some(Label::new(client_id));
        self.ledger.record(&AuthEvent::TokenConsumed { token, client_id, peer: Some(self.peer) }).await
    }

    /// It is about to be let in. Returns once that is on record.
    ///
    /// # Errors
    ///
    /// [`Missing`]: then it must not be.
    pub(crate) async fn admits(&self, client_id: &str) -> Result<(), Missing> {
        let now = self.clock.now().mono;
        let token = {
            let mut state = self.state();
            // First: whoever stops waiting for the record must have its end told too.
            state.since = Some(now);
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
        let recorded = self.ledger.record(&event).await;
        match recorded {
            Ok(()) => self.state().admitted = token,
            Err(Missing::Refused) => self.state().since = None,
            // It may be on record later, and then its end must be too.
            Err(Missing::Late) => {}
        }
        recorded
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
        self.ledger.record(&event).await?;
        self.state().admitted = token;
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

    /// The credentials that it lives by were taken back.
    pub(crate) fn revokes(&self) {
        let token = self.state().admitted;
        let target = token.is_none().then(|| Label::new(&format!("connection {}", self.connection)));
        self.ledger.observe(&AuthEvent::TokenRevoked { token, target, peer: None });
    }

    /// The server refuses or ends it.
    pub(crate) fn ends(&self, reason: &str, code: Option<u16>) {
        match self.end() {
            Ending::Told => {}
            Ending::Before => self.rejected(reason, code),
            Ending::After(lasted) => self.disconnected(reason, code, lasted),
        }
    }

    /// Its client ends it, or it is lost.
    pub(crate) fn leaves(&self, reason: &str, code: Option<u16>) {
        if let Ending::After(lasted) = self.end() {
            self.disconnected(reason, code, lasted);
        }
    }

    fn end(&self) -> Ending {
        let mut state = self.state();
        if std::mem::replace(&mut state.ended, true) {
            return Ending::Told;
        }
        let now = self.clock.now().mono.elapsed();
        state.since.map_or(Ending::Before, |since| Ending::After(now.saturating_sub(since.elapsed())))
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

    fn disconnected(&self, reason: &str, code: Option<u16>, lasted: Duration) {
        let (connection, reason) = (self.connection, Label::new(reason));
        self.ledger.observe(&AuthEvent::ClientDisconnected { connection, reason, code, lasted });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left to tell of an end.
enum Ending {
    /// Nothing.
    Told,
    /// It was never let in.
    Before,
    /// It was authenticated for so long.
    After(Duration),
}

impl Drop for Witness {
    /// Whatever became of it, who was let in is told to be gone.
    fn drop(&mut self) {
        self.leaves("lost", None);
    }
}

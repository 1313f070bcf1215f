//! What a story saw: each side's own order, under one lock, so that whoever waits for either hears of both.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth_core::{AuthEvent, Observer};

/// How long anything in a story may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What was seen so far, and which gates are open. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Seen>, Condvar)>);

/// What both sides saw, in the order in which each saw it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Seen {
    /// `connection: what`, such as `2: text hello`.
    pub(crate) server: Vec<String>,
    /// The session's events, such as `authenticated 1`.
    pub(crate) client: Vec<String>,
    /// What the token source was asked for.
    pub(crate) demands: Vec<String>,
    gates: BTreeSet<&'static str>,
    over: bool,
}

impl Log {
    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    pub(crate) fn server(&self, connection: usize, what: &str) {
        self.change(|seen| seen.server.push(format!("{connection}: {what}")));
    }

    pub(crate) fn demand(&self, demand: String) {
        self.change(|seen| seen.demands.push(demand));
    }

    /// Lets a server go on that waits for it.
    pub(crate) fn open(&self, gate: &'static str) {
        self.change(|seen| {
            seen.gates.insert(gate);
        });
    }

    /// Waits for a gate, or the end of the story.
    pub(crate) fn pass(&self, gate: &'static str) {
        self.wait(PATIENCE, |seen| seen.gates.contains(gate) || seen.over);
    }

    /// Ends all waiting.
    pub(crate) fn end(&self) {
        self.change(|seen| seen.over = true);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Waits until something is seen; says whether that was in time.
    pub(crate) fn wait(&self, patience: Duration, until: impl Fn(&Seen) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        let mut seen = self.lock();
        while !until(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seen = self.0.1.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Fails a test that waits for what does not come.
    #[expect(clippy::panic, reason = "a test that waits in vain has failed")]
    pub(crate) fn in_vain(&self, what: &str) -> ! {
        panic!("waited in vain for {what}; {:#?}", self.seen())
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Log {
    fn observe(&self, event: &AuthEvent) {
        let line = match event {
            AuthEvent::Connecting { connection, .. } => format!("connecting {connection}"),
            AuthEvent::Authenticated { connection, session_id: None, .. } => {
                format!("authenticated {connection}")
            }
            AuthEvent::Authenticated { connection, session_id: Some(id), .. } => {
                format!("authenticated {connection} as {}", id.as_str())
            }
            AuthEvent::TokenRenewed { in_band, connection, session_id, .. } => {
                let by = if *in_band { "in band" } else { "by" };
                // Named as before, as a rule.
                let name = session_id.as_ref().filter(|id| id.as_str() != "s");
                format!("renewed {by} {connection}{}", name.map(|id| format!(" as {id}")).unwrap_or_default())
            }
            AuthEvent::RenewalFailed { .. } => "renewal failed".to_owned(),
            AuthEvent::ConnectionLost { connection, code, reason, retry_in, .. } => {
                let code = code.map(|code| format!(" {code}")).unwrap_or_default();
                let next = if retry_in.is_some() { "" } else { ", for good" };
                format!("lost {connection}{code}: {}{next}", reason.as_str())
            }
            AuthEvent::ConnectionDelayed { reason, .. } => format!("delayed: {}", reason.as_str()),
            AuthEvent::SessionClosed { .. } => "closed".to_owned(),
            AuthEvent::SessionFailed { code, .. } => {
                format!("failed{}", code.map(|code| format!(" {code}")).unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        self.change(|seen| seen.client.push(line));
    }
}

//! The machine itself: its inputs, its outputs, and which of its parts each goes to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::Jitter;
use auth_core::time::{Deadline, Now};
use auth_core::token::Generation;
use auth_core::{ApiMisuse, Demand, Token};

use super::demands::Demands;
use super::held::Spent;
use super::phase::{Attempt, Life, Live, Suspension};
use super::timers::{Timer, Timers};
use super::{Config, Epoch, Identity, Input, Output, State, Ticket, TokenFacts};
use crate::Error;
use crate::dialect::{Captures, CredentialUse, Dialect, Failure};

/// One session: one live connection at most, and whatever it takes to keep one. See the
/// [module](super) for the contract.
#[derive(Debug)]
pub struct Session {
    pub(super) dialect: Arc<Dialect>,
    pub(super) config: Config,
    pub(super) jitter: Jitter,
    pub(super) life: Life,
    pub(super) attempt: Attempt,
    pub(super) live: Option<Live>,
    /// The connection that a newer one has replaced, until it has ended.
    pub(super) retiring: Option<Epoch>,
    pub(super) timers: Timers,
    /// When the last input came: two clocks that have gone on differently since then tell of a suspend.
    pub(super) last: Option<Now>,
    /// Failures since a connection was last stable; decides the backoff.
    pub(super) failures: u32,
    /// A fresh credential was already tried since a connection was last stable: a refusal is now fatal.
    pub(super) tried_fresh: bool,
    /// An upgrade without a credential was already refused since a connection was last stable: another refusal is now fatal.
    pub(super) tried_upgrade: bool,
    /// The server's wish for a new connection was already followed at once since a connection was last stable.
    pub(super) hurried: bool,
    /// There has been no connection for so long that the session counts as suspended.
    pub(super) suspension: Suspension,
    /// The newest credential that was refused, until another is presented.
    pub(super) refused: Option<Generation>,
    /// The newest credential that a server has seen.
    pub(super) presented: Option<Generation>,
    /// The credential that the user wants on the connection, until one was accepted since.
    pub(super) wanted: Generation,
    pub(super) spent: Spent,
    pub(super) demands: Demands,
    /// What the server said on the connection before, for one that takes up its session.
    pub(super) last_said: Option<Captures>,
    /// The next attempt asks for nothing of that: the server may have refused the last because of it.
    pub(super) starts_anew: bool,
    /// A server has named a session by its credential: no name is told any more.
    pub(super) withholds: bool,
    pub(super) epoch: Epoch,
    pub(super) next_ticket: u64,
    pub(super) outputs: VecDeque<Output>,
}

impl Session {
    /// A session that has not begun. `seed` decides all jitter and should differ between sessions.
    #[must_use]
    pub fn new(dialect: impl Into<Arc<Dialect>>, config: Config, seed: u64) -> Self {
        Self {
            dialect: dialect.into(),
            config,
            jitter: Jitter::seeded(seed),
            life: Life::Initialized,
            attempt: Attempt::Idle,
            live: None,
            retiring: None,
            timers: Timers::default(),
            last: None,
            failures: 0,
            tried_fresh: false,
            tried_upgrade: false,
            hurried: false,
            suspension: Suspension::Not,
            refused: None,
            presented: None,
            wanted: Generation::NONE,
            spent: Spent::default(),
            demands: Demands::default(),
            last_said: None,
            starts_anew: false,
            withholds: false,
            epoch: Epoch::default(),
            next_ticket: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> State {
        match (&self.life, &self.live, &self.attempt) {
            (Life::Initialized, ..) => State::Initialized,
            (Life::Closing { .. }, ..) => State::Closing,
            (Life::Closed, ..) => State::Closed,
            (Life::Failed(_), ..) => State::Failed,
            (Life::Running, Some(_), _) => State::Connected,
            (Life::Running, None, Attempt::BackingOff { .. }) => match self.suspension {
                Suspension::Told => State::Suspended,
                Suspension::Not | Suspension::Due => State::Disconnected,
            },
            (Life::Running, None, _) => State::Connecting,
        }
    }

    /// Why the session failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        match &self.life {
            Life::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The connection that the user's messages go to, if there is one. A session that closes keeps it, for what was sent before.
    #[must_use]
    pub fn live(&self) -> Option<Epoch> {
        self.live.as_ref().map(|live| live.epoch)
    }

    /// The dialect that it speaks.
    #[must_use]
    pub const fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    /// What the server of the live connection said during its login.
    #[must_use]
    pub fn captures(&self) -> Option<&Captures> {
        self.live.as_ref().map(|live| &live.captures)
    }

    /// Which credential the server of the live connection accepted last.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.live.as_ref().map(|live| live.held.generation)
    }

    /// How long the credential of the live connection is still good, where that is known.
    #[must_use]
    pub fn valid_for(&self, now: Now) -> Option<Duration> {
        self.live.as_ref()?.held.valid_for(now)
    }

    /// When the credential of the live connection expires, where that is known.
    #[must_use]
    pub fn expires(&self) -> Option<Deadline> {
        self.live.as_ref()?.held.expires
    }

    /// Which attempt to connect is under way, or will be the next, from 1: those before it failed since a connection was last stable.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// The wait before the next attempt, if the session waits for one.
    #[must_use]
    pub fn retry_in(&self, now: Now) -> Option<Duration> {
        self.timers.get(Timer::Backoff).map(|due| due.remaining(now))
    }

    /// The wait before the session asks for a fresh credential by itself: for the next attempt, or on the connection.
    #[must_use]
    pub fn renews_in(&self, now: Now) -> Option<Duration> {
        let renewal = self.timers.get(Timer::Renew).map(|due| due.remaining(now));
        self.retry_in(now).or(renewal)
    }

    /// Whether an attempt to connect is under way, from the request for its token on.
    #[must_use]
    pub const fn is_connecting(&self) -> bool {
        !matches!(self.attempt, Attempt::Idle | Attempt::BackingOff { .. })
    }

    /// Takes note that a request for the token of an attempt is made only now, or will be later than now: its time counts from here.
    pub fn fetch_begins(&mut self, now: Now, requested: Ticket) {
        if matches!(self.attempt, Attempt::Fetching { ticket, .. } if ticket == requested) {
            self.timers.set(Timer::Fetch, Some(now.timer(self.config.fetch)));
        }
    }

    /// Takes note that a connection has taken bytes just now. Where it is the one that the session closes, the server's time to answer that
    /// counts from here: from the close frame in the end, and not from what goes out before it.
    pub fn wrote(&mut self, now: Now, epoch: Epoch) {
        if let Life::Closing { epoch: closing, until, .. } = self.life
            && closing == epoch
        {
            self.timers.set(Timer::Close, Some(now.timer(self.config.close.min(until.remaining(now)))));
        }
    }

    /// Whether a fresh credential, or a connection, is on its way.
    #[must_use]
    pub const fn is_renewing(&self) -> bool {
        use super::phase::Renewal;
        let in_band = matches!(
            self.live,
            Some(Live { renewal: Renewal::Fetching { .. } | Renewal::Presented { .. }, .. })
        );
        in_band || self.is_connecting()
    }

    /// What this machine needs to know of a token, for [`Input::Token`]: less work than [`TokenFacts::from`] where its dialect's credentials serve
    /// more than once.
    #[must_use]
    pub fn facts(&self, token: &Token) -> TokenFacts {
        let serves_once = self.dialect.credential_use == CredentialUse::Once;
        TokenFacts::new(token, serves_once.then(|| Identity::of(token)))
    }

    /// Takes an input.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), ApiMisuse> {
        self.drained()?;
        // A connection that has ended is not asked whether it lives.
        let over = matches!(&input, Input::Ended { epoch, .. } if self.live() == Some(*epoch));
        if self.has_slept(now) && !over {
            self.network_changed(now);
        }
        match input {
            Input::Start => {
                if matches!(self.life, Life::Initialized) {
                    self.life = Life::Running;
                    self.timers.set(Timer::Suspend, Some(now.timer(self.config.suspended_after)));
                    self.fetch(now, Demand::Current);
                }
            }
            Input::Close => self.close(now),
            Input::Renew => self.renew_now(now),
            Input::Present { generation } => self.present(now, generation),
            Input::NetworkChanged => self.network_changed(now),
            Input::Tick => {}
            Input::Token { ticket, result } => self.token(now, ticket, result),
            Input::Opened { epoch } => self.opened(now, epoch),
            Input::Unplaceable { epoch, message } => self.unplaceable(now, epoch, message),
            Input::Ended { epoch, failure, retry_after } => self.ended(now, epoch, &failure, retry_after),
        }
        self.advance(now);
        Ok(())
    }

    /// Takes note that something else than a message came on this connection: a ping, a pong, a part of a frame. It lives.
    pub fn heard(&mut self, epoch: Epoch) {
        if let Some(live) = self.live.as_mut().filter(|live| live.epoch == epoch) {
            live.heard = true;
        }
    }

    /// The next output; [`Output::Wait`] when there is nothing left to do.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| {
            // A session at rest has nothing to do for minutes.
            if self.outputs.capacity() > 0 && matches!(self.attempt, Attempt::Idle) {
                self.outputs = VecDeque::new();
            }
            Output::Wait(self.timers.next())
        })
    }

    /// Whether [`poll`](Self::poll) would answer [`Output::Wait`]: nothing that was taken asks for anything.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.outputs.is_empty()
    }

    pub(super) fn drained(&self) -> Result<(), ApiMisuse> {
        if self.outputs.is_empty() { Ok(()) } else { Err(ApiMisuse::OutputsPending) }
    }

    // Time.

    fn advance(&mut self, now: Now) {
        while let Some(timer) = self.timers.take_passed(now) {
            self.expired(now, timer);
        }
    }

    fn expired(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Fetch => self.no_token_in_time(now),
            Timer::Open => self.abandon_attempt(now, "the connection was not opened in time"),
            Timer::Answer => self.abandon_attempt(now, "the server did not answer the credential in time"),
            Timer::Backoff => {
                if let Attempt::BackingOff { demand, .. } = self.attempt {
                    self.fetch(now, demand);
                }
            }
            Timer::Renew => self.renewal_due(now),
            Timer::RenewalFetch => self.renew_later(now, "the source handed out no token in time", None),
            Timer::RenewalAnswer => {
                let reason = "the server did not answer the fresh credential in time";
                self.abandon_live(now, reason, &Failure::Timeout);
            }
            Timer::Expiry => self.credential_expired(now),
            Timer::Stable => self.stable(),
            Timer::Silence => self.look_at_silence(now),
            Timer::Retire => self.retire_now(now),
            Timer::Close => self.closed(now),
            Timer::Suspend => self.suspend(),
        }
    }

    /// A wall clock that went on while the monotonic one stood still tells of a suspend; one that was set back must not
    /// hide the next.
    fn has_slept(&mut self, now: Now) -> bool {
        const NOTABLE: Duration = Duration::from_secs(2);
        let Some(last) = self.last.replace(now) else { return false };
        let elapsed = now.mono.elapsed().saturating_sub(last.mono.elapsed());
        let expected = last.wall.saturating_add(elapsed);
        if expected.saturating_since(now.wall) > NOTABLE {
            self.timers.wall_set_back(now);
        }
        now.wall.saturating_since(expected) > NOTABLE
    }
}

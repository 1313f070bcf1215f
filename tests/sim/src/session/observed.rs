//! What is checked after each input: that each transition was told once, and that what must follow followed.

use std::collections::VecDeque;
use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::time::Now;
use ws_session::dialect::Acceptance;
use ws_session::machine::State;

use super::client::{Cause, Drained};
use super::properties::Property;
use super::wishes::InUse;
use super::world::World;
use crate::clock::At;

/// What was seen of a session so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) attempts: VecDeque<At>,
    pub(crate) most_in_a_minute: usize,
    pub(crate) most_in_ten: usize,
    /// When the wait is over, on the monotonic clock, and whether a server named it.
    pub(crate) not_before: Option<(Duration, bool)>,
    /// Failures, as the last attempt told them.
    pub(crate) failures: u32,
    /// Those of them that this world knows of.
    pub(crate) counted: u32,
    /// When the session will have been up for long enough, where its connection was closed for the next one.
    pub(crate) inherited: Option<Duration>,
    /// A connection has been stable since the last attempt that was told.
    pub(crate) stable: bool,
    /// The wait that was told last was that of an attempt before it.
    pub(crate) waiting: bool,
    /// While a connection is live the way to another one waits.
    pub(crate) renewal_waits: bool,
    /// That the session is suspended was told.
    pub(crate) suspended: bool,
    /// Refusals since a connection was stable: of credentials, and of upgrades without one.
    pub(crate) refusals: u32,
    pub(crate) refused_upgrades: u32,
    /// A wish for a new connection was followed at once since then.
    pub(crate) hurried: bool,
    /// Ends that were told.
    pub(crate) ends: u32,
    /// Since when there has been no connection: true time, and the monotonic clock.
    pub(crate) down_since: Option<(At, Duration)>,
    /// When the advice that was given last is over, on the monotonic clock.
    pub(crate) advised_until: Duration,
    /// Something happened to a clock since the machine last looked.
    pub(crate) clocks_disturbed: bool,
    /// What may end the session was met.
    pub(crate) final_cause: bool,
    /// The credential that the session is on, until its connection is lost.
    pub(crate) in_use: Option<InUse>,
    /// When it was renewed before its time, in the last hour.
    pub(crate) early_renewals: VecDeque<At>,
    pub(crate) most_early_renewals: usize,
}

impl World {
    /// After all outputs of an input.
    pub(crate) fn observe(&mut self, now: Now, cause: &Cause, drained: &Drained) {
        let (before, state) = (drained.before.unwrap_or(State::Initialized), self.client.state());
        if before.is_final() && drained.outputs > 0 && !self.forgot_only(drained) {
            self.violate(Property::NothingLeft, format!("{before:?}, and the machine still says something"));
        }
        if drained.fetches.len() > 1 {
            self.violate(Property::OneFetch, "two tokens are asked for at once".to_owned());
        }
        if matches!(cause, Cause::Stale)
            && drained.outputs > 0
            && !self.was_due()
            && !self.forgot_only(drained)
        {
            self.violate(Property::Protocol, "what is no more moved the machine".to_owned());
        }
        for event in &drained.events {
            self.note_event(now, cause, drained, event);
        }
        self.check_transition(drained);
        self.judge_outcome(now, cause, drained);
        if state.is_final() {
            // A driver drops what it was fetching.
            self.fetches.iter_mut().rev().take(4).for_each(|fetch| fetch.void = true);
            self.check_nothing_left();
        } else {
            self.check_live(now, cause);
            self.check_suspended(now, cause);
        }
        // A message does not move the machine's clock.
        if !matches!(cause, Cause::Message(..)) {
            self.note_stability(now);
        }
        // Only now: what was live before the input was judged by it.
        let down = !matches!(state, State::Connected);
        match (down, self.seen.down_since) {
            (true, None) => self.seen.down_since = Some((self.clocks.at, now.mono.elapsed())),
            (false, Some(_)) => self.seen.down_since = None,
            _ => {}
        }
        // The end of a connection that is being closed has nothing to do with what is asked for.
        let ended = match cause {
            Cause::Ended { link, .. } => !self.links[*link].closing,
            _ => !drained.aborts.is_empty(),
        };
        if ended && let Some(fetch) = self.fetches.last_mut() {
            fetch.disturbed |= drained.fetches.is_empty() || self.client.live() != drained.live_before;
        }
        if self.client.live() != drained.live_before {
            self.seen.renewal_waits = false;
        }
    }

    /// A token that comes too late is forgotten, and that is all.
    fn forgot_only(&self, drained: &Drained) -> bool {
        drained.events.is_empty()
            && drained.fetches.is_empty()
            && drained.opens.is_empty()
            && drained.aborts.is_empty()
            && drained.closes.is_empty()
            && drained.sends == 0
    }

    /// A connection that has been live for long enough makes what was before it forgotten.
    fn note_stability(&mut self, now: Now) {
        let live = self.client.live().and_then(|live| self.link_of(live));
        let stable_at = live.map_or(&mut self.seen.inherited, |link| &mut self.links[link].stable_at);
        if stable_at.take_if(|due| now.mono.elapsed() >= *due).is_some() {
            self.seen.stable = true;
            self.seen.counted = 0;
            self.seen.refusals = 0;
            self.seen.refused_upgrades = 0;
            self.seen.hurried = false;
        }
    }

    fn note_event(&mut self, now: Now, cause: &Cause, drained: &Drained, event: &AuthEvent) {
        match event {
            AuthEvent::Connecting { connection, failures } => {
                if !drained.opens.iter().any(|epoch| epoch.number() == *connection) {
                    self.violate(
                        Property::Observed,
                        format!("connection {connection} is told, and not opened"),
                    );
                }
                if *failures < self.seen.failures && !self.seen.stable {
                    let before = self.seen.failures;
                    self.violate(
                        Property::Backoff,
                        format!("{failures} failures after {before}, and no connection was stable"),
                    );
                }
                if *failures < self.seen.counted {
                    let counted = self.seen.counted;
                    self.violate(Property::Backoff, format!("{failures} failures are told, after {counted}"));
                }
                self.seen.failures = *failures;
                self.seen.stable = false;
            }
            AuthEvent::Authenticated { connection, .. } => self.note_authenticated(now, cause, *connection),
            AuthEvent::TokenRenewed { connection, in_band, .. } => {
                self.coverage.saw(if *in_band {
                    "machine: renewed in band"
                } else {
                    "machine: renewed by another connection"
                });
                if *in_band {
                    self.take_credential(*connection);
                    self.count_renewal(now, *connection);
                }
                let stable = now.mono.elapsed() + self.plan.settings.stable;
                let link = self.links.iter_mut().rev().find(|link| link.epoch.number() == *connection);
                if let Some(link) = link.filter(|_| *in_band) {
                    link.stable_at.get_or_insert(stable);
                    link.renewing = false;
                }
            }
            AuthEvent::RenewalFailed { connection, retry_in, .. } => {
                self.coverage.saw("machine: a renewal failed");
                self.never_when_quiet("a renewal failed");
                if let Some(link) =
                    self.links.iter_mut().rev().find(|link| link.epoch.number() == *connection)
                {
                    link.renewing = false;
                }
                self.seen.renewal_waits = retry_in.is_some();
                if let Some(retry_in) = retry_in {
                    let advised = self.is_advised(cause);
                    self.seen.not_before = Some((now.mono.elapsed() + *retry_in, advised));
                }
            }
            AuthEvent::RenewalDelayed { retry_in, .. } => {
                self.coverage.saw("machine: puts off a renewal");
                self.seen.not_before = Some((now.mono.elapsed() + *retry_in, false));
            }
            AuthEvent::ConnectionDelayed { retry_in, .. } => {
                self.seen.inherited = None;
                self.coverage.saw("machine: delayed for want of a token");
                self.never_when_quiet("an attempt was delayed");
                let advised = self.is_advised(cause);
                self.seen.not_before = Some((now.mono.elapsed() + *retry_in, advised));
                self.count_failure();
            }
            AuthEvent::ConnectionLost { connection, retry_in, lasted, .. } => {
                self.check_lasted(now, Some(*connection), *lasted);
                self.note_lost(now, cause, *connection, *retry_in);
            }
            AuthEvent::SessionFailed { .. } => {
                self.coverage.saw("machine: failed");
                self.seen.ends += 1;
                self.never_when_quiet("the session failed");
            }
            AuthEvent::SessionClosed { lasted } => {
                self.check_lasted(now, None, *lasted);
                self.coverage.saw("machine: closed");
                self.seen.ends += 1;
            }
            AuthEvent::SessionSuspended { .. } => self.coverage.saw("machine: suspended"),
            _ => {}
        }
    }

    /// Whether a server, or the source, named the wait.
    fn is_advised(&self, cause: &Cause) -> bool {
        match cause {
            Cause::NoToken(error) => matches!(error.retry(), auth_core::Retry::After(_)),
            Cause::Ended { advice, .. } => advice.is_some(),
            _ => false,
        }
    }

    fn never_when_quiet(&mut self, what: &str) {
        if self.plan.quiet {
            self.violate(Property::Quiet, format!("nothing goes wrong, and {what}"));
        }
    }

    fn note_authenticated(&mut self, now: Now, cause: &Cause, connection: u64) {
        self.coverage.saw("machine: authenticated");
        self.seen.down_since = None;
        let at = self.clocks.at;
        let upgrade = matches!(self.plan.dialect.acceptance, Acceptance::Upgrade);
        let explained = match cause {
            Cause::Opened(link) => upgrade && self.links[*link].epoch.number() == connection,
            Cause::Message(link, _) => !upgrade && self.links[*link].epoch.number() == connection,
            _ => false,
        };
        // A session that goes over from one connection to the next has been stable for as long.
        let inherited = self.links.iter_mut().rev().find_map(|link| link.stable_at.take());
        let inherited = self.seen.inherited.take().or(inherited);
        let Some(link) = self.links.iter_mut().rev().find(|link| link.epoch.number() == connection) else {
            return self.violate(Property::Observed, format!("{connection} is no connection"));
        };
        let again = link.authenticated_at.replace(at).is_some();
        link.live_since = Some(now.mono.elapsed());
        link.stable_at = Some(inherited.unwrap_or_else(|| now.mono.elapsed() + self.plan.settings.stable));
        link.heard = now.mono.elapsed();
        if again || !explained {
            self.violate(
                Property::Observed,
                format!("connection {connection} is authenticated; again: {again}, explained: {explained}"),
            );
        }
        self.take_credential(connection);
        self.count_renewal(now, connection);
    }

    /// The credential that was presented last on a connection is the one in use.
    fn take_credential(&mut self, connection: u64) {
        let Some(link) = self.links.iter_mut().rev().find(|link| link.epoch.number() == connection) else {
            return;
        };
        let held = link.ticket.and_then(|ticket| self.client.held.get(&ticket));
        link.in_use = held.and_then(|held| held.told);
        link.accepted = held.map(|held| held.token);
    }

    /// How long a connection lasted, from its acceptance: that of this number, or any.
    fn check_lasted(&mut self, now: Now, connection: Option<u64>, lasted: Option<Duration>) {
        let of = |link: &&super::link::Link| connection.is_none_or(|number| link.epoch.number() == number);
        let since = self.links.iter().filter(of).filter_map(|link| link.live_since);
        let expected: Vec<_> = since.map(|since| now.mono.elapsed().saturating_sub(since)).collect();
        let plausible = match lasted {
            Some(lasted) => expected.contains(&lasted),
            None => connection.is_none() || expected.is_empty(),
        };
        if !plausible {
            let text = format!("{connection:?} is told to have lasted {lasted:?}, not {expected:?}");
            self.violate(Property::Observed, text);
        }
    }

    fn note_lost(&mut self, now: Now, cause: &Cause, connection: u64, retry_in: Option<Duration>) {
        self.coverage.saw("machine: lost a connection");
        self.never_when_quiet("a connection was lost");
        let Some(link) = self.links.iter_mut().rev().find(|link| link.epoch.number() == connection) else {
            return self.violate(Property::Observed, format!("{connection} is no connection"));
        };
        link.lost += 1;
        link.stable_at = None;
        if link.live_since.is_some() {
            self.seen.in_use = None;
        }
        self.seen.inherited = None;
        if link.lost > 1 {
            self.violate(Property::Observed, format!("connection {connection} is lost twice"));
        }
        let Some(retry_in) = retry_in else { return };
        self.count_failure();
        self.seen.renewal_waits = true;
        let until = now.mono.elapsed() + retry_in;
        // The next attempt may have been waiting already, while the connection was live.
        let waiting = self.seen.not_before.filter(|(due, _)| due.abs_diff(until) < Duration::from_millis(10));
        self.seen.waiting = waiting.is_some();
        let advised = waiting.map_or_else(|| self.is_advised(cause), |(_, advised)| advised);
        self.seen.not_before = Some((until, advised));
    }

    fn check_transition(&mut self, drained: &Drained) {
        let (state, live) = (self.client.state(), self.client.live());
        if self.seen.ends != u32::from(state.is_final()) {
            let ends = self.seen.ends;
            self.violate(Property::Observed, format!("{state:?}, and {ends} ends were told"));
        }
        let told = |wanted: fn(&AuthEvent) -> Option<u64>, number: u64| {
            drained.events.iter().filter(|event| wanted(event) == Some(number)).count()
        };
        let authenticated = |event: &AuthEvent| match event {
            AuthEvent::Authenticated { connection, .. } => Some(*connection),
            _ => None,
        };
        let lost = |event: &AuthEvent| match event {
            AuthEvent::ConnectionLost { connection, .. } => Some(*connection),
            _ => None,
        };
        if live != drained.live_before {
            if let Some(new) = live
                && told(authenticated, new.number()) != 1
            {
                self.violate(Property::Observed, format!("{new:?} is live, and nobody was told"));
            }
            if let Some(old) = drained.live_before {
                let ended = self.link_of(old);
                let stable_at = ended.and_then(|link| self.links[link].stable_at.take());
                if drained.closes.contains(&old) && live.is_none() && state == State::Connecting {
                    self.seen.inherited = stable_at;
                }
                let closed = drained.closes.contains(&old) || drained.before == Some(State::Closing);
                let user = matches!(state, State::Closed);
                if !closed && !user && told(lost, old.number()) != 1 {
                    self.violate(
                        Property::Observed,
                        format!("{old:?} is no longer live, and nobody was told"),
                    );
                }
            }
        }
        if state == State::Connected && live.is_none() {
            self.violate(Property::Observed, "Connected, and no connection is live".to_owned());
        }
        let suspended =
            drained.events.iter().any(|event| matches!(event, AuthEvent::SessionSuspended { .. }));
        // Told once, though each attempt is an exception to it.
        let again = self.seen.suspended;
        self.seen.suspended |= suspended;
        let gone_on = !drained.fetches.is_empty() || state.is_final();
        if suspended && (again || state != State::Suspended && !gone_on)
            || state == State::Suspended && !self.seen.suspended
        {
            self.violate(Property::Observed, format!("{state:?}, and the suspension was told: {suspended}"));
        }
        self.seen.suspended &= state != State::Connected;
    }

    /// Whether a deadline had passed before the input, or a clock had been disturbed: then anything may have happened with it.
    pub(crate) fn was_due(&self) -> bool {
        self.client.was_due || self.client.was_disturbed
    }
}

//! The driver: hands inputs to the machine, does what it says, keeps tokens by their tickets, and wakes it up.

use auth_core::time::Now;
use auth_core::{Error, Retry, Secret, Token};
use serde_json::Value;
use ws_session::dialect::{Fresh, Incoming};
use ws_session::machine::{DialectMessage, Epoch, Input, Output, Received, Session, State, Ticket};

use super::client::{Cause, Drained, Held};
use super::link::{Link, Up};
use super::peer::Request;
use super::properties::Property;
use super::world::{Event, World};
use crate::clock::{At, MILLI, SECOND, length};

impl World {
    /// Hands an input to the machine, and does what it says.
    pub(crate) fn handle(&mut self, input: Input, cause: Cause) {
        let Some(mut machine) = self.client.machine.take() else { return };
        let now = self.begin_input();
        self.client.was_disturbed = std::mem::take(&mut self.seen.clocks_disturbed);
        if matches!(cause, Cause::Pushed) {
            // Somebody is in a hurry; a server's advice stands.
            self.seen.not_before = self.seen.not_before.filter(|(_, advised)| *advised);
        }
        self.note(format_args!("< {input:?}"));
        if let Err(misuse) = machine.handle(now, input) {
            self.violate(Property::Progress, format!("{misuse}"));
        }
        self.drain(now, machine, cause);
    }

    /// A message reaches the client.
    pub(crate) fn incoming(&mut self, link: usize, text: &str) {
        let Some(mut machine) = self.client.machine.take() else { return };
        let now = self.begin_input();
        let epoch = self.links[link].epoch;
        self.links[link].phase_before = self.links[link].phase();
        self.links[link].renewing_before = self.links[link].renewing;
        self.note(format_args!("< {} {text}", epoch.number()));
        let known = self.links[link].known;
        let received = machine.receive(now, epoch, Incoming::Text(text));
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        match received {
            Ok(received) => {
                if let Some(number) = value.get("push").and_then(Value::as_u64) {
                    self.got(link, number, received == Received::Deliver);
                }
            }
            Err(misuse) => self.violate(Property::Progress, format!("{misuse}")),
        }
        let cause = if known { Cause::Message(link, value) } else { Cause::Stale };
        self.drain(now, machine, cause);
    }

    fn begin_input(&mut self) -> Now {
        let now = self.clocks.now(0);
        self.client.was_due = self.client.deadline.is_some_and(|deadline| deadline.passed(now));
        let fetching =
            self.fetches.last().is_some_and(|fetch| !fetch.void && !fetch.done && !fetch.disturbed);
        let opening = self
            .links
            .iter()
            .rev()
            .take(4)
            .any(|link| link.known && !link.closing && link.authenticated_at.is_none());
        let waiting = self.seen.renewal_waits;
        self.client.under_way =
            self.client.live.is_some() && self.plan.makes_others() && (fetching || opening || waiting);
        now
    }

    fn drain(&mut self, now: Now, mut machine: Box<Session>, cause: Cause) {
        self.inputs += 1;
        let mut drained =
            Drained { before: Some(self.client.state), live_before: self.client.live, ..Drained::default() };
        let mut over = true;
        for _ in 0..64 {
            let output = machine.poll();
            if let Output::Wait(deadline) = output {
                self.client.deadline = deadline;
                over = false;
                break;
            }
            self.note(format_args!("> {output:?}"));
            drained.outputs += 1;
            self.act(now, &machine, output, &mut drained);
        }
        if over {
            self.violate(Property::Progress, "the machine says more than 64 things to one input".to_owned());
        }
        if self.inputs.is_multiple_of(64) && format!("{machine:?}").contains(crate::trace::MARKER) {
            self.violate(Property::Secrets, "the machine shows a secret".to_owned());
        }
        (self.client.state, self.client.live) = (machine.state(), machine.live());
        self.client.machine = Some(machine);
        self.observe(now, &cause, &drained);
        self.rest(now);
        self.progress(now, &cause, &drained);
        self.follow_live();
    }

    fn act(&mut self, now: Now, machine: &Session, output: Output, drained: &mut Drained) {
        match output {
            Output::FetchToken { ticket, demand } => {
                drained.fetches.push(demand);
                self.check_fetch(now);
                self.fetch(ticket, demand);
            }
            Output::Forget { ticket } => match self.client.held.get_mut(&ticket) {
                Some(held) if !held.forgotten => {
                    held.forgotten = true;
                    held.secret = Secret::from("");
                }
                _ => self.violate(Property::Protocol, format!("{ticket:?} is forgotten, and is not held")),
            },
            Output::Open { epoch, ticket } => {
                drained.opens.push(epoch);
                self.open(now, machine, epoch, ticket);
            }
            Output::Send { epoch, message, ticket } => {
                drained.sends += 1;
                let Some(link) = self.open_link(epoch) else { return };
                self.links[link].renewing |= message == DialectMessage::Renewal;
                let secret = match ticket.map(|ticket| self.secret_of(ticket)) {
                    Some(None) => return,
                    secret => secret.flatten(),
                };
                match machine.message(epoch, message, secret.as_ref(), self.fresh(now)) {
                    Ok(rendered) => {
                        let text = rendered.text.expose().to_owned();
                        if let Some(ticket) = ticket {
                            self.presents(now, ticket, link, &text);
                        }
                        self.send_up(link, Up::Text(text));
                    }
                    Err(unplaceable) => self.violate(Property::Protocol, format!("{unplaceable}")),
                }
            }
            Output::Ping { epoch } => {
                if let Some(link) = self.open_link(epoch) {
                    self.coverage.saw("machine: pings");
                    self.send_up(link, Up::Ping);
                }
            }
            Output::Farewell { epoch } => {
                drained.sends += 1;
                let Some(link) = self.open_link(epoch) else { return };
                // What its user sent before goes out first, and nothing after it.
                self.hand_over();
                if self.client.given_to == Some(epoch) {
                    self.flush_now();
                }
                self.links[link].left = true;
                self.coverage.saw("machine: bids farewell");
                match machine.message(epoch, DialectMessage::Farewell, None, self.fresh(now)) {
                    Ok(rendered) => self.send_up(link, Up::Text(rendered.text.expose().to_owned())),
                    Err(unplaceable) => self.violate(Property::Protocol, format!("{unplaceable}")),
                }
            }
            Output::Close { epoch } => {
                drained.closes.push(epoch);
                // What its user sent before goes out first.
                if machine.state() == State::Closing {
                    self.check_farewell(epoch);
                    self.hand_over();
                }
                if self.client.given_to == Some(epoch) {
                    self.flush_now();
                }
                self.close(epoch);
            }
            Output::Abort { epoch } => {
                drained.aborts.push(epoch);
                self.abort(epoch);
            }
            Output::Event(event) => {
                let text = serde_json::to_string(&event).unwrap_or_default();
                self.note(format_args!("= {text}"));
                drained.events.push(event);
            }
            Output::Wait(_) => {}
        }
    }

    /// A service that wants to be told of the end is, before the close frame.
    fn check_farewell(&mut self, epoch: Epoch) {
        let left = self.link_of(epoch).is_some_and(|link| self.links[link].left);
        let served = self.client.live() == Some(epoch);
        if self.plan.dialect.farewell.is_some() && served && !left {
            self.violate(Property::Protocol, format!("{epoch:?} is closed without a farewell"));
        }
    }

    /// What a driver brings for each message.
    fn fresh(&mut self, now: Now) -> Fresh {
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.using.next().to_le_bytes());
        Fresh { now, random }
    }

    fn open_link(&mut self, epoch: Epoch) -> Option<usize> {
        let link = self.link_of(epoch).filter(|link| {
            let link = &self.links[*link];
            link.known && link.opened && !link.closing
        });
        if link.is_none() {
            self.violate(Property::Protocol, format!("something is sent on {epoch:?}, which is not open"));
        }
        link
    }

    /// The secret that is held under a ticket; a violation if none is.
    fn secret_of(&mut self, ticket: Ticket) -> Option<Secret> {
        let held = self.client.held.get(&ticket).filter(|held| !held.forgotten);
        let secret = held.map(|held| held.secret.clone());
        if secret.is_none() {
            self.violate(Property::Protocol, format!("{ticket:?} is wanted, and is not held"));
        }
        secret
    }

    fn open(&mut self, now: Now, machine: &Session, epoch: Epoch, ticket: Ticket) {
        if self.links.last().is_some_and(|link| link.epoch >= epoch) {
            self.violate(Property::Protocol, format!("{epoch:?} is opened after a later one"));
        }
        let Some(secret) = self.secret_of(ticket) else { return };
        let link = self.links.len();
        let slowest = self.plan.network.slowest;
        let lag = self.network.spread(MILLI, slowest);
        self.links.push(Link::new(epoch, lag, now.mono.elapsed()));
        self.check_attempt(ticket, epoch);
        match machine.upgrade("wss://service.example/socket?v=1", &secret, self.fresh(now)) {
            Ok(upgrade) => {
                let request = Request::of(&upgrade);
                let text = request.text();
                self.presents(now, ticket, link, &text);
                self.links[link].upgrade = Some(request);
                self.connect(link);
            }
            Err(unplaceable) => {
                self.violate(Property::Protocol, format!("{unplaceable}"));
                self.schedule(self.clocks.at, Event::Unplaceable { link });
            }
        }
    }

    /// The source hands over a token.
    pub(crate) fn hand_token(&mut self, ticket: Ticket, index: usize, token: &Token, void: bool) {
        let now = self.clocks.now(0);
        let held = Held {
            token: index,
            secret: token.secret().clone(),
            handed: now,
            handed_at: self.clocks.at,
            told: token.expires_in().map(|left| now.expiry(left)),
            used: None,
            forgotten: false,
            again: self.misserved,
        };
        self.client.held.insert(ticket, held);
        let cause = if void { Cause::Stale } else { Cause::Token };
        let Some(machine) = &self.client.machine else { return };
        let facts = machine.facts(token);
        self.handle(Input::Token { ticket, result: Ok(facts) }, cause);
    }

    /// The source has none.
    pub(crate) fn no_token(&mut self, ticket: Ticket, error: Error, void: bool, disturbed: bool) {
        let hopeless = matches!(error.retry(), Retry::Never | Retry::Reauthorize);
        self.seen.final_cause |= hopeless && !void;
        let cause = match (void, disturbed) {
            (true, _) => Cause::Stale,
            // The connection that it was for may be gone: then nobody waits for it.
            (false, true) => Cause::Token,
            (false, false) => Cause::NoToken(error.clone()),
        };
        self.handle(Input::Token { ticket, result: Err(error) }, cause);
    }

    /// Sets the timer for the machine's deadline.
    fn rest(&mut self, now: Now) {
        let Some(deadline) = self.client.deadline else {
            self.client.timer(None);
            return;
        };
        let late = match self.using.below(200) {
            // A busy host.
            0 if !self.is_calm() => self.using.spread(MILLI, 3 * SECOND),
            _ => self.using.below(5 * MILLI),
        };
        let at = self.clocks.at.saturating_add(length(deadline.remaining(now))).saturating_add(late);
        self.set_timer(at);
    }

    fn set_timer(&mut self, at: At) {
        let serial = self.client.timer(Some(at));
        self.schedule(at, Event::Wake { serial });
    }

    pub(crate) fn wake(&mut self, serial: u64) {
        if self.client.timer != serial {
            return;
        }
        let now = self.clocks.now(0);
        match self.client.deadline {
            Some(deadline) if deadline.passed(now) => self.handle(Input::Tick, Cause::Tick),
            Some(_) => self.rest(now),
            None => {}
        }
    }

    /// A clock was set, or the host slept: the timer sees neither, but no driver sleeps for longer than half a minute.
    pub(crate) fn disturb_timer(&mut self, from: At) {
        let Some(due) = self.client.wakes_at else { return };
        let left = due.saturating_sub(from);
        let late = left.min(self.fate.below(30 * SECOND));
        self.set_timer(from + late);
    }

    /// Each wake-up must come to something.
    fn progress(&mut self, now: Now, cause: &Cause, drained: &Drained) {
        let state = self.client.state;
        let waits_for = self.fetches.last().is_some_and(|fetch| !fetch.void && !fetch.done);
        if self.client.deadline.is_none() {
            let idle = state.is_final() || matches!(state, State::Initialized | State::Connected);
            if !idle {
                self.violate(
                    Property::Progress,
                    format!("{state:?} waits for nothing; a token is on its way: {waits_for}"),
                );
            }
        }
        let passed = self.client.deadline.is_some_and(|deadline| deadline.passed(now));
        let idle = matches!(cause, Cause::Tick) && passed && drained.outputs == 0;
        self.client.idle_ticks = if idle { self.client.idle_ticks + 1 } else { 0 };
        if self.client.idle_ticks >= 2 {
            self.violate(Property::Progress, "a deadline in the past, twice, without progress".to_owned());
        }
    }
}

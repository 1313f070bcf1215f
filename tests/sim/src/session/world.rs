//! One world: what is in it, the queue of what will happen, and the loop that lets it happen.

use std::collections::BTreeMap;

use auth_core::token::Generation;
use ws_session::dialect::Failure;
use ws_session::machine::{Epoch, Input, Session};
use ws_session::outbox::Outbox;

use super::chaos::Mishap;
use super::client::{Cause, Client};
use super::link::{Down, Link, Up};
use super::observed::Seen;
use super::plan::Plan;
use super::properties::{Property, Violation};
use super::source::{Fetch, Issued};
use super::user::{LIMIT, Message};
use crate::chance::Chance;
use crate::clock::{At, Clocks};
use crate::coverage::Coverage;
use crate::trace::Trace;

/// What is bound to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// The driver's timer fires, unless it was set anew since.
    Wake { serial: u64 },
    /// The source is done with a request.
    Fetched { fetch: usize },
    /// An upgrade reaches the server.
    Reach { link: usize },
    /// Something reaches the server.
    Up { link: usize, frame: Up },
    /// Something reaches the client.
    Down { link: usize, frame: Down },
    /// The server reaches a verdict.
    Verdict { link: usize, token: Option<usize> },
    /// The timer of a server's connection fires.
    ServerWake { link: usize, serial: u64 },
    /// The server closes a connection for no reason of the client's.
    Kick { link: usize },
    /// What was handed to a connection is with the operating system.
    Flush { epoch: Epoch },
    /// The credential could not be placed.
    Unplaceable { link: usize },
    /// The user sends a message.
    Say,
    /// The server sends one.
    Push,
    /// The server asks for a fresh credential, as always.
    Nag,
    /// The user closes the session.
    Close,
    /// The user wants a fresh credential.
    Renew,
    /// The network changes.
    NetworkChanged,
    /// Something goes wrong.
    Mishap(Mishap),
}

impl Event {
    /// Whether it happens on the host of the session, which may be asleep.
    const fn is_local(&self) -> bool {
        !matches!(
            self,
            Self::Reach { .. }
                | Self::Up { .. }
                | Self::Verdict { .. }
                | Self::ServerWake { .. }
                | Self::Kick { .. }
                | Self::Push
                | Self::Nag
                | Self::Mishap(_)
        )
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) clocks: Clocks,
    queue: BTreeMap<(At, u64), Event>,
    queued: u64,
    pub(crate) client: Client,
    pub(crate) links: Vec<Link>,
    pub(crate) fetches: Vec<Fetch>,
    pub(crate) issued: Vec<Issued>,
    /// What the source keeps, if it keeps any.
    pub(crate) kept: Option<usize>,
    pub(crate) newest: Generation,
    /// The source is about to hand out what it should not.
    pub(crate) misserved: bool,
    pub(crate) messages: Vec<Message>,
    pub(crate) pushed: u64,
    pub(crate) seen: Seen,
    pub(crate) sourcing: Chance,
    pub(crate) serving: Chance,
    pub(crate) network: Chance,
    pub(crate) using: Chance,
    pub(crate) fate: Chance,
    pub(crate) trace: Trace,
    pub(crate) coverage: Coverage,
    pub(crate) violation: Option<Violation>,
    pub(crate) inputs: u64,
}

impl World {
    pub(crate) fn new(seed: u64, keep: bool) -> Self {
        let plan = Plan::of(seed);
        let machine = Session::new(plan.dialect.clone(), plan.settings.config(), seed);
        let wrong = Chance::of(seed, 9).pick([0, 0, 700, -700, 45_000, -45_000]);
        Self {
            clocks: Clocks::new(wrong).drifting(plan.drift),
            queue: BTreeMap::new(),
            queued: 0,
            client: Client::new(machine, Outbox::new(LIMIT)),
            links: Vec::new(),
            fetches: Vec::new(),
            issued: Vec::new(),
            kept: None,
            newest: Generation::NONE,
            misserved: false,
            messages: Vec::new(),
            pushed: 0,
            seen: Seen::default(),
            sourcing: Chance::of(seed, 1),
            serving: Chance::of(seed, 2),
            network: Chance::of(seed, 3),
            using: Chance::of(seed, 4),
            fate: Chance::of(seed, 5),
            trace: Trace::new(keep),
            coverage: Coverage::default(),
            violation: None,
            inputs: 0,
            plan,
        }
    }

    pub(crate) fn schedule(&mut self, at: At, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    /// Lets the world run to its end, or to the first violation.
    pub(crate) fn run(&mut self) {
        self.coverage.saw(self.plan.kind.name());
        let Plan { settings, source, server, network, .. } = self.plan.clone();
        let kind = self.plan.kind.name();
        self.note(format_args!("{kind}: {settings:?}"));
        self.note(format_args!("{source:?}, {server:?}, {network:?}"));
        self.arrange();
        self.handle(Input::Start, Cause::Start);
        while self.violation.is_none() {
            let Some(((at, _), event)) = self.queue.pop_first() else { break };
            if at > self.plan.span {
                break;
            }
            if at < self.clocks.asleep_until && event.is_local() {
                // Whoever waits on the host, or for it, waits until it wakes up.
                let until = self.clocks.asleep_until;
                self.schedule(until, event);
                continue;
            }
            self.clocks.at = at;
            self.happen(event);
        }
        if self.violation.is_none() {
            self.clocks.at = self.plan.span;
            self.judge();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { serial } => self.wake(serial),
            Event::Fetched { fetch } => self.fetched(fetch),
            Event::Reach { link } => self.reach(link),
            Event::Up { link, frame } => self.up(link, frame),
            Event::Down { link, frame } => self.down(link, frame),
            Event::Verdict { link, token } => self.decide(link, token),
            Event::ServerWake { link, serial } => self.server_wakes(link, serial),
            Event::Kick { link } => self.kick(link),
            Event::Flush { epoch } => self.flush(epoch),
            Event::Unplaceable { link } => self.fail_link(link, Failure::Unplaceable, None),
            Event::Say => self.say(),
            Event::Push => self.push(),
            Event::Nag => self.nag(),
            Event::Close => {
                self.coverage.saw("user: closes");
                self.handle(Input::Close, Cause::Close);
            }
            Event::Renew => {
                self.coverage.saw("user: asks for a renewal");
                self.handle(Input::Renew, Cause::Pushed);
            }
            Event::NetworkChanged => {
                self.coverage.saw("user: the network changed");
                self.handle(Input::NetworkChanged, Cause::Pushed);
            }
            Event::Mishap(mishap) => self.befall(mishap),
        }
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        if !self.trace.add(self.clocks.at, what) {
            self.violate(Property::Secrets, "a line of the trace holds a secret".to_owned());
        }
    }

    /// The first violation counts.
    pub(crate) fn violate(&mut self, property: Property, what: String) {
        if self.violation.is_none() {
            self.trace.add(self.clocks.at, format_args!("VIOLATION {property:?}: {what}"));
            self.violation = Some(Violation { property, what });
        }
    }

    /// Whether nothing goes wrong any more.
    pub(crate) const fn is_calm(&self) -> bool {
        self.clocks.at >= self.plan.calm || self.plan.quiet
    }
}

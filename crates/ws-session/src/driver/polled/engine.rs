//! The engine of a session: reads, writes, fetches and waits, as the machine decides, whenever somebody polls.
//!
//! Everything is polled together. A `send().await` in a `select!` would stop reading while the peer does not read,
//! and two peers that echo would wait for each other for ever.

use std::collections::VecDeque;
use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use auth_core::time::{Deadline, Now};
use auth_core::{Demand, Secret, Token};
use tungstenite::Message as Frame;

use super::connection::Connection;
use super::looking::{BYTES_AT_A_TIME, FRAMES_AT_A_TIME, Found};
use super::opening::{Opened, connect};
use super::parts::{Ledger, Parts};
use super::runtime::Task;
use crate::dialect::{Failure, Fresh};
use crate::driver::budget::{Permit, Turn};
use crate::driver::events::{Narrator, Publisher, SessionEvent, Subscribing};
use crate::driver::inbox::Inbox;
use crate::driver::wire;
use crate::driver::{Message, Unsent};
use crate::machine::{self, DialectMessage, Epoch, Input, Output, Ticket};
use crate::outbox::Overflow;

/// What makes a session work, when it is [driven](Self::drive).
pub(in crate::driver) struct Engine<L: Ledger> {
    pub(super) parts: Parts<L>,
    pub(super) inbox: Inbox,
    /// Reading stopped because it was full.
    pub(super) stalled: bool,
    pub(super) connections: Vec<Connection<L::Parcel>>,
    /// The connection that the user's messages go to.
    pub(super) live: Option<Epoch>,
    pub(super) opening: Option<(Epoch, Task<Opened>)>,
    pub(super) fetching: Option<(Ticket, Task<Fetched>)>,
    /// Each until the machine forgets it.
    pub(super) tokens: Vec<(Ticket, Token)>,
    /// What happened, and was not told to the machine yet.
    inputs: VecDeque<Input>,
    pub(super) deadline: Option<Deadline>,
    pub(super) timer: Option<Timer>,
    /// The leave to connect, while an attempt is under way.
    pub(super) permit: Option<Permit>,
    /// An attempt that waits for it, before its token is asked for.
    pub(super) turn: Option<(Ticket, Demand, Turn)>,
    narrator: Narrator,
    publisher: Publisher,
    /// How long the last ping took to be answered.
    pub(super) round_trip: Option<Duration>,
    /// What is done is done on this connection, while there is a live one.
    #[cfg(feature = "tracing")]
    live_span: tracing::Span,
}

pub(super) type Fetched = Result<Token, auth_core::Error>;

pub(super) struct Timer {
    /// When it fires, by the monotonic clock.
    at: Duration,
    pub(super) sleep: Task<()>,
}

/// The same while a connection is being made, whose deadlines follow on each other: one timer does for most of them.
const LONGEST_SLEEP_OF_ATTEMPT: Duration = Duration::from_secs(10);

/// A timer stands still while the computer sleeps: looked at this often, a wall clock that went on is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl<L: Ledger> Engine<L> {
    pub(in crate::driver) fn new(parts: Parts<L>) -> Self {
        Self {
            parts,
            inbox: Inbox::new(FRAMES_AT_A_TIME, BYTES_AT_A_TIME),
            stalled: false,
            // One, as a rule: a vector that grows by itself begins with room for four.
            connections: Vec::with_capacity(1),
            live: None,
            opening: None,
            fetching: None,
            tokens: Vec::with_capacity(1),
            inputs: VecDeque::from([Input::Start]),
            deadline: None,
            timer: None,
            permit: None,
            turn: None,
            narrator: Narrator::new(),
            publisher: Publisher::new(),
            round_trip: None,
            #[cfg(feature = "tracing")]
            live_span: tracing::Span::none(),
        }
    }

    /// Makes channels of events.
    pub(in crate::driver) fn subscribing(&self) -> Subscribing {
        self.publisher.subscribing()
    }

    /// How long the last ping took to be answered.
    pub(in crate::driver) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(in crate::driver) const fn machine(&self) -> &machine::Session {
        &self.parts.machine
    }

    pub(in crate::driver) const fn ledger(&mut self) -> &mut L {
        &mut self.parts.ledger
    }

    pub(in crate::driver) fn now(&self) -> Now {
        self.parts.runtime.now()
    }

    /// Whether it has ended for good, and nothing of it is left.
    pub(in crate::driver) const fn has_ended(&self) -> bool {
        self.parts.machine.state().is_final()
    }

    /// Has the machine hear of what its user wants when it is driven next, once however often it was said. The first thing that
    /// it hears of is the start.
    pub(in crate::driver) fn tell(&mut self, input: Input) {
        let is_known = |known: &Input| match (known, &input) {
            (Input::Present { generation: known }, Input::Present { generation }) => known >= generation,
            (known, input) => discriminant(known) == discriminant(input),
        };
        if !self.has_ended() && !self.inputs.iter().any(is_known) {
            self.inputs.push_back(input);
        }
    }

    /// Whether another message may be sent, as far as that is known before its length.
    pub(in crate::driver) fn has_room(&self) -> bool {
        self.parts.overflow != Overflow::Wait || self.parts.outbox.has_room(1)
    }

    /// Whether a message of this length would come back at once.
    pub(in crate::driver) fn refuses(&self, length: usize) -> bool {
        match self.parts.overflow {
            // Whoever asked for room before it knew the length was told that there is.
            Overflow::Wait => !self.parts.outbox.has_room(1),
            Overflow::Refuse => !self.parts.outbox.has_room(length),
            Overflow::DropOldest => false,
        }
    }

    /// Whether all that was to be sent is with the operating system, or back with its sender.
    pub(in crate::driver) fn is_flushed(&self) -> bool {
        self.parts.outbox.is_settled()
            && self.connections.iter().all(|connection| connection.handed.is_empty())
    }

    /// Sends a message once there is a live connection, or returns it when there will never be.
    pub(in crate::driver) fn send(&mut self, parcel: L::Parcel) {
        if self.has_ended() {
            self.parts.ledger.returned(parcel, Unsent::Ended);
            return;
        }
        let length = L::message(&parcel).len();
        let Parts { outbox, ledger, overflow, .. } = &mut self.parts;
        match overflow {
            Overflow::Wait | Overflow::Refuse => outbox.push_regardless(parcel, length),
            Overflow::DropOldest => {
                outbox
                    .push_instead(parcel, length)
                    .for_each(|oldest| ledger.returned(oldest, Unsent::Dropped));
            }
        }
    }

    /// Forgets the messages that wait and that nobody wants sent any more: they have room that others may need.
    #[cfg(feature = "tokio")]
    pub(in crate::driver) fn forget_unwanted(&mut self) {
        let Parts { outbox, ledger, .. } = &mut self.parts;
        outbox.retain(|parcel| ledger.is_wanted(parcel));
    }

    /// The next message for the reader.
    pub(in crate::driver) fn next(&mut self) -> Option<Message> {
        self.inbox.pop()
    }

    /// Whether there is one.
    pub(in crate::driver) fn has_message(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Whether something was left unread, because too many messages waited for their reader.
    pub(in crate::driver) const fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Does all that can be done now; what can't has registered the waker. True when there is more to do at once.
    pub(in crate::driver) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        #[cfg(feature = "tracing")]
        let span = self.live_span.clone();
        #[cfg(feature = "tracing")]
        let _entered = span.enter();
        let mut frames = FRAMES_AT_A_TIME;
        // What is found in one go is found at one time: to read two clocks costs as much as to read a small frame.
        let now = self.now();
        while !self.has_ended() {
            let found = match self.inputs.pop_front() {
                Some(input) => Found::Input(input),
                None => self.look(cx, now, &mut frames),
            };
            match found {
                Found::Input(input) => self.step(now, input),
                Found::Acted => {}
                Found::Nothing => {
                    if self.parts.outbox.rest() {
                        self.parts.ledger.rest();
                    }
                    return frames == 0;
                }
            }
        }
        false
    }

    fn step(&mut self, now: Now, input: Input) {
        if let Some((ticket, ..)) = &self.turn {
            self.parts.machine.fetch_begins(now, *ticket);
        }
        let taken = self.parts.machine.handle(now, input);
        debug_assert!(taken.is_ok(), "the machine's outputs are always drained");
        self.act(now);
    }

    /// Does what the machine asks for, until it waits.
    pub(super) fn act(&mut self, now: Now) {
        loop {
            match self.parts.machine.poll() {
                Output::FetchToken { ticket, demand } => self.want_token(ticket, demand),
                Output::Forget { ticket } => self.tokens.retain(|(held, _)| *held != ticket),
                Output::Open { epoch, ticket } => self.open(now, epoch, ticket),
                Output::Send { epoch, message, ticket } => self.say(now, epoch, message, ticket),
                Output::Ping { epoch } => {
                    if let Some(connection) = self.connection(epoch) {
                        connection.say(Frame::Ping(bytes::Bytes::new()));
                        connection.asked = Some(now);
                    }
                }
                Output::Farewell { epoch } => self.say(now, epoch, DialectMessage::Farewell, None),
                Output::Close { epoch } => {
                    if let Some(connection) = self.connection(epoch) {
                        connection.close();
                    }
                }
                Output::Abort { epoch } => self.drop_connection(epoch),
                Output::Event(event) => {
                    let held = self.tokens.iter().map(|(_, token)| token.secret());
                    let event = self.parts.machine.tellable(event, held);
                    self.parts.observer.observe(&event);
                    let heard = self.narrator.hear(now, &self.parts.machine, &event);
                    heard.into_iter().for_each(|event| self.tell_of(now, &event));
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    break;
                }
            }
        }
        self.follow();
        if !self.parts.machine.is_connecting() {
            self.turn = None;
            // A session that is closed while it connects may still be dialling, to say farewell.
            self.permit.take_if(|_| self.opening.is_none());
        }
        if let Some(event) = self.narrator.settle(now, &self.parts.machine) {
            self.tell_of(now, &event);
            if let Some(error) = self.parts.machine.error() {
                self.tell_of(now, &SessionEvent::Failed { error: error.clone() });
            }
        }
        if self.has_ended() { self.end() } else { self.arm(now) }
    }

    /// Asks for a token, as soon as whoever connects with it may.
    fn want_token(&mut self, ticket: Ticket, demand: Demand) {
        self.fetching = None;
        let turn = self.turn.take();
        let machine = &self.parts.machine;
        // Who replaces a live connection must not lose it in the queue behind those who have none.
        if self.permit.is_none() && machine.is_connecting() && machine.live().is_none() {
            // Who waits already keeps its place, whatever it wants by now.
            let leave = match turn {
                Some((_, _, turn)) => Err(turn),
                None => self.parts.budget.take(),
            };
            match leave {
                Ok(permit) => self.permit = Some(permit),
                Err(turn) => {
                    self.turn = Some((ticket, demand, turn));
                    return;
                }
            }
        }
        self.fetch(ticket, demand);
    }

    pub(super) fn fetch(&mut self, ticket: Ticket, demand: Demand) {
        let source = Arc::clone(&self.parts.source);
        self.fetching = Some((ticket, Box::pin(async move { source.token(demand).await })));
    }

    fn tell_of(&mut self, now: Now, event: &SessionEvent) {
        self.publisher.publish(now, event);
        self.parts.ledger.happened(event);
    }

    fn open(&mut self, now: Now, epoch: Epoch, ticket: Ticket) {
        let upgrade = self.token(ticket).and_then(|credential| {
            let fresh = Fresh { now, random: self.parts.runtime.random() };
            self.parts.machine.upgrade(self.parts.target.url(), credential, fresh).ok()
        });
        match upgrade {
            Some(upgrade) => {
                let (runtime, target) = (Arc::clone(&self.parts.runtime), self.parts.target.clone());
                let connecting = connect(runtime, target, upgrade, self.parts.headers.clone());
                #[cfg(feature = "tracing")]
                let connecting = tracing::Instrument::instrument(connecting, self.span("connecting", epoch));
                self.opening = Some((epoch, Box::pin(connecting)));
            }
            None => self.inputs.push_back(unplaceable(epoch)),
        }
    }

    #[cfg(feature = "tracing")]
    fn span(&self, step: &'static str, epoch: Epoch) -> tracing::Span {
        let (connection, dialect) = (epoch.number(), &*self.parts.machine.dialect().name);
        tracing::debug_span!(target: "realtime_auth", "connection", step, connection, dialect)
    }

    fn say(&mut self, now: Now, epoch: Epoch, message: DialectMessage, ticket: Option<Ticket>) {
        let fresh = Fresh { now, random: self.parts.runtime.random() };
        let credential = ticket.and_then(|ticket| self.token(ticket));
        match self.parts.machine.message(epoch, message, credential, fresh) {
            Ok(rendered) => {
                let frame = wire::frame_of(&rendered);
                match (self.connection(epoch), message) {
                    (Some(connection), DialectMessage::Farewell) => connection.bid_farewell(frame),
                    (Some(connection), _) => connection.say(frame),
                    (None, _) => {}
                }
            }
            Err(_) => self.inputs.push_back(Input::Unplaceable { epoch, message }),
        }
    }

    fn token(&self, ticket: Ticket) -> Option<&Secret> {
        self.tokens.iter().find(|(held, _)| *held == ticket).map(|(_, token)| token.secret())
    }

    fn connection(&mut self, epoch: Epoch) -> Option<&mut Connection<L::Parcel>> {
        self.connections.iter_mut().find(|connection| connection.epoch == epoch)
    }

    /// The user's messages follow the machine to another connection. What the one before was given stays with it.
    fn follow(&mut self) {
        let live = self.parts.machine.live();
        if live == self.live {
            return;
        }
        if let Some(connection) =
            self.live.and_then(|live| self.connections.iter_mut().find(|connection| connection.epoch == live))
        {
            connection.handed.extend(self.parts.outbox.connection_lost());
        }
        self.live = live;
        #[cfg(feature = "tracing")]
        {
            self.live_span = live.map_or_else(tracing::Span::none, |live| self.span("connected", live));
        }
        if let Some(connection) = live.and_then(|live| self.connection(live)) {
            connection.socket.allow(wire::LARGEST_MESSAGE);
        }
    }

    /// Drops a connection, or the attempt to open it. What may have left goes back to its senders, what has not waits for
    /// the next one.
    pub(super) fn drop_connection(&mut self, epoch: Epoch) {
        self.opening.take_if(|(opening, _)| *opening == epoch);
        let Some(index) = self.connections.iter().position(|connection| connection.epoch == epoch) else {
            return;
        };
        let connection = self.connections.swap_remove(index);
        let Parts { outbox, ledger, .. } = &mut self.parts;
        for parcel in connection.handed {
            ledger.returned(parcel, Unsent::MayHaveArrived);
        }
        if self.live == Some(epoch) {
            self.live = None;
            for parcel in outbox.connection_lost() {
                ledger.returned(parcel, Unsent::MayHaveArrived);
            }
        }
        ledger.gone(epoch);
    }

    /// Leaves nothing behind but what the reader has not taken yet.
    fn end(&mut self) {
        while let Some(connection) = self.connections.last() {
            self.drop_connection(connection.epoch);
        }
        (self.opening, self.fetching, self.timer, self.deadline) = (None, None, None, None);
        (self.permit, self.turn) = (None, None);
        self.tokens.clear();
        self.inputs.clear();
        self.publisher.end();
        for parcel in self.parts.outbox.session_ended() {
            self.parts.ledger.returned(parcel, Unsent::Ended);
        }
    }

    /// Sees to it that somebody looks at the clock in time. A timer that fires early does no harm, and is not made anew each
    /// time that a deadline moves on.
    fn arm(&mut self, now: Now) {
        let Some(deadline) = self.deadline else {
            self.timer = None;
            return;
        };
        let connecting = self.parts.machine.is_connecting();
        let longest = if connecting { LONGEST_SLEEP_OF_ATTEMPT } else { LONGEST_SLEEP };
        let wait = deadline.remaining(now).min(longest);
        let at = now.mono.elapsed().saturating_add(wait);
        if self.timer.as_ref().is_none_or(|timer| at < timer.at) {
            self.timer = Some(Timer { at, sleep: self.parts.runtime.sleep(wait) });
        }
    }
}

impl<L: Ledger> fmt::Debug for Engine<L> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("machine", &self.parts.machine).finish_non_exhaustive()
    }
}

const fn unplaceable(epoch: Epoch) -> Input {
    Input::Ended { epoch, failure: Failure::Unplaceable, retry_after: None }
}

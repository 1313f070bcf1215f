//! A connection as the network knows it, from the first packet to the last.

use std::time::Duration;

use auth_core::time::Deadline;
use ws_session::dialect::{Failure, Phase};
use ws_session::machine::{Epoch, Input, Ticket};
use ws_session::server::ServerSession;

use super::client::Cause;
use super::properties::Property;
use super::world::{Event, World};
use crate::clock::{At, MILLI, MINUTE, SECOND};

/// What goes to the server.
#[derive(Debug, Clone)]
pub(crate) enum Up {
    /// A message of the dialect's.
    Text(String),
    /// A message of the user's.
    User(usize),
    Ping,
    Close,
    /// The end without a close.
    Reset,
}

/// What goes to the client.
#[derive(Debug, Clone)]
pub(crate) enum Down {
    Accepted,
    Text(String),
    Pong,
    /// The end: of the attempt, or of the connection.
    Gone {
        failure: Failure,
        retry_after: Option<Duration>,
    },
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) epoch: Epoch,
    /// From the client's side.
    pub(crate) known: bool,
    pub(crate) opened: bool,
    pub(crate) closing: bool,
    /// The dialect's farewell was said.
    pub(crate) left: bool,
    pub(crate) authenticated_at: Option<At>,
    /// The same by the machine's monotonic clock.
    pub(crate) live_since: Option<Duration>,
    /// On the client's monotonic clock: when it will have been up for long enough.
    pub(crate) stable_at: Option<Duration>,
    pub(crate) heard: Duration,
    /// The tokens that were presented on it.
    pub(crate) presented: Vec<usize>,
    /// The ticket of the last of them.
    pub(crate) ticket: Option<Ticket>,
    /// The token in use.
    pub(crate) accepted: Option<usize>,
    /// When the credential in use ends, as the source told it.
    pub(crate) in_use: Option<Deadline>,
    /// How often its loss was told.
    pub(crate) lost: u32,
    /// Where it was before the input that is being judged.
    pub(crate) phase_before: Phase,
    /// A fresh credential was presented, and is not answered.
    pub(crate) renewing: bool,
    pub(crate) renewing_before: bool,
    /// The last message of the server's that its user got.
    pub(crate) got: u64,
    /// From the server's side.
    pub(crate) upgrade: Option<super::peer::Request>,
    pub(crate) server: Option<Box<ServerSession>>,
    pub(crate) server_timer: u64,
    pub(crate) mute: bool,
    pub(crate) was_live: bool,
    /// When the credential that the server accepted last ends.
    pub(crate) server_end: Option<At>,
    pub(crate) arrived: Option<usize>,
    /// In between.
    lag: At,
    up_free: At,
    down_free: At,
    pub(crate) deaf_up: bool,
    pub(crate) deaf_down: bool,
    /// Something happened to it that loses messages.
    pub(crate) faulted: bool,
}

impl Link {
    pub(crate) const fn new(epoch: Epoch, lag: At, heard: Duration) -> Self {
        Self {
            epoch,
            known: true,
            opened: false,
            closing: false,
            left: false,
            authenticated_at: None,
            live_since: None,
            stable_at: None,
            heard,
            presented: Vec::new(),
            ticket: None,
            accepted: None,
            in_use: None,
            lost: 0,
            phase_before: Phase::Upgrade,
            renewing: false,
            renewing_before: false,
            got: 0,
            upgrade: None,
            server: None,
            server_timer: 0,
            mute: false,
            was_live: false,
            server_end: None,
            arrived: None,
            lag,
            up_free: 0,
            down_free: 0,
            deaf_up: false,
            deaf_down: false,
            faulted: false,
        }
    }

    /// Where the client has it, as far as its failures are read.
    pub(crate) const fn phase(&self) -> Phase {
        match (self.opened, self.authenticated_at) {
            (false, _) => Phase::Upgrade,
            (true, None) => Phase::Login,
            (true, Some(_)) => Phase::Live,
        }
    }
}

impl World {
    /// The link of a connection.
    pub(crate) fn link_of(&self, epoch: Epoch) -> Option<usize> {
        self.links.iter().rposition(|link| link.epoch == epoch)
    }

    fn travel(&mut self, link: usize) -> At {
        let lag = self.links[link].lag;
        self.network.between(lag / 2 + 1, lag + 1)
    }

    pub(crate) fn send_up(&mut self, link: usize, frame: Up) {
        let travel = self.travel(link);
        let state = &mut self.links[link];
        if state.deaf_up {
            return;
        }
        let at = (self.clocks.at + travel).max(state.up_free + 1);
        state.up_free = at;
        self.schedule(at, Event::Up { link, frame });
    }

    pub(crate) fn send_down(&mut self, link: usize, frame: Down) {
        let travel = self.travel(link);
        let state = &mut self.links[link];
        if state.deaf_down {
            return;
        }
        let at = (self.clocks.at + travel).max(state.down_free + 1);
        state.down_free = at;
        self.schedule(at, Event::Down { link, frame });
    }

    /// The client opens a connection.
    pub(crate) fn connect(&mut self, link: usize) {
        let at = self.clocks.at;
        let plan = self.plan.network.clone();
        let away = super::plan::is_away(&self.plan.server.outages, at);
        let calm = self.is_calm();
        if away || (!calm && self.network.per_mille(plan.refused)) {
            self.coverage.saw("network: refused");
            let frame = Down::Gone { failure: Failure::Transport, retry_after: None };
            return self.send_down(link, frame);
        }
        if !calm && self.network.per_mille(plan.black_hole) {
            self.coverage.saw("network: black hole");
            self.links[link].deaf_up = true;
            return;
        }
        if !calm && self.network.per_mille(plan.garbage) {
            self.coverage.saw("network: no WebSocket there");
            let failure = self.network.below(3);
            let failure =
                [Failure::Protocol, Failure::Untrusted, Failure::Subprotocol][failure as usize].clone();
            return self.send_down(link, Down::Gone { failure, retry_after: None });
        }
        // Three ways and more for TCP, TLS and the upgrade, and sometimes much more.
        let slow = !calm && self.network.per_mille(40);
        let handshake = if slow { self.network.spread(SECOND, MINUTE) } else { 0 };
        let travel = 3 * self.travel(link) + handshake;
        self.schedule(at + travel, Event::Reach { link });
    }

    /// Something reaches the client.
    pub(crate) fn down(&mut self, link: usize, frame: Down) {
        if !self.links[link].known {
            // The driver is rid of it, but for a race.
            if self.network.per_mille(self.plan.network.stale) {
                self.stale(link, frame);
            }
            return;
        }
        self.links[link].heard = self.clocks.now(0).mono.elapsed();
        match frame {
            Down::Accepted => {
                self.links[link].opened = true;
                let epoch = self.links[link].epoch;
                self.handle(Input::Opened { epoch }, Cause::Opened(link));
            }
            Down::Text(text) => self.incoming(link, &text),
            Down::Pong => self.client.heard(self.links[link].epoch),
            Down::Gone { failure, retry_after } => self.fail_link(link, failure, retry_after),
        }
    }

    /// The client learns that a connection is over.
    pub(crate) fn fail_link(&mut self, link: usize, failure: Failure, retry_after: Option<Duration>) {
        if !self.links[link].known {
            return;
        }
        self.links[link].known = false;
        let epoch = self.links[link].epoch;
        // A driver looks at the socket before it tells the machine.
        self.lose_unflushed(epoch);
        let cause = Cause::Ended { link, failure: failure.clone(), advice: retry_after };
        self.handle(Input::Ended { epoch, failure, retry_after }, cause);
    }

    /// News of a connection that is no more.
    fn stale(&mut self, link: usize, frame: Down) {
        let epoch = self.links[link].epoch;
        match frame {
            Down::Accepted => {
                self.coverage.saw("stale: opened");
                self.handle(Input::Opened { epoch }, Cause::Stale);
            }
            Down::Text(text) => {
                self.coverage.saw("stale: message");
                self.incoming(link, &text);
            }
            Down::Pong => self.client.heard(epoch),
            Down::Gone { failure, retry_after } => {
                self.coverage.saw("stale: ended");
                self.handle(Input::Ended { epoch, failure, retry_after }, Cause::Stale);
            }
        }
    }

    /// The client drops a connection at once.
    pub(crate) fn abort(&mut self, epoch: Epoch) {
        let Some(link) = self.link_of(epoch).filter(|link| self.links[*link].known) else {
            return self.violate(Property::Protocol, format!("{epoch:?} is aborted, and is not known"));
        };
        self.links[link].known = false;
        self.links[link].faulted = true;
        self.lose_unflushed(epoch);
        self.send_up(link, Up::Reset);
        if !self.links[link].opened {
            return;
        }
        // What had been on its way comes late, if it comes at all.
        if self.network.per_mille(self.plan.network.stale) {
            let failure = Failure::Closed { code: Some(4401), reason: String::new() };
            let at = self.clocks.at + self.network.spread(MILLI, MINUTE);
            self.schedule(at, Event::Down { link, frame: Down::Gone { failure, retry_after: None } });
        }
    }

    /// The client sends a close, and reads on.
    pub(crate) fn close(&mut self, epoch: Epoch) {
        let link = self.link_of(epoch).filter(|link| {
            let link = &self.links[*link];
            link.known && link.opened && !link.closing
        });
        let Some(link) = link else {
            return self.violate(Property::Protocol, format!("{epoch:?} is closed, and is not open"));
        };
        self.links[link].closing = true;
        self.send_up(link, Up::Close);
    }
}

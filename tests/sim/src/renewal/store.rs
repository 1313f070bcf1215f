//! A store that processes share: one record, one lock, and whatever a disk does to them.

use auth_core::renewal::{Input, Record, Ticket};
use auth_core::{Error, ErrorKind};

use super::properties::Property;
use super::world::{Event, Work, World};
use crate::clock::{MILLI, SECOND};

/// What all processes see.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) record: Option<Record>,
    /// Who holds the lock: a process, and which life of it.
    pub(crate) lock: Option<(usize, u32)>,
    /// Who wrote the record.
    pub(crate) writer: Option<(usize, u32)>,
    pub(crate) operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    process: usize,
    incarnation: u32,
    ticket: Ticket,
    kind: Kind,
    fault: Fault,
    seen: Option<Seen>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Load,
    Lock,
    Save(Box<Record>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Before,
    After,
}

#[derive(Debug)]
enum Seen {
    Loaded(Option<Record>),
    Locked(bool),
    Saved,
}

impl World {
    /// The driver begins an operation.
    pub(crate) fn operate(&mut self, process: usize, ticket: Ticket, kind: Kind) {
        let faults = self.plan.store_faults;
        let calm = self.clocks.at >= self.plan.calm;
        let fault = if calm || !self.storing.per_mille(faults.failed) {
            Fault::None
        } else if self.storing.per_mille(faults.effective) {
            Fault::After
        } else {
            Fault::Before
        };
        self.coverage.saw(match (&kind, fault) {
            (Kind::Load, Fault::None) => "store: load",
            (Kind::Load, _) => "store: load failed",
            (Kind::Lock, Fault::None) => "store: lock",
            (Kind::Lock, _) => "store: lock failed",
            (Kind::Save(_), Fault::None) => "store: save",
            (Kind::Save(_), Fault::Before) => "store: save failed before it took effect",
            (Kind::Save(_), Fault::After) => "store: save failed after it took effect",
        });
        let slow = !calm && self.storing.per_mille(faults.slow);
        let highest = if slow { 8 * SECOND } else { 5 * MILLI };
        let touched = self.clocks.at + self.storing.spread(MILLI / 20, highest);
        let known = touched + self.storing.spread(MILLI / 20, highest);
        let operation = self.store.operations.len();
        let incarnation = self.processes[process].incarnation;
        self.store.operations.push(Operation { process, incarnation, ticket, kind, fault, seen: None });
        self.processes[process].work = Some(Work::Operation { ticket, operation });
        self.schedule(touched, Event::Touch { operation });
        self.schedule(known, Event::Touched { operation });
        self.protocol_step(process);
    }

    /// It takes effect, unless the process has died or let go of it since.
    pub(crate) fn touch(&mut self, number: usize) {
        let operation = &self.store.operations[number];
        let (process, owner) = (operation.process, (operation.process, operation.incarnation));
        let awaited = self.processes[process].work
            == Some(Work::Operation { ticket: operation.ticket, operation: number });
        if self.processes[process].incarnation != operation.incarnation
            || !awaited
            || operation.fault == Fault::Before
        {
            return;
        }
        let seen = match &operation.kind {
            Kind::Load => Seen::Loaded(self.store.record.clone()),
            // A lock that fails is not held.
            Kind::Lock if operation.fault == Fault::After => return,
            Kind::Lock => Seen::Locked(*self.store.lock.get_or_insert(owner) == owner),
            Kind::Save(record) => {
                self.store.record = Some((**record).clone());
                self.store.writer = Some(owner);
                Seen::Saved
            }
        };
        if matches!(seen, Seen::Locked(false)) {
            self.coverage.saw("store: lock held by a peer");
        }
        self.store.operations[number].seen = Some(seen);
        self.check_record();
        self.protocol_step(process);
    }

    /// The process learns what became of it.
    pub(crate) fn touched(&mut self, number: usize) {
        let operation = &mut self.store.operations[number];
        let (process, ticket) = (operation.process, operation.ticket);
        let gone = self.processes[process].incarnation != operation.incarnation;
        let seen = operation.seen.take();
        let failed = operation.fault != Fault::None;
        let kind = std::mem::replace(&mut operation.kind, Kind::Load);
        if gone || self.processes[process].work != Some(Work::Operation { ticket, operation: number }) {
            return;
        }
        let failure = || Error::new(ErrorKind::StoreFailed, "the store failed");
        let input = match (kind, seen) {
            (Kind::Load, Some(Seen::Loaded(record))) if !failed => {
                self.processes[process].known.read(record.as_ref());
                Input::Loaded { ticket, result: Ok(record) }
            }
            (Kind::Load, _) => Input::Loaded { ticket, result: Err(failure()) },
            (Kind::Lock, Some(Seen::Locked(taken))) => Input::Locked { ticket, result: Ok(taken) },
            (Kind::Lock, _) => Input::Locked { ticket, result: Err(failure()) },
            (Kind::Save(_), Some(Seen::Saved)) if !failed => Input::Saved { ticket, result: Ok(()) },
            (Kind::Save(_), _) => {
                self.processes[process].save_failed_at = Some(self.clocks.at);
                Input::Saved { ticket, result: Err(failure()) }
            }
        };
        self.processes[process].work = None;
        self.apply(process, input);
        self.protocol_step(process);
    }

    /// The machine gave up on an operation: what has not taken effect will not.
    pub(crate) fn abandon(&mut self, number: usize) {
        let operation = &self.store.operations[number];
        let owner = (operation.process, operation.incarnation);
        if matches!(operation.seen, Some(Seen::Locked(true))) && self.store.lock == Some(owner) {
            self.store.lock = None;
        }
        self.coverage.saw("store: operation given up");
    }

    /// The machine lets go of the lock.
    pub(crate) fn unlock(&mut self, process: usize) {
        let owner = (process, self.processes[process].incarnation);
        let stored = self.store.record.as_ref().and_then(|record| record.refresh_token.as_ref());
        let latest = self.processes[process].known.latest_refresh_token.as_ref();
        let unsaved = latest.is_some_and(|latest| {
            self.endpoint.redeemable(latest) && stored.is_none_or(|stored| stored.expose() != latest)
        });
        if unsaved && self.store.writer == Some(owner) && self.processes[process].closing.is_none() {
            self.violate(Property::P10, "the lock is let go while a refresh token is unsaved".to_owned());
        }
        if self.store.lock == Some(owner) {
            self.store.lock = None;
        } else {
            self.violate(Property::P1, format!("process {process} lets go of a lock that it does not hold"));
        }
    }
}

//! One world: what is in it, the queue of what will happen, and the loop that lets it happen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use auth_core::Secret;
use auth_core::renewal::{Caller, Input, Ticket};
use auth_core::token::Generation;

use super::endpoint::Endpoint;
use super::plan::{Plan, Profile};
use super::process::Process;
use super::properties::{Property, Violation};
use super::requests::Request;
use super::store::Store;
use crate::chance::Chance;
use crate::clock::{At, Clocks, HOUR, MILLI, MINUTE, SECOND};
use crate::coverage::Coverage;
use crate::trace::Trace;

/// What is bound to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The timer of a process fires, unless it was set anew since.
    Wake {
        process: usize,
        serial: u64,
    },
    /// A request reaches the server.
    Arrive {
        request: usize,
    },
    /// What became of a request reaches the client.
    Answer {
        request: usize,
    },
    /// An operation on the store takes effect.
    Touch {
        operation: usize,
    },
    /// What became of it is known.
    Touched {
        operation: usize,
    },
    /// Callers come, and others after them unless it is for once.
    Call {
        process: usize,
        once: bool,
    },
    /// One of them goes.
    Withdraw {
        process: usize,
        incarnation: u32,
        caller: u64,
    },
    /// One reports that a token was refused.
    Refuse {
        process: usize,
        incarnation: u32,
        generation: u64,
    },
    /// A reader looks at what is published.
    Read {
        process: usize,
    },
    Suspend,
    Step,
    Crash {
        process: usize,
    },
    ShutDown {
        process: usize,
    },
    Start {
        process: usize,
    },
}

/// How a run differs from the seed's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// Not at all.
    Itself,
    /// Each caller withdraws at once, and a crowd with it.
    Crowded,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) twin: Twin,
    pub(crate) clocks: Clocks,
    queue: BinaryHeap<Reverse<(At, u64, Event)>>,
    queued: u64,
    pub(crate) endpoint: Endpoint,
    pub(crate) store: Store,
    pub(crate) processes: Vec<Process>,
    pub(crate) requests: Vec<Request>,
    pub(crate) issuing: Chance,
    pub(crate) storing: Chance,
    pub(crate) calling: Chance,
    pub(crate) fate: Chance,
    pub(crate) trace: Trace,
    pub(crate) coverage: Coverage,
    pub(crate) violation: Option<Violation>,
    /// Generations by number: `Generation` can't be made from one.
    pub(crate) generations: Vec<Generation>,
    /// Steps of the protocol so far, for the worlds that crash at one of them.
    pub(crate) steps: u64,
    /// A crash may have lost the only copy of a refresh token.
    pub(crate) excused: bool,
    pub(crate) inputs: u64,
    /// The refresh token that processes are configured with.
    pub(crate) session: Option<Secret>,
    /// Whether that was decided.
    pub(crate) logged_in: bool,
}

impl World {
    pub(crate) fn new(seed: u64, twin: Twin, keep: bool) -> Self {
        let plan = Plan::of(seed);
        let mut generations = vec![Generation::NONE];
        for _ in 0..3 {
            generations.push(generations[generations.len() - 1].next());
        }
        let processes = (0..plan.processes).map(Process::new).collect();
        let wrong = Chance::of(seed, 9).pick([0, 0, 700, -700, 45_000, -45_000]);
        Self {
            seed,
            twin,
            clocks: Clocks::new(wrong),
            queue: BinaryHeap::new(),
            queued: 0,
            endpoint: Endpoint::default(),
            store: Store::default(),
            processes,
            requests: Vec::new(),
            issuing: Chance::of(seed, 1),
            storing: Chance::of(seed, 2),
            calling: Chance::of(seed, 3),
            fate: Chance::of(seed, 4),
            trace: Trace::new(keep),
            coverage: Coverage::default(),
            violation: None,
            generations,
            steps: 0,
            excused: false,
            inputs: 0,
            session: None,
            logged_in: false,
            plan,
        }
    }

    pub(crate) fn schedule(&mut self, at: At, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, event)));
    }

    /// Lets the world run to its end, or to the first violation.
    pub(crate) fn run(&mut self) {
        self.coverage.saw(self.plan.profile.name());
        self.begin();
        while self.violation.is_none() {
            let Some(Reverse((at, _, event))) = self.queue.pop() else { break };
            if at > self.plan.span {
                break;
            }
            if at < self.clocks.asleep_until && !matches!(event, Event::Arrive { .. }) {
                // Whoever waits on the host, or for it, waits until it wakes up.
                let until = self.clocks.asleep_until;
                self.schedule(until, event);
                continue;
            }
            self.clocks.at = at;
            self.happen(event);
        }
        self.clocks.at = self.clocks.at.max(self.plan.span.min(self.clocks.at + HOUR));
        if self.violation.is_none() {
            self.judge_the_whole();
        }
    }

    fn begin(&mut self) {
        let plan = self.plan.clone();
        for process in 0..plan.processes {
            let delay = if process == 0 { 0 } else { self.fate.spread(MILLI, MINUTE) };
            self.schedule(delay, Event::Start { process });
            let first = delay + self.calling.spread(MILLI, 10 * SECOND);
            self.schedule(first, Event::Call { process, once: false });
            if plan.profile != Profile::Twins {
                self.schedule(first + SECOND, Event::Read { process });
            }
        }
        for _ in 0..plan.suspends {
            let at = self.fate.between(0, plan.calm);
            self.schedule(at, Event::Suspend);
        }
        for _ in 0..plan.steps {
            let at = self.fate.between(0, plan.calm);
            self.schedule(at, Event::Step);
        }
        for _ in 0..plan.shut_downs {
            let at = self.fate.between(0, plan.calm);
            let process = self.fate.below(plan.processes as u64) as usize;
            self.schedule(at, Event::ShutDown { process });
        }
        if plan.store_faults.crash > 0 {
            for _ in 0..self.fate.between(1, 6) {
                let at = self.fate.between(0, plan.calm);
                let process = self.fate.below(plan.processes as u64) as usize;
                self.schedule(at, Event::Crash { process });
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { process, serial } => self.wake(process, serial),
            Event::Arrive { request } => self.arrive(request),
            Event::Answer { request } => self.deliver(request),
            Event::Touch { operation } => self.touch(operation),
            Event::Touched { operation } => self.touched(operation),
            Event::Call { process, once } => self.call(process, once),
            Event::Withdraw { process, incarnation, caller } => self.withdraw(process, incarnation, caller),
            Event::Refuse { process, incarnation, generation } => {
                if self.processes[process].incarnation == incarnation {
                    self.refuse(process, generation);
                }
            }
            Event::Read { process } => self.read(process),
            Event::Suspend => self.suspend(),
            Event::Step => self.step(),
            Event::Crash { process } => self.crash(process),
            Event::ShutDown { process } => self.shut_down(process),
            Event::Start { process } => self.start(process),
        }
    }

    fn suspend(&mut self) {
        let length = self.fate.spread(10 * SECOND, 10 * HOUR);
        self.coverage.saw("clock: suspend");
        self.note(format_args!("the host sleeps for {} s", length / SECOND));
        self.clocks.suspend(length);
        for process in &mut self.processes {
            if process.known.unseen_step_back {
                process.known.blind_at = Some(self.clocks.at);
            }
        }
        let resumed = self.clocks.asleep_until;
        for process in 0..self.processes.len() {
            // The timer goes on where it stood, but for the heartbeat: 30 s at most.
            let left =
                self.processes[process].wakes_at.map_or(u64::MAX, |at| at.saturating_sub(self.clocks.at));
            if self.processes[process].runs() {
                let late = left.min(self.fate.below(30 * SECOND));
                self.set_timer(process, resumed + late);
            }
        }
    }

    fn step(&mut self) {
        let millis = self.fate.between(1, 3_600_000) as i64;
        let millis = if self.fate.per_mille(500) { -millis } else { millis };
        self.coverage.saw(if millis < 0 { "clock: wall set back" } else { "clock: wall set forward" });
        self.note(format_args!("the wall clock is set by {millis} ms"));
        self.clocks.step(millis);
        if millis < 0 && self.fate.per_mille(300) {
            // What would hide a suspend, were it not noticed in time.
            let asleep = self.clocks.at + self.fate.between(31 * SECOND, 10 * MINUTE);
            self.schedule(asleep.min(self.plan.calm), Event::Suspend);
        }
        let hidden = self.clocks.suspended.filter(|_| millis < 0);
        for process in &mut self.processes {
            process.known.unseen_step_back |= millis < 0;
            // Only the wall clock knew of it.
            process.known.blind_at = process.known.blind_at.max(hidden);
            if (-1_100..0).contains(&millis) {
                process.known.blind_at = Some(self.clocks.at);
            }
        }
        for process in 0..self.processes.len() {
            if self.processes[process].runs() {
                // Timers don't see it; the heartbeat does.
                let beat = self.clocks.at + self.fate.below(30 * SECOND);
                let due = self.processes[process].wakes_at.map_or(beat, |at| at.min(beat));
                self.set_timer(process, due);
            }
        }
    }

    pub(crate) fn set_timer(&mut self, process: usize, at: At) {
        let serial = self.processes[process].timer(at);
        self.schedule(at, Event::Wake { process, serial });
    }

    fn wake(&mut self, process: usize, serial: u64) {
        if self.processes[process].is_timer(serial) {
            if self.processes[process].spins(self.clocks.at) {
                self.violate(
                    Property::Progress,
                    format!("process {process} ticks without the time going on"),
                );
            }
            self.apply(process, Input::Tick);
        }
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        if !self.trace.add(self.clocks.at, what) {
            self.violate(Property::P9, "a line of the trace holds a secret".to_owned());
        }
    }

    /// The first violation counts.
    pub(crate) fn violate(&mut self, property: Property, what: String) {
        if self.violation.is_none() {
            self.trace.add(self.clocks.at, format_args!("VIOLATION {property:?}: {what}"));
            self.violation = Some(Violation { property, what });
        }
    }

    pub(crate) fn generation(&mut self, number: u64) -> Generation {
        while self.generations.len() as u64 <= number {
            self.generations.push(self.generations[self.generations.len() - 1].next());
        }
        self.generations[number as usize]
    }

    /// The number of a generation, which its type keeps to itself.
    pub(crate) fn number(&mut self, generation: Generation) -> u64 {
        while self.generations[self.generations.len() - 1] < generation {
            self.generations.push(self.generations[self.generations.len() - 1].next());
        }
        self.generations.partition_point(|known| *known < generation) as u64
    }

    /// A step of the protocol: the worlds that crash once do so after one of these.
    pub(crate) fn protocol_step(&mut self, process: usize) {
        self.steps += 1;
        let chaos = self.plan.store_faults.crash > 0
            && self.clocks.at < self.plan.calm
            && self.fate.per_mille(self.plan.store_faults.crash);
        if chaos || self.plan.crash_step == Some(self.steps) {
            let at = self.clocks.at;
            self.schedule(at, Event::Crash { process });
        }
    }
}

/// What a driver waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Request { ticket: Ticket, request: usize },
    Operation { ticket: Ticket, operation: usize },
}

/// A caller that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) demand: auth_core::Demand,
    pub(crate) since: auth_core::time::Now,
    pub(crate) patience: Option<std::time::Duration>,
    pub(crate) since_at: At,
}

/// The caller with this number.
pub(crate) const fn caller(number: u64) -> Caller {
    Caller::new(number)
}

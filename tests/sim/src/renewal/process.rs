//! A process: a driver that does what its machine says, and dies when its world wants it to.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use auth_core::fingerprint::FingerprintKey;
use auth_core::renewal::{Credential, Input, Output, Record, Renewal};
use auth_core::time::{Deadline, Now};
use auth_core::{AuthEvent, ErrorKind, Secret};

use super::properties::Property;
use super::store::Kind;
use super::world::{Event, Waits, Work, World};
use crate::clock::{At, MINUTE, SECOND, length};

/// A process, in its present life.
#[derive(Debug)]
pub(crate) struct Process {
    number: usize,
    /// Which of its lives this is; what belongs to an earlier one is lost.
    pub(crate) incarnation: u32,
    machine: Option<Box<Renewal>>,
    pub(crate) work: Option<Work>,
    timer: u64,
    pub(crate) wakes_at: Option<At>,
    pub(crate) deadline: Option<Deadline>,
    /// Ticks in a row without the time going on.
    ticks: (At, u32),
    pub(crate) waiting: BTreeMap<u64, Waits>,
    pub(crate) next_caller: u64,
    pub(crate) closing: Option<Now>,
    pub(crate) known: Known,
    pub(crate) save_failed_at: Option<At>,
}

/// What a process knows, or should, whatever its machine makes of it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// When the requests were sent that brought each access token, and how long it was to live.
    pub(crate) received: HashMap<String, Vec<(Now, Duration)>>,
    /// When the last request was told of, by the monotonic clock.
    pub(crate) requested: Option<Duration>,
    /// What was published last.
    pub(crate) published: Option<Arc<Credential>>,
    /// The generations that were served, with their texts; the newest last.
    pub(crate) served: VecDeque<(u64, String)>,
    pub(crate) newest: u64,
    pub(crate) refused: HashSet<String>,
    pub(crate) refused_generations: HashSet<u64>,
    /// Refresh tokens that were replaced or refused, as this process was told.
    pub(crate) spent: HashSet<String>,
    /// Those of them that were replaced.
    pub(crate) replaced: HashSet<String>,
    /// When a refresh token was first sent whose answer was lost since.
    pub(crate) doubtful: HashMap<String, Now>,
    /// Until here, by the monotonic clock, somebody's use or wish explains a request.
    pub(crate) explained_until: Duration,
    /// Somebody refused a token, or wanted a newer one, since the last arrived.
    pub(crate) disturbed: bool,
    /// The store tells of a request whose answer nobody knows, to be repeated while a token lives.
    pub(crate) interrupted: bool,
    /// Nothing may be sent before this, by the monotonic clock.
    pub(crate) paused_until: Duration,
    /// Pauses since the last token.
    pub(crate) pauses: u32,
    /// The highest revision of a record that was read.
    revision: u64,
    /// The refresh token that the last answer brought.
    pub(crate) latest_refresh_token: Option<String>,
    /// When the last token arrived that this process asked for itself.
    pub(crate) arrived: Option<Now>,
    pub(crate) arrived_at: Option<At>,
    /// When requests were sent, of the last ten minutes.
    pub(crate) sent: VecDeque<At>,
    /// When callers came, where each may cause a request.
    pub(crate) demands: VecDeque<At>,
    pub(crate) most_in_a_minute: usize,
    pub(crate) most_in_an_outage: usize,
    /// The input at hand published another token.
    pub(crate) published_now: bool,
    /// The wall clock was set back, and no input came since that could show it.
    pub(crate) unseen_step_back: bool,
    /// When the host last hid time from both clocks: by sleeping after a step back that no input could show, or by one that
    /// is too small to be told from slewing.
    pub(crate) blind_at: Option<At>,
    /// When a caller was last answered, and with what.
    pub(crate) last_answer: Option<(At, Option<ErrorKind>)>,
}

impl Known {
    /// Somebody wants something: the flight may go on when they have left.
    pub(crate) fn attend(&mut self, now: Now, flight: Duration) {
        self.explained_until = self.explained_until.max(now.mono.elapsed() + flight);
    }

    /// Another process redeemed what this one was in doubt about, and the server replaced nothing.
    pub(crate) fn read(&mut self, record: Option<&Record>) {
        let Some(record) = record else { return };
        self.interrupted |= record.intent.is_some();
        let news = record.revision > self.revision;
        if news && record.refresh_token.as_ref().map(Secret::expose) != self.latest_refresh_token.as_deref() {
            // A peer went on from there.
            self.latest_refresh_token = None;
        }
        if news && record.intent.is_none() {
            self.revision = record.revision;
            if let Some(token) = &record.refresh_token {
                self.doubtful.remove(token.expose());
            }
        }
    }

    /// How many callers have come since.
    pub(crate) fn demands_since(&self, since: At) -> usize {
        self.demands.iter().rev().take_while(|at| **at >= since).count()
    }
}

impl Process {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            number,
            incarnation: 0,
            machine: None,
            work: None,
            timer: 0,
            wakes_at: None,
            deadline: None,
            ticks: (0, 0),
            waiting: BTreeMap::new(),
            next_caller: 0,
            closing: None,
            known: Known::default(),
            save_failed_at: None,
        }
    }

    pub(crate) const fn runs(&self) -> bool {
        self.machine.is_some()
    }

    /// Whether callers may come.
    pub(crate) const fn is_open(&self) -> bool {
        self.machine.is_some() && self.closing.is_none()
    }

    pub(crate) const fn machine(&self) -> Option<&Renewal> {
        match &self.machine {
            Some(machine) => Some(machine),
            None => None,
        }
    }

    /// Sets the timer anew: the number by which it is told from the old one.
    pub(crate) const fn timer(&mut self, at: At) -> u64 {
        self.timer += 1;
        self.wakes_at = Some(at);
        self.timer
    }

    pub(crate) const fn is_timer(&self, serial: u64) -> bool {
        self.timer == serial && self.machine.is_some()
    }

    /// Whether the timer fires again and again while the time stands still.
    pub(crate) const fn spins(&mut self, at: At) -> bool {
        self.ticks = if self.ticks.0 == at { (at, self.ticks.1 + 1) } else { (at, 0) };
        self.ticks.1 > 50
    }

    /// Ends this life: nothing of it is left but what the store holds.
    fn end(&mut self) {
        let (number, incarnation, next_caller) = (self.number, self.incarnation, self.next_caller);
        // The serial goes on, so that no old timer is taken for a new one.
        let timer = self.timer + 1;
        *self = Self { incarnation: incarnation + 1, next_caller, timer, ..Self::new(number) };
    }
}

impl World {
    /// A process begins.
    pub(crate) fn start(&mut self, process: usize) {
        if self.processes[process].runs() {
            return;
        }
        let names = FingerprintKey::new([7; 32]);
        let incarnation = u64::from(self.processes[process].incarnation);
        let seed = self.seed ^ ((process as u64) << 40) ^ (incarnation << 48);
        let configured = self.configured(process);
        let mut machine =
            Renewal::new(self.plan.policy(), names, seed).with_refresh(self.plan.refresh, configured);
        if self.plan.store {
            machine = machine.with_store();
        }
        self.processes[process].machine = Some(Box::new(machine));
        self.coverage.saw("process: started");
        self.note(format_args!("process {process} starts"));
        self.apply(process, Input::Tick);
    }

    /// A process dies where it stands.
    pub(crate) fn crash(&mut self, process: usize) {
        if !self.processes[process].runs() {
            return;
        }
        self.coverage.saw("process: crashed");
        self.coverage.saw(match self.processes[process].work {
            Some(Work::Request { .. }) => "process: crashed while a request was under way",
            Some(Work::Operation { .. }) => "process: crashed while the store was at work",
            None => "process: crashed at rest",
        });
        self.note(format_args!("process {process} crashes"));
        self.excused |= self.unsaved();
        self.bury(process);
        // Where one crash must be survived the process comes back while a replay is still forgiven.
        let longest = if self.plan.crash_step.is_some() { 3 * SECOND } else { 2 * MINUTE };
        let back = self.clocks.at + self.fate.spread(SECOND / 20, longest);
        self.schedule(back, Event::Start { process });
        self.schedule(back + SECOND / 100, Event::Call { process, once: true });
    }

    fn bury(&mut self, process: usize) {
        let owner = (process, self.processes[process].incarnation);
        if self.store.lock == Some(owner) {
            self.store.lock = None;
        }
        self.processes[process].end();
    }

    pub(crate) fn shut_down(&mut self, process: usize) {
        if self.processes[process].is_open() {
            self.coverage.saw("process: shut down");
            self.processes[process].closing = Some(self.clocks.now(process));
            self.apply(process, Input::ShutDown);
        }
    }

    /// Hands an input to a machine, and does what it says.
    pub(crate) fn apply(&mut self, process: usize, input: Input) {
        let Some(mut machine) = self.processes[process].machine.take() else { return };
        let now = self.clocks.now(process);
        self.inputs += 1;
        self.note(format_args!("{process} < {input:?}"));
        self.processes[process].known.unseen_step_back = false;
        let stale = self.before(process, now, &input);
        if let Err(misuse) = machine.handle(now, input) {
            self.violate(Property::Contract, format!("{misuse}"));
        }
        let most = 100 + 4 * self.processes[process].waiting.len();
        let mut worked = false;
        let mut over = true;
        for _ in 0..most {
            let output = machine.poll();
            if !matches!(output, Output::Wait(_)) {
                self.note(format_args!("{process} > {output:?}"));
            }
            worked |= matches!(output, Output::Fetch { .. } | Output::Load { .. } | Output::Lock { .. });
            match output {
                Output::Wait(deadline) => {
                    self.rest(process, now, deadline);
                    over = false;
                    break;
                }
                Output::Done => {
                    self.done(process, now);
                    return;
                }
                output => self.act(process, now, &machine, output),
            }
        }
        if over {
            self.violate(
                Property::Progress,
                format!("process {process} says more than {most} things to one input"),
            );
        }
        if stale && worked {
            self.violate(Property::P8, "a refusal of an old generation caused work".to_owned());
        }
        if self.inputs.is_multiple_of(32) && format!("{machine:?}").contains(crate::trace::MARKER) {
            self.violate(Property::P9, "the machine shows a secret".to_owned());
        }
        self.processes[process].machine = Some(machine);
        self.after(process, now);
    }

    fn act(&mut self, process: usize, now: Now, machine: &Renewal, output: Output) {
        match output {
            Output::Fetch { ticket, attempt } => {
                self.alone(process);
                self.check_request(process, now, &attempt);
                self.send(process, ticket, &attempt);
            }
            Output::Cancel { ticket } => {
                self.coverage.saw("machine: gave up on work");
                match self.processes[process].work.take() {
                    Some(Work::Operation { ticket: under_way, operation }) if under_way == ticket => {
                        self.abandon(operation)
                    }
                    Some(Work::Request { ticket: under_way, request }) if under_way == ticket => {
                        self.lose(request)
                    }
                    other => self.processes[process].work = other,
                }
            }
            Output::Load { ticket } => {
                self.alone(process);
                self.operate(process, ticket, Kind::Load);
            }
            Output::Lock { ticket } => {
                self.alone(process);
                self.operate(process, ticket, Kind::Lock);
            }
            Output::Save { ticket, record } => {
                self.alone(process);
                self.check_save(process, &record);
                self.operate(process, ticket, Kind::Save(Box::new(record)));
            }
            Output::Unlock => self.unlock(process),
            Output::Serve { caller, token } => self.served(process, now, caller, &token),
            Output::Fail { caller, error } => self.failed(process, now, caller, &error),
            Output::Event(event) => {
                if let &AuthEvent::RenewalPaused { kind, failures, retry_in, valid_for } = &event {
                    // To the end of the token in use is no pause of so many seconds, but a deadline on both clocks.
                    let pause = (valid_for != Some(retry_in)).then_some(retry_in);
                    self.paused(process, now, kind, failures, pause);
                    self.check_pause(kind, failures, retry_in, valid_for);
                }
                self.check_took(process, now, &event);
                let text = serde_json::to_string(&event).unwrap_or_default();
                self.note(format_args!("{process} = {text}"));
            }
            Output::Changed => self.published(process, now, machine.current().cloned()),
            Output::Wait(_) | Output::Done => {}
        }
    }

    /// P1: nothing else may be under way.
    fn alone(&mut self, process: usize) {
        if let Some(work) = self.processes[process].work {
            self.violate(Property::P1, format!("process {process} begins work while {work:?} is under way"));
        }
    }

    fn rest(&mut self, process: usize, now: Now, deadline: Option<Deadline>) {
        self.note(format_args!("{process} > Wait {:?}", deadline.map(|deadline| deadline.remaining(now))));
        let at = self.clocks.at;
        let state = &mut self.processes[process];
        state.deadline = deadline;
        let stuck = deadline.is_none() && state.work.is_none() && !state.waiting.is_empty();
        if stuck {
            self.violate(
                Property::Progress,
                "callers wait, and there is neither work nor a deadline".to_owned(),
            );
        }
        let beat = if self.plan.heartbeat { 30 * SECOND } else { At::MAX };
        let left = deadline.map_or(At::MAX, |deadline| length(deadline.remaining(now))).min(beat);
        if left == At::MAX {
            self.processes[process].timer(At::MAX);
            self.processes[process].wakes_at = None;
        } else {
            self.set_timer(process, at.saturating_add(left));
        }
    }

    fn done(&mut self, process: usize, now: Now) {
        self.check_done(process, now);
        self.coverage.saw("process: finished");
        self.bury(process);
        let back = self.clocks.at + self.fate.spread(SECOND, 10 * MINUTE);
        self.schedule(back, Event::Start { process });
        self.schedule(back + SECOND / 100, Event::Call { process, once: true });
    }
}

//! The machine in simulated time: each test is a sentence about what callers, the token endpoint and the store see.

mod callers;
mod failures;
mod lifetimes;
mod rotation;
mod single_use;
mod stores;

use alloc::collections::BTreeMap;
use std::format;
use std::time::Duration;
use std::vec::Vec;

use super::*;
use crate::fingerprint::FingerprintKey;
use crate::time::{Moment, Now, Timestamp};
use crate::{ErrorKind, Retry};

/// A machine with a clock that the test moves, the work that it asked for, and a store that works at once.
struct Simulation {
    machine: Renewal,
    now: Now,
    fetch: Option<(Ticket, Attempt)>,
    requests: u32,
    events: Vec<AuthEvent>,
    wait: Option<Deadline>,
    done: bool,
    answers: BTreeMap<Caller, Result<Token, Error>>,
    callers: u64,
    issued: u32,
    /// The store: its record, what its writes answer, whether we hold the lock, and whether another process does.
    record: Option<Record>,
    saves_fail: bool,
    locked: bool,
    locked_by_another: bool,
    /// Whether the store ends what is asked of it.
    store_hangs: bool,
    /// How reads fail, until one under the lock has.
    unreadable: Option<Error>,
    store_work: Vec<Output>,
}

impl Simulation {
    fn new(policy: Policy, seed: u64) -> Self {
        Self::of(Renewal::new(policy, FingerprintKey::new([1; 32]), seed))
    }

    fn of(machine: Renewal) -> Self {
        let mut simulation = Self {
            machine,
            now: Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN },
            fetch: None,
            requests: 0,
            events: Vec::new(),
            wait: None,
            done: false,
            answers: BTreeMap::new(),
            callers: 0,
            issued: 0,
            record: None,
            saves_fail: false,
            locked: false,
            locked_by_another: false,
            store_hangs: false,
            unreadable: None,
            store_work: Vec::new(),
        };
        simulation.input(Input::Tick);
        simulation
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(self.now, input).unwrap();
        loop {
            match self.machine.poll() {
                Output::Fetch { ticket, attempt } => {
                    assert!(self.fetch.replace((ticket, attempt)).is_none(), "two requests at once");
                    self.requests += 1;
                }
                Output::Cancel { ticket } => {
                    let fetch = self.fetch.take_if(|(fetch, _)| *fetch == ticket).is_some();
                    assert!(
                        fetch || self.store_work.pop().is_some(),
                        "gave up on work that was not under way"
                    );
                }
                Output::Serve { caller, token } => {
                    assert!(self.answers.insert(caller, Ok(token)).is_none(), "answered twice");
                }
                Output::Fail { caller, error } => {
                    assert!(self.answers.insert(caller, Err(error)).is_none(), "answered twice");
                }
                Output::Event(event) => self.events.push(event),
                Output::Changed => {}
                Output::Unlock => {
                    assert!(
                        core::mem::replace(&mut self.locked, false),
                        "let go of a lock that was not held"
                    );
                }
                work @ (Output::Load { .. } | Output::Lock { .. } | Output::Save { .. }) => {
                    self.store_work.push(work)
                }
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    break;
                }
                Output::Done => {
                    self.done = true;
                    break;
                }
            }
        }
        // The store answers at once.
        if self.store_hangs {
            return;
        }
        if let Some(work) = self.store_work.pop() {
            assert!(self.store_work.is_empty(), "two pieces of work at once");
            let input = self.store(work);
            self.input(input);
        }
    }

    fn store(&mut self, work: Output) -> Input {
        match work {
            Output::Load { ticket } => {
                let unreadable = if self.locked { self.unreadable.take() } else { self.unreadable.clone() };
                Input::Loaded { ticket, result: unreadable.map_or(Ok(self.record.clone()), Err) }
            }
            Output::Lock { ticket } => {
                assert!(!self.locked, "locked twice");
                self.locked = !self.locked_by_another;
                Input::Locked { ticket, result: Ok(self.locked) }
            }
            Output::Save { ticket, record } => {
                assert!(self.locked, "saved without the lock");
                if self.saves_fail {
                    let error = Error::new(ErrorKind::StoreFailed, "the disk is full");
                    return Input::Saved { ticket, result: Err(error) };
                }
                self.record = Some(record);
                Input::Saved { ticket, result: Ok(()) }
            }
            other => panic!("no work for a store: {other:?}"),
        }
    }

    fn demand(&mut self, demand: Demand) -> Caller {
        self.callers += 1;
        let caller = Caller::new(self.callers);
        self.input(Input::Demanded { caller, demand, patience: None });
        caller
    }

    /// What a new caller gets at once.
    fn ask(&mut self, demand: Demand) -> Option<Result<Token, Error>> {
        let caller = self.demand(demand);
        self.answers.get(&caller).cloned()
    }

    fn served(&mut self) -> Token {
        self.ask(Demand::Current).expect("an answer at once").unwrap()
    }

    fn is_refused(&mut self, demand: Demand) -> bool {
        matches!(self.ask(demand), Some(Err(_)))
    }

    fn issue(&mut self, life: Duration) {
        self.issued += 1;
        let response = TokenResponse::new(Secret::from(format!("token-{}", self.issued)));
        self.answer(response.with_expires_in(life));
    }

    fn answer(&mut self, response: TokenResponse) {
        let (ticket, _) = self.fetch.take().expect("a request to answer");
        self.input(Input::Issued { ticket, response });
    }

    fn fail(&mut self, error: Error) {
        let (ticket, _) = self.fetch.take().expect("a request to answer");
        self.input(Input::Failed { ticket, error });
    }

    /// Fails a whole flight, attempt by attempt.
    fn fail_flight(&mut self) {
        let begin = self.events.len();
        while !self.events[begin..].iter().any(|event| matches!(event, AuthEvent::RenewalPaused { .. })) {
            if self.fetch.is_some() { self.fail(outage()) } else { self.sleep_until_due() }
        }
    }

    fn sleep_until_due(&mut self) {
        let due = self.wait.expect("something to wait for").remaining(self.now);
        self.sleep(due);
    }

    fn sleep(&mut self, duration: Duration) {
        self.now = Now {
            wall: self.now.wall.saturating_add(duration),
            mono: Moment::since_origin(self.now.mono.elapsed() + duration),
        };
        self.input(Input::Tick);
    }

    fn count(&self, matches: impl Fn(&AuthEvent) -> bool) -> usize {
        self.events.iter().filter(|event| matches(event)).count()
    }
}

fn outage() -> Error {
    Error::new(ErrorKind::ServerFailed, "down").with_code(503).without_effect()
}

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

//! The delivery machine in schedules that a seed determines, in simulated time, against a ledger of its own.

use std::collections::BTreeSet;

use auth_core::AuthEvent;
use auth_core::time::{Moment, Timestamp};

use super::*;
use crate::{Event, TrailEvent};

const LIMITS: Limits = Limits { queue: 40, batch: 16, attempts: 3, ..Limits::DEFAULT };

fn entry(sequence: u64) -> Arc<Entry> {
    let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
    Arc::new(Entry::new(sequence, Timestamp::from_millis(sequence), None, event))
}

fn at(elapsed: Duration) -> Now {
    Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
}

fn hole(entry: &Entry) -> Option<(u64, u64, u64)> {
    match entry.event {
        Event::Trail(TrailEvent::EventsDropped { from_seq, to_seq, count }) => {
            Some((from_seq, to_seq, count))
        }
        _ => None,
    }
}

/// Answers a call.
type Answers<'a> = &'a mut dyn FnMut(&mut World, &[Arc<Entry>]) -> Result<(), SinkError>;

/// A driver by hand.
struct World {
    machine: Machine,
    random: Jitter,
    clock: Duration,
    offered: u64,
    delivered: Vec<u64>,
    buried: Vec<u64>,
    settled: BTreeSet<u64>,
    twice: bool,
    holes: Vec<(u64, u64, u64)>,
    finished: bool,
    /// How many letters more are reported than were written: the control.
    lie: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        Self::within(LIMITS, seed)
    }

    fn within(limits: Limits, seed: u64) -> Self {
        Self {
            machine: Machine::new(limits, Jitter::seeded(seed)),
            random: Jitter::seeded(seed ^ 0xABCD),
            clock: Duration::ZERO,
            offered: 0,
            delivered: Vec::new(),
            buried: Vec::new(),
            settled: BTreeSet::new(),
            twice: false,
            holes: Vec::new(),
            finished: false,
            lie: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.between(Duration::ZERO, Duration::from_nanos(bound - 1)).as_nanos() as u64
    }

    fn offer(&mut self, count: u64) {
        for _ in 0..count {
            self.offered += 1;
            self.machine.offer(&entry(self.offered));
        }
    }

    /// One action, with a sink that answers so; waits for whatever there is to wait for.
    fn step(&mut self, sink: Answers<'_>) {
        match self.machine.poll(at(self.clock)) {
            Action::Deliver(batch) => {
                self.check().unwrap();
                let answer = sink(self, &batch);
                let taken = answer.map_or_else(|error| error.delivered.min(batch.len()), |()| batch.len());
                for entry in &batch[..taken] {
                    match hole(entry) {
                        Some(hole) => self.holes.push(hole),
                        None => {
                            let before = self.delivered.last().is_some_and(|last| *last >= entry.sequence);
                            self.twice |= before || !self.settled.insert(entry.sequence);
                            self.delivered.push(entry.sequence);
                        }
                    }
                }
                assert_eq!(self.machine.settle(at(self.clock), answer, batch).len(), taken);
            }
            Action::Bury(entries, _) => {
                assert!(entries.iter().all(|entry| hole(entry).is_none()));
                let written = if self.below(4) == 0 { entries.len() / 2 } else { entries.len() };
                for entry in &entries[..written] {
                    self.twice |= !self.settled.insert(entry.sequence);
                    self.buried.push(entry.sequence);
                }
                self.machine.buried(written + self.lie);
            }
            Action::Wait(Some(until)) => self.clock += until.remaining(at(self.clock)),
            Action::Wait(None) => {}
            Action::Finish => self.finished = true,
        }
    }

    /// The machine's accounts are whole, and are those of the ledger.
    fn check(&self) -> Result<(), String> {
        let counts = self.machine.counts();
        let sum = counts.delivered + counts.queued + counts.dropped + counts.dead_lettered;
        let ledger = (self.offered, self.delivered.len() as u64, self.buried.len() as u64);
        let told = (counts.accepted, counts.delivered, counts.dead_lettered);
        if counts.accepted == sum && ledger == told && !self.twice {
            return Ok(());
        }
        Err(format!("{counts:?}, ledger {ledger:?}, twice or out of order: {}", self.twice))
    }

    /// What is in no told hole, and is neither delivered nor waits.
    fn missing(&self) -> u64 {
        let counts = self.machine.counts();
        counts.dropped + counts.dead_lettered
    }
}

/// Anything that a sink may answer.
fn any_answer(world: &mut World, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
    let answer = match world.below(8) {
        0..=2 => return Ok(()),
        3 => SinkError::retry(),
        4 => SinkError::retry_after(Duration::from_secs(world.below(10_000))),
        5 if world.below(2) == 0 => SinkError::refused_at(world.below(batch.len() as u64) as usize),
        5 => SinkError::refused(),
        6 => SinkError::panicked(),
        _ => SinkError::denied(),
    };
    let first = world.below(2 * batch.len() as u64) as usize;
    Err(if world.below(3) == 0 { answer.after_first(first) } else { answer })
}

fn walk(seed: u64, lie: usize) -> Result<(), String> {
    let mut world = World { lie, ..World::new(seed) };
    for _ in 0..600 {
        if world.below(3) == 0 {
            let burst = world.below(30);
            world.offer(burst);
        } else {
            world.step(&mut any_answer);
        }
        let advanced = world.below(2_000_000_000);
        world.clock += Duration::from_nanos(advanced);
        world.check()?;
    }
    world.machine.close(at(world.clock).timer(Duration::from_secs(5)));
    for _ in 0..200 {
        world.offer(1);
        world.step(&mut any_answer);
        world.check()?;
    }
    let left = world.machine.counts().queued;
    if world.finished && left == 0 { Ok(()) } else { Err(format!("{left} are left at the end")) }
}

#[test]
fn the_accounts_are_exact_at_every_moment_whatever_the_sink_answers() {
    for seed in 0..100 {
        walk(seed, 0).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

#[test]
fn the_check_of_the_accounts_finds_a_miscount() {
    assert!((0..20).any(|seed| walk(seed, 1).is_err()));
}

#[test]
fn every_missing_entry_is_told_of_once_the_sink_takes_entries_again() {
    let poisoned = |entry: &Entry| hole(entry).is_none() && entry.sequence.is_multiple_of(23);
    for seed in 0..100 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            let burst = world.below(25);
            world.offer(burst);
            world.step(&mut |world, batch| match world.below(4) {
                0 => Err(SinkError::retry()),
                1 if world.below(10) == 0 => Err(SinkError::denied()),
                _ if batch.iter().any(|entry| poisoned(entry)) => Err(SinkError::refused()),
                _ => Ok(()),
            });
        }
        world.machine.close(at(world.clock).timer(Duration::from_secs(86_400)));
        while !world.finished {
            world.step(&mut |_, _| Ok(()));
        }
        let told: u64 = world.holes.iter().map(|(_, _, count)| count).sum();
        assert!(world.missing() > 0 && told == world.missing(), "seed {seed}: {told}, {}", world.missing());
        let delivered: BTreeSet<_> = world.delivered.iter().copied().collect();
        for sequence in (1..=world.offered).filter(|sequence| !delivered.contains(sequence)) {
            let holes = world.holes.iter().filter(|(from, to, _)| (*from..=*to).contains(&sequence));
            assert_eq!(holes.count(), 1, "seed {seed}: {sequence}");
        }
    }
}

#[test]
fn a_poisoned_entry_does_not_take_its_neighbours_along() {
    let mut world = World::within(Limits { batch: 400, queue: 400, ..LIMITS }, 1);
    world.offer(400);
    let mut calls = 0;
    while world.machine.counts().queued > 0 {
        world.step(&mut |_, batch| {
            calls += 1;
            let poisoned = |entry: &Entry| entry.sequence == 123 && hole(entry).is_none();
            if batch.iter().any(|entry| poisoned(entry)) { Err(SinkError::refused()) } else { Ok(()) }
        });
    }
    let counts = world.machine.counts();
    assert_eq!((counts.delivered, counts.dropped + counts.dead_lettered), (399, 1));
    assert!(calls <= 19, "{calls}");
    assert_eq!(world.clock, Duration::ZERO, "one poisoned entry makes nobody wait");
}

#[test]
fn a_sink_that_refuses_everything_is_asked_less_and_less_often() {
    let mut world = World::within(Limits { batch: 16, queue: 10_000, ..LIMITS }, 1);
    world.offer(10_000);
    let mut calls = 0_u64;
    while world.clock < Duration::from_secs(3_600) {
        world.step(&mut |_, _| {
            calls += 1;
            Err(SinkError::refused())
        });
    }
    assert!((100..1_000).contains(&calls), "{calls} calls in an hour");
}

#[test]
fn the_receivers_own_pause_is_kept_but_not_for_ever() {
    for (advice, longest) in [(60, 70), (1_000_000, 330)] {
        let mut world = World::new(3);
        world.offer(1);
        world.step(&mut |_, _| Err(SinkError::retry_after(Duration::from_secs(advice))));
        world.step(&mut |_, _| panic!("it was asked to wait"));
        let waited = world.clock.as_secs();
        assert!(waited >= advice.min(300) && waited <= longest, "{waited}");
    }
}

#[test]
fn the_same_entries_are_tried_so_often_and_then_are_dead_letters() {
    let mut world = World::new(4);
    world.offer(16);
    let mut calls = 0;
    while world.machine.counts().queued > 0 {
        world.step(&mut |_, _| {
            calls += 1;
            Err(SinkError::retry())
        });
    }
    assert_eq!((calls, world.machine.counts().retries), (3, 2));
    assert_eq!(world.missing(), 16);
}

#[test]
fn the_oldest_goes_when_the_queue_is_full_and_the_next_batch_tells_of_it() {
    let mut world = World::new(5);
    world.offer(100);
    world.step(&mut |_, batch| {
        assert_eq!(hole(&batch[0]), Some((1, 60, 60)));
        assert_eq!(batch[0].sequence, 60);
        assert_eq!(batch[1].sequence, 61);
        Ok(())
    });
    let counts = world.machine.counts();
    assert_eq!((counts.delivered, counts.queued, counts.dropped), (16, 24, 60));
}

#[test]
fn a_record_of_a_hole_that_the_sink_refuses_is_not_forced_on_it() {
    let mut world = World::new(6);
    world.offer(50);
    while world.machine.counts().queued > 0 {
        world.step(&mut |_, batch| {
            if hole(&batch[0]).is_some() { Err(SinkError::refused()) } else { Ok(()) }
        });
    }
    let counts = world.machine.counts();
    assert_eq!((counts.delivered, counts.dropped, counts.dead_lettered), (40, 10, 0));
}

#[test]
fn what_an_abandoned_driver_says_later_changes_nothing() {
    let mut world = World::new(7);
    world.offer(30);
    let Action::Deliver(batch) = world.machine.poll(at(world.clock)) else { panic!("there is a batch") };
    world.machine.close(at(world.clock).timer(Duration::ZERO));
    assert_eq!(world.machine.abandon().count(), 14);
    world.machine.settle(at(world.clock), Ok(()), batch);
    let counts = world.machine.counts();
    assert_eq!((counts.accepted, counts.delivered, counts.queued, counts.dropped), (30, 0, 0, 30));
}

#[test]
fn what_is_left_when_the_time_to_close_has_passed_is_written_down_in_parts() {
    let mut world = World::within(Limits { queue: 5_000, ..LIMITS }, 8);
    world.offer(2_500);
    world.machine.close(at(world.clock).timer(Duration::ZERO));
    let mut parts = Vec::new();
    loop {
        match world.machine.poll(at(world.clock)) {
            Action::Bury(entries, Reason::Closed) => {
                parts.push(entries.len());
                world.machine.buried(entries.len());
            }
            action => {
                assert!(matches!(action, Action::Finish), "{action:?}");
                break;
            }
        }
    }
    assert_eq!((parts, world.machine.counts().dead_lettered), (vec![1_000, 1_000, 500], 2_500));
}

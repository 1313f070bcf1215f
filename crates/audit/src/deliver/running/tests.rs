//! Hooks that misbehave on their own threads: each costs its own counts, and the accounts are exact in the end.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_core::AuthEvent;
use auth_core::backoff::Backoff;
use auth_core::time::Timestamp;

use super::*;
use crate::Event;

const BOUND: Duration = Duration::from_secs(30);
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));

fn entry(sequence: u64) -> Arc<Entry> {
    let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
    Arc::new(Entry::new(sequence, Timestamp::from_millis(sequence), None, event))
}

fn offer(running: &Running, count: u64) {
    (1..=count).for_each(|sequence| running.offer(&entry(sequence)));
}

/// `[accepted, delivered, queued, dropped, dead-lettered]`, of which the first is the sum of the others.
fn accounts(counts: HookCounts) -> [u64; 5] {
    let HookCounts { accepted, delivered, queued, dropped, dead_lettered, .. } = counts;
    assert_eq!(accepted, delivered + queued + dropped + dead_lettered, "{counts:?}");
    [accepted, delivered, queued, dropped, dead_lettered]
}

/// The record of a hole has the number of the last that is missing.
fn is_auth(entry: &Entry) -> bool {
    matches!(entry.event, Event::Auth(_))
}

/// A sink that answers as a function says.
struct Scripted<F>(F);

#[async_trait]
impl<F: Fn(&[Arc<Entry>]) -> Result<(), SinkError> + Send + Sync + 'static> Sink for Scripted<F> {
    async fn deliver(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        (self.0)(batch)
    }
}

#[test]
fn a_closure_is_given_every_entry_in_order_on_a_thread_with_its_name() {
    let (said, heard) = channel();
    let text = |entry: &Entry| format!("{} {}", entry.sequence, entry.event.name());
    let hook = move |text: &str| {
        let name = std::thread::current().name().map(str::to_owned);
        said.send((name.unwrap(), text.to_owned())).unwrap();
    };
    let running = Outlet::text("pager", text, hook).start().unwrap();
    offer(&running, 3);
    assert_eq!(accounts(running.close(BOUND)), [3, 3, 0, 0, 0]);
    let expected = |sequence| ("audit-pager".to_owned(), format!("{sequence} session_closed"));
    assert_eq!(heard.iter().collect::<Vec<_>>(), [1, 2, 3].map(expected));
}

#[test]
fn a_closure_that_panics_costs_that_entry_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let outlet =
        Outlet::closure("pager", |entry| assert!(!(entry.sequence == 5 && is_auth(entry)), "planted"));
    let running = outlet.dead_letter(&path).start().unwrap();
    offer(&running, 10);
    let counts = running.close(BOUND);
    assert_eq!((accounts(counts), counts.panics), ([10, 9, 0, 0, 1], 1));
    let letters = fs::read_to_string(&path).unwrap();
    assert!(letters.contains(r#""hook":"pager","reason":"panicked""#) && letters.contains(r#""seq":5"#));
}

#[test]
fn a_closure_that_blocks_for_ever_fills_its_own_queue_and_is_abandoned() {
    let (release, blocked) = channel::<()>();
    let blocked = Mutex::new(blocked);
    let (entered, inside) = channel();
    let outlet = Outlet::closure("stuck", move |_| {
        entered.send(()).unwrap();
        let _ = blocked.lock().unwrap().recv();
    });
    let running = outlet.queue(100).batch(1).start().unwrap();
    running.offer(&entry(1));
    inside.recv().unwrap();
    (2..=1_000).for_each(|sequence| running.offer(&entry(sequence)));
    assert_eq!(accounts(running.hook().counts()), [1_000, 0, 101, 899, 0]);
    assert_eq!(accounts(running.close(Duration::ZERO)), [1_000, 0, 0, 1_000, 0]);
    running.offer(&entry(1_001));
    assert_eq!(accounts(running.close(Duration::ZERO)), [1_001, 0, 0, 1_001, 0]);
    drop(release);
}

#[test]
fn a_sink_that_panics_is_asked_again_with_fewer_until_the_entry_is_found() {
    let outlet = Outlet::sink(
        "sink",
        Scripted(|batch: &[Arc<Entry>]| {
            assert!(!batch.iter().any(|entry| entry.sequence == 70 && is_auth(entry)), "planted");
            Ok(())
        }),
    );
    let folder = tempfile::tempdir().unwrap();
    let running = outlet.dead_letter(folder.path().join("dead.jsonl")).start().unwrap();
    offer(&running, 100);
    let counts = running.close(BOUND);
    assert_eq!(accounts(counts), [100, 99, 0, 0, 1]);
    assert!(counts.panics > 0);
}

#[test]
fn a_sink_that_errs_is_asked_so_often_and_then_its_entries_are_dead_letters() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let sink = Scripted(move |_: &[Arc<Entry>]| {
        counted.fetch_add(1, Ordering::Relaxed);
        Err(SinkError::retry())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let outlet = Outlet::sink("down", sink).backoff(QUICK).attempts(4).batch(1_000).dead_letter(&path);
    let running = outlet.start().unwrap();
    running.offer(&entry(1));
    let counts = running.close(BOUND);
    // As often again for the record of the hole, which is told at last.
    assert_eq!((accounts(counts), counts.retries), ([1, 0, 0, 0, 1], 2 * 3));
    assert_eq!(calls.load(Ordering::Relaxed), 2 * 4);
    assert!(fs::read_to_string(&path).unwrap().contains(r#""reason":"attempts_exhausted""#));
}

#[test]
fn without_a_file_dead_letters_count_as_dropped() {
    let outlet = Outlet::sink("down", Scripted(|_: &[Arc<Entry>]| Err(SinkError::denied())));
    let running = outlet.start().unwrap();
    offer(&running, 10);
    assert_eq!(accounts(running.close(BOUND)), [10, 0, 0, 10, 0]);
}

/// A sink that never answers.
struct Silent(Sender<usize>);

#[async_trait]
impl Sink for Silent {
    async fn deliver(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        let _ = self.0.send(batch.len());
        std::future::pending().await
    }
}

#[test]
fn a_call_that_takes_too_long_is_cut_off_and_its_entries_come_again() {
    let (said, calls) = channel();
    let outlet = Outlet::sink("silent", Silent(said)).deadline(Duration::from_millis(1)).backoff(QUICK);
    let running = outlet.attempts(3).start().unwrap();
    running.offer(&entry(1));
    assert_eq!((0..3).map(|_| calls.recv().unwrap()).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(accounts(running.close(BOUND)), [1, 0, 0, 1, 0]);
}

#[test]
fn closing_waits_no_longer_than_its_bound_for_a_sink_that_never_answers() {
    let (said, calls) = channel();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let outlet = Outlet::sink("silent", Silent(said)).deadline(Duration::from_secs(3_600)).dead_letter(&path);
    let running = outlet.batch(10).start().unwrap();
    running.offer(&entry(1));
    calls.recv().unwrap();
    (2..=50).for_each(|sequence| running.offer(&entry(sequence)));
    assert_eq!(accounts(running.close(Duration::from_millis(10))), [50, 0, 0, 0, 50]);
    assert_eq!(fs::read_to_string(&path).unwrap().matches(r#""reason":"closed""#).count(), 50);
}

#[test]
fn what_was_lost_while_a_hook_was_busy_is_told_before_what_comes_next() {
    let (release, gate) = channel::<()>();
    let (entered, inside) = channel();
    let (said, heard) = channel();
    let gate = Mutex::new(gate);
    let outlet = Outlet::closure("slow", move |entry| {
        let _ = entered.send(());
        let _ = gate.lock().unwrap().recv();
        said.send((entry.sequence, entry.event.name())).unwrap();
    });
    let running = outlet.queue(2).batch(1).start().unwrap();
    running.offer(&entry(1));
    inside.recv().unwrap();
    (2..=9).for_each(|sequence| running.offer(&entry(sequence)));
    drop(release);
    assert_eq!(accounts(running.close(BOUND)), [9, 3, 0, 6, 0]);
    let closed = |sequence| (sequence, "session_closed");
    assert_eq!(heard.iter().collect::<Vec<_>>(), [closed(1), (7, "events_dropped"), closed(8), closed(9)]);
}

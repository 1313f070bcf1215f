//! How long a caller waits, and what it is told, by the mode of the event's class.

use super::*;
use crate::clock::Clock;
use crate::log::model::{Fault, Model};
use crate::log::{Log, Storage};
use crate::opener::Opener;
use crate::trail::faults::FaultHook;
use crate::trail::outlets::Outlets;
use crate::{DropReason, TrailEvent};

fn on<S: Storage<File: Send> + 'static>(storage: S, options: LogOptions, queue: usize) -> Trail {
    let clock = Clock::start();
    let options = LogOptions { opener: Some(Opener::this(None)), ..options.reserve_bytes(0) };
    let log = Log::open(storage, options, clock.now()).unwrap();
    let outlets = Outlets { running: Vec::new(), patience: std::time::Duration::ZERO };
    builder::start(Some(log), None, outlets, queue, clock, FaultHook::default()).unwrap()
}

fn durable(path: &Path) -> LogOptions {
    LogOptions::new(path).modes(Modes { progress: Mode::Durable, ..Modes::client() })
}

#[test]
fn what_was_recorded_is_in_the_file_when_the_caller_is_told() {
    let (_directory, path) = directory();
    let trail = open(strict(&path));
    for attempt in 1..=3 {
        trail.record_blocking(&event(attempt)).unwrap();
        assert_eq!(entries(&path).last().unwrap().event, Event::Auth(event(attempt)));
        assert_eq!(trail.counts().written, u64::from(attempt));
    }
}

#[test]
fn a_failing_disk_refuses_strict_events_and_only_counts_others() {
    let model = Model::default();
    let trail = on(model.clone(), strict(Path::new("unused")), 100);
    trail.record_blocking(&event(1)).unwrap();
    model.fail(0..u64::MAX / 2, Fault::Error);
    let error = trail.record_blocking(&event(2)).unwrap_err();
    assert!(error.to_string().contains("disk"), "{error}");
    trail.observe(&event(3));
    assert!(trail.flush_blocking().is_err());
    model.heal();
    let summary = trail.close();
    assert_eq!(summary, Summary { observed: 3, written: 1, failed: 2, ..Summary::default() });

    let model = Model::default();
    let trail = on(model.clone(), durable(Path::new("unused")), 100);
    model.fail(0..u64::MAX / 2, Fault::Error);
    trail.record_blocking(&event(1)).unwrap();
    assert_eq!(trail.counts().failed, 1);
}

#[test]
fn a_caller_that_goes_away_withdraws_nothing_that_is_queued() {
    let (_directory, path) = directory();
    let trail = open(strict(&path));
    let event = event(1);
    let mut recording = trail.record(&event);
    let _ = recording.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(recording);
    assert_eq!(trail.close(), Summary { observed: 1, written: 1, ..Summary::default() });
}

/// A disk that waits, at its first sync after the opening, until it is let go on.
struct Held {
    disk: crate::log::Disk,
    gate: Option<(std::sync::mpsc::Sender<()>, Receiver<()>)>,
    armed: Arc<AtomicBool>,
}

impl Storage for Held {
    type File = fs::File;

    fn claim(&mut self) -> std::io::Result<bool> {
        self.disk.claim()
    }
    fn is_claimed(&self) -> bool {
        self.disk.is_claimed()
    }
    fn is_in_place(&mut self, file: &fs::File, name: &str) -> std::io::Result<bool> {
        self.disk.is_in_place(file, name)
    }
    fn length(&mut self, name: &str) -> std::io::Result<u64> {
        self.disk.length(name)
    }
    fn names(&mut self) -> std::io::Result<Vec<String>> {
        self.disk.names()
    }
    fn create(&mut self, name: &str) -> std::io::Result<fs::File> {
        self.disk.create(name)
    }
    fn open(&mut self, name: &str) -> std::io::Result<fs::File> {
        self.disk.open(name)
    }
    fn read(&mut self, name: &str) -> std::io::Result<impl std::io::BufRead> {
        self.disk.read(name)
    }
    fn append(&mut self, file: &mut fs::File, bytes: &[u8]) -> std::io::Result<()> {
        self.disk.append(file, bytes)
    }
    fn truncate(&mut self, file: &mut fs::File, length: u64) -> std::io::Result<()> {
        self.disk.truncate(file, length)
    }
    fn sync(&mut self, file: &mut fs::File) -> std::io::Result<()> {
        if self.armed.load(Ordering::SeqCst)
            && let Some((reached, go)) = self.gate.take()
        {
            reached.send(()).unwrap();
            assert!(go.recv().is_err(), "it was told to panic");
        }
        self.disk.sync(file)
    }
    fn sync_directory(&mut self) -> std::io::Result<()> {
        self.disk.sync_directory()
    }
    fn rename(&mut self, from: &str, to: &str) -> std::io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&mut self, name: &str) -> std::io::Result<()> {
        self.disk.remove(name)
    }
}

/// A trail whose writer stands in the sync of one event, until the sender is dropped; used, it has the writer panic.
fn held(path: &Path, queue: usize) -> (Trail, std::sync::mpsc::Sender<()>) {
    let ((reached, at_gate), (go, gate)) = (channel(), channel());
    let armed = Arc::new(AtomicBool::new(false));
    let storage = Held {
        disk: crate::log::Disk::new(path.to_owned()),
        gate: Some((reached, gate)),
        armed: Arc::clone(&armed),
    };
    let modes = Modes { revoking: Mode::Strict, ..Modes::client() };
    let trail = on(storage, LogOptions::new(path).modes(modes), queue);
    armed.store(true, Ordering::SeqCst);
    trail.observe(&event(0));
    at_gate.recv().unwrap();
    (trail, go)
}

fn revoked() -> AuthEvent {
    AuthEvent::TokenRevoked { token: None, target: None, peer: None }
}

/// What the last record says that became of the events of each mode: how many are on record, and how many are not.
fn told_by_mode(path: &Path) -> ([u64; 3], [u64; 3]) {
    let Some(Event::Trail(TrailEvent::TrailClosed {
        observed,
        written,
        dropped,
        failed,
        best_effort_written,
        best_effort_lost,
        durable_written,
        durable_lost,
        strict_written,
        strict_lost,
    })) = entries(path).pop().map(|entry| entry.event)
    else {
        panic!("it was not closed");
    };
    assert_eq!(observed, written + dropped + failed);
    let on_record = [best_effort_written, durable_written, strict_written];
    let lost = [best_effort_lost, durable_lost, strict_lost];
    assert_eq!([on_record.iter().sum::<u64>(), lost.iter().sum()], [written, dropped + failed]);
    (on_record, lost)
}

#[test]
fn a_full_queue_drops_what_comes_and_the_log_says_where() {
    let (_directory, path) = directory();
    let (trail, go) = held(&path, 8);
    // Six of best effort, and two that only what is durable or strict may use.
    (1..=10).for_each(|attempt| trail.observe(&event(attempt)));
    trail.observe(&revoked());
    (11..=12).for_each(|attempt| trail.observe(&event(attempt)));
    assert_eq!(trail.counts().dropped, 6);
    #[cfg(feature = "prometheus")]
    for line in ["rtauth_audit_events_dropped_total{reason=\"queue_full\"} 6", "rtauth_audit_queue_records 8"]
    {
        let text = trail.metrics().prometheus();
        assert!(text.lines().any(|other| other == line), "{text} has no {line}");
    }
    drop(go);
    let summary = trail.close();
    assert_eq!((summary.observed, summary.written, summary.dropped), (14, 8, 6));
    let entries = entries(&path);
    let names = entries.iter().map(|entry| entry.event.name()).collect::<Vec<_>>();
    let last = ["token_requested", "records_dropped", "token_revoked", "records_dropped", "trail_closed"];
    assert_eq!(names[8..], last);
    let counts = entries.iter().filter_map(|entry| match entry.event {
        Event::Trail(TrailEvent::RecordsDropped { count, reason: DropReason::QueueFull }) => Some(count),
        _ => None,
    });
    assert_eq!(counts.collect::<Vec<_>>(), [4, 2]);
    assert_eq!(verify(&path).unwrap().dropped, 6);
    assert_eq!(told_by_mode(&path), ([7, 0, 1], [6, 0, 0]));
}

#[test]
fn a_gap_is_of_when_it_was_and_not_of_what_is_recorded_later_beside_it() {
    let (_directory, path) = directory();
    let (trail, go) = held(&path, 8);
    let (revoked, long_ago) = (revoked(), Timestamp::from_millis(7));
    let mut context = Context::from_waker(Waker::noop());
    // Six of best effort find room: one gap stands before what happened long ago, and one behind it.
    (1..=7).for_each(|attempt| trail.observe(&event(attempt)));
    let _queued = trail.record_at(&revoked, long_ago).as_mut().poll(&mut context);
    trail.observe(&event(8));
    drop(go);
    assert_eq!(trail.close().dropped, 2);
    let entries = entries(&path);
    let last = entries[entries.len() - 4..].iter().map(|entry| (entry.event.name(), entry.at == long_ago));
    let gap = ("records_dropped", false);
    assert_eq!(last.collect::<Vec<_>>(), [gap, ("token_revoked", true), gap, ("trail_closed", false)]);
}

#[test]
fn whoever_records_a_strict_event_waits_for_room() {
    let (_directory, path) = directory();
    let (trail, go) = held(&path, 4);
    (0..4).for_each(|_| trail.observe(&revoked()));
    let event = revoked();
    let mut waiting = trail.record(&event);
    let mut given_up = trail.record(&event);
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    assert!(given_up.as_mut().poll(&mut context).is_pending());
    drop(given_up);
    assert_eq!(trail.counts().dropped, 1, "what its caller does not wait for is counted");
    drop(go);
    block_on(waiting).unwrap();
    let summary = trail.close();
    assert_eq!((summary.observed, summary.written, summary.dropped), (7, 6, 1));
    assert_eq!(verify(&path).unwrap().dropped, 1);
}

#[test]
fn whoever_waits_for_room_waits_once_and_in_turn() {
    let (_directory, path) = directory();
    let (trail, go) = held(&path, 4);
    let event = |name: &str| {
        let target = Some(Label::new(name));
        AuthEvent::TokenRevoked { token: None, target, peer: None }
    };
    (0..4).for_each(|_| trail.observe(&event("queued")));
    let events = ["first", "second", "third", "fourth", "fifth", "sixth"].map(event);
    let mut waiting = events.iter().map(|event| trail.record(event)).collect::<Vec<_>>();
    for _ in 0..3 {
        for waiting in &mut waiting {
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(trail.counts().queued, 1 + 4 + 6, "to be polled again is not to wait again");
    }
    drop(waiting.remove(1));
    assert_eq!((trail.counts().queued, trail.counts().dropped), (10, 1), "nothing of it stays");
    drop(go);
    // Nobody asks the others, and they hold up nobody.
    block_on(waiting.pop().unwrap()).unwrap();
    drop(waiting);
    let summary = trail.close();
    assert_eq!((summary.observed, summary.written, summary.dropped), (11, 10, 1));
    let targets = entries(&path).into_iter().filter_map(|entry| match entry.event {
        Event::Auth(AuthEvent::TokenRevoked { target, .. }) => Some(target?.to_string()),
        _ => None,
    });
    let targets = targets.filter(|target| target != "queued").collect::<Vec<_>>();
    assert_eq!(targets, ["first", "third", "fourth", "fifth", "sixth"]);
    assert_eq!(told_by_mode(&path), ([1, 0, 9], [0, 0, 1]));
}

#[test]
fn what_a_writer_had_that_panics_is_counted_as_failed() {
    let (_directory, path) = directory();
    let (trail, go) = held(&path, 4);
    trail.observe(&event(1));
    (0..4).for_each(|_| trail.observe(&revoked()));
    let event = revoked();
    let mut waiting = trail.record(&event);
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    go.send(()).unwrap();
    block_on(waiting).unwrap_err();
    let summary = trail.close();
    assert_eq!(summary, Summary { observed: 7, dropped: 1, failed: 6, ..Summary::default() });
    drop(open(strict(&path)));
    let verified = verify(&path).unwrap();
    assert_eq!((verified.opened, verified.closed, verified.broken_off), (2, 1, 1), "it came to no end");
}

#[test]
fn observing_never_waits_for_the_disk() {
    let (_directory, path) = directory();
    let (trail, go) = held(&path, 8);
    (0..1_000).for_each(|attempt| trail.observe(&event(attempt)));
    drop(go);
    assert_eq!(trail.close().observed, 1_001);
}

#[test]
fn accounts_add_up_while_many_threads_record() {
    let (_directory, path) = directory();
    let trail = open(strict(&path));
    let acknowledged = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for attempt in 0..50 {
                    trail.record_blocking(&event(attempt)).unwrap();
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    let Summary { observed, written, dropped, failed, queued } = trail.counts();
                    assert_eq!(observed, written + dropped + failed + queued);
                    assert!(written >= acknowledged.load(Ordering::SeqCst) as u64 / 8);
                }
            });
        }
    });
    assert_eq!(trail.close(), Summary { observed: 400, written: 400, ..Summary::default() });
    assert_eq!(verify(&path).unwrap().records, 400 + OF_ITSELF);
}

#[test]
fn a_waker_that_panics_stops_nobody_else() {
    struct Panics(std::sync::mpsc::Sender<()>);
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
            panic!("a waker's");
        }
    }
    let (_directory, path) = directory();
    let (trail, go) = held(&path, 4);
    let (woken, wakes) = channel();
    let waker = Waker::from(Arc::new(Panics(woken)));
    // Four have a place, and one waits for one.
    let event = revoked();
    let mut recordings = (0..5).map(|_| trail.record(&event)).collect::<Vec<_>>();
    for recording in &mut recordings {
        assert!(recording.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(go);
    (0..5).for_each(|_| wakes.recv().unwrap());
    trail.record_blocking(&event).unwrap();
    drop(recordings);
    assert_eq!(trail.close().written, 7);
}

#[test]
fn whoever_runs_it_is_told_once_that_the_log_fails_and_once_that_it_is_well() {
    let model = Model::default();
    let clock = Clock::start();
    let log = Log::open(model.clone(), strict(Path::new("unused")).reserve_bytes(0), clock.now()).unwrap();
    let outlets = Outlets { running: Vec::new(), patience: std::time::Duration::ZERO };
    let (told, texts) = channel();
    let hook = FaultHook(Some(Box::new(move |text: &str| {
        told.send(text.to_owned()).unwrap();
        panic!("a hook's");
    })));
    let trail = builder::start(Some(log), None, outlets, 100, clock, hook).unwrap();
    trail.record_blocking(&event(1)).unwrap();
    model.fail(0..u64::MAX / 2, Fault::Error);
    (2..=4).for_each(|attempt| drop(trail.record_blocking(&event(attempt)).unwrap_err()));
    assert!(texts.recv().unwrap().contains("can't be written"));
    model.heal();
    assert_eq!(trail.close().failed, 3);
    let texts = texts.iter().collect::<Vec<_>>();
    assert_eq!(texts, ["the audit log is being written again; 3 events are in no record"]);
}

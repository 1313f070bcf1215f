//! What a trail tells of itself: that it begins, that it ends, and what became of the events between; and what of its log's faults.

use std::sync::Mutex;

use super::*;
use crate::deliver::Outlet;
use crate::entry::{PreviousEnd, TrailEvent};
use crate::format::Origin;

/// How the log, or an outlet, was told that trails began.
fn openings(entries: &[Entry]) -> Vec<PreviousEnd> {
    let openings = entries.iter().filter_map(|entry| match entry.event {
        Event::Trail(TrailEvent::TrailOpened { previous_end, .. }) => Some(previous_end),
        _ => None,
    });
    openings.collect()
}

#[test]
fn the_first_record_says_which_program_writes_and_the_last_what_became_of_the_events() {
    let (_directory, path) = directory();
    let modes = Modes { issuing: Mode::Strict, deciding: Mode::Durable, ..Modes::client() };
    let origin = Origin::new("gw-1.example", "gateway").with_version("1.2");
    let trail = Trail::builder().origin(origin).log(LogOptions::new(&path).modes(modes)).open().unwrap();
    assert_eq!(entries(&path)[1].event.name(), "trail_opened", "before anybody can write");
    (1..=3).for_each(|attempt| trail.observe(&event(attempt)));
    trail.observe(&AuthEvent::SessionFailed { connection: None, reason: Label::new("no"), code: None });
    let summary = trail.close();
    assert_eq!(summary.written, 4);
    let entries = entries(&path);
    let Event::Trail(TrailEvent::TrailOpened { host, application, version, process_id, .. }) =
        &entries[1].event
    else {
        panic!("{entries:?}");
    };
    let told = [host, application, version].map(|label| label.as_ref().map(Label::as_str));
    assert_eq!(told, [Some("gw-1.example"), Some("gateway"), Some("1.2")]);
    assert_eq!(*process_id, Some(std::process::id()));
    let expected = TrailEvent::TrailClosed {
        observed: 4,
        written: 4,
        dropped: 0,
        failed: 0,
        best_effort_written: 3,
        best_effort_lost: 0,
        durable_written: 1,
        durable_lost: 0,
        strict_written: 0,
        strict_lost: 0,
    };
    assert_eq!(entries.last().unwrap().event, Event::Trail(expected));
}

#[test]
fn a_program_that_says_nothing_of_itself_is_known_by_its_file() {
    let (_directory, path) = directory();
    drop(open(LogOptions::new(&path)));
    let Event::Trail(TrailEvent::TrailOpened { host, application, version, .. }) = &entries(&path)[1].event
    else {
        panic!("{:?}", entries(&path));
    };
    let file = std::env::current_exe().unwrap();
    let file = Label::new(&file.file_name().unwrap().to_string_lossy());
    assert_eq!((host, application, version), (&None, &Some(file), &None));
}

#[test]
fn a_trail_without_a_log_tells_its_outlets_that_it_begins_and_ends() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&given);
    let (told, begun) = channel();
    let outlet = Outlet::closure("collected", move |entry| {
        into.lock().unwrap().push(entry.clone());
        let _ = told.send(());
    });
    let trail = Trail::builder().outlet(outlet).open().unwrap();
    // That it begins, although nothing was observed.
    begun.recv().unwrap();
    trail.observe(&event(1));
    let _ = trail.close();
    let given = given.lock().unwrap();
    let names = given.iter().map(|entry| entry.event.name()).collect::<Vec<_>>();
    assert_eq!(names, ["trail_opened", "token_requested", "trail_closed"]);
    assert_eq!(openings(&given), [PreviousEnd::Unknown]);
}

#[test]
fn a_trail_that_could_not_begin_for_an_outlet_is_closed_and_not_broken_off() {
    let (_directory, path) = directory();
    let outlet = Outlet::closure("lost", |_| ()).dead_letter(path.join("nowhere").join("letters"));
    let refused = Trail::builder().log(LogOptions::new(&path)).outlet(outlet).open();
    assert!(matches!(refused, Err(OpenError::Io(_))), "{refused:?}");
    drop(open(LogOptions::new(&path)));
    assert_eq!(openings(&entries(&path)), [PreviousEnd::None, PreviousEnd::Clean]);
}

#[test]
fn a_log_whose_opening_is_archived_is_known_to_be_open() {
    let (_directory, path) = directory();
    let trail = open(LogOptions::new(&path));
    block_on(trail.rotate()).unwrap();
    fs::remove_file(&segments(&path)[0]).unwrap();
    let runs = || {
        let verified = verify::Verification::of(&path).allowing_archived().run().unwrap();
        (verified.opened, verified.closed, verified.broken_off, verified.is_open)
    };
    assert_eq!(runs(), (0, 0, 0, true));
    let _ = trail.close();
    assert_eq!(runs(), (0, 1, 0, false));
    drop(open(LogOptions::new(&path)));
    assert_eq!(runs(), (1, 2, 0, false));
}

/// So long that no checkpoint comes due.
const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Trails whose faults are told to a channel.
fn telling(options: LogOptions) -> (Trail, Receiver<String>) {
    let (told, texts) = channel();
    let builder = Trail::builder().log(options).on_fault(move |text| told.send(text.to_owned()).unwrap());
    (builder.open().unwrap(), texts)
}

#[test]
fn whoever_runs_it_is_told_that_a_segment_was_moved_away_and_gets_no_seal() {
    let (directory, path) = directory();
    let key = SigningKey::from_seed("log.example", [7; 32]).unwrap();
    let (trail, texts) = telling(LogOptions::new(&path).signing_key(key).checkpoint_every(HOUR));
    block_on(trail.rotate()).unwrap();
    fs::rename(&path, directory.path().join("moved")).unwrap();
    block_on(trail.reopen()).unwrap();
    block_on(trail.rotate()).unwrap();
    let _ = trail.close();
    drop(trail);
    let texts = texts.iter().collect::<Vec<_>>();
    let [moved] = &texts[..] else { panic!("once: {texts:?}") };
    assert!(moved.contains("gets no seal") && moved.contains(".jsonl"), "{moved}");
}

#[test]
fn whoever_runs_it_is_told_once_that_no_room_can_be_kept_and_once_that_it_can() {
    let (_directory, path) = directory();
    let (trail, texts) = telling(LogOptions::new(&path));
    let reserve = path.join("reserve");
    fs::remove_file(&reserve).unwrap();
    fs::create_dir(&reserve).unwrap();
    fs::write(reserve.join("in the way"), "").unwrap();
    for _ in 0..3 {
        block_on(trail.rotate()).unwrap();
    }
    fs::remove_dir_all(&reserve).unwrap();
    block_on(trail.rotate()).unwrap();
    assert!(reserve.is_file());
    let _ = trail.close();
    drop(trail);
    let texts = texts.iter().collect::<Vec<_>>();
    let [begun, over] = &texts[..] else { panic!("{texts:?}") };
    assert!(begun.contains("keep no room") && over.contains("keeps room"), "{texts:?}");
}

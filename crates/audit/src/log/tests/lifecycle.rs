//! What a log tells of those who opened it: that they began, that they ended, and that one came to no end.

use super::super::model::{Fault, Survives};
use super::*;
use crate::chain::Head;
use crate::entry::PreviousEnd;
use crate::format::Origin;
use crate::opener::Opener;

fn opener() -> Opener {
    Opener::this(Some(&Origin::new("gw-1", "gateway").with_version("1.2").with_process(4_711)))
}

/// A log that somebody opens, as a trail does.
fn open_as(model: &Model, options: LogOptions, elapsed: Duration) -> Result<Session, OpenError> {
    let options = LogOptions { opener: Some(opener()), ..options };
    let log = Log::open(model.clone(), options, at(elapsed))?;
    let (recorded, lost) = <(BTreeSet<u32>, BTreeSet<u32>)>::default();
    Ok(Session { log, model: model.clone(), elapsed, recorded, lost, next: 0 })
}

fn open(model: &Model) -> Session {
    open_as(model, options(), Duration::from_secs(3_600)).unwrap()
}

/// Ends it as a trail does.
fn close(mut session: Session) {
    let closed = r#"{"event":"trail_closed","observed":3,"written":2,"dropped":1,"failed":0,"best_effort_written":2,"best_effort_lost":1,"durable_written":0,"durable_lost":0,"strict_written":0,"strict_lost":0}"#;
    session.log.close_with(serde_json::from_str(closed).unwrap());
    session.pass(Duration::from_secs(60));
    let now = session.now();
    session.log.finish(now);
}

/// How each opening says that the log had ended before, and how many bytes were cut off.
fn openings(model: &Model) -> Vec<(PreviousEnd, u64)> {
    let openings = entries(model).into_iter().filter_map(|entry| match entry.event {
        Event::Trail(TrailEvent::TrailOpened { previous_end, dropped_bytes, .. }) => {
            Some((previous_end, dropped_bytes))
        }
        _ => None,
    });
    openings.collect()
}

/// Opened, closed, broken off; and whether it is open.
fn runs(model: &Model) -> (u64, u64, u64, bool) {
    let Verified { opened, closed, broken_off, is_open, .. } = verified(model).0;
    (opened, closed, broken_off, is_open)
}

#[test]
fn a_log_tells_who_opened_it_first_and_last_that_they_closed_it() {
    let model = Model::default();
    let mut session = open(&model);
    session.write(&[Mode::Strict]);
    close(session);
    let told = [
        "segment_opened",
        "trail_opened",
        "checkpoint_signed",
        "token_requested",
        "checkpoint_signed",
        "trail_closed",
    ];
    assert_eq!(names(&model), told);
    let expected = TrailEvent::TrailOpened {
        host: Some(Label::new("gw-1")),
        application: Some(Label::new("gateway")),
        version: Some(Label::new("1.2")),
        process_id: Some(4_711),
        library_version: Label::new(env!("CARGO_PKG_VERSION")),
        previous_end: PreviousEnd::None,
        dropped_bytes: 0,
    };
    assert_eq!(entries(&model)[1].event, Event::Trail(expected));
    let (verified, _) = verified(&model);
    assert_eq!((verified.sealed_through, verified.unsealed_tail), (6, 0), "the end is sealed too");
}

#[test]
fn an_opening_says_whether_the_one_before_was_closed() {
    let model = Model::default();
    close(open(&model));
    assert_eq!(runs(&model), (1, 1, 0, false));
    close(open(&model));
    // This one's process is killed.
    drop(open(&model));
    assert_eq!(runs(&model), (3, 2, 0, true), "nobody can tell yet");
    let session = open(&model);
    assert_eq!(runs(&model), (4, 2, 1, true));
    close(session);
    assert_eq!(runs(&model), (4, 3, 1, false));
    use PreviousEnd::{BrokenOff, Clean, None};
    assert_eq!(openings(&model), [(None, 0), (Clean, 0), (Clean, 0), (BrokenOff, 0)]);
}

#[test]
fn what_was_cut_off_is_told_by_who_opens_it_and_is_of_nobody_who_came_to_an_end() {
    let model = Model::default();
    close(open(&model));
    let first = layout::segment(1);
    let torn = [model.bytes(&first).unwrap(), b"{\"seq\":7,".to_vec()].concat();
    model.put(&first, &torn);
    close(open(&model));
    assert_eq!(openings(&model)[1], (PreviousEnd::BrokenOff, 9));
    assert_eq!(names(&model).iter().filter(|name| **name == "log_recovered").count(), 1);
    assert_eq!(runs(&model), (2, 2, 1, false));
}

#[test]
fn the_newest_segment_alone_tells_that_the_log_was_broken_off() {
    for reason in [SegmentReason::Rotated, SegmentReason::Reopened] {
        let model = Model::default();
        let mut session = open(&model);
        let now = session.now();
        session.log.reopen(reason, now).unwrap();
        session.write(&[Mode::Strict]);
        drop(session);
        close(open(&model));
        assert_eq!(openings(&model)[1], (PreviousEnd::BrokenOff, 0));
        assert_eq!(runs(&model), (2, 1, 1, false));
    }
}

#[test]
fn another_key_after_a_clean_end_is_no_break() {
    let model = Model::default();
    close(open(&model));
    let new_key = SigningKey::from_seed("new.example", [8; 32]).unwrap();
    let other = options().signing_key(new_key);
    drop(open_as(&model, other.clone(), Duration::from_secs(9)).unwrap());
    drop(open_as(&model, other, Duration::from_secs(9)).unwrap());
    use PreviousEnd::{BrokenOff, Clean, None};
    assert_eq!(openings(&model), [(None, 0), (Clean, 0), (BrokenOff, 0)]);
}

/// A log of a version that told nobody who opened it, with one event.
fn older() -> Model {
    let time = r#""time":"2026-11-22T05:00:00.000Z""#;
    let opened = r#""event":"segment_opened","origin":"log.example","reason":"created","first":1,"peaks":[],"verifier_key":null"#;
    let (mut head, mut lines) = (Head::EMPTY, Vec::new());
    for event in [opened, r#""event":"session_closed","lasted_ms":null"#] {
        head.append(&mut lines, format!("{time},{event}").as_bytes());
    }
    let model = Model::default();
    model.put(&layout::segment(1), &lines);
    model
}

#[test]
fn an_older_log_is_not_said_to_be_broken_off_and_a_break_after_that_is() {
    let model = older();
    let options = || LogOptions::new("unused").reserve_bytes(0);
    for _ in 0..2 {
        drop(open_as(&model, options(), Duration::ZERO).unwrap());
    }
    assert_eq!(openings(&model), [(PreviousEnd::Unknown, 0), (PreviousEnd::BrokenOff, 0)]);
    let directory = tempfile::tempdir().unwrap();
    model.copy_to(directory.path());
    let verified = crate::verify(directory.path()).unwrap();
    assert_eq!((verified.opened, verified.broken_off), (2, 1));
}

#[test]
fn new_files_and_faults_are_no_opening_and_no_end() {
    let model = Model::default();
    let mut session = open(&model);
    for reason in [SegmentReason::Rotated, SegmentReason::Reopened] {
        let now = session.now();
        session.log.reopen(reason, now).unwrap();
    }
    model.fail(1..2, Fault::Error);
    session.write(&[Mode::Strict]);
    assert!(names(&model).contains(&"log_fault"), "the control");
    close(session);
    assert_eq!(runs(&model), (1, 1, 0, false));
    assert_eq!(names(&model).last(), Some(&"trail_closed"));
}

#[test]
fn a_full_disk_has_room_for_the_end() {
    let model = Model::default();
    let mut session = open(&model);
    model.limit(Some(model.used() + 100));
    session.write(&[Mode::BestEffort]);
    assert!(!session.log.is_well(), "the control");
    close(session);
    assert_eq!(names(&model).last(), Some(&"trail_closed"));
    assert_eq!(verified(&model).0.dropped, 1, "and for what is missing before");
}

#[test]
fn an_opening_that_a_failing_disk_does_not_take_is_on_record_before_any_event() {
    let mut late = 0;
    for step in 0.. {
        let model = Model::default();
        close(open(&model));
        let before = names(&model).len();
        model.fail(step..u64::MAX / 2, Fault::Error);
        let opened = open_as(&model, options(), Duration::from_secs(3_600));
        model.heal();
        late += u64::from(opened.is_ok() && names(&model).len() == before);
        let Ok(mut session) = opened else { continue };
        session.pass(Duration::from_secs(60));
        session.write(&[Mode::Strict]);
        close(session);
        let told = names(&model);
        let place = |name| told.iter().rposition(|other| *other == name).unwrap();
        assert!(place("trail_opened") < place("token_requested"), "step {step}: {told:?}");
        assert_eq!(runs(&model), (2, 2, 0, false), "step {step}");
        if step > 100 {
            break;
        }
    }
    assert!(late > 0, "the control: some were not taken at first");
}

/// One that has nothing to end is told of by the next: whatever step the power goes at, and whatever is left then.
#[test]
fn a_crash_at_any_step_is_told_of_by_whoever_opens_the_log_next() {
    let play = |model: &Model| -> Result<(), OpenError> {
        let mut session = open_as(model, options(), Duration::ZERO)?;
        for _ in 0..6 {
            session.write(&[Mode::Strict, Mode::BestEffort]);
            let now = session.now();
            session.log.tick(now);
            session.pass(Duration::from_millis(700));
        }
        close(session);
        Ok(())
    };
    let whole = Model::default();
    play(&whole).unwrap();
    let (mut broken, mut clean) = (0, 0);
    for step in 0..=whole.steps() {
        for survives in Survives::ALL {
            let model = Model::default();
            model.fail(step..step + 1, Fault::Crash);
            let _ = play(&model);
            model.restart(survives);
            let context = format!("step {step}, {survives:?} survives");
            let was_closed = names(&model).last() == Some(&"trail_closed");
            let was_there = !names(&model).is_empty();
            close(open_as(&model, options(), Duration::from_secs(9_000)).unwrap());
            let last = openings(&model).pop().unwrap();
            match (was_there, was_closed) {
                (_, true) => {
                    clean += 1;
                    assert_eq!(last, (PreviousEnd::Clean, 0), "{context}");
                }
                (true, false) => {
                    broken += 1;
                    assert_eq!(last.0, PreviousEnd::BrokenOff, "{context}\n{}", text(&model));
                }
                (false, false) => {}
            }
            let (opened, closed, broken_off, is_open) = runs(&model);
            assert!(!is_open && closed == 1 + u64::from(was_closed), "{context}");
            assert!(opened <= closed + broken_off, "{context}: each came to an end, or to none");
        }
    }
    assert!(broken > 50 && clean > 5, "{broken} broken off, {clean} closed");
}

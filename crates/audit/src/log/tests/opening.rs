//! What is found when a log is opened, and what is refused.

use auth_core::scope::Scopes;

use super::super::model::{Fault, Survives};
use super::*;

fn written(events: usize) -> Model {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    for _ in 0..events {
        session.write(&[Mode::Strict]);
    }
    let now = session.now();
    session.log.finish(now);
    model
}

fn open(model: &Model) -> Result<Session, OpenError> {
    Session::open(model, Duration::from_secs(3_600))
}

pub(super) const FIRST: &str = "00000000000000000001.jsonl";

fn change(model: &Model, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = model.bytes(FIRST).unwrap();
    change(&mut bytes);
    model.put(FIRST, &bytes);
}

#[test]
fn a_torn_tail_is_cut_off_and_told_of() {
    let tails: [&[u8]; 5] =
        [b"{\"seq\":5,\"time", b"\0\0\0\0", b"\0\0\n\0\0\n", b"\xff\xfe\n\x80\n", b"garbage"];
    for tail in tails {
        let model = written(3);
        change(&model, |bytes| bytes.extend_from_slice(tail));
        let whole = entries(&model).len();
        open(&model).unwrap();
        let dropped_bytes = tail.len() as u64;
        assert_eq!(entries(&model)[whole].event, Event::Trail(TrailEvent::LogRecovered { dropped_bytes }));
        verified(&model);
    }
}

/// A log that no checkpoint covers, with so many records and the one that opens it.
pub(super) fn unsigned(events: usize) -> (Model, Vec<u8>) {
    let model = Model::default();
    let options = LogOptions::new("unused").reserve_bytes(0);
    let now = at(Duration::ZERO);
    let mut log = Log::open(model.clone(), options, now).unwrap();
    for attempt in 1..=events {
        let event = AuthEvent::TokenRequested {
            attempt: attempt as u32,
            redeems: false,
            noted: None,
            valid_for: None,
        };
        log.commit(&mut [Item::new(now.wall, None, Event::Auth(event), Mode::Strict)], now);
    }
    let bytes = model.bytes(FIRST).unwrap();
    (model, bytes)
}

pub(super) fn open_unsigned(model: &Model, bytes: &[u8]) -> Result<Log<Model>, OpenError> {
    model.put(FIRST, bytes);
    Log::open(model.clone(), LogOptions::new("unused").reserve_bytes(0), at(Duration::ZERO))
}

/// Where each line begins, and where the last one ends.
fn lines(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

#[test]
fn a_damaged_record_is_never_taken_for_a_torn_one_although_no_checkpoint_covers_it() {
    for events in [0, 1, 5] {
        let (model, whole) = unsigned(events);
        let start = lines(&whole)[events];
        for at in start..whole.len() {
            for byte in [whole[at] ^ 1, whole[at] ^ 0x20, whole[at] ^ 0x80, 0, b'\n'] {
                if byte == whole[at] {
                    continue;
                }
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let opened = open_unsigned(&model, &bytes).map(drop);
                let at = at - start;
                assert!(
                    matches!(opened, Err(OpenError::Broken { .. })),
                    "{events}, {at}: {byte:#x}: {opened:?}"
                );
                assert_eq!(model.bytes(FIRST).unwrap(), bytes);
            }
        }
        assert!(open_unsigned(&model, &whole).is_ok(), "the control");
    }
}

#[test]
fn several_damaged_records_are_not_cut_off_together() {
    let (model, whole) = unsigned(5);
    let (begins, mut firsts, mut ends) = (lines(&whole), whole.clone(), whole.clone());
    for line in 2..6 {
        firsts[begins[line]] = b'}';
        ends[begins[line + 1] - 1] = b'}';
    }
    for bytes in [firsts, ends] {
        assert!(matches!(open_unsigned(&model, &bytes), Err(OpenError::Broken { sequence: 3, .. })));
    }
}

#[test]
fn a_record_of_which_any_part_was_never_written_is_cut_off() {
    let mut crossing = 0;
    for events in 1..8 {
        let (model, whole) = unsigned(events);
        let start = lines(&whole)[events];
        for end in start..whole.len() {
            let log = open_unsigned(&model, &whole[..end]).unwrap();
            assert_eq!(log.head.sequence, events as u64 + u64::from(end > start), "cut, and told of");
        }
        // A disk writes whole sectors, in any order.
        let sector = start.next_multiple_of(512);
        if (start + 16..whole.len() - 16).contains(&sector) {
            crossing += 1;
            for hole in [start..sector, sector..whole.len(), start..whole.len()] {
                let mut bytes = whole.clone();
                bytes[hole].fill(0);
                let log = open_unsigned(&model, &bytes).unwrap();
                assert_eq!(log.head.sequence, events as u64 + 1);
            }
        }
    }
    assert!(crossing > 1);
}

/// An event with so many bytes of scopes.
fn long(bytes: usize) -> AuthEvent {
    AuthEvent::ScopesChecked {
        verdict: auth_core::observe::ScopeVerdict::Allowed,
        required: Scopes::of(["s".repeat(bytes)]).unwrap(),
        granted: Scopes::of(["a"]).unwrap(),
        missing: Scopes::of(["a"]).unwrap(),
        client_id: None,
    }
}

#[test]
fn an_event_too_long_for_a_line_is_on_record_by_its_name() {
    for with_a_follower in [false, true] {
        let model = written(1);
        let mut session = open(&model).unwrap();
        let before = session.log.head.sequence;
        let now = session.now();
        let item = |bytes| Item::new(now.wall, None, Event::Auth(long(bytes)), Mode::Strict);
        let fits = crate::chain::LONGEST_LINE - 1_024;
        let mut items = [item(fits), item(crate::chain::LONGEST_LINE)];
        assert_eq!((session.log.commit(&mut items, now), items[1].fate), (2, Fate::Recorded(before + 2)));
        if with_a_follower {
            session.next = 1;
            session.write(&[Mode::Strict]);
        }
        drop(session);
        open(&model).unwrap();
        let entries = entries(&model);
        let told = entries.iter().skip(before as usize).take(2).map(|entry| entry.event.clone());
        let [whole, marker]: [Event; 2] = told.collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(whole, Event::Auth(long(fits)), "the control");
        assert!(
            matches!(&marker, Event::Trail(TrailEvent::EventOversized { name, bytes })
                if name.as_str() == "scopes_checked" && *bytes > crate::chain::LONGEST_LINE as u64),
            "{marker:?}"
        );
        verified(&model);
    }
}

#[test]
fn an_overlong_record_is_bad_and_what_a_crash_leaves_is_torn_however_long() {
    let long = crate::chain::LONGEST_LINE;
    let record = format!("{{\"seq\":5,\"time\":\"{}\"}}\n", "x".repeat(long));
    let zeros = [vec![0; long + 1], b"\n".to_vec()].concat();
    let unended = record.trim_end().as_bytes().to_vec();
    for (tail, is_torn) in [(record.into_bytes(), false), (zeros, true), (unended, true)] {
        let model = written(3);
        change(&model, |bytes| bytes.extend_from_slice(&tail));
        match open(&model) {
            Ok(_) => assert!(is_torn),
            Err(error) => assert!(!is_torn && matches!(error, OpenError::Broken { .. }), "{error}"),
        }
    }
}

#[test]
fn an_untouched_log_is_continued_without_a_word() {
    let model = written(3);
    let before = model.bytes(FIRST).unwrap();
    open(&model).unwrap();
    assert_eq!(model.bytes(FIRST).unwrap(), before);
}

#[test]
fn a_bad_record_is_refused_wherever_it_is_and_nothing_is_touched() {
    for position in [0, 1, 3] {
        let model = written(3);
        change(&model, |bytes| {
            let line =
                bytes.split(|byte| *byte == b'\n').take(position).map(|line| line.len() + 1).sum::<usize>();
            bytes[line + 40] ^= 1;
        });
        let before = model.bytes(FIRST).unwrap();
        let sequence = position as u64 + 1;
        let error = open(&model).err().unwrap();
        assert!(
            matches!(&error, OpenError::Broken { segment, sequence: at, .. } if segment == FIRST && *at == sequence),
            "{error}"
        );
        assert_eq!(model.bytes(FIRST).unwrap(), before);
    }
}

#[test]
fn what_a_checkpoint_covers_can_not_have_been_cut_off() {
    let model = written(3);
    let whole = model.bytes(FIRST).unwrap();
    change(&model, |bytes| {
        let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        bytes.truncate(last + 1);
    });
    assert!(matches!(open(&model), Err(OpenError::Broken { .. })));
    change(&model, |bytes| *bytes = whole);
    assert!(open(&model).is_ok(), "the control");
}

/// A log of two segments.
fn of_two_segments() -> (Model, u64) {
    let model = written(3);
    let mut session = open(&model).unwrap();
    let now = session.now();
    session.log.reopen(SegmentReason::Rotated, now).unwrap();
    let newest = session.log.segment.as_ref().unwrap().first;
    session.next = 10;
    session.write(&[Mode::Strict, Mode::Strict]);
    session.log.finish(now);
    (model, newest)
}

#[test]
fn a_log_that_names_a_key_and_has_no_checkpoint_of_it_is_refused_and_not_touched() {
    let (_, newest) = of_two_segments();
    let segment = layout::segment(newest);
    let harms: [&dyn Fn(&mut Model); 5] = [
        &|_| {},
        &|model| model.remove(&segment).unwrap(),
        &|model| model.put(&segment, b""),
        &|model| model.put(layout::CHECKPOINT, b"nonsense"),
        &|model| model.put(layout::CHECKPOINT, b"\xff"),
    ];
    for (harm, harmful) in harms.iter().enumerate() {
        let (mut model, _) = of_two_segments();
        assert!(open(&model).is_ok(), "the control");
        model.remove(layout::CHECKPOINT).unwrap();
        harmful(&mut model);
        let before = text(&model);
        let refused = open(&model).map(drop);
        assert!(matches!(refused, Err(OpenError::NoCheckpoint { .. })), "{harm}: {refused:?}");
        assert_eq!(text(&model), before);
    }
}

#[test]
fn a_changed_key_does_not_hide_that_the_end_was_cut_off() {
    let (mut model, newest) = of_two_segments();
    let whole = model.bytes(&layout::segment(newest)).unwrap();
    let new_key = || options().signing_key(SigningKey::from_seed("new.example", [8; 32]).unwrap());
    model.remove(&layout::segment(newest)).unwrap();
    let refused = Log::open(model.clone(), new_key(), at(Duration::ZERO)).map(drop);
    assert!(matches!(refused, Err(OpenError::Broken { .. })), "{refused:?}");
    model.put(&layout::segment(newest), &whole);
    assert!(Log::open(model.clone(), new_key(), at(Duration::ZERO)).is_ok(), "the control");
}

#[test]
fn a_change_of_the_key_that_a_crash_interrupts_can_be_made_again() {
    let new_key = || options().signing_key(SigningKey::from_seed("new.example", [8; 32]).unwrap());
    let now = at(Duration::from_secs(9));
    let mut interrupted = 0;
    for survives in Survives::ALL {
        for step in 0.. {
            let model = written(3);
            model.fail(step..step + 1, Fault::Crash);
            let opened = Log::open(model.clone(), new_key(), now).map(drop);
            if opened.is_ok() && !model.is_down() {
                break;
            }
            interrupted += 1;
            model.restart(survives);
            let both = || {
                let directory = tempfile::tempdir().unwrap();
                model.copy_to(directory.path());
                let new = SigningKey::from_seed("new.example", [8; 32]).unwrap().verifier();
                Verification::of(directory.path()).with_key(key().verifier()).with_key(new).run()
            };
            let verified = both();
            assert!(verified.is_ok(), "step {step}, {survives:?}: {verified:?}\n{}", text(&model));
            let again = Log::open(model.clone(), new_key(), now).map(drop);
            assert!(again.is_ok(), "step {step}, {survives:?}: {again:?}\n{}", text(&model));
            assert_eq!(both().unwrap().keys.len(), 2, "step {step}, {survives:?}");
        }
    }
    assert!(interrupted > 20);
}

#[test]
fn a_segment_that_was_sealed_is_not_added_to() {
    let model = written(3);
    let mut log = open(&model).unwrap().log;
    let (head, root) = (log.head, log.frontier.root());
    log.seal(1, head, root).unwrap();
    let before = model.bytes(FIRST).unwrap();
    open(&model).unwrap();
    assert_eq!(model.bytes(FIRST).unwrap(), before);
    assert_eq!(verified(&model).0.segments, 2);
}

#[test]
fn files_of_others_are_left_alone() {
    let model = written(1);
    for name in ["00000000000000000099.jsonl.gz", "notes.txt", "99.jsonl"] {
        model.put(name, b"ours");
    }
    let mut session = open(&model).unwrap();
    session.log.reopen(SegmentReason::Rotated, at(Duration::from_secs(9))).unwrap();
    for name in ["00000000000000000099.jsonl.gz", "notes.txt", "99.jsonl"] {
        assert_eq!(model.bytes(name).unwrap(), b"ours");
    }
}

#[test]
fn a_log_keeps_its_name_and_its_key() {
    let model = written(1);
    let now = at(Duration::ZERO);
    let other = Log::open(model.clone(), options().origin("another"), now);
    assert!(matches!(other, Err(OpenError::OtherLog(name)) if name.as_str() == "log.example"));
    let keyless = Log::open(model.clone(), LogOptions::new("unused"), now);
    assert!(matches!(keyless, Err(OpenError::KeyMissing(_))));
    let new_key = SigningKey::from_seed("new.example", [8; 32]).unwrap();
    Log::open(model.clone(), options().signing_key(new_key), now).unwrap();
    let told = entries(&model).into_iter().filter_map(|entry| match entry.event {
        Event::Trail(TrailEvent::SegmentOpened { origin, verifier_key, .. }) => {
            Some((origin.to_string(), verifier_key?))
        }
        _ => None,
    });
    let told = told.collect::<Vec<_>>();
    assert_eq!(told.len(), 2, "each segment names the key that seals it");
    assert!(told[0].0 == "log.example" && told[1].0 == "log.example" && told[0].1 != told[1].1, "{told:?}");
}

#[test]
fn an_idle_log_signs_one_checkpoint_and_no_more() {
    let model = written(1);
    let mut session = open(&model).unwrap();
    session.next = 1;
    session.write(&[Mode::Strict]);
    for _ in 0..5 {
        let now = session.now();
        session.log.tick(now);
        session.pass(Duration::from_secs(10));
    }
    let now = session.now();
    assert_eq!(session.log.wakes_in(now), None);
    session.log.finish(now);
    let opened = ["segment_opened", "checkpoint_signed", "token_requested", "checkpoint_signed"];
    assert_eq!(names(&model), [&opened[..], &opened[2..]].concat());
    let (verified, _) = verified(&model);
    assert_eq!((verified.sealed_through, verified.unsealed_tail), (6, 0));
    open(&model).unwrap();
    assert_eq!(names(&model).len(), 6, "nor when it is opened again");
}

#[test]
fn a_wall_clock_that_is_set_makes_no_segment_old() {
    let model = Model::default();
    let options = || LogOptions::new("unused").reserve_bytes(0).segment_age(Duration::from_secs(60));
    let now = |wall: u64, elapsed: u64| Now {
        wall: Timestamp::from_millis(wall * 1_000),
        mono: Moment::since_origin(Duration::from_secs(elapsed)),
    };
    let write = |log: &mut Log<Model>, now: Now| {
        let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
        log.commit(&mut [Item::new(now.wall, None, event, Mode::Strict)], now);
        log.segment.as_ref().unwrap().first
    };
    let mut log = Log::open(model.clone(), options(), now(1_000, 0)).unwrap();
    assert_eq!(write(&mut log, now(9_000, 59)), 1, "set forward");
    let next = write(&mut log, now(500, 60));
    assert!(next > 1, "set back");
    drop(log);
    let mut log = Log::open(model.clone(), options(), now(540, 0)).unwrap();
    assert_eq!(write(&mut log, now(540, 19)), next);
    assert!(write(&mut log, now(540, 20)) > next, "the age that it had when it was opened again counts");
}

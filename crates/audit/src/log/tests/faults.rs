//! Every step of a session fails once, in every way; then the log is opened again.

use super::super::model::{Fault, Survives};
use super::*;
use crate::verify::VerifyError;

/// A session with all that a log does: batches of all modes, rotation by size and by call, checkpoints, an idle while.
fn play(session: &mut Session) {
    for round in 0..8 {
        session.write(&[Mode::BestEffort, Mode::Strict, Mode::Durable][..1 + round % 3]);
        let now = session.now();
        session.log.tick(now);
        session.pass(Duration::from_millis(450));
        if round == 5 {
            let now = session.now();
            let _ = session.log.reopen(SegmentReason::Rotated, now);
        }
    }
    let now = session.now();
    session.log.tick(now);
}

fn finish(session: &mut Session) {
    session.pass(Duration::from_secs(60));
    let now = session.now();
    session.log.finish(now);
}

/// How many steps the opening and the session take.
fn steps() -> u64 {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    play(&mut session);
    finish(&mut session);
    model.steps()
}

/// What is told as written but not in the log after the restart.
fn lost_after(model: &Model, session: &Session, survives: Survives, context: &str) -> Vec<u32> {
    model.restart(survives);
    let mut again = Session::open(model, session.elapsed)
        .unwrap_or_else(|error| panic!("{context}: {error}\n{}", text(model)));
    again.next = 1_000;
    assert!(matches!(again.write(&[Mode::Strict])[..], [Fate::Recorded(_)]), "{context}: it goes on");
    finish(&mut again);
    let (verified, numbers) = verified(model);
    assert_eq!(verified.unsealed_tail, 0, "{context}");
    assert!(numbers.contains(&1_001), "{context}");
    session.recorded.difference(&numbers).copied().collect()
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes_at_any_step() {
    for step in 0..steps() {
        for survives in Survives::ALL {
            let model = Model::default();
            model.fail(step..step + 1, Fault::Crash);
            let context = format!("step {step}, {survives:?} survives");
            let Ok(mut session) = Session::open(&model, Duration::ZERO) else {
                let model = model.clone();
                model.restart(survives);
                assert!(Session::open(&model, Duration::ZERO).is_ok(), "{context}: a new log");
                continue;
            };
            play(&mut session);
            assert_eq!(lost_after(&model, &session, survives, &context), [0; 0], "{context}");
        }
    }
}

#[test]
fn a_log_that_lost_its_power_at_any_step_is_verified_as_it_lies_there() {
    for step in 0..steps() {
        for survives in Survives::ALL {
            let model = Model::default();
            model.fail(step..step + 1, Fault::Crash);
            if let Ok(mut session) = Session::open(&model, Duration::ZERO) {
                play(&mut session);
            }
            model.restart(survives);
            let directory = tempfile::tempdir().unwrap();
            model.copy_to(directory.path());
            for verification in [
                Verification::of(directory.path()),
                Verification::of(directory.path()).with_key(key().verifier()),
            ] {
                let verified = verification.run();
                assert!(
                    matches!(verified, Ok(_) | Err(VerifyError::NoLog(_))),
                    "step {step}, {survives:?} survives: {verified:?}\n{}",
                    text(&model)
                );
            }
        }
    }
}

/// What was written and not synced is read when the log is opened again, and goes on into a new segment: then it must not go
/// with the power.
#[test]
fn what_an_ended_process_left_unsynced_is_safe_before_anything_follows_it() {
    for step in 0..steps() {
        let model = Model::default();
        model.fail(step..step + 1, Fault::Crash);
        let Ok(mut session) = Session::open(&model, Duration::ZERO) else { continue };
        play(&mut session);
        model.restart_process();
        let now = session.now();
        let mut log = Log::open(model.clone(), options().segment_bytes(1), now).unwrap();
        let event = AuthEvent::TokenRequested { attempt: 500, redeems: false, noted: None, valid_for: None };
        let mut items = [Item::new(now.wall, None, Event::Auth(event), Mode::Strict)];
        log.commit(&mut items, now);
        session.recorded.insert(500);
        let context = format!("step {step}");
        assert_eq!(lost_after(&model, &session, Survives::Nothing, &context), [0; 0], "{context}");
    }
}

/// Where no key is set, nothing else brings the directory's names to the disk when a log is opened.
#[test]
fn the_name_of_a_segment_is_safe_before_anything_follows_it() {
    let options = || LogOptions::new("unused").reserve_bytes(0);
    let mut ended = 0;
    for step in 0.. {
        let model = Model::default();
        model.fail(step..step + 1, Fault::Crash);
        if Log::open(model.clone(), options(), at(Duration::ZERO)).is_ok() && !model.is_down() {
            break;
        }
        ended += 1;
        model.restart_process();
        let now = at(Duration::from_secs(1));
        let mut log = Log::open(model.clone(), options(), now).unwrap();
        let event = AuthEvent::TokenRequested { attempt: 1, redeems: false, noted: None, valid_for: None };
        let mut items = [Item::new(now.wall, None, Event::Auth(event.clone()), Mode::Strict)];
        log.commit(&mut items, now);
        assert!(matches!(items[0].fate, Fate::Recorded(_)));
        drop(log);
        model.restart(Survives::Nothing);
        let last = entries(&model).pop().map(|entry| entry.event);
        assert_eq!(last, Some(Event::Auth(event)), "step {step}");
    }
    assert!(ended > 3, "opening has steps");
}

/// The control: a disk that does not do what a sync asks for loses what was acknowledged, and the test above would show it.
#[test]
fn without_syncing_acknowledged_records_are_lost() {
    let model = Model::default();
    model.lie();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    play(&mut session);
    assert_eq!(session.recorded.len(), session.next as usize);
    model.restart(Survives::Nothing);
    let again = Session::open(&model, session.elapsed).unwrap();
    assert!(again.log.head.sequence < u64::from(session.next), "{}", text(&model));
}

#[test]
fn a_step_that_fails_loses_nothing_that_was_acknowledged_and_counts_the_rest() {
    fails_at_each_step(Fault::Error);
}

#[test]
fn a_step_without_room_loses_nothing_that_was_acknowledged_and_counts_the_rest() {
    fails_at_each_step(Fault::Full);
}

#[test]
fn a_half_written_batch_loses_nothing_that_was_acknowledged_and_counts_the_rest() {
    fails_at_each_step(Fault::Short);
}

/// Once, three times in a row, and until the end.
fn fails_at_each_step(fault: Fault) {
    let steps = steps();
    for step in 0..steps {
        for length in [1, 3, steps] {
            fails_for_a_while(
                fault,
                step..step + length,
                &format!("{fault:?} at {length} steps from {step}"),
            );
        }
    }
}

fn fails_for_a_while(fault: Fault, steps: std::ops::Range<u64>, context: &str) {
    let model = Model::default();
    model.fail(steps, fault);
    let Ok(mut session) = Session::open(&model, Duration::ZERO) else {
        model.heal();
        assert!(Session::open(&model, Duration::ZERO).is_ok(), "{context}: a new log");
        return;
    };
    play(&mut session);
    model.heal();
    finish(&mut session);
    let (verified, numbers) = verified(&model);
    assert_eq!(numbers, session.recorded, "{context}: what was lost is not there, and what was written is");
    assert_eq!(session.recorded.len() + session.lost.len(), session.next as usize, "{context}");
    assert_eq!(verified.dropped, session.lost.len() as u64, "{context}: gaps are reported\n{}", text(&model));
    assert!(session.log.is_well(), "{context}: a disk that works again is used again");
    assert_eq!(lost_after(&model, &session, Survives::Nothing, context), [0; 0], "{context}");
}

#[test]
fn one_failed_sync_costs_no_event() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    assert_eq!(session.write(&[Mode::Strict]), [Fate::Recorded(3)]);
    // The write, then the sync.
    model.fail(1..2, Fault::Error);
    assert_eq!(session.write(&[Mode::Strict, Mode::BestEffort]), [Fate::Recorded(6), Fate::Recorded(7)]);
    let told = ["checkpoint_signed", "token_requested", "segment_opened", "log_fault", "token_requested"];
    assert_eq!(names(&model)[1..6], told);
}

#[test]
fn a_segment_that_somebody_removes_holds_no_further_record() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    session.write(&[Mode::Strict]);
    model.clone().remove(&layout::segment(1)).unwrap();
    assert_eq!(session.write(&[Mode::Strict]), [Fate::Recorded(6)]);
    let told = ["segment_opened", "log_fault", "token_requested"];
    assert_eq!(names(&model), told, "written again, where it is found");
}

#[test]
fn a_flush_and_the_close_find_that_the_segment_was_removed() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    session.write(&[Mode::Strict]);
    let now = session.now();
    assert!(session.log.is_kept(now), "the control");
    model.clone().remove(&layout::segment(1)).unwrap();
    assert!(!session.log.is_kept(now));
    assert!(session.log.is_kept(now), "there is a new one");
    let first = session.log.segment.as_ref().unwrap().first;
    model.clone().remove(&layout::segment(first)).unwrap();
    session.log.finish(now);
    assert_eq!(names(&model)[..2], ["segment_opened", "log_fault"]);
}

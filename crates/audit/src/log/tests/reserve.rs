//! The room that is kept back for the last records of a full disk: that it is there again where it was lost, and what is said meanwhile.

use super::*;

fn open() -> (Model, Session) {
    let model = Model::default();
    let session = Session::open(&model, Duration::ZERO).unwrap();
    (model, session)
}

fn reserved(model: &Model) -> usize {
    model.bytes(layout::RESERVE).map_or(0, |reserve| reserve.len())
}

#[test]
fn a_directory_that_was_made_anew_has_a_reserve() {
    let (model, mut session) = open();
    session.write(&[Mode::Strict]);
    let mut somebody = model.clone();
    for name in somebody.names().unwrap() {
        somebody.remove(&name).unwrap();
    }
    assert!(matches!(session.write(&[Mode::Strict])[..], [Fate::Recorded(_)]));
    assert_eq!(reserved(&model), 2_000);
}

#[test]
fn a_reserve_that_somebody_removed_is_there_again_with_the_next_segment() {
    let (model, mut session) = open();
    model.clone().remove(layout::RESERVE).unwrap();
    session.write(&[Mode::Strict]);
    assert_eq!(reserved(&model), 0, "the control: it is not looked after at each record");
    let segments = |model: &Model| names(model).iter().filter(|name| **name == "segment_opened").count();
    while segments(&model) == 1 {
        session.write(&[Mode::Strict]);
    }
    assert_eq!(reserved(&model), 2_000);
}

#[test]
fn a_disk_that_has_no_room_for_a_reserve_is_full_at_the_next_segment() {
    let (model, mut session) = open();
    model.clone().remove(layout::RESERVE).unwrap();
    model.limit(Some(model.used() + 1_500));
    let now = session.now();
    session.log.reopen(SegmentReason::Rotated, now).unwrap();
    let fates = session.write(&[Mode::BestEffort, Mode::Strict]);
    assert!(matches!(fates[..], [Fate::Lost(DropReason::DiskFull), Fate::Recorded(_)]), "{fates:?}");
    model.limit(None);
    session.pass(Duration::from_secs(60));
    assert!(matches!(session.write(&[Mode::BestEffort])[..], [Fate::Recorded(_)]));
    assert_eq!(reserved(&model), 2_000);
}

#[test]
fn a_reserve_that_could_not_be_made_when_there_was_room_again_is_made_with_the_next_segment() {
    let (model, mut session) = open();
    model.limit(Some(model.used()));
    session.write(&[Mode::BestEffort]);
    model.limit(None);
    session.pass(Duration::from_secs(60));
    let _ = session.log.take_said();
    // Making it fails, not for want of room; then the disk works.
    model.fail(0..6, model::Fault::Error);
    let now = session.now();
    session.log.make_room(now);
    model.heal();
    session.write(&[Mode::BestEffort]);
    assert_eq!((reserved(&model), session.log.is_well()), (0, true), "the control");
    let said = |session: &mut Session| session.log.take_said().collect::<Vec<_>>();
    let told = said(&mut session);
    assert!(told.iter().any(|text| text.contains("keep no room")), "{told:?}");
    let now = session.now();
    session.log.reopen(SegmentReason::Rotated, now).unwrap();
    assert_eq!(reserved(&model), 2_000);
    assert_eq!(said(&mut session), ["the audit log keeps room for its last records on a full disk again"]);
}

#[test]
fn that_a_segment_gets_no_seal_is_said_once_where_segments_are_sealed() {
    for (options, times) in [(options(), 1), (LogOptions::new("unused").reserve_bytes(0), 0)] {
        let model = Model::default();
        let mut log = Log::open(model.clone(), options, at(Duration::ZERO)).unwrap();
        model.clone().remove(&layout::segment(1)).unwrap();
        for _ in 0..2 {
            log.reopen(SegmentReason::Reopened, at(Duration::ZERO)).unwrap();
        }
        let told = log.take_said().collect::<Vec<_>>();
        let of_seal = told.iter().filter(|text| text.contains("gets no seal")).count();
        assert_eq!(of_seal, times, "{told:?}");
    }
}

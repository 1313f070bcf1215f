//! A disk without room, and with room again.

use super::*;

#[test]
fn a_full_disk_keeps_its_last_room_for_what_matters_most() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    session.write(&[Mode::BestEffort]);
    model.limit(Some(model.used() + 100));
    let fates = session.write(&[Mode::BestEffort, Mode::Durable, Mode::Strict]);
    let full = Fate::Lost(DropReason::DiskFull);
    assert!(matches!(fates[..], [a, b, Fate::Recorded(_)] if (a, b) == (full, full)), "{fates:?}");
    assert!(!session.log.is_well());
    // The reserve holds some records more, and then even strict ones are refused.
    let mut strict = 0;
    while session.write(&[Mode::Strict]) != [full] {
        strict += 1;
        assert!(strict < 10, "a reserve ends");
    }
    assert!(strict > 1, "the reserve holds some");
    let (verified_full, numbers) = verified(&model);
    assert_eq!(numbers, session.recorded);
    assert_eq!(verified_full.dropped, 2, "what was lost before the last record is reported");

    model.limit(None);
    session.pass(Duration::from_secs(60));
    assert!(matches!(session.write(&[Mode::BestEffort])[..], [Fate::Recorded(_)]));
    let (verified, numbers) = verified(&model);
    assert_eq!((numbers, verified.dropped), (session.recorded.clone(), session.lost.len() as u64));
    assert!(session.log.is_well() && model.bytes("reserve").is_some_and(|bytes| bytes.len() == 2_000));
}

#[test]
fn an_idle_log_notices_by_itself_that_there_is_room_again() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    model.limit(Some(model.used()));
    session.write(&[Mode::BestEffort]);
    let pause = session.log.wakes_in(session.now()).expect("it looks again");
    assert_eq!(pause, Duration::from_millis(100));
    session.pass(pause);
    let now = session.now();
    session.log.tick(now);
    let longer = session.log.wakes_in(now).expect("it looks again");
    assert_eq!(longer, pause * 2, "there is no busy loop");
    model.limit(None);
    session.pass(longer);
    let now = session.now();
    session.log.tick(now);
    assert!(session.log.is_well());
    assert_eq!(verified(&model).0.dropped, 1);
}

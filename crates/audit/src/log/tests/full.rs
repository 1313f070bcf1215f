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

#[test]
fn what_is_written_to_a_full_disk_is_signed_there_too() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    model.limit(Some(model.used() + 100));
    assert!(matches!(
        session.write(&[Mode::BestEffort, Mode::Strict])[..],
        [Fate::Lost(_), Fate::Recorded(_)]
    ));
    session.pass(Duration::from_secs(2));
    let now = session.now();
    session.log.tick(now);
    assert!(!session.log.is_well());
    assert_eq!(verified(&model).0.unsealed_tail, 0);
}

#[test]
fn a_checkpoint_whose_record_was_lost_is_told_of_when_there_is_room() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    session.write(&[Mode::Strict]);
    let covers = session.log.head.sequence;
    model.limit(Some(model.used()));
    session.pass(Duration::from_secs(2));
    let now = session.now();
    session.log.tick(now);
    assert!(!session.log.is_well() && session.log.head.sequence == covers, "{}", text(&model));
    model.limit(None);
    session.pass(Duration::from_secs(60));
    let now = session.now();
    assert!(session.log.wakes_in(now).is_some(), "nobody else need come");
    session.log.tick(now);
    let told = entries(&model).into_iter().filter_map(|entry| match entry.event {
        Event::Trail(TrailEvent::CheckpointSigned { size, .. }) => Some(size),
        _ => None,
    });
    assert_eq!(told.last(), Some(covers), "{}", text(&model));
    assert_eq!(session.log.wakes_in(now), None);
}

#[test]
fn a_reserve_is_as_long_as_the_options_say() {
    let model = Model::default();
    for bytes in [2_000, 500, 0, 0, 700] {
        Log::open(model.clone(), options().reserve_bytes(bytes), at(Duration::ZERO)).unwrap();
        let kept = model.bytes("reserve").map_or(0, |reserve| reserve.len());
        assert_eq!(kept as u64, bytes);
    }
}

#[test]
fn only_a_disk_without_room_is_full() {
    let begun_full = |fault| {
        let mut full = 0;
        for step in 0..14 {
            let model = Model::default();
            model.fail(step..step + 1, fault);
            match Log::open(model, options(), at(Duration::ZERO)) {
                Ok(log) => full += u32::from(log.full.is_some()),
                Err(error) => assert!(matches!(error, OpenError::Io(_)), "{error}"),
            }
        }
        full
    };
    use super::super::model::Fault;
    assert_eq!(begun_full(Fault::Error), 0);
    assert!(begun_full(Fault::Full) > 0, "the control");
}

#[test]
fn it_says_once_what_goes_wrong_and_once_when_that_is_over() {
    let model = Model::default();
    let mut session = Session::open(&model, Duration::ZERO).unwrap();
    let said = |session: &mut Session| session.log.take_said().collect::<Vec<_>>();
    session.write(&[Mode::BestEffort]);
    assert_eq!(said(&mut session), [""; 0]);
    model.limit(Some(model.used()));
    (0..3).for_each(|_| drop(session.write(&[Mode::BestEffort])));
    assert!(matches!(&said(&mut session)[..], [full] if full.contains("is full")));
    for _ in 0..3 {
        session.pass(Duration::from_secs(60));
        session.write(&[Mode::BestEffort]);
    }
    assert_eq!(said(&mut session), [""; 0]);
    model.limit(None);
    session.pass(Duration::from_secs(60));
    session.write(&[Mode::BestEffort]);
    assert_eq!(said(&mut session), ["the disk of the audit log has room again; 6 events are in no record"]);

    let gap = TrailEvent::RecordsDropped { count: 3, reason: DropReason::QueueFull };
    for _ in 0..2 {
        let now = session.now();
        let mut items = [Item::new(now.wall, None, Event::Trail(gap.clone()), Mode::BestEffort)];
        session.log.commit(&mut items, now);
        session.pass(Duration::from_secs(5));
    }
    assert!(matches!(&said(&mut session)[..], [begun] if begun.contains("faster than")));
    let calm = session.log.wakes_in(session.now());
    assert!(calm.is_some_and(|calm| calm <= Duration::from_secs(5)));
    session.pass(Duration::from_secs(5));
    let now = session.now();
    session.log.tick(now);
    assert_eq!(said(&mut session), ["the audit log takes all events again; 6 were dropped before"]);
}

//! What the outlets of a trail are given.

use std::sync::Mutex;

use super::*;
use crate::deliver::{Outlet, Sink, SinkError};

#[test]
fn an_outlet_is_given_what_the_log_has_in_its_order() {
    let (_directory, path) = directory();
    let given = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&given);
    let outlet = Outlet::closure("collected", move |entry| into.lock().unwrap().push(entry.clone()));
    let key = SigningKey::from_seed("log.example", [7; 32]).unwrap();
    let trail = Trail::builder().log(strict(&path).signing_key(key)).outlet(outlet).open().unwrap();
    for attempt in 1..=5 {
        trail.record_blocking(&event(attempt)).unwrap();
    }
    block_on(trail.rotate()).unwrap();
    let _ = trail.close();
    assert_eq!(*given.lock().unwrap(), entries(&path));
    assert!(given.lock().unwrap().iter().any(|entry| entry.event.name() == "checkpoint_signed"));
    let counts = trail.hooks()[0].counts();
    assert_eq!((counts.accepted, counts.delivered), (given.lock().unwrap().len() as u64, counts.accepted));
}

#[test]
fn a_trail_without_a_log_numbers_what_it_tells() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&given);
    let outlet = Outlet::closure("collected", move |entry| into.lock().unwrap().push(entry.sequence));
    let texts = Arc::new(Mutex::new(Vec::new()));
    let (audit, siem) = (Arc::clone(&texts), Arc::clone(&texts));
    let trail = Trail::builder()
        .outlet(outlet)
        .on_audit(move |text| audit.lock().unwrap().push(text.to_owned()))
        .on_siem(move |text| siem.lock().unwrap().push(text.to_owned()))
        .open()
        .unwrap();
    trail.observe(&event(1));
    trail.record_blocking(&event(2)).unwrap();
    assert_eq!(trail.close(), Summary { observed: 2, written: 2, ..Summary::default() });
    assert_eq!(*given.lock().unwrap(), [1, 2, 3, 4], "with its opening and its end");
    let texts = texts.lock().unwrap();
    assert_eq!(texts.len(), 8);
    assert!(texts.iter().all(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()), "{texts:?}");
}

/// A sink that says goodbye by letting go of what it holds.
struct Releases(Mutex<Option<std::sync::mpsc::Sender<()>>>);

#[async_trait]
impl Sink for Releases {
    async fn deliver(&self, _batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        Ok(())
    }
    async fn close(&self) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn all_outlets_begin_to_close_before_one_is_waited_for() {
    let (release, blocked) = channel::<()>();
    let blocked = Mutex::new(blocked);
    let trail = Trail::builder()
        .outlet(Outlet::closure("waits", move |_| while blocked.lock().unwrap().recv().is_ok() {}))
        .outlet(Outlet::sink("releases", Releases(Mutex::new(Some(release)))))
        .open()
        .unwrap();
    trail.observe(&event(1));
    let _ = trail.close();
    for hook in trail.hooks() {
        assert_eq!((hook.counts().delivered, hook.counts().dropped), (3, 0), "{}", hook.name());
    }
}

#[test]
fn an_outlet_that_panics_and_one_that_blocks_cost_only_themselves() {
    let (_directory, path) = directory();
    let (release, blocked) = channel::<()>();
    let blocked = Mutex::new(blocked);
    let trail = Trail::builder()
        .log(strict(&path))
        .outlet(Outlet::closure("panics", |_| panic!("as it was told")))
        .outlet(Outlet::closure("blocks", move |_| while blocked.lock().unwrap().recv().is_ok() {}))
        .patience(std::time::Duration::ZERO)
        .open()
        .unwrap();
    for attempt in 1..=20 {
        trail.record_blocking(&event(attempt)).unwrap();
    }
    let summary = trail.close();
    drop(release);
    assert_eq!(summary, Summary { observed: 20, written: 20, ..Summary::default() });
    for hook in trail.hooks() {
        let counts = hook.counts();
        let accounted = counts.delivered + counts.queued + counts.dropped + counts.dead_lettered;
        let all = 20 + OF_ITSELF;
        assert_eq!((counts.accepted, accounted), (all, all), "{}", hook.name());
    }
}

/// So long that a test which waits for it does not end.
const EVER: std::time::Duration = std::time::Duration::from_secs(3_600);

#[test]
fn letting_go_of_a_trail_waits_for_the_disk_and_not_for_a_hook_that_blocks() {
    let (_directory, path) = directory();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let outlet = Outlet::closure("blocks", move |_| {
        let _ = released.lock().unwrap().recv();
    });
    let trail = Trail::builder().log(LogOptions::new(&path)).outlet(outlet).patience(EVER).open().unwrap();
    (1..=3).for_each(|attempt| trail.observe(&event(attempt)));
    drop(trail);
    assert_eq!(verify(&path).unwrap().records, 3 + OF_ITSELF);
    drop(release);
}

#[test]
fn a_hook_may_close_its_own_trail() {
    let (_directory, path) = directory();
    let (hand_over, handed) = channel::<Trail>();
    let handed = Mutex::new(handed);
    let (told, summary) = channel();
    let outlet = Outlet::closure("closes", move |_| {
        if let Ok(trail) = handed.lock().unwrap().recv() {
            let _ = told.send(trail.close());
        }
    });
    let trail = Trail::builder().log(LogOptions::new(&path)).outlet(outlet).patience(EVER).open().unwrap();
    trail.observe(&event(1));
    hand_over.send(trail.clone()).unwrap();
    drop(hand_over);
    assert_eq!(summary.recv().unwrap().written, 1);
    assert_eq!(trail.close().written, 1);
}

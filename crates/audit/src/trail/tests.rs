//! The trail on a real disk: what is promised to those who observe, record, and listen.

mod hooks;
mod lifecycle;
mod modes;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Waker};

use auth_core::observe::EventClass;
use tempfile::TempDir;

use super::*;
use crate::checkpoint::SigningKey;
use crate::log::LogOptions;
use crate::{Entry, OpenError, verify};

fn event(attempt: u32) -> AuthEvent {
    AuthEvent::TokenRequested { attempt, redeems: false, noted: None, valid_for: None }
}

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep").join("audit");
    (directory, path)
}

/// A log of which every event is strict.
fn strict(path: &Path) -> LogOptions {
    let strict = Mode::Strict;
    let modes =
        Modes { issuing: strict, consuming: strict, revoking: strict, deciding: strict, progress: strict };
    LogOptions::new(path).modes(modes)
}

fn open(options: LogOptions) -> Trail {
    Trail::builder().log(options).open().unwrap()
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut paths =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl")).collect::<Vec<_>>();
    paths.sort();
    paths
}

fn entries(path: &Path) -> Vec<Entry> {
    let texts = segments(path).into_iter().map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    texts.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Those that tell of what was observed, and not of the trail itself.
fn observed(path: &Path) -> Vec<Entry> {
    entries(path).into_iter().filter(|entry| matches!(entry.event, Event::Auth(_))).collect()
}

/// What a log has that was opened and closed once, beside what was observed: that its segment begins, and these two.
const OF_ITSELF: u64 = 3;

#[test]
fn what_is_recorded_later_has_the_time_at_which_it_happened_and_counts_once() {
    let (_directory, path) = directory();
    let trail = open(strict(&path));
    let at = Timestamp::from_millis(7);
    trail.record_blocking(&event(1)).unwrap();
    block_on(trail.record_at(&event(2), at)).unwrap();
    let times: Vec<_> = observed(&path).iter().map(|entry| entry.at).collect();
    assert!(times[0] > at && times[1] == at, "{times:?}");
    assert_eq!(
        trail.metrics().snapshot().events(EventClass::Progress),
        1,
        "it was counted when it could not be recorded"
    );
    assert_eq!(trail.close().written, 2);
    verify(&path).unwrap();
}

#[test]
fn what_is_observed_is_in_the_log_with_its_session() {
    let (_directory, path) = directory();
    let trail = open(LogOptions::new(&path));
    trail.named("orders").observe(&event(1));
    trail.observe(&event(2));
    let summary = trail.close();
    assert_eq!(summary, Summary { observed: 2, written: 2, ..Summary::default() });
    assert_eq!(verify(&path).unwrap().records, 2 + OF_ITSELF);
    let observed = observed(&path);
    assert_eq!(observed[0].session.as_ref().map(Label::as_str), Some("orders"));
    assert_eq!((&observed[0].event, &observed[1].session), (&Event::Auth(event(1)), &None));
}

#[test]
fn dropping_the_last_clone_writes_out_what_is_queued() {
    let (_directory, path) = directory();
    let trail = open(LogOptions::new(&path));
    let named = trail.named("orders");
    drop(trail);
    (0..500).for_each(|attempt| named.observe(&event(attempt)));
    drop(named);
    assert_eq!(verify(&path).unwrap().records, 500 + OF_ITSELF);
}

#[test]
fn a_log_is_continued_where_it_ended() {
    let (_directory, path) = directory();
    for _ in 0..3 {
        let trail = open(LogOptions::new(&path));
        trail.observe(&event(1));
    }
    let verified = verify(&path).unwrap();
    assert_eq!((verified.segments, verified.opened, verified.closed, verified.broken_off), (1, 3, 3, 0));
    assert_eq!(observed(&path).len(), 3);
}

#[test]
fn a_log_has_one_writer() {
    let (_directory, path) = directory();
    let first = open(LogOptions::new(&path));
    let second = Trail::builder().log(LogOptions::new(&path)).open();
    assert!(matches!(second, Err(OpenError::Busy)));
    drop(first);
    open(LogOptions::new(&path));
}

#[cfg(unix)]
#[test]
fn a_log_has_one_writer_though_somebody_removes_its_lock() {
    let (_directory, path) = directory();
    let first = open(LogOptions::new(&path));
    fs::remove_file(path.join("lock")).unwrap();
    let second = Trail::builder().log(LogOptions::new(&path)).open();
    assert!(matches!(second, Err(OpenError::Busy)), "{second:?}");
    block_on(first.reopen()).unwrap();
    drop(first);
    open(LogOptions::new(&path));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let first = "00000000000000000001";
    for name in
        ["lock".to_owned(), format!("{first}.jsonl"), format!("{first}.checkpoint"), "checkpoint".to_owned()]
    {
        let (_directory, path) = directory();
        let key = SigningKey::from_seed("log.example", [7; 32]).unwrap();
        let options = || LogOptions::new(&path).signing_key(key.clone());
        drop(open(options()));
        let _ = fs::remove_file(path.join(&name));
        let made = std::process::Command::new("mkfifo").arg(path.join(&name)).status().unwrap();
        assert!(made.success());
        let error = Trail::builder().log(options()).open().unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains("no regular file"), "{name}: {error}");
    }
}

#[test]
fn a_log_of_the_older_form_is_not_touched() {
    let (directory, _) = directory();
    let path = directory.path().join("audit.jsonl");
    fs::write(&path, "{}\n").unwrap();
    let error = Trail::builder().log(LogOptions::new(&path)).open().unwrap_err();
    assert!(matches!(error, OpenError::NotADirectory), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_look_into_a_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, path) = directory();
    drop(open(LogOptions::new(&path)));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
    let files = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert_eq!(files.len(), 3, "lock, reserve and segment: {files:?}");
    files.iter().for_each(|file| assert_eq!(mode(file), 0o600, "{}", file.display()));
}

#[test]
fn events_after_the_close_are_counted_and_strict_ones_refused() {
    let (_directory, path) = directory();
    let trail = open(strict(&path));
    let _ = trail.close();
    trail.observe(&event(1));
    let error = trail.record_blocking(&event(2)).unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    assert!(trail.flush_blocking().is_err());
    assert_eq!(trail.close(), Summary { observed: 2, dropped: 2, ..Summary::default() });
}

#[test]
fn a_directory_that_was_moved_away_is_made_anew() {
    let (directory, path) = directory();
    let trail = open(strict(&path));
    trail.record_blocking(&event(1)).unwrap();
    let moved = directory.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    trail.record_blocking(&event(2)).unwrap();
    block_on(trail.reopen()).unwrap();
    trail.record_blocking(&event(3)).unwrap();
    let other = Trail::builder().log(LogOptions::new(&path)).open();
    assert!(matches!(other, Err(OpenError::Busy)), "the lock is in the new directory");
    drop(trail);
    let before = verify(&moved).unwrap();
    let verification = verify::Verification::of(&path).allowing_archived();
    let verified = verification.run().unwrap();
    assert_eq!((observed(&moved).len(), observed(&path).len()), (2, 1));
    assert_eq!(verified.first, before.last + 1);
    // It is opened in the one, and closed in the other.
    assert_eq!((before.opened, before.closed, before.is_open), (1, 0, true));
    assert_eq!((verified.opened, verified.closed, verified.is_open), (0, 1, false));
}

#[cfg(unix)]
#[test]
fn what_is_recorded_after_the_directory_was_removed_is_in_a_new_one() {
    for segment_bytes in [1, 64 << 20] {
        let (_directory, path) = directory();
        let trail = open(strict(&path).segment_bytes(segment_bytes));
        trail.record_blocking(&event(1)).unwrap();
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        trail.record_blocking(&event(2)).unwrap();
        let text = segments(&path).into_iter().map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(text.collect::<String>().matches("\"attempt\":2").count(), 1);
        let other = Trail::builder().log(LogOptions::new(&path)).open();
        assert!(matches!(other, Err(OpenError::Busy)), "the lock is in the new directory");
        assert!(path.join("reserve").exists(), "and so is the room for a full disk");
        fs::remove_dir_all(&path).unwrap();
        assert!(trail.flush_blocking().is_err(), "what was recorded is gone");
        trail.flush_blocking().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn no_record_is_acknowledged_where_there_can_be_no_new_directory() {
    let (_directory, path) = directory();
    let trail = open(strict(&path));
    trail.record_blocking(&event(1)).unwrap();
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "in the way").unwrap();
    assert!(trail.record_blocking(&event(2)).is_err());
    assert!(trail.flush_blocking().is_err());
    assert_eq!(trail.close(), Summary { observed: 2, written: 1, failed: 1, ..Summary::default() });
}

#[test]
fn a_moved_directory_takes_its_last_segment_with_it_and_no_seal_is_left_behind() {
    let (directory, path) = directory();
    let key = SigningKey::from_seed("log.example", [7; 32]).unwrap();
    let verifier = || key.verifier();
    // With and without a rotation that comes due before anybody calls for a new file.
    for (segment_bytes, moved) in [(1 << 20, "moved"), (1, "moved again")] {
        let options = strict(&path).signing_key(key.clone()).segment_bytes(segment_bytes);
        let trail = open(options.checkpoint_every(std::time::Duration::from_secs(3_600)));
        trail.record_blocking(&event(1)).unwrap();
        let moved = directory.path().join(moved);
        fs::rename(&path, &moved).unwrap();
        trail.record_blocking(&event(2)).unwrap();
        trail.record_blocking(&event(3)).unwrap();
        assert!(!path.exists(), "the log goes on where it is");
        fs::create_dir(&path).unwrap();
        trail.record_blocking(&event(4)).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "the other directory is not the log's yet");
        block_on(trail.reopen()).unwrap();
        trail.record_blocking(&event(5)).unwrap();
        assert_eq!(trail.close(), Summary { observed: 5, written: 5, ..Summary::default() });
        let seals = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        let seals = seals.filter(|path| {
            path.file_stem().is_some_and(|name| name.len() == 20)
                && path.extension().is_some_and(|kind| kind == "checkpoint")
        });
        for seal in seals {
            assert!(seal.with_extension("jsonl").exists(), "{} seals nothing", seal.display());
        }
        verify::Verification::of(&moved).with_key(verifier()).run().unwrap();
        assert_eq!(observed(&moved).len(), 4);
        verify::Verification::of(&path).with_key(verifier()).allowing_archived().run().unwrap();
        fs::rename(&path, directory.path().join("done")).unwrap();
        fs::remove_dir_all(directory.path().join("done")).unwrap();
    }
}

#[test]
fn a_segment_begins_when_somebody_asks_and_when_the_one_before_is_full_or_old() {
    let (_directory, path) = directory();
    let trail = open(strict(&path));
    block_on(trail.rotate()).unwrap();
    assert_eq!(segments(&path).len(), 2);
    drop(trail);
    let trail = open(strict(&path).segment_bytes(1));
    trail.record_blocking(&event(1)).unwrap();
    trail.record_blocking(&event(2)).unwrap();
    drop(trail);
    assert_eq!(segments(&path).len(), 2 + 4, "for each record, of the opening and the end too");
    let trail = open(strict(&path).segment_age(std::time::Duration::ZERO));
    trail.flush_blocking().unwrap();
    assert_eq!(segments(&path).len(), 6 + 1, "an idle log begins none");
    trail.record_blocking(&event(3)).unwrap();
    drop(trail);
    assert_eq!(segments(&path).len(), 7 + 2);
    verify(&path).unwrap();
}

#[test]
fn a_trail_counts_what_it_is_told_what_it_writes_and_what_its_outlets_are_given() {
    let (_directory, path) = directory();
    let trail = Trail::builder().log(LogOptions::new(&path)).on_siem(|_| ()).open().unwrap();
    (1..=5).for_each(|attempt| trail.observe(&event(attempt)));
    assert_eq!(trail.close().written, 5);
    trail.observe(&event(6));
    let snapshot = trail.metrics().snapshot();
    // The outlet is given what the log says of itself too, which nobody observed.
    let records = 5 + OF_ITSELF;
    assert_eq!((snapshot.records, trail.hooks()[0].counts().accepted), (records, records));
    assert_eq!(EventClass::ALL.map(|class| snapshot.events(class)).iter().sum::<u64>(), 6, "{snapshot:?}");
}

//! Writing and verifying together: what is written verifies, and what is tampered with does not.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::file::verify;

fn written(records: u32) -> (TempDir, PathBuf, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let log = AuditLog::open(&path).unwrap();
    for attempt in 1..=records {
        log.observe(&AuthEvent::TokenRequested { attempt, redeems: false, valid_for: None });
    }
    assert_eq!(log.close(), Summary { written: u64::from(records), dropped: 0, failed: 0 });
    let lines = fs::read_to_string(&path).unwrap().lines().map(|line| format!("{line}\n")).collect();
    (directory, path, lines)
}

/// The record that `verify` complains about.
fn bad_record(path: &Path, lines: &[String]) -> u64 {
    fs::write(path, lines.concat()).unwrap();
    match verify(path) {
        Err(VerifyError::BadRecord { record, .. }) => record,
        other => panic!("expected a bad record, got {other:?}"),
    }
}

#[test]
fn an_untouched_log_verifies() {
    let (_directory, path, lines) = written(10);
    let verified = verify(&path).unwrap();
    assert_eq!(verified.records, 10);
    assert!(lines[9].contains(&verified.head));
    assert!(
        lines[0].starts_with(r#"{"seq":1,"time":"20"#)
            && lines[0].contains(r#""event":"token_requested","attempt":1"#)
    );
}

#[test]
fn every_changed_byte_is_found_at_its_record() {
    let (_directory, path, lines) = written(3);
    for position in 0..lines[1].len() - 1 {
        let mut tampered = lines.clone();
        let mut bytes = tampered[1].clone().into_bytes();
        bytes[position] = if bytes[position] == b'0' { b'1' } else { b'0' };
        tampered[1] = String::from_utf8(bytes).unwrap();
        assert_eq!(bad_record(&path, &tampered), 2, "position {position}");
    }
}

#[test]
fn removed_moved_and_doubled_records_are_found() {
    let (_directory, path, lines) = written(4);
    let pick = |order: &[usize]| order.iter().map(|&index| lines[index].clone()).collect::<Vec<_>>();
    assert_eq!(bad_record(&path, &pick(&[1, 2, 3])), 1);
    assert_eq!(bad_record(&path, &pick(&[0, 2, 3])), 2);
    assert_eq!(bad_record(&path, &pick(&[0, 2, 1, 3])), 2);
    assert_eq!(bad_record(&path, &pick(&[0, 1, 1, 2])), 3);
}

#[test]
fn a_torn_last_record_is_found() {
    let (_directory, path, mut lines) = written(3);
    lines[2].truncate(40);
    assert_eq!(bad_record(&path, &lines), 3);
}

/// The control of the chain's documented limit: without the head kept elsewhere, a cut end goes unnoticed.
#[test]
fn records_cut_off_the_end_show_only_in_the_head() {
    let (_directory, path, lines) = written(4);
    let head = verify(&path).unwrap().head;
    fs::write(&path, lines[..2].concat()).unwrap();
    let cut = verify(&path).unwrap();
    assert_eq!(cut.records, 2);
    assert_ne!(cut.head, head);
}

#[test]
fn a_log_is_continued_where_it_ended() {
    let (_directory, path, _) = written(2);
    let log = AuditLog::open(&path).unwrap();
    log.observe(&AuthEvent::SessionClosed { lasted: None });
    assert_eq!(log.close().written, 1);
    assert_eq!(verify(&path).unwrap().records, 3);
}

#[test]
fn a_broken_log_is_not_extended() {
    let (_directory, path, lines) = written(3);
    fs::write(&path, [&lines[0][..], &lines[2]].concat()).unwrap();
    assert!(matches!(AuditLog::open(&path), Err(OpenError::Broken(_))));
}

#[test]
fn a_log_has_one_writer() {
    let (_directory, path, _) = written(1);
    let _first = AuditLog::open(&path).unwrap();
    assert!(matches!(AuditLog::open(&path), Err(OpenError::Busy)));
}

#[test]
fn events_after_the_close_are_counted_as_dropped() {
    let (_directory, path, _) = written(1);
    let log = AuditLog::open(&path).unwrap();
    let _ = log.close();
    log.observe(&AuthEvent::SessionClosed { lasted: None });
    assert_eq!(log.close(), Summary { written: 0, dropped: 1, failed: 0 });
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_a_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, path, _) = written(1);
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fails_is_counted_and_blocks_nobody() {
    // `/dev/full` accepts an open and refuses every write.
    let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
    let failed = Arc::new(AtomicU64::new(0));
    let (queue, queued) = sync_channel(QUEUE);
    let writer =
        spawn_writer(Writer { file, head: Head::EMPTY, failed: Arc::clone(&failed) }, queued).unwrap();
    for _ in 0..10 {
        queue.send((now(), AuthEvent::SessionClosed { lasted: None })).unwrap();
    }
    drop(queue);
    assert_eq!((writer.join().unwrap(), failed.load(Ordering::Relaxed)), (0, 10));
}

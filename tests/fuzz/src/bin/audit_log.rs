//! A segment of an audit log, as anybody may have left it who may write the files.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use audit::verify::{Verification, verify};
use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| directory("whole"));

/// For what says to go on after segments that were moved away.
static ARCHIVED: LazyLock<PathBuf> = LazyLock::new(|| directory("archived"));

fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("rtauth-fuzz-audit-{}", std::process::id())).join(name);
    let Ok(()) = fs::create_dir_all(&directory) else {
        unreachable!("there is a folder for temporary files")
    };
    directory
}

/// The number that the first record claims to have.
fn first(segment: &[u8]) -> Option<u64> {
    let rest = segment.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

fuzz_target!(|segment: &[u8]| {
    if let Some(first) = first(segment).filter(|first| *first > 1) {
        let path = ARCHIVED.join(format!("{first:020}.jsonl"));
        assert!(fs::write(&path, segment).is_ok());
        let verified = Verification::of(&*ARCHIVED).allowing_archived().run();
        assert!(fs::remove_file(path).is_ok());
        // An unfinished line alone is no record, and then there is no last one.
        let ends = |verified: &audit::Verified| {
            let last = (first - 1).checked_add(verified.records).filter(|_| verified.records > 0);
            last.unwrap_or(0) == verified.last
        };
        assert!(verified.as_ref().is_ok_and(ends) || verified.is_err(), "{verified:?}");
    }
    let written = fs::write(DIRECTORY.join("00000000000000000001.jsonl"), segment);
    assert!(written.is_ok(), "{written:?}");
    let Ok(verified) = verify(&*DIRECTORY) else { return };
    let lines = segment.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!((verified.records, verified.last), (lines, lines));
    assert_eq!(verified.unsealed_tail, lines, "nothing is signed");
    assert_eq!(verified.unfinished > 0, segment.last().is_some_and(|last| *last != b'\n'));
});

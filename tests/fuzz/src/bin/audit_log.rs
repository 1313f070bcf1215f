//! A segment of an audit log, as anybody may have left it who may write the files.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use audit::verify::verify;
use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("rtauth-fuzz-audit-{}", std::process::id()));
    let Ok(()) = fs::create_dir_all(&directory) else {
        unreachable!("there is a folder for temporary files")
    };
    directory
});

fuzz_target!(|segment: &[u8]| {
    let written = fs::write(DIRECTORY.join("00000000000000000001.jsonl"), segment);
    assert!(written.is_ok(), "{written:?}");
    let Ok(verified) = verify(&DIRECTORY) else { return };
    let lines = segment.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!((verified.records, verified.last), (lines, lines));
    assert_eq!(verified.unsealed_tail, lines, "nothing is signed");
    assert_eq!(verified.unfinished > 0, segment.last().is_some_and(|last| *last != b'\n'));
});

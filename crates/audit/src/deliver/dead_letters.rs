//! The file of dead letters: entries that a sink never took, a JSON object a line, for a person to look at and to send again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use auth_core::observe::Label;
use auth_core::time::Timestamp;
use serde::Serialize;

use super::machine::Reason;
use crate::Entry;

/// A file with one writer, readable by its owner only, that grows to a limit and no further.
#[derive(Debug)]
pub(super) struct DeadLetters {
    file: File,
    hook: Label,
    size: u64,
    limit: u64,
}

#[derive(Serialize)]
struct Letter<'a> {
    hook: &'a Label,
    reason: Reason,
    time: Timestamp,
    entry: &'a Entry,
}

impl DeadLetters {
    pub(super) fn open(path: &Path, hook: Label, limit: u64) -> io::Result<Self> {
        let mut file = open_regular(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another hook writes to the file of dead letters"),
            TryLockError::Error(error) => error,
        })?;
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let mut size = file.metadata()?.len();
        if size > 0 {
            // A crash may have left a part of a line, which must not swallow the next.
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                size += 1;
            }
        }
        Ok(Self { file, hook, size, limit })
    }

    /// Appends these, and says how many of the first are in the file.
    pub(super) fn write(&mut self, entries: &[Arc<Entry>], reason: Reason, time: Timestamp) -> usize {
        let mut lines = Vec::new();
        let mut written = 0;
        for entry in entries {
            let before = lines.len();
            let letter = Letter { hook: &self.hook, reason, time, entry };
            let whole = serde_json::to_writer(&mut lines, &letter).is_ok();
            lines.push(b'\n');
            if !whole || self.size + lines.len() as u64 > self.limit {
                lines.truncate(before);
                break;
            }
            written += 1;
        }
        if written == 0 {
            return 0;
        }
        match self.file.write_all(&lines).and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.size += lines.len() as u64;
                written
            }
            Err(error) => {
                tracing::error!(hook = %self.hook, %error, "the dead letters can't be written; make room, or mend the disk");
                // What is there of them must neither be counted nor run into the next line.
                if self.file.set_len(self.size).is_err() {
                    self.limit = 0;
                }
                0
            }
        }
    }
}

/// Opens a regular file, or makes one for its owner only. A link is not followed, and a device or a pipe is left as it is: the mode of
/// what is opened here will be changed.
fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    let mut fresh = options.clone();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut fresh, 0o600);
    match fresh.create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let irregular =
        || io::Error::other("dead letters go to a regular file, not to a link, a device or a pipe");
    let named = std::fs::symlink_metadata(path)?;
    if !named.is_file() {
        return Err(irregular());
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        // Somebody may have put a link in its place since.
        use std::os::unix::fs::MetadataExt as _;
        let opened = file.metadata()?;
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(irregular());
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use auth_core::AuthEvent;
    use serde_json::Value;

    use super::*;
    use crate::Event;

    fn entries(sequences: impl Iterator<Item = u64>) -> Vec<Arc<Entry>> {
        let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
        let session = Some(Label::new("orders"));
        sequences
            .map(|sequence| {
                let at = Timestamp::from_millis(1_700_000_000_000);
                Arc::new(Entry::new(sequence, at, session.clone(), event.clone()))
            })
            .collect()
    }

    const AT: Timestamp = Timestamp::from_millis(1_700_000_001_000);

    #[test]
    fn a_line_says_whose_it_is_and_why_and_holds_the_entry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let mut letters = DeadLetters::open(&path, Label::new("splunk"), 10_000).unwrap();
        let lost = entries(7..9);
        assert_eq!(letters.write(&lost, Reason::AttemptsExhausted, AT), 2);

        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [hook, reason, time] = ["hook", "reason", "time"].map(|name| lines[0][name].as_str().unwrap());
        assert_eq!((hook, reason, time), ("splunk", "attempts_exhausted", "2023-11-14T22:13:21.000Z"));
        let read: Entry = serde_json::from_value(lines[1]["entry"].clone()).unwrap();
        assert_eq!(read, *lost[1]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_file_grows_to_its_limit_and_only_whole_lines_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let mut letters = DeadLetters::open(&path, Label::new("splunk"), 1_000).unwrap();
        let written = letters.write(&entries(1..100), Reason::Refused, AT);
        assert_eq!(letters.write(&entries(100..101), Reason::Refused, AT), 0);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 1_000 && text.ends_with("}\n"));
        assert_eq!(text.lines().count(), written);
        assert!(written > 2);
    }

    #[test]
    fn a_part_of_a_line_that_a_crash_left_swallows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        fs::write(&path, "{\"hook\":\"spl").unwrap();
        let mut letters = DeadLetters::open(&path, Label::new("splunk"), 10_000).unwrap();
        assert_eq!(letters.write(&entries(1..2), Reason::Refused, AT), 1);
        let text = fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        assert!(serde_json::from_str::<Value>(last).is_ok(), "{last}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.jsonl");
        let _first = DeadLetters::open(&path, Label::new("one"), 10_000).unwrap();
        assert!(DeadLetters::open(&path, Label::new("two"), 10_000).is_err());
    }

    #[test]
    fn a_disk_that_fails_loses_the_letters_and_says_so() {
        let mut letters = DeadLetters {
            file: File::open("/dev/null").unwrap(),
            hook: Label::new("splunk"),
            size: 0,
            limit: 10_000,
        };
        assert_eq!(letters.write(&entries(1..3), Reason::Refused, AT), 0);
    }

    #[test]
    fn what_is_no_file_is_neither_opened_nor_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, link) = (folder.path().join("victim"), folder.path().join("link"));
        fs::write(&victim, "theirs").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        let socket = folder.path().join("socket");
        let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [&link, &socket] {
            let error = DeadLetters::open(path, Label::new("one"), 10_000).unwrap_err();
            assert!(error.to_string().contains("regular file"), "{error}");
        }
        let metadata = fs::metadata(&victim).unwrap();
        assert_eq!(
            (fs::read_to_string(&victim).unwrap().as_str(), metadata.permissions().mode() & 0o777),
            ("theirs", 0o644)
        );
        assert!(DeadLetters::open(&victim, Label::new("one"), 10_000).is_ok(), "the control");
    }
}

//! Tests of the file store on a working disk: what it keeps, whom it shuts out, and what it refuses.

#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod links_and_modes;
#[cfg(unix)]
mod processes;

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use auth_core::{ErrorKind, Secret};
use tempfile::TempDir;

use super::*;

/// A runtime of one thread: the store needs none.
fn wait<T>(work: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

fn record(revision: u64) -> Record {
    Record { revision, refresh_token: Some(Secret::from(format!("canary-{revision}"))), ..Record::default() }
}

/// A place for a record, in a folder of its own.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    (folder, path)
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A text where a record belongs, readable by its owner only as all that this store reads.
fn plant(path: &Path, text: impl AsRef<[u8]>) {
    let mut file = StdDisk.create(path).unwrap();
    StdDisk.write(&mut file, text.as_ref()).unwrap();
}

fn locked(path: &Path) -> Box<dyn LockedStore> {
    wait(FileStore::open(path).unwrap().try_lock()).unwrap().expect("nobody else holds the lock")
}

fn load(path: &Path) -> Result<Option<Record>, Error> {
    wait(FileStore::open(path)?.load())
}

fn save(path: &Path, revision: u64) {
    wait(locked(path).save(&record(revision))).unwrap();
}

/// The error, of this kind, with all of these words and no token in any of its texts.
#[track_caller]
fn assert_refused<T>(result: Result<T, Error>, kind: ErrorKind, words: &[&str]) {
    let Err(error) = result else { panic!("this must be refused") };
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
    let cause = error.source().map(ToString::to_string);
    assert!(!format!("{error:?} {text} {cause:?}").contains("canary"), "{error:?}");
}

#[test]
fn a_record_outlives_the_store_that_wrote_it() {
    let (folder, path) = place();
    assert_eq!(load(&path).unwrap(), None);
    save(&path, 1);
    save(&path, 2);
    assert_eq!(load(&path).unwrap(), Some(record(2)));
    assert_eq!(wait(locked(&path).load()).unwrap(), Some(record(2)));
    assert_eq!(names(&folder), ["tokens.json", "tokens.json.lock"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), record(2).to_json().expose());
}

#[test]
fn two_stores_of_one_process_exclude_each_other() {
    let (_folder, path) = place();
    let (one, other) = (FileStore::open(&path).unwrap(), FileStore::open(&path).unwrap());
    let held = wait(one.try_lock()).unwrap().unwrap();
    assert!(wait(other.try_lock()).unwrap().is_none());
    assert!(wait(one.try_lock()).unwrap().is_none(), "nor may its own holder take it twice");
    assert!(wait(one.clone().try_lock()).unwrap().is_none());
    assert_eq!(wait(other.load()).unwrap(), None, "reading needs no lock");
    drop(held);
    assert!(wait(other.try_lock()).unwrap().is_some());
}

#[test]
fn an_unreadable_record_is_moved_aside_under_the_lock_only() {
    let (folder, path) = place();
    plant(&path, r#"{"version":1,"revision":1,"refresh_token":"canary-lost"#);
    assert_refused(load(&path), ErrorKind::StoreFailed, &["tokens.json can't be read", "restore"]);
    assert_eq!(names(&folder), ["tokens.json"], "without the lock nothing is moved");

    let mut held = locked(&path);
    let words = ["tokens.json could not be read", "tokens.json.unreadable-1", "log in again"];
    assert_refused(wait(held.load()), ErrorKind::StoreFailed, &words);
    assert_eq!(names(&folder), ["tokens.json.lock", "tokens.json.unreadable-1"]);
    assert_eq!(wait(held.load()).unwrap(), None, "the way is free");

    plant(&path, [0xff; 8]);
    assert_refused(wait(held.load()), ErrorKind::StoreFailed, &["tokens.json.unreadable-2"]);
    plant(&path, " ".repeat(Record::LARGEST + 1));
    assert_refused(wait(held.load()), ErrorKind::StoreFailed, &["tokens.json.unreadable-3"]);
    fs::remove_file(folder.path().join("tokens.json.unreadable-1")).unwrap();
    plant(&path, "");
    assert_refused(wait(held.load()), ErrorKind::StoreFailed, &["tokens.json.unreadable-1"]);
    assert_eq!(fs::read(folder.path().join("tokens.json.unreadable-2")).unwrap(), [0xff; 8]);
}

#[test]
fn a_save_keeps_what_it_cannot_read() {
    let (folder, path) = place();
    plant(&path, r#"{"version":1,"torn"#);
    save(&path, 1);
    assert_eq!(load(&path).unwrap(), Some(record(1)));
    let aside = folder.path().join("tokens.json.unreadable-1");
    assert_eq!(fs::read_to_string(aside).unwrap(), r#"{"version":1,"torn"#);
}

/// A path that was mistyped: the file is somebody's, and none of ours.
#[test]
fn what_was_never_a_store_is_left_as_it_is() {
    for text in ["notes of a person", "-----BEGIN PRIVATE KEY-----\n", r#"{"name":"settings"}"#, "[]"] {
        let (folder, path) = place();
        plant(&path, text);
        let words = ["tokens.json holds something else than tokens", "a path of their own"];
        assert_refused(load(&path), ErrorKind::Misconfigured, &words);
        let mut held = locked(&path);
        assert_refused(wait(held.load()), ErrorKind::Misconfigured, &words);
        assert_refused(wait(held.save(&record(1))), ErrorKind::Misconfigured, &words);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(names(&folder), ["tokens.json", "tokens.json.lock"]);
    }
}

#[test]
fn a_newer_release_s_record_is_left_as_it_is() {
    let (folder, path) = place();
    let newer = r#"{"version":2,"sealed":"canary"}"#;
    plant(&path, newer);
    assert_refused(load(&path), ErrorKind::Misconfigured, &["newer release", "upgrade"]);
    let mut held = locked(&path);
    assert_refused(wait(held.load()), ErrorKind::Misconfigured, &["newer release", "upgrade"]);
    assert_refused(wait(held.save(&record(1))), ErrorKind::Misconfigured, &["newer release", "upgrade"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    assert_eq!(names(&folder), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn a_record_that_could_not_be_read_back_is_not_written() {
    let (_folder, path) = place();
    save(&path, 1);
    let large =
        Record { refresh_token: Some(Secret::from("x".repeat(Record::LARGEST))), ..Record::default() };
    assert_refused(wait(locked(&path).save(&large)), ErrorKind::StoreFailed, &["too large"]);
    assert_eq!(load(&path).unwrap(), Some(record(1)));
}

#[test]
fn a_place_that_cannot_hold_a_record_is_refused_at_once() {
    let (folder, path) = place();
    plant(&path, "");
    let within = |name: &str| FileStore::open(folder.path().join(name));
    assert_refused(within("no/tokens.json"), ErrorKind::Misconfigured, &["no directory", "mkdir -m 700"]);
    assert_refused(within("tokens.json/x"), ErrorKind::Misconfigured, &["no directory"]);
    assert_refused(within("tokens.json/x/y"), ErrorKind::Misconfigured, &["no directory"]);
    assert_refused(within("."), ErrorKind::Misconfigured, &["no plain file"]);
    assert_refused(FileStore::open(""), ErrorKind::Misconfigured, &["names no file"]);
    assert_refused(FileStore::open("/"), ErrorKind::Misconfigured, &["names no file"]);
    assert!(within("new.json").is_ok());
    assert_eq!(names(&folder), ["tokens.json"], "looking at it makes nothing");
}

#[test]
fn a_store_shows_its_path_and_no_token() {
    let (_folder, path) = place();
    save(&path, 1);
    let shown = format!("{:?}", FileStore::open(&path).unwrap());
    assert!(shown.contains("tokens.json") && !shown.contains("canary"), "{shown}");
}

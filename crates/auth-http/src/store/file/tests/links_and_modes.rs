//! Tests of symbolic links, files left by others, and who may open what.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_symbolic_link_stays_and_what_it_points_at_is_replaced() {
    let (folder, target) = place();
    let link = folder.path().join("link.json");
    save(&target, 1);
    symlink(&target, &link).unwrap();
    save(&link, 2);
    assert_eq!(fs::read_link(&link).unwrap(), target);
    assert!(fs::symlink_metadata(&target).unwrap().is_file());
    assert_eq!(load(&target).unwrap(), Some(record(2)));
    assert_eq!(names(&folder), ["link.json", "tokens.json", "tokens.json.lock"]);

    let _held = locked(&link);
    let other = FileStore::open(&target).unwrap();
    assert!(wait(other.try_lock()).unwrap().is_none(), "both names have one lock");
}

#[test]
fn a_linked_directory_has_the_same_lock() {
    let (folder, path) = place();
    let link = folder.path().join("linked");
    symlink(folder.path(), &link).unwrap();
    let _held = locked(&path);
    let other = FileStore::open(link.join("tokens.json")).unwrap();
    assert!(wait(other.try_lock()).unwrap().is_none());
}

#[test]
fn a_link_to_nothing_is_refused_at_once() {
    let (folder, path) = place();
    symlink(folder.path().join("nothing"), &path).unwrap();
    assert_refused(FileStore::open(&path), ErrorKind::Misconfigured, &["link to nothing"]);
}

#[test]
fn a_temporary_file_that_a_crash_left_is_in_nobody_s_way() {
    let (folder, path) = place();
    let temporary = folder.path().join("tokens.json.new");
    fs::write(&temporary, "half a rec").unwrap();
    set_mode(&temporary, 0o644);
    save(&path, 1);
    assert_eq!(load(&path).unwrap(), Some(record(1)));
    assert_eq!(mode(&path), 0o600, "it is a new file, and not the one that was there");
    assert_eq!(names(&folder), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn a_link_planted_as_temporary_file_is_never_followed() {
    let (folder, path) = place();
    let temporary = folder.path().join("tokens.json.new");
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, &temporary).unwrap();
    save(&path, 1);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");

    let nothing = folder.path().join("nothing");
    symlink(&nothing, &temporary).unwrap();
    save(&path, 2);
    assert!(!nothing.exists());
    assert_eq!(load(&path).unwrap(), Some(record(2)));
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn what_cannot_be_removed_from_the_temporary_name_is_an_error_and_costs_nothing() {
    let (folder, path) = place();
    save(&path, 1);
    fs::create_dir(folder.path().join("tokens.json.new")).unwrap();
    let refused = wait(locked(&path).save(&record(2)));
    assert_refused(refused, ErrorKind::StoreFailed, &["can't remove", "tokens.json.new"]);
    assert_eq!(load(&path).unwrap(), Some(record(1)));
}

#[test]
fn a_record_that_others_may_open_is_refused() {
    let (_folder, path) = place();
    save(&path, 1);
    let store = FileStore::open(&path).unwrap();
    for open_to_others in [0o640, 0o604, 0o620, 0o644] {
        set_mode(&path, open_to_others);
        let chmod = format!("chmod 600 {}", path.canonicalize().unwrap().display());
        let words = [chmod.as_str(), &format!("mode {open_to_others:o}")];
        assert_refused(FileStore::open(&path), ErrorKind::Misconfigured, &words);
        assert_refused(wait(store.load()), ErrorKind::Misconfigured, &words);
        let mut held = wait(store.try_lock()).unwrap().unwrap();
        assert_refused(wait(held.load()), ErrorKind::Misconfigured, &words);
        assert_refused(wait(held.save(&record(2))), ErrorKind::Misconfigured, &words);
    }
    set_mode(&path, 0o600);
    assert_eq!(wait(store.load()).unwrap(), Some(record(1)));
}

#[test]
fn a_lock_file_that_others_may_open_or_that_is_none_is_refused() {
    let (folder, path) = place();
    save(&path, 1);
    let lock = folder.path().join("tokens.json.lock");
    let store = FileStore::open(&path).unwrap();
    set_mode(&lock, 0o644);
    assert_refused(wait(store.try_lock()), ErrorKind::Misconfigured, &["tokens.json.lock", "chmod 600"]);

    fs::remove_file(&lock).unwrap();
    symlink(&path, &lock).unwrap();
    assert_refused(wait(store.try_lock()), ErrorKind::Misconfigured, &["tokens.json.lock", "no plain file"]);

    fs::remove_file(&lock).unwrap();
    symlink(folder.path().join("nothing"), &lock).unwrap();
    assert_refused(wait(store.try_lock()), ErrorKind::Misconfigured, &["tokens.json.lock", "no plain file"]);
}

//! Tests with two real processes: this test program runs itself again.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use super::*;

/// What tells the other process where to work and what to do.
const FOLDER: &str = "AUTH_HTTP_STORE_TEST_FOLDER";
const ROLE: &str = "AUTH_HTTP_STORE_TEST_ROLE";

/// How often each of the processes that count does so.
const ROUNDS: u64 = 20;

/// Reads the record and writes the next, as whoever redeems a refresh token does.
fn count_one_up(path: &Path) {
    let store = FileStore::open(path).unwrap();
    let mut held = loop {
        match wait(store.try_lock()).unwrap() {
            Some(held) => break held,
            None => thread::yield_now(),
        }
    };
    let revision = wait(held.load()).unwrap().map_or(0, |record| record.revision);
    wait(held.save(&record(revision + 1))).unwrap();
}

/// The other process, when it is one; a test of nothing in a run of all.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test tells the process it starts what to do")]
fn the_other_process() {
    let (Ok(folder), Ok(role)) = (std::env::var(FOLDER), std::env::var(ROLE)) else { return };
    let folder = Path::new(&folder);
    let path = folder.join("tokens.json");
    match role.as_str() {
        "hold" => {
            let _held = locked(&path);
            println!("\nheld");
            std::io::stdout().flush().unwrap();
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "save" => {
            save(&path, 1);
            save(&path, 2);
            fs::write(folder.join("control"), "").unwrap();
        }
        "count" => (0..ROUNDS).for_each(|_| count_one_up(&path)),
        role => panic!("nobody asked for {role}"),
    }
}

/// This program as a shell starts it, to do nothing but the test above.
fn other_process(shell: &str, role: &str, folder: &TempDir) -> Child {
    let (_, module) = module_path!().split_once("::").unwrap();
    Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::the_other_process"), "--nocapture"])
        .env(FOLDER, folder.path())
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn the_lock_of_another_process_holds_until_that_is_killed() {
    let (folder, path) = place();
    save(&path, 1);
    let store = FileStore::open(&path).unwrap();
    let mut holder = other_process("", "hold", &folder);
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"), "the other process has not taken the lock");

    assert!(wait(store.try_lock()).unwrap().is_none());
    assert_eq!(wait(store.load()).unwrap(), Some(record(1)), "reading needs no lock");

    holder.kill().unwrap();
    assert!(!holder.wait().unwrap().success());
    let mut held = wait(store.try_lock()).unwrap().expect("the dead hold no lock");
    wait(held.save(&record(2))).unwrap();
}

#[test]
fn files_are_their_owner_s_whatever_the_umask() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // The control shows that the umask is in force: what is created without care follows it.
    for (umask, control) in [("000", 0o666), ("022", 0o644), ("277", 0o400), ("777", 0o000)] {
        let (folder, path) = place();
        let saver = other_process(&format!("umask {umask};"), "save", &folder);
        assert!(saver.wait_with_output().unwrap().status.success(), "umask {umask}");
        assert_eq!(mode(&folder.path().join("control")), control, "umask {umask}");
        assert_eq!(mode(&path), 0o600, "umask {umask}");
        assert_eq!(mode(&folder.path().join("tokens.json.lock")), 0o600, "umask {umask}");
        assert_eq!(load(&path).unwrap(), Some(record(2)));
    }
}

#[test]
fn processes_that_take_turns_lose_no_record() {
    let (folder, path) = place();
    let counters = [(), (), ()].map(|()| other_process("", "count", &folder));
    for counter in counters {
        assert!(counter.wait_with_output().unwrap().status.success());
    }
    assert_eq!(load(&path).unwrap(), Some(record(3 * ROUNDS)));
    assert_eq!(names(&folder), ["tokens.json", "tokens.json.lock"]);
}

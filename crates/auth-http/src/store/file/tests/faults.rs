//! Tests on a disk that fails, and one that stops: the old record or the new one is always there.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard};

use super::*;

/// A disk that works for some steps, and then does not. Clones are the same disk.
#[derive(Clone)]
struct FaultyDisk(Arc<Mutex<State>>);

struct State {
    steps_left: usize,
    then: Then,
    stopped: bool,
    promises: Promises,
    /// A file whose contents a loss of power takes.
    unsynced: Option<PathBuf>,
    /// A rename that a loss of power undoes, with what had the new name before.
    renamed: Option<(PathBuf, PathBuf, Option<Vec<u8>>)>,
}

#[derive(Debug, Clone, Copy)]
enum Then {
    /// One step fails, and later ones work.
    FailOnce(io::ErrorKind),
    /// Nothing works any more, and this is lost.
    Stop(Loss),
}

/// What a crash takes: of the process nothing that was written, of the machine what was not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    Nothing,
    Contents,
    Names,
}

const LOSSES: [Loss; 3] = [Loss::Nothing, Loss::Contents, Loss::Names];

/// Which syncs the disk really does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Promises {
    Kept,
    NoFileSync,
    NoDirectorySync,
}

impl FaultyDisk {
    fn new(steps: usize, then: Then, promises: Promises) -> Self {
        let state =
            State { steps_left: steps, then, stopped: false, promises, unsynced: None, renamed: None };
        Self(Arc::new(Mutex::new(state)))
    }

    fn stops_after(steps: usize, loss: Loss) -> Self {
        Self::new(steps, Then::Stop(loss), Promises::Kept)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Whether the fault has come to pass.
    fn has_failed(&self) -> bool {
        let state = self.state();
        state.stopped || state.steps_left > 1_000
    }

    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.stopped {
            return Err(io::Error::other("the machine is off"));
        }
        if state.steps_left > 0 {
            state.steps_left -= 1;
            return Ok(state);
        }
        match state.then {
            Then::FailOnce(kind) => {
                state.steps_left = usize::MAX;
                Err(kind.into())
            }
            Then::Stop(loss) => {
                state.stop(loss);
                Err(io::Error::other("the power went"))
            }
        }
    }
}

impl State {
    fn stop(&mut self, loss: Loss) {
        self.stopped = true;
        match loss {
            Loss::Nothing => {}
            Loss::Contents => {
                if let Some(path) = self.unsynced.take() {
                    File::options().write(true).truncate(true).open(path).unwrap();
                }
            }
            Loss::Names => {
                if let Some((from, to, old)) = self.renamed.take() {
                    fs::rename(&to, from).unwrap();
                    if let Some(old) = old {
                        plant(&to, old);
                    }
                }
            }
        }
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<File> {
        self.step().and_then(|_| StdDisk.open(path))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let mut state = self.step()?;
        let file = StdDisk.create(path)?;
        state.unsynced = Some(path.to_path_buf());
        Ok(file)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let worked = self.step().map(drop);
        let written = if worked.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        StdDisk.write(file, written).and(worked)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.step()?;
        if state.promises != Promises::NoFileSync {
            StdDisk.sync(file)?;
            state.unsynced = None;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let old = fs::read(to).ok();
        StdDisk.rename(from, to)?;
        if state.unsynced.as_deref() == Some(from) {
            state.unsynced = Some(to.to_path_buf());
        }
        state.renamed = Some((from.to_path_buf(), to.to_path_buf(), old));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|_| StdDisk.remove(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        if state.promises != Promises::NoDirectorySync {
            StdDisk.sync_directory(path)?;
            state.renamed = None;
        }
        Ok(())
    }
}

/// Takes the lock of a store on this disk.
fn locked_on(path: &Path, disk: &FaultyDisk) -> Box<dyn LockedStore> {
    wait(FileStore::open_on(path, disk.clone()).unwrap().try_lock()).unwrap().unwrap()
}

/// Crashes at each step of replacing `old`, losing this; what a fresh store finds after each, the last without a crash.
fn after_each_crash(old: Option<u64>, loss: Loss, promises: Promises) -> Vec<Result<Option<Record>, Error>> {
    let mut found = Vec::new();
    for steps in 0.. {
        let (_folder, path) = place();
        if let Some(revision) = old {
            save(&path, revision);
        }
        let disk = FaultyDisk::new(steps, Then::Stop(loss), promises);
        let saved = wait(locked_on(&path, &disk).save(&record(2)));
        assert_eq!(saved.is_err(), disk.has_failed());
        if saved.is_ok() {
            // Whoever was told that it is safe relies on it from now on.
            disk.state().stop(loss);
        }
        found.push(load(&path));
        if saved.is_ok() {
            return found;
        }
        if found.last().is_some_and(Result::is_ok) {
            save(&path, 3);
            assert_eq!(load(&path).unwrap(), Some(record(3)), "what a crash left is in nobody's way");
        }
    }
    unreachable!("a save has an end")
}

#[test]
fn a_crash_at_any_step_leaves_the_old_record_or_the_new_one() {
    for loss in LOSSES {
        for old in [None, Some(1)] {
            let found = after_each_crash(old, loss, Promises::Kept);
            assert_eq!(found.len(), 7, "six steps, and none");
            let (last, crashed) = found.split_last().unwrap();
            assert_eq!(last.as_ref().unwrap(), &Some(record(2)), "a save that returned is safe: {loss:?}");
            for (step, found) in crashed.iter().enumerate() {
                let found = found.as_ref().unwrap();
                let is_new = *found == Some(record(2));
                assert!(is_new || *found == old.map(record), "step {step}, {loss:?}: {found:?}");
                assert_eq!(is_new, step == 5 && loss != Loss::Names, "step {step}, {loss:?}");
            }
        }
    }
}

/// The control of the test above: it sees what a sync is for.
#[test]
fn without_either_sync_a_crash_would_show() {
    let torn = after_each_crash(Some(1), Loss::Contents, Promises::NoFileSync);
    assert!(torn.iter().any(Result::is_err), "a file renamed before it is synced may be empty");
    let undone = after_each_crash(Some(1), Loss::Names, Promises::NoDirectorySync);
    assert_eq!(
        undone.last().unwrap().as_ref().unwrap(),
        &Some(record(1)),
        "an unsynced rename may be undone"
    );
}

#[test]
fn a_failure_at_any_step_is_told_and_the_next_save_works() {
    let steps = [
        ("can't open", "tokens.json:"),
        ("can't create", "tokens.json.new:"),
        ("can't write", "tokens.json.new:"),
        ("can't sync", "tokens.json.new:"),
        ("can't replace", "tokens.json:"),
        ("can't sync", ":"),
    ];
    for (step, (what, place_of_it)) in steps.into_iter().enumerate() {
        let (folder, path) = place();
        save(&path, 1);
        let disk = FaultyDisk::new(step, Then::FailOnce(io::ErrorKind::StorageFull), Promises::Kept);
        let mut held = locked_on(&path, &disk);
        let saved = wait(held.save(&record(2)));
        let cause = saved.as_ref().unwrap_err().source().and_then(|cause| cause.downcast_ref::<io::Error>());
        assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::StorageFull));
        assert_refused(saved, ErrorKind::StoreFailed, &[what, place_of_it, "free some space"]);
        assert_eq!(load(&path).unwrap(), Some(record(if step == 5 { 2 } else { 1 })), "step {step}");
        assert_eq!(names(&folder), ["tokens.json", "tokens.json.lock"], "no half-written tokens lie about");

        wait(held.save(&record(3))).unwrap();
        assert_eq!(load(&path).unwrap(), Some(record(3)));
    }
    let (_folder, path) = place();
    save(&path, 1);
    let disk = FaultyDisk::new(steps.len(), Then::FailOnce(io::ErrorKind::StorageFull), Promises::Kept);
    wait(locked_on(&path, &disk).save(&record(2))).expect("there is no further step");
}

#[test]
fn a_record_that_cannot_be_opened_is_neither_overwritten_nor_moved() {
    let (folder, path) = place();
    save(&path, 1);
    for _ in 0..2 {
        let disk = FaultyDisk::new(0, Then::FailOnce(io::ErrorKind::PermissionDenied), Promises::Kept);
        let mut held = locked_on(&path, &disk);
        assert_refused(wait(held.load()), ErrorKind::StoreFailed, &["can't open", "permission denied"]);
        let disk = FaultyDisk::new(0, Then::FailOnce(io::ErrorKind::PermissionDenied), Promises::Kept);
        drop(held);
        assert_refused(
            wait(locked_on(&path, &disk).save(&record(2))),
            ErrorKind::StoreFailed,
            &["can't open"],
        );
    }
    assert_eq!(load(&path).unwrap(), Some(record(1)));
    assert_eq!(names(&folder), ["tokens.json", "tokens.json.lock"]);
}

#[test]
fn a_crash_while_moving_aside_loses_nothing() {
    for loss in LOSSES {
        for steps in 0..=3 {
            let (folder, path) = place();
            plant(&path, r#"{"version":1,damaged"#);
            let disk = FaultyDisk::stops_after(steps, loss);
            assert!(wait(locked_on(&path, &disk).load()).is_err());
            assert_eq!(disk.has_failed(), steps < 3);
            let aside = folder.path().join("tokens.json.unreadable-1");
            let found = [path, aside].map(|path| fs::read_to_string(path).ok());
            assert_eq!(
                found.iter().flatten().collect::<Vec<_>>(),
                [r#"{"version":1,damaged"#],
                "step {steps}, {loss:?}"
            );
        }
    }
}

/// A disk whose writes say that they have begun, and wait until they may go on.
struct GatedDisk {
    begun: SyncSender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Disk for GatedDisk {
    fn open(&self, path: &Path) -> io::Result<File> {
        StdDisk.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        StdDisk.create(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.begun.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        StdDisk.write(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        StdDisk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        StdDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        StdDisk.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        StdDisk.sync_directory(path)
    }
}

/// A store whose writes wait, with what tells that one has begun and what lets it go on.
fn gated(path: &Path) -> (FileStore, Receiver<()>, SyncSender<()>) {
    let ((begun, has_begun), (may_go_on, go_on)) = (sync_channel(4), sync_channel(4));
    let disk = GatedDisk { begun, go_on: Mutex::new(go_on) };
    (FileStore::open_on(path, disk).unwrap(), has_begun, may_go_on)
}

/// Starts a save and drops it once it writes.
fn give_up_on_a_save(held: &mut dyn LockedStore, revision: u64, has_begun: &Receiver<()>) {
    let record = record(revision);
    let mut save = held.save(&record);
    assert!(save.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    has_begun.recv().unwrap();
}

#[test]
fn a_write_that_was_given_up_on_keeps_the_lock_until_it_ends() {
    let (_folder, path) = place();
    let (store, has_begun, may_go_on) = gated(&path);
    let mut held = wait(store.try_lock()).unwrap().unwrap();
    give_up_on_a_save(&mut *held, 1, &has_begun);
    drop(held);
    for _ in 0..3 {
        assert!(wait(store.try_lock()).unwrap().is_none(), "somebody still writes");
    }
    may_go_on.send(()).unwrap();
    while wait(store.try_lock()).unwrap().is_none() {
        thread::yield_now();
    }
    assert_eq!(load(&path).unwrap(), Some(record(1)));
}

#[test]
fn a_save_comes_after_one_that_was_given_up_on() {
    let (_folder, path) = place();
    let (store, has_begun, may_go_on) = gated(&path);
    let mut held = wait(store.try_lock()).unwrap().unwrap();
    give_up_on_a_save(&mut *held, 1, &has_begun);
    let second = record(2);
    let mut save = held.save(&second);
    assert!(save.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(has_begun.try_recv().is_err(), "it waits its turn");
    may_go_on.send(()).unwrap();
    may_go_on.send(()).unwrap();
    wait(save).unwrap();
    assert_eq!(load(&path).unwrap(), Some(record(2)));
}

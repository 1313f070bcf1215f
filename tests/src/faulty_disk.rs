//! A disk that fails, or waits, at a step that a test chose.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use auth_http::store::{Disk, StdDisk};
use tokio::sync::Notify;

/// The real disk with a fault. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct FaultyDisk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    disk: StdDisk,
    state: Mutex<State>,
    released: Condvar,
    reached: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The steps so far.
    steps: Vec<&'static str>,
    plan: Plan,
    failures: usize,
}

#[derive(Debug, Default, Clone, Copy)]
enum Plan {
    #[default]
    Works,
    /// The step of this number fails.
    FailsAt(usize, Fault),
    /// All steps from this number on fail.
    FailsFrom(usize),
    /// The step of this number waits.
    HoldsAt(usize),
}

/// How a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of it happens.
    Before,
    /// It happens, a write by half, and is reported as failed all the same.
    After,
}

impl FaultyDisk {
    /// What has been done so far: the names of the steps.
    #[must_use]
    pub fn steps(&self) -> Vec<&'static str> {
        self.state().steps.clone()
    }

    /// How many steps have failed.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.state().failures
    }

    /// After `steps` more that work, one fails.
    pub fn fail_once(&self, steps: usize, fault: Fault) {
        self.plan(|done| Plan::FailsAt(done + steps, fault));
    }

    /// After `steps` more that work, all fail.
    pub fn break_down(&self, steps: usize) {
        self.plan(|done| Plan::FailsFrom(done + steps));
    }

    /// After `steps` more, one waits before it happens.
    pub fn hold(&self, steps: usize) {
        self.plan(|done| Plan::HoldsAt(done + steps));
    }

    /// Waits until the step that waits is reached.
    pub async fn reached(&self) {
        self.0.reached.notified().await;
    }

    /// From now on everything works; what waited goes on.
    pub fn mend(&self) {
        self.plan(|_| Plan::Works);
    }

    fn plan(&self, plan: impl FnOnce(usize) -> Plan) {
        let mut state = self.state();
        state.plan = plan(state.steps.len());
        self.0.released.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step: says how it fails, if it does.
    fn begin(&self, step: &'static str) -> Option<Fault> {
        let mut state = self.state();
        let number = state.steps.len();
        state.steps.push(step);
        let fault = match state.plan {
            Plan::FailsAt(at, fault) if at == number => Some(fault),
            Plan::FailsFrom(from) if from <= number => Some(Fault::Before),
            Plan::HoldsAt(at) if at == number => {
                self.0.reached.notify_one();
                let held = |state: &mut State| matches!(state.plan, Plan::HoldsAt(at) if at == number);
                drop(self.0.released.wait_while(state, held));
                return None;
            }
            Plan::Works | Plan::FailsAt(..) | Plan::FailsFrom(_) | Plan::HoldsAt(_) => None,
        };
        state.failures += usize::from(fault.is_some());
        fault
    }

    fn step<T>(&self, step: &'static str, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.begin(step) {
            None => work(),
            Some(Fault::Before) => Err(failed()),
            Some(Fault::After) => work().and_then(|_| Err(failed())),
        }
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<File> {
        self.step("open", || self.0.disk.open(path))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.step("create", || self.0.disk.create(path))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        match self.begin("write") {
            None => self.0.disk.write(file, bytes),
            Some(Fault::Before) => Err(failed()),
            Some(Fault::After) => {
                self.0.disk.write(file, &bytes[..bytes.len() / 2])?;
                Err(failed())
            }
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step("sync", || self.0.disk.sync(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", || self.0.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove", || self.0.disk.remove(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.step("sync_directory", || self.0.disk.sync_directory(path))
    }
}

fn failed() -> io::Error {
    io::Error::other("as the test says")
}

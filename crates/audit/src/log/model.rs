//! A disk that forgets, on a crash, what was not synced: bytes of files and names of the directory alike; and that fails at
//! the step it is told to.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::storage::Storage;

/// The model, shared with whoever makes it fail.
#[derive(Clone, Default)]
pub(crate) struct Model(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What the process sees.
    names: BTreeMap<String, usize>,
    /// What a crash leaves of the names.
    synced_names: BTreeMap<String, usize>,
    inodes: Vec<Inode>,
    /// How many steps there were.
    steps: u64,
    fault: Option<(std::ops::Range<u64>, Fault)>,
    /// After a crash nothing works until the restart.
    down: bool,
    /// Whether syncing says that it did, and did nothing.
    pub(crate) lies: bool,
    /// How many bytes there is room for.
    room: Option<usize>,
}

#[derive(Default, Clone)]
struct Inode {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// After a failed sync: its pages count as clean, and no later sync writes them.
    lost: bool,
}

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The device answers with an error. A sync that does loses its pages.
    Error,
    /// There is no space.
    Full,
    /// Half of the bytes are written, then the device fails.
    Short,
    /// The power goes.
    Crash,
}

/// What is found after a crash of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survives {
    /// Neither bytes nor names.
    Nothing,
    /// All of it: only the process has ended.
    All,
    /// All names, and half of the bytes.
    Half,
    /// All names and lengths, with zeros for bytes.
    Zeros,
    /// All names and lengths, with something else for the second half of the bytes, in whole sectors.
    Garbage,
}

impl Survives {
    pub(crate) const ALL: [Self; 5] = [Self::Nothing, Self::All, Self::Half, Self::Zeros, Self::Garbage];
}

impl Model {
    /// Lets steps fail, counted from now on.
    pub(crate) fn fail(&self, steps: std::ops::Range<u64>, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.steps + steps.start..state.steps.saturating_add(steps.end), fault));
    }

    pub(crate) fn heal(&self) {
        self.state().fault = None;
    }

    pub(crate) fn lie(&self) {
        self.state().lies = true;
    }

    /// Bounds the bytes of all files, reserve included.
    pub(crate) fn limit(&self, room: Option<usize>) {
        self.state().room = room;
    }

    pub(crate) fn used(&self) -> usize {
        self.state().used()
    }

    pub(crate) fn steps(&self) -> u64 {
        self.state().steps
    }

    pub(crate) fn is_down(&self) -> bool {
        self.state().down
    }

    /// Starts the process again, and loses nothing; what was not synced may still go with the power.
    pub(crate) fn restart_process(&self) {
        let mut state = self.state();
        state.fault = None;
        state.down = false;
    }

    /// Loses what is lost with the power, and starts again.
    pub(crate) fn restart(&self, survives: Survives) {
        let mut state = self.state();
        if survives == Survives::Nothing {
            state.names = state.synced_names.clone();
        }
        for inode in &mut state.inodes {
            let kept = inode.synced.len().min(inode.bytes.len());
            let half = kept + (inode.bytes.len() - kept) / 2;
            match survives {
                Survives::Nothing => inode.bytes = inode.synced.clone(),
                Survives::All => {}
                Survives::Half => inode.bytes.truncate(half),
                Survives::Zeros => inode.bytes[kept..].fill(0),
                Survives::Garbage => {
                    let half = half.next_multiple_of(512).min(inode.bytes.len());
                    inode.bytes[half..].fill(0xa5);
                }
            }
            inode.synced = inode.bytes.clone();
            inode.lost = false;
        }
        state.synced_names = state.names.clone();
        state.fault = None;
        state.down = false;
    }

    /// Writes what the process sees to a real directory, for a verifier.
    pub(crate) fn copy_to(&self, directory: &Path) {
        let state = self.state();
        for (name, inode) in &state.names {
            std::fs::write(directory.join(name), &state.inodes[*inode].bytes).unwrap();
        }
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|inode| state.inodes[*inode].bytes.clone())
    }

    /// Puts a file there, as somebody else may.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        state.inodes.push(Inode { bytes: bytes.to_vec(), synced: bytes.to_vec(), lost: false });
        let inode = state.inodes.len() - 1;
        state.names.insert(name.to_owned(), inode);
        state.synced_names.insert(name.to_owned(), inode);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let (state, fault) = self.faulty_step()?;
        match fault {
            None => Ok(state),
            Some(fault) => Err(fault.error()),
        }
    }

    fn faulty_step(&self) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let mut state = self.state();
        if state.down {
            return Err(Fault::Crash.error());
        }
        let step = state.steps;
        state.steps += 1;
        let fault = state.fault.as_ref().filter(|(steps, _)| steps.contains(&step)).map(|(_, fault)| *fault);
        if fault == Some(Fault::Crash) {
            state.down = true;
        }
        Ok((state, fault))
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Full => ErrorKind::StorageFull.into(),
            Self::Error | Self::Short | Self::Crash => io::Error::from_raw_os_error(5),
        }
    }
}

impl State {
    fn used(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].bytes.len()).sum()
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Storage for Model {
    type File = usize;

    fn claim(&mut self) -> io::Result<bool> {
        self.step().map(|_| true)
    }

    fn is_claimed(&self) -> bool {
        true
    }

    fn is_in_place(&mut self, file: &usize, name: &str) -> io::Result<bool> {
        Ok(self.step()?.names.get(name) == Some(file))
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        let state = self.step()?;
        Ok(state.inodes[state.inode(name)?].bytes.len() as u64)
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.step()?.names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<usize> {
        let mut state = self.step()?;
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.names.insert(name.to_owned(), inode);
        Ok(inode)
    }

    fn open(&mut self, name: &str) -> io::Result<usize> {
        self.step()?.inode(name)
    }

    fn read(&mut self, name: &str) -> io::Result<impl io::BufRead> {
        let state = self.step()?;
        Ok(Cursor::new(state.inodes[state.inode(name)?].bytes.clone()))
    }

    fn append(&mut self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        let (mut state, fault) = self.faulty_step()?;
        let room = state.room.map_or(usize::MAX, |room| room.saturating_sub(state.used()));
        let written = match fault {
            None => bytes.len(),
            Some(Fault::Short | Fault::Crash) => bytes.len() / 2,
            Some(Fault::Error | Fault::Full) => 0,
        };
        let written = written.min(room);
        state.inodes[*file].bytes.extend_from_slice(&bytes[..written]);
        match fault {
            Some(fault) => Err(fault.error()),
            None if written < bytes.len() => Err(Fault::Full.error()),
            None => Ok(()),
        }
    }

    fn truncate(&mut self, file: &mut usize, length: u64) -> io::Result<()> {
        self.step()?.inodes[*file].bytes.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&mut self, file: &mut usize) -> io::Result<()> {
        let (mut state, fault) = self.faulty_step()?;
        let lies = state.lies;
        if !state.names.values().any(|inode| inode == file) {
            return Err(super::storage::removed());
        }
        let inode = &mut state.inodes[*file];
        match fault {
            None => {
                if !inode.lost && !lies {
                    inode.synced = inode.bytes.clone();
                }
                Ok(())
            }
            Some(fault) => {
                inode.lost = fault != Fault::Crash;
                Err(fault.error())
            }
        }
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut state = self.step()?;
        if !state.lies {
            state.synced_names = state.names.clone();
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.step()?;
        let inode = state.inode(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.step()?;
        state.inode(name)?;
        state.names.remove(name);
        Ok(())
    }
}

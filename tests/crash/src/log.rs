//! The log that is crashed: how it is opened, written and verified, and a careless stand-in as the control.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use audit::checkpoint::SigningKey;
use audit::verify::{Verification, Verified};
use audit::{LogOptions, Modes, Trail};
use auth_core::AuthEvent;
use auth_core::observe::{Label, Recorder as _};
use clap::ValueEnum;

use crate::failed::Done;

/// What becomes of a record that can't be made safe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    BestEffort,
    Durable,
    #[default]
    Strict,
}

/// A log that is being written.
pub(crate) enum Log {
    Real(Trail),
    /// Appends, and says at once that it is safe.
    Careless(RefCell<File>),
}

/// What the names of all records begin with, and no other text of a log.
pub(crate) const PREFIX: &str = "n:";

impl Log {
    pub(crate) fn open(directory: &Path, mode: Mode, segment_bytes: u64) -> Done<Self> {
        let options = options(directory)?.modes(mode.modes()).segment_bytes(segment_bytes);
        Ok(Self::Real(Trail::builder().log(options).open()?))
    }

    pub(crate) fn careless(directory: &Path) -> Done<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join("00000000000000000001.jsonl");
        Ok(Self::Careless(RefCell::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Records an event of this name.
    pub(crate) async fn record(&self, name: &str) -> Done {
        match self {
            Self::Real(trail) => trail.record(&revoked(name)).await?,
            Self::Careless(file) => {
                let line = format!("{{\"target\":\"{PREFIX}{name}\"}}\n");
                // What became of it is what it does not look at.
                let _ = file.borrow_mut().write_all(line.as_bytes());
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    pub(crate) fn close(self) {
        if let Self::Real(trail) = self {
            let _ = trail.close();
        }
    }
}

impl Mode {
    /// This mode for each class of events.
    pub(crate) const fn modes(self) -> Modes {
        let mode = match self {
            Self::BestEffort => audit::Mode::BestEffort,
            Self::Durable => audit::Mode::Durable,
            Self::Strict => audit::Mode::Strict,
        };
        Modes { issuing: mode, consuming: mode, revoking: mode, deciding: mode, progress: mode }
    }
}

/// An event of a name, of the class that goes last from a full disk.
pub(crate) fn revoked(name: &str) -> AuthEvent {
    AuthEvent::TokenRevoked { token: None, target: Some(Label::new(&format!("{PREFIX}{name}"))), peer: None }
}

/// An event of a name, of the class of decisions.
pub(crate) fn decided(name: &str) -> AuthEvent {
    AuthEvent::SessionFailed { connection: None, reason: Label::new(&format!("{PREFIX}{name}")), code: None }
}

/// A log that is sealed, with a small reserve, since its disks are small.
pub(crate) fn options(directory: &Path) -> Done<LogOptions> {
    Ok(LogOptions::new(directory).signing_key(key()?).reserve_bytes(65_536))
}

fn key() -> Done<SigningKey> {
    Ok(SigningKey::from_seed("crash.example/audit", [7; 32])?)
}

/// Opens a log again, which repairs its end, and closes it, which seals it; and verifies it by its key.
pub(crate) fn reopen_and_verify(directory: &Path) -> Done<Verified> {
    Log::open(directory, Mode::Strict, u64::MAX)?.close();
    verify(directory)
}

/// Verifies a log by its key.
pub(crate) fn verify(directory: &Path) -> Done<Verified> {
    Ok(Verification::of(directory).with_key(key()?.verifier()).run()?)
}

//! What a log is told when it is opened: where it lives, how safe each class of event is, and when a segment is full.

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth_core::observe::{EventClass, Label};

use crate::checkpoint::SigningKey;
use crate::opener::Opener;

/// Where a log lives, and how it is kept.
///
/// ```
/// use audit::{LogOptions, Modes};
///
/// let options = LogOptions::new("/var/log/gateway/audit").modes(Modes::gateway()).segment_bytes(16 << 20);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a trail is opened with it"]
pub struct LogOptions {
    pub(crate) directory: PathBuf,
    pub(crate) origin: Option<Label>,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_age: Option<Duration>,
    pub(crate) modes: Modes,
    pub(crate) reserve_bytes: u64,
    pub(crate) checkpoint_every: Duration,
    /// Who opens the log; `None` where no record is to say so.
    pub(crate) opener: Option<Opener>,
}

impl LogOptions {
    /// A log in `directory`, which is made where it is missing, for its owner only.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self {
            directory: directory.as_ref().to_owned(),
            origin: None,
            signing_key: None,
            segment_bytes: 64 << 20,
            segment_age: None,
            modes: Modes::client(),
            reserve_bytes: 1 << 20,
            checkpoint_every: Duration::from_secs(1),
            opener: None,
        }
    }

    /// The key that signs checkpoints and seals segments. By default nothing does, and then a log whose end was cut off
    /// looks like a shorter one.
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.signing_key = Some(key);
        self
    }

    /// The log's name in its checkpoints, at most 128 characters: by default the one that it has; a new one has that of the
    /// signing key, else `audit`.
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(Label::new(origin));
        self
    }

    /// How many bytes a segment has before the next one begins: 64 MiB by default. A segment may be longer by one batch;
    /// opening reads one whole segment.
    pub const fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// How old a segment may be when a record is added to it; by default, any age.
    pub const fn segment_age(mut self, age: Duration) -> Self {
        self.segment_age = Some(age);
        self
    }

    /// How safe each class of event is: [`Modes::client`] by default.
    pub const fn modes(mut self, modes: Modes) -> Self {
        self.modes = modes;
        self
    }

    /// How many bytes are kept back for the last records of a full disk, 1 MiB by default; 0 keeps none.
    pub const fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.reserve_bytes = bytes;
        self
    }

    /// How often a checkpoint is signed while records come: once a second by default, and at most every 10 ms.
    pub const fn checkpoint_every(mut self, interval: Duration) -> Self {
        self.checkpoint_every = interval;
        self
    }

    /// The key that checks what the signing key signed.
    pub(super) fn verifier_key(&self) -> Option<String> {
        self.signing_key.as_ref().map(|key| key.verifier().to_string())
    }

    /// The name that stands in checkpoints and in the first record of each segment.
    pub(super) fn name(&self) -> Label {
        match (&self.origin, &self.signing_key) {
            (Some(origin), _) => origin.clone(),
            (None, Some(key)) => Label::new(key.name()),
            (None, None) => Label::new("audit"),
        }
    }
}

/// How safe an event is before whoever records it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a promise that a caller does not know of is none")]
pub enum Mode {
    /// It is queued, or counted as dropped; nobody waits.
    #[default]
    BestEffort,
    /// It is on the disk. Where it can't be, that is counted and recorded as a gap, and the caller goes on.
    Durable,
    /// It is on the disk, or the caller is told that it is not and must not go on.
    Strict,
}

/// The mode of each class of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it has a field for each class")]
pub struct Modes {
    /// For [`EventClass::Issuing`].
    pub issuing: Mode,
    /// For [`EventClass::Consuming`].
    pub consuming: Mode,
    /// For [`EventClass::Revoking`].
    pub revoking: Mode,
    /// For [`EventClass::Deciding`].
    pub deciding: Mode,
    /// For [`EventClass::Progress`].
    pub progress: Mode,
}

impl Mode {
    /// Its place where something is counted for each mode.
    pub(crate) const fn place(self) -> usize {
        match self {
            Self::BestEffort => 0,
            Self::Durable => 1,
            Self::Strict => 2,
        }
    }
}

impl Modes {
    /// Best effort for all: a client goes on whatever happens to its log.
    #[must_use]
    pub const fn client() -> Self {
        Self {
            issuing: Mode::BestEffort,
            consuming: Mode::BestEffort,
            revoking: Mode::BestEffort,
            deciding: Mode::BestEffort,
            progress: Mode::BestEffort,
        }
    }

    /// No record, no token: strict for issuing, consuming and revoking; durable for deciding; best effort for progress.
    #[must_use]
    pub const fn gateway() -> Self {
        Self {
            issuing: Mode::Strict,
            consuming: Mode::Strict,
            revoking: Mode::Strict,
            deciding: Mode::Durable,
            progress: Mode::BestEffort,
        }
    }

    /// The mode of a class.
    #[must_use]
    pub const fn of(&self, class: EventClass) -> Mode {
        match class {
            EventClass::Issuing => self.issuing,
            EventClass::Consuming => self.consuming,
            EventClass::Revoking => self.revoking,
            EventClass::Deciding => self.deciding,
            EventClass::Progress => self.progress,
        }
    }
}

impl Default for Modes {
    fn default() -> Self {
        Self::client()
    }
}

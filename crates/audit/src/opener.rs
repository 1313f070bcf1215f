//! Who opens a trail: what its first record says of the program.

use auth_core::observe::Label;

use crate::entry::{PreviousEnd, TrailEvent};
use crate::format::Origin;

/// A program that opens a trail.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    host: Option<Label>,
    application: Option<Label>,
    version: Option<Label>,
    process_id: u32,
}

impl Opener {
    /// This process, with what is told of it; where nothing is, its program is known by the name of its file.
    pub(crate) fn this(told: Option<&Origin>) -> Self {
        let file = || {
            let path = std::env::current_exe().ok()?;
            Some(Label::new(&path.file_name()?.to_string_lossy()))
        };
        Self {
            host: told.map(|origin| Label::new(origin.host())),
            application: told.map(|origin| Label::new(origin.application())).or_else(file),
            version: told.map(|origin| Label::new(origin.version())),
            process_id: told.and_then(Origin::process).unwrap_or_else(std::process::id),
        }
    }

    /// What it says when it has opened the trail.
    pub(crate) fn opened(self, previous_end: PreviousEnd, dropped_bytes: u64) -> TrailEvent {
        let Self { host, application, version, process_id } = self;
        TrailEvent::TrailOpened {
            host,
            application,
            version,
            process_id: Some(process_id),
            library_version: library_version(),
            previous_end,
            dropped_bytes,
        }
    }
}

/// The version of this library.
pub(crate) fn library_version() -> Label {
    Label::new(env!("CARGO_PKG_VERSION"))
}

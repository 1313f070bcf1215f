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
        let [host, application, version] = told.map_or([None; 3], Origin::told);
        Self {
            host: host.map(Label::new),
            application: application.map(Label::new).or_else(file),
            version: version.map(Label::new),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The host, the program and its version that are recorded where this is told.
    fn recorded(told: Option<&Origin>) -> [Option<String>; 3] {
        let Opener { host, application, version, .. } = Opener::this(told);
        [host, application, version].map(|label| label.map(|label| label.as_str().to_owned()))
    }

    #[test]
    fn only_what_was_told_is_recorded_and_no_default_of_what_is_rendered() {
        let file = std::env::current_exe().unwrap();
        let file = Some(file.file_name().unwrap().to_string_lossy().into_owned());
        let some = |text: &str| Some(text.to_owned());
        let nobody = Origin::default().with_service("genesys").with_process(7);
        assert_eq!((nobody.host(), nobody.application()), ("localhost", "realtime-auth"));
        assert_eq!(recorded(Some(&nobody)), [None, file, None]);
        assert_eq!(recorded(None), recorded(Some(&nobody)));
        assert_eq!(recorded(Some(&nobody.with_application("orders"))), [None, some("orders"), None]);

        let told = Origin::new("host-1", "orders");
        assert_eq!(told.version(), library_version().as_str(), "where a format must have one");
        assert_eq!(recorded(Some(&told)), [some("host-1"), some("orders"), None]);
        let told = told.with_version("7.1");
        assert_eq!(recorded(Some(&told)), [some("host-1"), some("orders"), some("7.1")]);
    }
}

//! An ear for what this thread logs, by `tracing` or by `log`, at level TRACE.

use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// Hears what this thread logs, until it is asked what that was. Tasks that run on other threads are not heard.
pub struct Listening {
    _until_dropped: DefaultGuard,
}

impl Listening {
    /// Begins to hear.
    #[must_use]
    pub fn begin() -> Self {
        // Whoever is first hears for all; a process may have one only, and it costs nothing where nobody listens.
        let _ = log::set_logger(&Ear);
        log::set_max_level(log::LevelFilter::Trace);
        HEARD.set(Some(String::new()));
        Self { _until_dropped: tracing::subscriber::set_default(Ear) }
    }

    /// The same, but for what is logged under targets that begin like this.
    #[must_use]
    pub fn but_for(self, target: &'static str) -> Self {
        IGNORED.set(Some(target));
        self
    }

    /// What was said, line by line.
    #[must_use]
    pub fn end(self) -> String {
        IGNORED.set(None);
        HEARD.take().unwrap_or_default()
    }
}

impl Debug for Listening {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Listening")
    }
}

thread_local! {
    /// What this thread has logged, while it wants to know.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
    static IGNORED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Writes down what is said, for a thread that wants to know; to others it costs nothing, or their tests would slow down.
fn hear(say: impl FnOnce(&mut String)) {
    // A thread that ends may still log.
    let _ = HEARD.try_with(|heard| {
        if let Some(heard) = &mut *heard.borrow_mut() {
            say(heard);
            heard.push('\n');
        }
    });
}

/// Hears everything that goes through `tracing`.
struct Ear;

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:#?}");
    }
}

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        hear(|heard| {
            heard.push_str(span.metadata().target());
            span.record(&mut Fields(heard));
        });
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        hear(|heard| values.record(&mut Fields(heard)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        hear(|heard| {
            heard.push_str(event.metadata().target());
            event.record(&mut Fields(heard));
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Hears everything that goes through `log`, as rustls does where a program asks it to.
impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if IGNORED.get().is_some_and(|target| record.target().starts_with(target)) {
            return;
        }
        hear(|heard| {
            let _ = write!(heard, "{} {}", record.target(), record.args());
        });
    }

    fn flush(&self) {}
}

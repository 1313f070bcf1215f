//! What a trail is made of.

use std::fmt;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::accounts::Accounts;
use super::faults::FaultHook;
use super::outlets::Outlets;
use super::queue::Queue;
use super::writer::Writer;
use super::{Shared, Trail};
use crate::clock::Clock;
use crate::deliver::Outlet;
use crate::entry::{PreviousEnd, TrailEvent};
use crate::format::{Format, Origin, Renderer};
use crate::log::{Disk, Log, LogOptions, Modes, OpenError, Storage};
use crate::metrics::Metrics;
use crate::opener::Opener;

/// Describes a trail, and opens it.
///
/// ```
/// use audit::Trail;
/// use auth_core::{AuthEvent, Observer};
///
/// let trail = Trail::builder().on_siem(|event| println!("{event}")).open()?;
/// trail.observe(&AuthEvent::SessionClosed { lasted: None });
/// trail.close();
/// # Ok::<(), audit::OpenError>(())
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until it is opened"]
pub struct TrailBuilder {
    log: Option<LogOptions>,
    outlets: Vec<Outlet>,
    texts: Vec<Text>,
    origin: Option<Origin>,
    queue: usize,
    patience: Duration,
    faults: FaultHook,
}

/// A closure that is given texts; they say the origin, which may be set later.
struct Text {
    name: &'static str,
    format: Format,
    hook: Box<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Text({})", self.name)
    }
}

/// How many events may wait for the disk: a few seconds of a busy gateway, about 1 MB.
const QUEUE: usize = 4_096;

impl TrailBuilder {
    pub(super) fn new() -> Self {
        Self {
            log: None,
            outlets: Vec::new(),
            texts: Vec::new(),
            origin: None,
            queue: QUEUE,
            patience: Duration::from_secs(5),
            faults: FaultHook::default(),
        }
    }

    /// The log that is written; by default none is, and the trail only tells its outlets.
    pub fn log(mut self, options: LogOptions) -> Self {
        self.log = Some(options);
        self
    }

    /// A receiver of each entry, once it is on record. May be called again, with another.
    pub fn outlet(mut self, outlet: Outlet) -> Self {
        self.outlets.push(outlet);
        self
    }

    /// Calls a closure with each entry as JSON, in the form of [`Format::Generic`]. It may block, and it may panic; see
    /// [`Outlet::closure`].
    pub fn on_audit(self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.text("on_audit", Format::Generic, Box::new(hook))
    }

    /// Calls a closure with each entry as JSON, in the form of [`Format::Siem`]; else as [`on_audit`](Self::on_audit).
    pub fn on_siem(self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.text("on_siem", Format::Siem, Box::new(hook))
    }

    /// Who speaks in the texts of [`on_audit`](Self::on_audit) and [`on_siem`](Self::on_siem), `realtime-auth` on `localhost` by
    /// default; and who opens the trail by its `trail_opened` record, which has what was told, and else no host, no version and the name
    /// of the program's file.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// How many events may wait for the disk: 4,096 by default, at least 4 and at most a million. A quarter of them is kept for events whose
    /// class is durable or strict.
    pub const fn queue(mut self, events: usize) -> Self {
        self.queue = if events < 1_000_000 { events } else { 1_000_000 };
        self
    }

    /// How long the outlets together may take to deliver what they have when the trail is closed: 5 s by default. A sink that
    /// does not return then adds a second, and dead letters add up to half a minute, however many outlets do so.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tells whoever runs the program that the log fails: when its disk is full or fails, when its newest segment was removed
    /// or the next can't be begun, when a checkpoint can't be written or no room be kept for the last records, and when events are
    /// dropped for want of room; and for each, when it is over. Also when a segment was moved away and gets no seal. By default only `tracing` is told.
    ///
    /// The text is for people and names no event. It is told on the thread that writes, after those who wait for it: whatever
    /// blocks there holds up the log. It may panic.
    ///
    /// ```
    /// use audit::{LogOptions, Trail};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("audit");
    /// let trail = Trail::builder().log(LogOptions::new(&path)).on_fault(|text| eprintln!("{text}")).open()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_fault(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.faults = FaultHook(Some(Box::new(hook)));
        self
    }

    /// Opens the log, creates it where there is none, and starts the thread that writes.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. Without a log, [`OpenError::Io`] where an outlet's file can't be opened or there can be no thread.
    pub fn open(self) -> Result<Trail, OpenError> {
        let Self { log, mut outlets, texts, origin, queue, patience, faults } = self;
        let opener = Opener::this(origin.as_ref());
        let origin = origin.unwrap_or_default();
        for Text { name, format, hook } in texts {
            let renderer = Renderer::new(format, origin.clone());
            outlets.push(Outlet::text(name, move |entry| renderer.render(entry), hook));
        }
        let clock = Clock::start();
        let opened = log.is_none().then(|| opener.clone().opened(PreviousEnd::Unknown, 0));
        let open = |mut options: LogOptions| {
            options.opener = Some(opener);
            Log::open(Disk::new(options.directory.clone()), options, clock.now())
        };
        // The log first: where it is refused, nothing has begun.
        let mut log = log.map(open).transpose()?;
        let running = outlets.into_iter().map(Outlet::start).collect::<Result<Vec<_>, _>>();
        if running.is_err()
            && let Some(log) = &mut log
        {
            log.close_with(Accounts::new(Queue::new(0)).closed());
            log.finish(clock.now());
        }
        start(log, opened, Outlets { running: running?, patience }, queue, clock, faults)
    }

    fn text(mut self, name: &'static str, format: Format, hook: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        self.texts.push(Text { name, format, hook });
        self
    }
}

/// Starts the thread of a trail. `opened` is what a trail without a log tells first; a log has recorded that itself.
#[expect(clippy::disallowed_methods, reason = "the trail's driver is a thread of its own")]
pub(super) fn start<S: Storage<File: Send> + 'static>(
    log: Option<Log<S>>,
    opened: Option<TrailEvent>,
    outlets: Outlets,
    queue: usize,
    clock: Clock,
    faults: FaultHook,
) -> Result<Trail, OpenError> {
    let modes = log.as_ref().map_or(Modes::client(), Log::modes);
    let accounts = Arc::new(Accounts::new(Queue::new(queue)));
    let hooks: Vec<_> = outlets.running.iter().map(|outlet| Arc::clone(outlet.hook())).collect();
    let metrics = Arc::new(Metrics::new());
    hooks.iter().for_each(|hook| metrics.hook(Arc::clone(hook)));
    metrics.trail(Arc::clone(&accounts));
    let (for_writer, counted) = (Arc::clone(&accounts), Arc::clone(&metrics));
    let (logging, logged) = channel();
    let writer = Writer {
        accounts: for_writer,
        log,
        opened,
        sequence: 0,
        outlets,
        logged: Some(logging),
        metrics: counted,
        faults,
        clock,
    };
    let thread = std::thread::Builder::new().name("audit-trail".to_owned()).spawn(move || writer.run())?;
    let (writer, logged) = (Mutex::new(Some(thread)), Mutex::new(logged));
    Ok(Trail { shared: Arc::new(Shared { accounts, modes, hooks, metrics, writer, logged }), session: None })
}

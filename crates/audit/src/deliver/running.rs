//! An outlet that runs: the thread that drives its machine, and the trail's end of it.

use std::cell::Cell;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use auth_core::backoff::Jitter;
use auth_core::observe::Label;
use auth_core::time::{Deadline, Now};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::dead_letters::DeadLetters;
use super::machine::{Action, HookCounts, Machine, Reason};
use super::outlet::Outlet;
use super::sink::{Sink, SinkError};
use crate::Entry;
use crate::clock::Clock;

/// How much longer than its bound closing waits for a sink to return.
const GRACE: Duration = Duration::from_secs(1);

/// How much longer it waits for threads that have left their sinks, and write dead letters: the disk may be slow.
const DISK: Duration = Duration::from_secs(30);

/// An outlet as its counts show it: for metrics, and for whoever watches.
#[derive(Debug)]
pub struct Hook {
    name: Label,
    machine: Mutex<Machine>,
    wake: Notify,
    clock: Clock,
}

impl Hook {
    /// The outlet's name.
    #[must_use]
    pub const fn name(&self) -> &Label {
        &self.name
    }

    /// What became of its entries so far, in one consistent reading.
    #[must_use]
    pub fn counts(&self) -> HookCounts {
        self.machine().counts()
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        self.clock.now()
    }
}

/// An outlet that runs: a trail's end of it, or that of whoever has entries from elsewhere. Dropping it closes without waiting.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use audit::deliver::Outlet;
/// use audit::{Entry, Event};
/// use auth_core::AuthEvent;
/// use auth_core::time::Timestamp;
///
/// let running = Outlet::closure("printed", |entry| println!("{}", entry.event.name())).start()?;
/// let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
/// running.offer(&Arc::new(Entry::new(1, Timestamp::from_millis(0), None, event)));
/// let counts = running.close(Duration::from_secs(5));
/// assert_eq!((counts.accepted, counts.delivered), (1, 1));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Running {
    hook: Arc<Hook>,
    thread: Mutex<Option<(JoinHandle<()>, Receiver<()>)>>,
}

impl Outlet {
    /// Starts the thread. A trail does so when it is opened.
    ///
    /// # Errors
    ///
    /// When the file of dead letters can't be opened, or the system has no thread for it.
    pub fn start(self) -> io::Result<Running> {
        let Self { name, sink, limits, deadline, dead_letter, dead_letter_bytes } = self;
        let letters = dead_letter.map(|path| {
            DeadLetters::open(&path, name.clone(), dead_letter_bytes).map_err(|error| {
                let text =
                    format!("the dead letters of {name}, {}, can't be opened: {error}", path.display());
                io::Error::new(error.kind(), text)
            })
        });
        let letters = letters.transpose()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let seed = RandomState::new().build_hasher().finish();
        let hook = Arc::new(Hook {
            machine: Mutex::new(Machine::new(limits, Jitter::seeded(seed))),
            wake: Notify::new(),
            clock: Clock::start(),
            name,
        });
        let deadline = sink.deadline(deadline);
        let driver = Driver { hook: Arc::clone(&hook), sink, letters, deadline };
        let (ending, ended) = channel();
        let thread = spawn(driver, runtime, ending)?;
        Ok(Running { hook, thread: Mutex::new(Some((thread, ended))) })
    }
}

thread_local! {
    /// Whether this is the thread of an outlet.
    static OUTLET: Cell<bool> = const { Cell::new(false) };
}

/// Whether a hook is calling: it must not be waited for.
pub(crate) fn is_outlet() -> bool {
    OUTLET.get()
}

#[expect(clippy::disallowed_methods, reason = "the outlet's driver is a thread of its own")]
fn spawn(mut driver: Driver, runtime: Runtime, ending: Sender<()>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("audit-{}", driver.hook.name)).spawn(move || {
        OUTLET.set(true);
        runtime.block_on(driver.run());
        // What a sink has left running there may not hold up the end.
        runtime.shutdown_background();
        drop(ending);
    })
}

impl Running {
    /// Takes an entry: a lock that nobody holds for longer than it takes to move a batch of pointers, and no allocation. What the
    /// sink does plays no part.
    pub fn offer(&self, entry: &Arc<Entry>) {
        let (wake, gone) = self.hook.machine().offer(entry);
        if wake {
            self.hook.wake.notify_one();
        }
        drop(gone);
    }

    /// Its counts, for whoever outlives it.
    #[must_use]
    pub const fn hook(&self) -> &Arc<Hook> {
        &self.hook
    }

    /// Delivers what it can within the bound and ends. What is left then are dead letters; if the sink does not come back at all,
    /// its thread is abandoned, and what it had is dropped. Later entries are dropped. Blocks.
    pub fn close(&self, bound: Duration) -> HookCounts {
        close_all(std::slice::from_ref(self), bound);
        self.hook.counts()
    }

    /// Waits for the thread's end, until the one deadline, or, while it writes dead letters, until the other.
    fn join(&self, clock: Clock, returns: Deadline, letters: Deadline) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((thread, ended)) = thread {
            let mut end = ended.recv_timeout(returns.remaining(clock.now()));
            loop {
                let machine = self.hook.machine();
                let writes = !machine.is_calling() && machine.counts().queued > 0;
                drop(machine);
                let left = letters.remaining(clock.now());
                if end != Err(RecvTimeoutError::Timeout) || !writes || left.is_zero() {
                    break;
                }
                end = ended.recv_timeout(left.min(GRACE));
            }
            match end {
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!(hook = %self.hook.name, "the hook does not return; it is abandoned");
                }
                Ok(()) | Err(RecvTimeoutError::Disconnected) => drop(thread.join()),
            }
            let done = self.hook.machine().abandon();
            drop(done);
        }
    }

    fn begin_closing(&self, bound: Duration) {
        let until = self.hook.now().timer(bound);
        self.hook.machine().close(until);
        self.hook.wake.notify_one();
    }
}

/// Closes several outlets, which have the bound together: all of them begin to close before one is waited for. A sink that does
/// not return costs a second more, and dead letters up to half a minute, however many outlets do so.
pub(crate) fn close_all(outlets: &[Running], bound: Duration) {
    outlets.iter().for_each(|outlet| outlet.begin_closing(bound));
    let clock = Clock::start();
    let bound = bound.saturating_add(GRACE);
    let (returns, letters) = (clock.now().timer(bound), clock.now().timer(bound.saturating_add(DISK)));
    outlets.iter().for_each(|outlet| outlet.join(clock, returns, letters));
}

impl Drop for Running {
    fn drop(&mut self) {
        self.begin_closing(Duration::ZERO);
    }
}

struct Driver {
    hook: Arc<Hook>,
    sink: Box<dyn Sink>,
    letters: Option<DeadLetters>,
    deadline: Option<Duration>,
}

impl Driver {
    async fn run(&mut self) {
        loop {
            let now = self.hook.now();
            let action = self.hook.machine().poll(now);
            match action {
                Action::Deliver(batch) => self.deliver(batch).await,
                Action::Bury(entries, reason) => self.bury(&entries, reason),
                Action::Wait(until) => self.until(until, self.hook.wake.notified()).await.unwrap_or_default(),
                Action::Finish => break,
            }
        }
        let goodbye = caught(self.sink.close());
        // It is over, whatever it says.
        let _ = tokio::time::timeout(GRACE / 2, goodbye).await;
    }

    async fn deliver(&self, batch: Vec<Arc<Entry>>) {
        let result = self.call(&batch).await;
        let now = self.hook.now();
        let (done, before, after) = {
            let mut machine = self.hook.machine();
            let before = machine.failures();
            (machine.settle(now, result, batch), before, machine.failures())
        };
        drop(done);
        match result {
            Err(error) if before == 0 => tracing::warn!(hook = %self.hook.name, %error, "a hook fails"),
            _ if before > 0 && after == 0 => tracing::info!(hook = %self.hook.name, "a hook works again"),
            _ => {}
        }
    }

    /// One call, until its deadline or until closing has taken as long as it may.
    async fn call(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        let limit = self.deadline.map(|deadline| self.hook.now().timer(deadline));
        let mut call = pin!(caught(async { self.sink.deliver(batch).await }));
        loop {
            let closing = self.hook.machine().closing();
            let until = match (limit, closing) {
                (Some(limit), Some(closing)) => Some(limit.earlier(closing, self.hook.now())),
                (limit, closing) => limit.or(closing),
            };
            let mut woken = pin!(self.hook.wake.notified());
            let either = std::future::poll_fn(|context| match call.as_mut().poll(context) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                // It is being closed: there may be less time now.
                Poll::Pending => woken.as_mut().poll(context).map(|()| None),
            });
            match self.until(until, either).await {
                Some(Some(Some(result))) => return result,
                Some(Some(None)) => return Err(self.interrupted(SinkError::panicked())),
                Some(None) => {}
                None => return Err(self.interrupted(SinkError::retry())),
            }
        }
    }

    fn interrupted(&self, error: SinkError) -> SinkError {
        let taken = catch_unwind(AssertUnwindSafe(|| self.sink.interrupted_after()));
        error.after_first(taken.unwrap_or_default())
    }

    /// What comes, unless the time passes first.
    async fn until<T>(&self, until: Option<Deadline>, future: impl Future<Output = T>) -> Option<T> {
        match until {
            None => Some(future.await),
            Some(until) => tokio::time::timeout(until.remaining(self.hook.now()), future).await.ok(),
        }
    }

    fn bury(&mut self, entries: &[Arc<Entry>], reason: Reason) {
        let at = self.hook.now().wall;
        let written = self.letters.as_mut().map_or(0, |letters| letters.write(entries, reason, at));
        self.hook.machine().buried(written);
        let lost = entries.len() - written;
        tracing::warn!(hook = %self.hook.name, ?reason, written, lost, "entries are dead letters of a hook");
    }
}

/// What comes of a future; `None` where it panics, while it is polled or dropped.
fn caught<T>(future: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    let mut future = Some(Box::pin(future));
    std::future::poll_fn(move |context| {
        let Some(pinned) = &mut future else { return Poll::Ready(None) };
        let polled = catch_unwind(AssertUnwindSafe(|| pinned.as_mut().poll(context)));
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Some(value),
            Err(_) => None,
        };
        let done = future.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(done)));
        Poll::Ready(outcome.filter(|_| dropped.is_ok()))
    })
}

#[cfg(test)]
mod tests;

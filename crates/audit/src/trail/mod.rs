//! The trail: what is observed goes through one queue to one thread, which writes the log and then tells the outlets.

mod accounts;
mod builder;
mod faults;
mod outlets;
mod queue;
mod ticket;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use auth_core::AuthEvent;
use auth_core::observe::{EventClass, Label, Observer, Recorder, Unrecorded};
use auth_core::time::Timestamp;

pub(crate) use self::accounts::Accounts;
pub use self::builder::TrailBuilder;
use self::queue::{Offered, Order, Queue};
pub(crate) use self::ticket::Pledge;
use self::ticket::{Ticket, block_on};
use crate::deliver::{Hook, is_outlet};
use crate::entry::{Event, SegmentReason};
use crate::log::{Item, Mode, Modes};
use crate::metrics::Metrics;

/// A trail that is being written. Clones write to the same one.
///
/// [`observe`](Observer::observe) never waits and does no I/O: it stamps the event and queues it. [`record`](Recorder::record)
/// waits as long as the [`Mode`] of the event's class says. One thread takes whatever is queued, writes it at once and
/// syncs once, tells those who wait, and then gives each entry to the outlets: so a slow disk slows those who wait for it,
/// and a slow receiver slows nobody.
///
/// Dropping the last clone closes the trail and waits for the disk, but for no outlet: they deliver what they have while the program
/// goes on, and whatever the end of the program cuts off is lost. [`close`](Self::close) waits for them too. A program that ends
/// without either leaves a log that looks broken off, as after a crash.
/// A hook that holds a clone keeps its own trail from ever being dropped: then only `close` closes it.
#[derive(Clone)]
pub struct Trail {
    shared: Arc<Shared>,
    session: Option<Label>,
}

struct Shared {
    accounts: Arc<Accounts>,
    modes: Modes,
    hooks: Vec<Arc<Hook>>,
    metrics: Arc<Metrics>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Ends when the log is complete; the outlets may still deliver then.
    logged: Mutex<Receiver<()>>,
}

/// What became of the events of a trail: `observed = written + dropped + failed + queued`, at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Events that were observed or recorded since the trail was opened.
    pub observed: u64,
    /// Events that are on the disk; in a trail without a log, those that were offered to the outlets.
    pub written: u64,
    /// Events for which there was no room, in the queue or on the disk, or that came after the close.
    pub dropped: u64,
    /// Events lost to a failing disk, or to a writer that has panicked.
    pub failed: u64,
    /// Events that wait for the disk; none after the close.
    pub queued: u64,
}

impl Trail {
    /// Begins to describe a trail.
    pub fn builder() -> TrailBuilder {
        TrailBuilder::new()
    }

    /// The same trail for one session or service: what it observes carries `name`, at most 128 characters.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { shared: Arc::clone(&self.shared), session: Some(Label::new(name)) }
    }

    /// Records `event` as [`record`](Recorder::record) does, and blocks this thread for it.
    ///
    /// # Errors
    ///
    /// [`Unrecorded`] where the event's class is strict, and it could not be recorded.
    pub fn record_blocking(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        block_on(self.record(event))
    }

    /// Waits until all that was observed so far is on the disk, or counted as lost.
    ///
    /// # Errors
    ///
    /// [`Unrecorded`] where the disk is full or fails just now, the newest segment was removed, or the trail is closed.
    pub async fn flush(&self) -> Result<(), Unrecorded> {
        self.order(Order::Flush).await
    }

    /// [`flush`](Self::flush) that blocks this thread.
    ///
    /// # Errors
    ///
    /// As those of [`flush`](Self::flush).
    pub fn flush_blocking(&self) -> Result<(), Unrecorded> {
        block_on(self.flush())
    }

    /// Begins a new segment after all that was observed so far, and seals the one before.
    ///
    /// # Errors
    ///
    /// [`Unrecorded`] where that can't be done; the old segment is used on.
    pub async fn rotate(&self) -> Result<(), Unrecorded> {
        self.order(Order::Segment(SegmentReason::Rotated)).await
    }

    /// Begins a new segment because files of the log, or all of its directory, were moved away: what a service does on
    /// SIGHUP after logrotate. A directory that is gone is made anew. Until then the open file goes on where it is, and it is
    /// never sealed: what it was given after the move is covered by the checkpoints in the new directory alone.
    ///
    /// # Errors
    ///
    /// [`Unrecorded`] where that can't be done; the old segment is used on, wherever it is now.
    pub async fn reopen(&self) -> Result<(), Unrecorded> {
        self.order(Order::Segment(SegmentReason::Reopened)).await
    }

    /// What became of the events so far.
    #[must_use]
    pub fn counts(&self) -> Summary {
        self.shared.accounts.summary()
    }

    /// The outlets, in the order in which they were given, then `on_audit` and `on_siem`: with what became of their entries.
    #[must_use]
    pub fn hooks(&self) -> &[Arc<Hook>] {
        &self.shared.hooks
    }

    /// How safely events of a class are recorded: as the log was told, and best effort where there is no log.
    #[must_use]
    pub fn mode(&self, class: EventClass) -> Mode {
        self.shared.modes.of(class)
    }

    /// What is counted of the events, of the log and of the outlets, for those who draw graphs.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Writes out what is queued, records the end in a last `trail_closed`, signs the last checkpoint, gives the outlets a while to deliver, and says what became of
    /// the events. Blocks this thread for it. Later events count as dropped; a further call says the same.
    pub fn close(&self) -> Summary {
        self.shared.close()
    }

    async fn record_when_safe(&self, mut item: Item) -> Result<(), Unrecorded> {
        let mode = item.mode;
        if mode == Mode::BestEffort {
            self.shared.accounts.queue.offer(item);
            return Ok(());
        }
        let (pledge, ticket) = Ticket::new();
        item.ticket = Some(pledge);
        let queue = &self.shared.accounts.queue;
        let offered = queue.offer_or_wait(item);
        let outcome = match offered {
            Offered::Closed => Err("it is closed, because the program is about to end".into()),
            Offered::Queued => ticket.outcome().await,
            Offered::Waits(number) => {
                let _waiting = Waiting { queue, number };
                ticket.outcome().await
            }
        };
        if mode == Mode::Strict { outcome.map_err(Unrecorded::new) } else { Ok(()) }
    }

    async fn order(&self, order: Order) -> Result<(), Unrecorded> {
        let (pledge, ticket) = Ticket::new();
        self.shared.accounts.queue.order(order, pledge);
        ticket.outcome().await.map_err(Unrecorded::new)
    }

    /// An event of now, which is counted.
    fn item(&self, event: &AuthEvent) -> Item {
        self.shared.metrics.observe(event);
        self.item_of(event, crate::clock::wall())
    }

    fn item_of(&self, event: &AuthEvent, at: Timestamp) -> Item {
        let mode = self.shared.modes.of(event.class());
        Item::new(at, self.session.clone(), Event::Auth(event.clone()), mode)
    }
}

impl Observer for Trail {
    fn observe(&self, event: &AuthEvent) {
        self.shared.accounts.queue.offer(self.item(event));
    }
}

#[async_trait]
impl Recorder for Trail {
    /// Best effort: queued, or counted as dropped, and `Ok` at once. Durable: `Ok` once it is on the disk, and also where it
    /// can't be, which is counted and recorded as a gap. Strict: `Ok` only once it is on the disk.
    ///
    /// Where the queue is full, whoever records a durable or strict event waits for room. Dropping the future withdraws
    /// nothing that is queued.
    async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        self.record_when_safe(self.item(event)).await
    }

    /// The same, with this time in the record, which may lie before that of the record ahead of it. The metrics have counted the
    /// event when it was recorded for the first time.
    async fn record_at(&self, event: &AuthEvent, at: Timestamp) -> Result<(), Unrecorded> {
        self.record_when_safe(self.item_of(event, at)).await
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Trail").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Shared {
    /// Waits until the log is complete. A waker that closes the trail does so on the writer's own thread, which can't wait for itself.
    fn finish_log(&self) {
        self.accounts.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let is_writer =
            writer.as_ref().is_some_and(|writer| writer.thread().id() == std::thread::current().id());
        drop(writer);
        if !is_writer {
            // Nothing is ever sent: the other end goes away.
            let _ = self.logged.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
    }

    fn close(&self) -> Summary {
        self.finish_log();
        // A hook that closes the trail can't wait for itself.
        if is_outlet() {
            return self.accounts.summary();
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A waker that drops the last clone does so on the writer's own thread, which can't wait for itself.
        if let Some(writer) = writer.take_if(|writer| writer.thread().id() != std::thread::current().id())
            && writer.join().is_err()
        {
            tracing::error!("the writer of the audit trail has panicked");
        }
        self.accounts.summary()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.finish_log();
    }
}

/// Somebody whose event may wait for room in the queue, and who may go away.
struct Waiting<'a> {
    queue: &'a Queue,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.give_up(self.number);
    }
}

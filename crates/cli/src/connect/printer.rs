//! What writes: a thread of its own, so that a reader who is slow, or a terminal that is stopped, holds up no session.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// Writes lines to standard output, and to standard error beside them, in the order in which they come.
pub(super) struct Printer {
    items: mpsc::UnboundedSender<Item>,
    /// Bytes that messages may still take while they wait.
    room: Arc<Semaphore>,
    /// How many items were written.
    count: Arc<AtomicUsize>,
    written: oneshot::Receiver<io::Result<()>>,
    /// How it ended, before it was told to.
    ended: Option<io::Result<()>>,
}

/// What a message takes while it waits.
type Room = OwnedSemaphorePermit;

enum Item {
    /// A line of standard output.
    Line(String, Option<Room>),
    /// A line of standard error.
    Note(String),
    /// What the line at the bottom says from now on.
    Status(String),
    /// What somebody has typed, and ended with the enter key.
    Typed(String),
}

/// Bytes of messages that wait to be written before no more are taken from the session.
const WAITING: u32 = 16 * 1024 * 1024;

/// What a message takes beside its bytes.
const OF_ITSELF: u32 = 64;

/// What there is of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bottom {
    /// Nothing is redrawn.
    None,
    /// A line that tells how the session is.
    Status,
    /// The same, and below it a line to type on.
    Prompt,
}

impl Printer {
    #[expect(
        clippy::disallowed_methods,
        reason = "a write to a pipe that nobody reads can't be waited for otherwise"
    )]
    pub(super) fn start(bottom: Bottom) -> Self {
        let (items, received) = mpsc::unbounded_channel();
        let (done, written) = oneshot::channel();
        let count = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            // Whoever no longer waits for it does not want to know.
            let _ = done.send(run(received, &counted, bottom));
        });
        Self { items, room: Arc::new(Semaphore::new(WAITING as usize)), count, written, ended: None }
    }

    /// Waits until one more message may be printed.
    pub(super) fn room(&self) -> impl Future<Output = ()> + use<> {
        let room = Arc::clone(&self.room);
        async move { drop(room.acquire_owned().await) }
    }

    /// Prints a message, whether or not there is room for all of it.
    pub(super) fn message(&self, line: String) {
        let left = u32::try_from(self.room.available_permits()).unwrap_or(u32::MAX);
        // An empty one takes something too.
        let takes = u32::try_from(line.len()).unwrap_or(u32::MAX).saturating_add(OF_ITSELF).min(left);
        let room = Arc::clone(&self.room).try_acquire_many_owned(takes).ok();
        self.put(Item::Line(line, room));
    }

    /// Prints a line that waits for nobody.
    pub(super) fn line(&self, line: String) {
        self.put(Item::Line(line, None));
    }

    pub(super) fn note(&self, note: String) {
        self.put(Item::Note(note));
    }

    pub(super) fn status(&self, status: String) {
        self.put(Item::Status(status));
    }

    pub(super) fn typed(&self, line: String) {
        self.put(Item::Typed(line));
    }

    /// A printer that has stopped says why at its end.
    fn put(&self, item: Item) {
        let _ = self.items.send(item);
    }

    /// Waits for the end of a printer that can't go on, because standard output can't be written.
    pub(super) async fn broken(&mut self) {
        if self.ended.is_none() {
            self.ended = Some((&mut self.written).await.unwrap_or(Ok(())));
        }
    }

    /// Waits until everything is written, or until nobody has read any of it for so long.
    ///
    /// # Errors
    ///
    /// Why it could not be written, or [`TimedOut`](io::ErrorKind::TimedOut) when nobody read it.
    pub(super) async fn finish(self, patience: Option<Duration>) -> io::Result<()> {
        let Self { items, room: _, count, mut written, ended } = self;
        drop(items);
        if let Some(ended) = ended {
            return ended;
        }
        let Some(patience) = patience else { return written.await.unwrap_or(Ok(())) };
        loop {
            let before = count.load(Ordering::Relaxed);
            match timeout(patience, &mut written).await {
                Ok(written) => return written.unwrap_or(Ok(())),
                Err(_) if count.load(Ordering::Relaxed) == before => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(_) => {}
            }
        }
    }
}

fn run(mut items: mpsc::UnboundedReceiver<Item>, count: &AtomicUsize, bottom: Bottom) -> io::Result<()> {
    let mut screen =
        Screen { out: BufWriter::new(io::stdout()), bottom, drawn: false, status: String::new() };
    let mut written = Ok(());
    while written.is_ok()
        && let Some(item) = items.blocking_recv()
    {
        written = screen.show_with(item, &mut items, count);
    }
    screen.wipe();
    written
}

struct Screen {
    out: BufWriter<Stdout>,
    bottom: Bottom,
    drawn: bool,
    status: String,
}

impl Screen {
    /// Shows what waits together, and then the bottom.
    fn show_with(
        &mut self,
        first: Item,
        items: &mut mpsc::UnboundedReceiver<Item>,
        count: &AtomicUsize,
    ) -> io::Result<()> {
        let mut next = Some(first);
        while let Some(item) = next {
            self.show(item)?;
            count.fetch_add(1, Ordering::Relaxed);
            next = items.try_recv().ok();
        }
        self.out.flush()?;
        self.draw();
        Ok(())
    }

    fn show(&mut self, item: Item) -> io::Result<()> {
        match item {
            Item::Line(line, _room) => {
                self.wipe();
                self.out.write_all(line.as_bytes())?;
                self.out.write_all(b"\n")?;
            }
            Item::Note(note) => {
                self.wipe();
                self.out.flush()?;
                tell(&format!("{note}\n"));
            }
            Item::Status(status) => {
                let status = unwrapped(&status);
                match self.bottom {
                    Bottom::None => {}
                    Bottom::Status if self.drawn => tell(&format!("\r{status}\x1b[K")),
                    // What is being typed stays as it is, and so does the cursor in it.
                    Bottom::Prompt if self.drawn => tell(&format!("\x1b7\x1b[1A\r{status}\x1b[K\x1b8")),
                    Bottom::Status | Bottom::Prompt => {}
                }
                self.status = status;
            }
            Item::Typed(line) if self.bottom == Bottom::Prompt => {
                // The terminal has shown it, and has gone to the next line.
                if std::mem::take(&mut self.drawn) {
                    tell("\x1b[2A\r\x1b[J");
                }
                self.out.flush()?;
                tell(&format!("{PROMPT}{line}\n"));
            }
            Item::Typed(_) => {}
        }
        Ok(())
    }

    fn draw(&mut self) {
        if self.bottom == Bottom::None || self.drawn || self.status.is_empty() {
            return;
        }
        let prompt = if self.bottom == Bottom::Prompt { format!("\n{PROMPT}") } else { String::new() };
        tell(&format!("{}{prompt}", self.status));
        self.drawn = true;
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            tell(if self.bottom == Bottom::Prompt { "\r\x1b[K\x1b[1A\r\x1b[K" } else { "\r\x1b[K" });
        }
    }
}

const PROMPT: &str = "› ";

/// A line that is cut off where a narrow terminal would wrap it: a second row could not be redrawn.
fn unwrapped(status: &str) -> String {
    format!("\x1b[?7l{status}\x1b[?7h")
}

/// Writes to standard error. If nobody reads that, nothing is lost.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

//! What takes its own time, on a thread of its own: a token, a connection. The live connection is read meanwhile.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use auth_core::{Demand, ErrorKind, Token, TokenSource};

use super::dial::{Abandon, Dial, Socket};
use crate::driver::wire::NotOpened;
use crate::machine::{Epoch, Ticket};

/// What a helper came back with.
pub(super) enum Found {
    Token(Ticket, Result<Token, auth_core::Error>),
    Opened(Epoch, Result<Box<Socket>, NotOpened>),
}

/// A source that asks a closure, which may block.
pub(super) struct Asking<F>(Mutex<F>);

/// Asks a source on a thread: one question at a time, however long it takes. One that is asked meanwhile waits, in the place
/// of any other that does: a source that hangs costs one thread, not one for each question.
pub(super) struct Asker {
    source: Arc<dyn TokenSource>,
    found: Sender<Found>,
    asked: Arc<Mutex<Asked>>,
}

#[derive(Default)]
struct Asked {
    /// The thread, while there is a question.
    thread: Option<Thread>,
    waiting: Option<Question>,
}

struct Question {
    ticket: Ticket,
    demand: Demand,
    given_up: Arc<AtomicBool>,
}

/// A question to a source. Dropping it gives it up.
pub(super) struct Fetching {
    pub(super) ticket: Ticket,
    given_up: Arc<AtomicBool>,
    asked: Arc<Mutex<Asked>>,
}

/// An attempt to open a connection. Dropping it gives it up.
pub(super) struct Opening {
    pub(super) epoch: Epoch,
    abandon: Abandon,
}

impl Asker {
    pub(super) fn new(source: Arc<dyn TokenSource>, found: Sender<Found>) -> Self {
        Self { source, found, asked: Arc::default() }
    }

    pub(super) fn ask(&self, ticket: Ticket, demand: Demand) -> io::Result<Fetching> {
        let given_up = Arc::new(AtomicBool::new(false));
        let mut asked = lock(&self.asked);
        if asked.thread.is_none() {
            let (source, found) = (Arc::clone(&self.source), self.found.clone());
            let questions = Arc::clone(&self.asked);
            // It begins with a look at what waits, once this has let go of the lock.
            asked.thread = Some(start("session-token", move || answer(&questions, &*source, &found))?);
        }
        asked.waiting = Some(Question { ticket, demand, given_up: Arc::clone(&given_up) });
        Ok(Fetching { ticket, given_up, asked: Arc::clone(&self.asked) })
    }
}

/// Asks until no question waits.
fn answer(questions: &Mutex<Asked>, source: &dyn TokenSource, found: &Sender<Found>) {
    while let Some(Question { ticket, demand, given_up }) = next_question(questions) {
        if given_up.load(Ordering::Acquire) {
            continue;
        }
        let asked = catch_unwind(AssertUnwindSafe(|| wait_for(source.token(demand), &given_up)));
        let text = "the token source panicked; fix what its panic message says";
        let panicked = |_| Some(Err(auth_core::Error::new(ErrorKind::Transport, text)));
        if let Some(result) = asked.unwrap_or_else(panicked) {
            // A session that is gone wants no token.
            let _ = found.send(Found::Token(ticket, result));
        }
    }
}

/// The question that waits; without one, the thread is no more.
fn next_question(questions: &Mutex<Asked>) -> Option<Question> {
    let mut asked = lock(questions);
    let next = asked.waiting.take();
    if next.is_none() {
        asked.thread = None;
    }
    next
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Release);
        if let Some(thread) = &lock(&self.asked).thread {
            thread.unpark();
        }
    }
}

impl Opening {
    pub(super) fn start(epoch: Epoch, dial: Dial, found: Sender<Found>) -> io::Result<Self> {
        let abandon = Abandon::default();
        let watched = abandon.clone();
        start("session-open", move || {
            let opened = catch_unwind(AssertUnwindSafe(|| dial.run(&watched)));
            // A session that is gone wants no connection.
            let _ = found.send(Found::Opened(epoch, opened.unwrap_or_else(|_| Err(NotOpened::transport()))));
        })?;
        Ok(Self { epoch, abandon })
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.abandon.abandon();
    }
}

impl<F> Asking<F> {
    pub(super) const fn new(ask: F) -> Self {
        Self(Mutex::new(ask))
    }
}

/// By hand what `async_trait` writes, which this crate does not depend on.
impl<F: FnMut(Demand) -> Result<Token, auth_core::Error> + Send> TokenSource for Asking<F> {
    fn token<'source, 'future>(
        &'source self,
        demand: Demand,
    ) -> Pin<Box<dyn Future<Output = Result<Token, auth_core::Error>> + Send + 'future>>
    where
        'source: 'future,
        Self: 'future,
    {
        Box::pin(async move { self.0.lock().unwrap_or_else(PoisonError::into_inner)(demand) })
    }
}

#[expect(clippy::disallowed_methods, reason = "threads belong to drivers, and this is one")]
fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(|handle| handle.thread().clone())
}

/// Polls a future on this thread until it is ready, or nobody wants it any more.
fn wait_for<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>, given_up: &AtomicBool) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    while !given_up.load(Ordering::Acquire) {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return Some(value),
            Poll::Pending => thread::park(),
        }
    }
    None
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

//! The driver: one future that reads, writes, fetches and waits, as the machine decides.
//!
//! Everything is polled together. A `send().await` in a `select!` would stop reading while the peer does not read,
//! and two peers that echo would wait for each other for ever.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use auth_core::time::Deadline;
use auth_core::{ApiMisuse, Demand, Observer, Token, TokenSource};
use futures_core::Stream as _;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{oneshot, watch};
use tokio::time::{Sleep, sleep};
use tungstenite::Message as Frame;
use tungstenite::error::Error as WebSocketError;

use super::clock::Clock;
use super::connect::{NotOpened, Socket, Target};
use super::outbox::{Outbox, Outgoing};
use super::{Message, Status};
use crate::dialect::{Dialect, Failure};
use crate::machine::{self, Epoch, Input, Output, Received, State, Ticket, TokenFacts};

/// What makes a [`Session`](super::Session) work. It ends when the session has ended for good.
#[must_use = "a session does nothing until its driver runs"]
pub struct Driver {
    parts: Parts,
    clock: Clock,
    fetching: Option<Task<(Ticket, Result<Token, auth_core::Error>)>>,
    token: Option<(Ticket, Token)>,
    opening: Option<Task<(Epoch, Opened)>>,
    socket: Option<(Epoch, Box<Socket>)>,
    outbox: Outbox,
    /// A message whose reader is slow: nothing more is read until it is taken.
    stalled: Option<(Message, Room)>,
    /// Whether the user's messages may go out on the connection there is.
    live: bool,
    closing: bool,
    deadline: Option<Deadline>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) machine: machine::Session,
    pub(super) dialect: Dialect,
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) target: Target,
    pub(super) to_send: mpsc::Receiver<Outgoing>,
    pub(super) deliver: mpsc::Sender<Message>,
    pub(super) publish: watch::Sender<Status>,
    pub(super) closing: oneshot::Receiver<()>,
}

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Waits for room in the reader's queue.
type Room = Task<Result<OwnedPermit<Message>, mpsc::error::SendError<()>>>;
type Opened = Result<Box<Socket>, NotOpened>;

/// What happened while the driver waited.
enum Occurrence {
    Close,
    Ended(Epoch, Failure),
    Opened(Epoch, Opened),
    /// The machine took a message, and may have something to say.
    Taken,
    Tick,
    Token(Ticket, Result<Token, auth_core::Error>),
}

/// A timer stands still while the machine sleeps: looked at this often, a wall clock that went on is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How many frames are read before it is the turn of everything else: less than what the runtime lets a task do at a
/// time, or a peer that floods us would keep us from writing.
const FRAMES_AT_A_TIME: usize = 64;

impl Driver {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            clock: Clock::start(),
            fetching: None,
            token: None,
            opening: None,
            socket: None,
            outbox: Outbox::default(),
            stalled: None,
            live: false,
            closing: false,
            deadline: None,
            timer: None,
        }
    }

    /// Runs until the session has ended for good: closed, dropped, or failed.
    pub async fn run(mut self) {
        let mut driven = self.step(Input::Start);
        while driven.is_ok() && !self.parts.machine.state().is_final() {
            let occurrence = poll_fn(|cx| self.poll(cx)).await;
            driven = self.take(occurrence);
        }
        debug_assert!(driven.is_ok(), "the machine's outputs are always drained");
        // Nothing of the session is left but what others still hand in: its reader learns of the end now.
        (self.socket, self.token, self.fetching, self.opening, self.stalled) = (None, None, None, None, None);
        self.parts.deliver = mpsc::channel(1).0;
        self.parts.to_send.close();
        // Until the last sender that was let in has put its message down.
        while let Some(outgoing) = self.parts.to_send.recv().await {
            self.outbox.push(outgoing);
        }
        self.outbox.session_ended();
    }

    fn take(&mut self, occurrence: Occurrence) -> Result<(), ApiMisuse> {
        match occurrence {
            Occurrence::Close => self.step(Input::Close),
            Occurrence::Tick => self.step(Input::Tick),
            Occurrence::Taken => {
                self.act();
                Ok(())
            }
            Occurrence::Ended(epoch, failure) => {
                self.disconnect();
                self.step(Input::Ended { epoch, failure, retry_after: None })
            }
            Occurrence::Opened(epoch, Ok(socket)) => {
                self.socket = Some((epoch, socket));
                self.step(Input::Opened { epoch })
            }
            Occurrence::Opened(epoch, Err(NotOpened { failure, retry_after })) => {
                self.step(Input::Ended { epoch, failure, retry_after })
            }
            Occurrence::Token(ticket, result) => {
                let result = result.map(|token| {
                    let facts = TokenFacts::from(&token);
                    self.token = Some((ticket, token));
                    facts
                });
                self.step(Input::Token { ticket, result })
            }
        }
    }

    fn step(&mut self, input: Input) -> Result<(), ApiMisuse> {
        self.parts.machine.handle(self.clock.now(), input)?;
        self.act();
        Ok(())
    }

    /// Does what the machine asks for, until it waits.
    fn act(&mut self) {
        loop {
            match self.parts.machine.poll(self.clock.now()) {
                Output::FetchToken { ticket, demand } => self.fetching = Some(self.fetch(ticket, demand)),
                Output::Open { epoch } => {
                    let target = self.parts.target.clone();
                    self.opening = Some(Box::pin(async move { (epoch, target.open().await.map(Box::new)) }));
                }
                Output::Present { ticket, .. } => {
                    // The token is dropped here: the next attempt asks for its own.
                    if let Some((_, token)) = self.token.take().filter(|(held, _)| *held == ticket) {
                        let message = self.parts.dialect.login().render(token.secret());
                        self.outbox.push_login(message.expose());
                    }
                }
                Output::Close { .. } => {
                    self.closing = true;
                    self.parts.to_send.close();
                    while let Ok(outgoing) = self.parts.to_send.try_recv() {
                        self.outbox.push(outgoing);
                    }
                    self.outbox.push_close();
                }
                Output::Abort { .. } => self.disconnect(),
                Output::Event(event) => self.parts.observer.observe(&event),
                Output::Wait(deadline) => {
                    if self.deadline != deadline || self.timer.is_none() {
                        self.deadline = deadline;
                        self.timer = deadline.map(|deadline| self.sleep_until(deadline));
                    }
                    break;
                }
            }
        }
        let state = self.parts.machine.state();
        self.live = state == State::Connected || (self.live && self.closing);
        let error = self.parts.machine.error();
        self.parts.publish.send_if_modified(|status| {
            let changed = status.state != state;
            if changed {
                *status = Status { state, error: error.cloned() };
            }
            changed
        });
    }

    fn fetch(&self, ticket: Ticket, demand: Demand) -> Task<(Ticket, Result<Token, auth_core::Error>)> {
        let source = Arc::clone(&self.parts.source);
        Box::pin(async move { (ticket, source.token(demand).await) })
    }

    fn sleep_until(&self, deadline: Deadline) -> Pin<Box<Sleep>> {
        Box::pin(sleep(deadline.remaining(self.clock.now()).min(LONGEST_SLEEP)))
    }

    fn disconnect(&mut self) {
        self.socket = None;
        self.opening = None;
        self.live = false;
        self.outbox.connection_lost();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Occurrence> {
        // The clock decides, the timer only wakes: a peer that always has something to say must not keep it from that.
        if self.deadline.is_some_and(|deadline| deadline.passed(self.clock.now())) {
            return Poll::Ready(Occurrence::Tick);
        }
        // The sender is only ever dropped: by `close`, or together with the session.
        if !self.closing && Pin::new(&mut self.parts.closing).poll(cx).is_ready() {
            self.closing = true;
            return Poll::Ready(Occurrence::Close);
        }
        if let Some(Poll::Ready((ticket, result))) = self.fetching.as_mut().map(|task| task.as_mut().poll(cx))
        {
            self.fetching = None;
            return Poll::Ready(Occurrence::Token(ticket, result));
        }
        if let Some(Poll::Ready((epoch, result))) = self.opening.as_mut().map(|task| task.as_mut().poll(cx)) {
            self.opening = None;
            return Poll::Ready(Occurrence::Opened(epoch, result));
        }
        if let Poll::Ready(occurrence) = self.poll_read(cx) {
            return Poll::Ready(occurrence);
        }
        if let Poll::Ready(occurrence) = self.poll_write(cx) {
            return Poll::Ready(occurrence);
        }
        match self.timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                self.timer = None;
                Poll::Ready(Occurrence::Tick)
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Occurrence> {
        for _ in 0..FRAMES_AT_A_TIME {
            if let Some((_, room)) = &mut self.stalled {
                match room.as_mut().poll(cx) {
                    Poll::Ready(permit) => {
                        if let (Some((message, _)), Ok(permit)) = (self.stalled.take(), permit) {
                            permit.send(message);
                        }
                    }
                    // A slow reader holds up its own messages only: a login on the next connection goes on.
                    Poll::Pending if self.live => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
            let Some((epoch, socket)) = &mut self.socket else { return Poll::Pending };
            let epoch = *epoch;
            let frame = match ready!(Pin::new(&mut **socket).poll_next(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(WebSocketError::Capacity(_))) => {
                    return Poll::Ready(Occurrence::Ended(epoch, Failure::TooLarge));
                }
                Some(Err(_)) | None => return Poll::Ready(Occurrence::Ended(epoch, Failure::Transport)),
            };
            match frame {
                Frame::Text(text) => match self.parts.machine.receive(self.clock.now(), epoch, &text) {
                    Ok(Received::Deliver) => self.deliver(Message::Text(text.as_str().to_owned())),
                    Ok(Received::Consumed) if self.parts.machine.is_waiting() => {}
                    Ok(Received::Consumed) | Err(_) => return Poll::Ready(Occurrence::Taken),
                },
                Frame::Binary(bytes) => {
                    if self.live {
                        self.deliver(Message::Binary(bytes));
                    }
                }
                Frame::Close(frame) => {
                    // The codec has queued its answer; it goes out if the socket takes it at once.
                    let _ = futures_sink::Sink::poll_flush(Pin::new(&mut **socket), cx);
                    let code = frame.map(|frame| u16::from(frame.code));
                    return Poll::Ready(Occurrence::Ended(epoch, Failure::Closed(code)));
                }
                Frame::Ping(_) => self.outbox.needs_flush(),
                Frame::Pong(_) | Frame::Frame(_) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn deliver(&mut self, message: Message) {
        match self.parts.deliver.try_send(message) {
            // A closed channel is a user who has stopped listening.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(message)) => {
                let deliver = self.parts.deliver.clone();
                self.stalled = Some((message, Box::pin(deliver.reserve_owned())));
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Occurrence> {
        loop {
            let mut more = false;
            while self.live && !self.closing {
                if !self.outbox.has_room() {
                    more = true;
                    break;
                }
                match self.parts.to_send.poll_recv(cx) {
                    Poll::Ready(Some(outgoing)) => self.outbox.push(outgoing),
                    Poll::Ready(None) | Poll::Pending => break,
                }
            }
            let Some((epoch, socket)) = &mut self.socket else { return Poll::Pending };
            match ready!(self.outbox.poll_write(cx, socket, self.live)) {
                // What was written made room for what is still in the channel.
                Ok(()) if more => {}
                Ok(()) => return Poll::Pending,
                Err(()) => return Poll::Ready(Occurrence::Ended(*epoch, Failure::Transport)),
            }
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Driver").field("machine", &self.parts.machine).finish_non_exhaustive()
    }
}

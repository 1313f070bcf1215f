//! One WebSocket, from its upgrade to its end: the loop around the pure half in `ws_session::server`.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ApiMisuse;
use auth_core::time::Deadline;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tungstenite::Message as Frame;
use tungstenite::error::Error as WebSocketError;
use ws_session::dialect::{Codec, Incoming};
use ws_session::server::{Output, Received};

use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::registry::{Order, Registration};
use crate::serve::drained;
use crate::socket::{Ended, Socket, fault, write_patience};
use crate::upgrade::{Judged, Opened};
use crate::witness::REVOKED;
use crate::{Admission, Refusal, Sessions};

/// What answers the messages of authenticated connections.
#[async_trait]
pub trait Application: Send + Sync {
    /// Answers a text message; `None` says nothing. Messages of one connection are answered in order, and its expiry is
    /// enforced meanwhile.
    async fn answer(&self, session_id: &str, text: &str) -> Option<String>;
}

/// The application that sends each message back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

#[async_trait]
impl Application for Echo {
    async fn answer(&self, _session_id: &str, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

/// What all connections of a gateway share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) sessions: Sessions,
    pub(crate) patience: Duration,
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) ledger: Arc<Ledger>,
}

/// How records call the end that a client chose.
pub(crate) const CLOSED_BY_CLIENT: &str = "closed by the client";

/// The largest message that is read, in bytes.
const LARGEST_MESSAGE: usize = 64 * 1024;

/// Serves a connection until it ends.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: Arc<Shared>, opened: Opened) {
    let socket = Socket::new(stream, LARGEST_MESSAGE).await;
    shared.sessions.upgraded();
    let mut connection = Connection {
        socket,
        opened,
        deadline: None,
        verifying: None,
        answering: None,
        unanswered: VecDeque::new(),
        registered: None,
        is_revoked: false,
        shared,
    };
    // Whatever ended it, the connection is dropped here; and where nothing has said so yet, it was lost.
    let _ended = connection.run().await;
}

struct Connection<S> {
    socket: Socket<S>,
    opened: Opened,
    /// When the session last said that its time is up.
    deadline: Option<Deadline>,
    verifying: Option<Task<Judged>>,
    /// The application's answer to a message; nothing more is read until it is there.
    answering: Option<Task<Option<String>>>,
    /// Messages for the application that came with one that it is answering.
    unanswered: VecDeque<String>,
    /// The connection's place among the live ones, and what is to become of it.
    registered: Option<(Registration, mpsc::Receiver<Order>)>,
    /// Whether its credential was revoked, and no other accepted since.
    is_revoked: bool,
    shared: Arc<Shared>,
}

pub(crate) type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl From<ApiMisuse> for Ended {
    fn from(misuse: ApiMisuse) -> Self {
        debug_assert!(false, "{misuse}");
        Self::ByUs
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(&mut self) -> Result<(), Ended> {
        let mut draining = self.shared.draining.clone();
        loop {
            self.act().await?;
            let clock = self.shared.clock;
            // The clock decides, the timer below only wakes: a peer that always has something to say must not keep it
            // from that.
            self.opened.session.tick(clock.now())?;
            self.act().await?;
            if self.answering.is_none()
                && let Some(text) = self.unanswered.pop_front()
            {
                self.ask(text);
            }
            let may_read = self.answering.is_none();
            tokio::select! {
                () = drained(&mut draining) => {
                    self.opened.judge.witness.ends("draining", Some(1001));
                    self.close(Some(1001), "the gateway is going away").await?;
                }
                order = ordered(&mut self.registered) => match order {
                    Order::Disconnect => {
                        self.opened.judge.witness.ends("dropped", None);
                        return Err(Ended::ByUs);
                    }
                    Order::Revoke(at) => {
                        self.is_revoked = true;
                        self.opened.session.revoked(clock.now())?;
                        self.opened.judge.witness.revokes(at);
                    }
                },
                (renewal, verdict) = optional(&mut self.verifying) => {
                    self.verifying = None;
                    self.decided(renewal, verdict)?;
                }
                answer = optional(&mut self.answering) => {
                    self.answering = None;
                    if let Some(answer) = answer {
                        self.say(answer, self.opened.codec == Codec::Nats).await?;
                    }
                }
                frame = self.socket.next(), if may_read => match frame? {
                    Ok(frame) => self.received(frame).await?,
                    Err(error) => return self.refuse(&error).await,
                },
                () = until(self.deadline, clock) => {}
            }
        }
    }

    /// Does what the session asks for, until it waits.
    async fn act(&mut self) -> Result<(), Ended> {
        if self.registered.is_none() && self.opened.session.is_live() {
            self.registered = Some(self.shared.sessions.register(&self.opened.session_id));
        }
        loop {
            match self.opened.session.poll() {
                Output::Verify { credential, renewal } => {
                    self.verifying = Some(self.opened.judge.verify(credential, renewal));
                }
                Output::Send { text, binary } => self.say(text, binary).await?,
                Output::Deliver { text } => self.unanswered.push_back(text),
                Output::Close { code, reason } if self.opened.session.is_left() => {
                    self.opened.judge.witness.leaves(CLOSED_BY_CLIENT, code);
                    self.close(code, &reason).await?;
                }
                Output::Close { code, reason } => {
                    let why = match &*reason {
                        _ if self.is_revoked => REVOKED,
                        _ if self.opened.session.is_expired(self.shared.clock.now()) => "expired",
                        reason => reason,
                    };
                    self.opened.judge.witness.ends(why, code);
                    self.close(code, &reason).await?;
                }
                // The upgrade is answered.
                Output::Accept | Output::Refuse { .. } => return Err(Ended::ByUs),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return Ok(());
                }
            }
        }
    }

    fn decided(&mut self, renewal: bool, verdict: Result<Admission, Refusal>) -> Result<(), Ended> {
        let verdict = self.opened.judge.decide(verdict);
        self.is_revoked &= verdict.is_err();
        if let (true, Ok(_), Some((registration, _))) = (renewal, &verdict, &self.registered) {
            registration.renewed();
        }
        Ok(self.opened.session.decided(self.shared.clock.now(), verdict)?)
    }

    /// Has the application answer a message.
    fn ask(&mut self, text: String) {
        let application = Arc::clone(&self.shared.application);
        let session_id = self.opened.session_id.clone();
        self.answering = Some(Box::pin(async move { application.answer(&session_id, &text).await }));
    }

    /// Says what was wrong with a frame, as far as the codec lets us, and ends the connection.
    async fn refuse(&mut self, error: &WebSocketError) -> Result<(), Ended> {
        let (code, reason) = fault(error, "messages of up to 64 KiB are read").ok_or(Ended::ByPeer)?;
        self.opened.judge.witness.ends(reason, Some(code));
        self.close(Some(code), reason).await
    }

    async fn received(&mut self, frame: Frame) -> Result<(), Ended> {
        let now = self.shared.clock.now();
        match frame {
            Frame::Text(text) => {
                if self.opened.session.receive(now, Incoming::Text(&text))? == Received::Deliver {
                    self.ask(text.as_str().to_owned());
                }
                Ok(())
            }
            Frame::Binary(bytes) if self.opened.codec == Codec::Nats => {
                let received = self.opened.session.receive(now, Incoming::Binary(&bytes))?;
                if let (Received::Deliver, Ok(text)) = (received, str::from_utf8(&bytes)) {
                    self.ask(text.to_owned());
                }
                Ok(())
            }
            // No credential is binary elsewhere, and before it nothing else is taken.
            Frame::Binary(_) if self.opened.session.is_live() => Ok(()),
            Frame::Binary(_) => {
                let reason = "authenticate with a text message";
                self.opened.judge.witness.ends(reason, Some(1003));
                self.close(Some(1003), reason).await
            }
            Frame::Ping(_) => self.socket.flush(self.write_patience()).await,
            Frame::Close(close) => {
                let code = close.map(|close| close.code.into());
                self.opened.judge.witness.leaves(CLOSED_BY_CLIENT, code);
                self.socket.flush(self.write_patience()).await?;
                Err(Ended::ByPeer)
            }
            Frame::Pong(_) | Frame::Frame(_) => Ok(()),
        }
    }

    async fn close(&mut self, code: Option<u16>, reason: &str) -> Result<(), Ended> {
        Err(self.socket.close(code, reason, self.write_patience()).await)
    }

    async fn say(&mut self, text: String, binary: bool) -> Result<(), Ended> {
        let frame = if binary { Frame::binary(text) } else { Frame::text(text) };
        self.socket.send(frame, self.write_patience()).await
    }

    fn write_patience(&self) -> Duration {
        write_patience(self.deadline, self.shared.clock.now())
    }
}

/// The result of a future, if there is one.
async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// What is to become of a registered connection.
pub(crate) async fn ordered(registered: &mut Option<(Registration, mpsc::Receiver<Order>)>) -> Order {
    match registered {
        // The registry has the other end for as long as the connection is in it.
        Some((_, orders)) => orders.recv().await.unwrap_or(Order::Disconnect),
        None => pending().await,
    }
}

pub(crate) async fn until(deadline: Option<Deadline>, clock: Clock) {
    match deadline {
        // In steps, so that a wall clock that went on during a suspend is noticed.
        Some(deadline) => sleep(deadline.remaining(clock.now()).min(Duration::from_secs(30))).await,
        None => pending().await,
    }
}

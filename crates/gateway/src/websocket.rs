//! One WebSocket, from its upgrade to its end: the loop around the pure half in `ws_session::server`.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ApiMisuse;
use auth_core::time::Deadline;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message as Frame;
use tungstenite::error::Error as WebSocketError;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use ws_session::dialect::Dialect;
use ws_session::server::{Output, Received, ServerSession};

use crate::authority::random_text;
use crate::clock::Clock;
use crate::registry::Registration;
use crate::serve::drained;
use crate::{Admission, Authenticator, Presented, Sessions};

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
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) sessions: Sessions,
    pub(crate) patience: Duration,
    pub(crate) draining: watch::Receiver<bool>,
}

/// The largest message that is read, in bytes. The codec's own limit is 64 MiB, for strangers too.
const LARGEST_MESSAGE: usize = 64 * 1024;

/// How long a peer may take to accept what we send before it is dropped.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// How long a peer may take to answer a close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Serves a connection until it ends: one that must still present a credential, or one that its upgrade has admitted.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: Arc<Shared>,
    admission: Option<Admission>,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    shared.sessions.upgraded();
    let session_id = random_text();
    let (now, dialect) = (shared.clock.now(), Dialect::genesys());
    let (session, registered) = match &admission {
        None => (ServerSession::new(now, dialect, session_id.clone(), shared.patience), None),
        Some(admission) => {
            let session = ServerSession::admitted(now, dialect, session_id.clone(), admission.expires_in);
            (session, Some(shared.sessions.register(&session_id)))
        }
    };
    let (registration, disconnected) = registered.unzip();
    let mut connection = Connection {
        socket,
        session,
        session_id,
        deadline: None,
        verifying: None,
        answering: None,
        subject: admission.map(|admission| admission.subject),
        registration,
        disconnected,
        shared,
    };
    // Whatever ended it, the connection is dropped here.
    let _ended = connection.run().await;
}

struct Connection<S> {
    socket: WebSocketStream<S>,
    session: ServerSession,
    session_id: String,
    /// When the session last said that its time is up.
    deadline: Option<Deadline>,
    verifying: Option<Task<(bool, Result<Admission, &'static str>)>>,
    /// The application's answer to a message; nothing more is read until it is there.
    answering: Option<Task<Option<String>>>,
    /// Whom the first credential was issued to: a renewal must be theirs too.
    subject: Option<String>,
    registration: Option<Registration>,
    disconnected: Option<oneshot::Receiver<()>>,
    shared: Arc<Shared>,
}

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why a connection ended.
enum Ended {
    ByUs,
    ByPeer,
}

impl From<tungstenite::Error> for Ended {
    fn from(_: tungstenite::Error) -> Self {
        Self::ByPeer
    }
}

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
            self.session.tick(clock.now())?;
            self.act().await?;
            let may_read = self.answering.is_none();
            tokio::select! {
                () = drained(&mut draining) => {
                    self.close(1001, "the gateway is going away").await?;
                }
                Ok(()) = optional(&mut self.disconnected) => return Err(Ended::ByUs),
                (renewal, verdict) = optional(&mut self.verifying) => {
                    self.verifying = None;
                    self.decided(renewal, verdict)?;
                }
                answer = optional(&mut self.answering) => {
                    self.answering = None;
                    if let Some(answer) = answer {
                        self.send(Frame::text(answer)).await?;
                    }
                }
                frame = poll_fn(|cx| Pin::new(&mut self.socket).poll_next(cx)), if may_read => {
                    match frame.ok_or(Ended::ByPeer)? {
                        Ok(frame) => self.received(frame).await?,
                        Err(error) => return self.refuse(&error).await,
                    }
                }
                () = until(self.deadline, clock) => {}
            }
        }
    }

    /// Does what the session asks for, until it waits.
    async fn act(&mut self) -> Result<(), Ended> {
        loop {
            match self.session.poll() {
                Output::Verify { credential, renewal } => {
                    let shared = Arc::clone(&self.shared);
                    self.verifying = Some(Box::pin(async move {
                        let presented = Presented::new(credential, renewal);
                        let now = shared.clock.now();
                        (renewal, shared.authenticator.authenticate(now, &presented).await)
                    }));
                }
                Output::Send(text) => self.send(Frame::text(text)).await?,
                Output::Close { code, reason } => self.close(code, reason).await?,
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return Ok(());
                }
            }
        }
    }

    fn decided(&mut self, renewal: bool, verdict: Result<Admission, &'static str>) -> Result<(), Ended> {
        let verdict = verdict.and_then(|Admission { subject, expires_in }| {
            match &self.subject {
                Some(admitted) if *admitted != subject => return Err("the credential is another subject's"),
                Some(_) => {}
                None => self.subject = Some(subject),
            }
            Ok(expires_in)
        });
        match (&self.registration, verdict) {
            (None, Ok(_)) => {
                let (registration, disconnected) = self.shared.sessions.register(&self.session_id);
                self.registration = Some(registration);
                self.disconnected = Some(disconnected);
            }
            (Some(registration), Ok(_)) if renewal => registration.renewed(),
            (Some(_) | None, _) => {}
        }
        Ok(self.session.decided(self.shared.clock.now(), verdict)?)
    }

    /// Says what was wrong with a frame, as far as the codec lets us, and ends the connection.
    async fn refuse(&mut self, error: &WebSocketError) -> Result<(), Ended> {
        match error {
            WebSocketError::Capacity(_) => self.close(1009, "messages of up to 64 KiB are read").await,
            WebSocketError::Utf8(_) => self.close(1007, "text must be UTF-8").await,
            WebSocketError::Protocol(_) => self.close(1002, "the frame is against RFC 6455").await,
            _ => Err(Ended::ByPeer),
        }
    }

    async fn received(&mut self, frame: Frame) -> Result<(), Ended> {
        match frame {
            Frame::Text(text) => {
                if self.session.receive(self.shared.clock.now(), &text)? == Received::Deliver {
                    let application = Arc::clone(&self.shared.application);
                    let session_id = self.session_id.clone();
                    self.answering =
                        Some(Box::pin(async move { application.answer(&session_id, text.as_str()).await }));
                }
                Ok(())
            }
            // No credential is binary, and before it nothing else is taken.
            Frame::Binary(_) if self.session.is_live() => Ok(()),
            Frame::Binary(_) => self.close(1003, "authenticate with a text message").await,
            Frame::Ping(_) => self.flush().await,
            Frame::Close(_) => {
                self.flush().await?;
                Err(Ended::ByPeer)
            }
            Frame::Pong(_) | Frame::Frame(_) => Ok(()),
        }
    }

    /// Says why, and ends the connection once the peer has read it: a socket that is closed with something unread in
    /// it is reset, and the close frame may be lost with it.
    async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Ended> {
        self.send(Frame::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await?;
        let answered = poll_fn(|cx| {
            loop {
                match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
        });
        // A peer that does not answer is left alone.
        let _ = timeout(CLOSE_PATIENCE, answered).await;
        Err(Ended::ByUs)
    }

    async fn send(&mut self, frame: Frame) -> Result<(), Ended> {
        let patience = self.write_patience();
        let socket = &mut self.socket;
        let send = async {
            poll_fn(|cx| Pin::new(&mut *socket).poll_ready(cx)).await?;
            Pin::new(&mut *socket).start_send(frame)?;
            poll_fn(|cx| Pin::new(&mut *socket).poll_flush(cx)).await
        };
        Ok(timeout(patience, send).await.map_err(|_| Ended::ByPeer)??)
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        let patience = self.write_patience();
        let flush = poll_fn(|cx| Pin::new(&mut self.socket).poll_flush(cx));
        Ok(timeout(patience, flush).await.map_err(|_| Ended::ByPeer)??)
    }

    /// A peer that does not read can't put off the end of its own time, but for the moment that a close frame takes.
    fn write_patience(&self) -> Duration {
        let left =
            self.deadline.map_or(WRITE_PATIENCE, |deadline| deadline.remaining(self.shared.clock.now()));
        left.clamp(Duration::from_millis(500), WRITE_PATIENCE)
    }
}

/// The result of a future, if there is one.
async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Deadline>, clock: Clock) {
    match deadline {
        // In steps, so that a wall clock that went on during a suspend is noticed.
        Some(deadline) => sleep(deadline.remaining(clock.now()).min(Duration::from_secs(30))).await,
        None => pending().await,
    }
}

//! A client: a session of the tokio driver over the simulated network, with eyes on what it puts on the wire.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, ErrorKind, Secret, Token, TokenSource};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use turmoil::net::TcpStream;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Dial, Dialing, Server, Session, Stream, Target};

use super::log::{Entry, Log};
use super::server::left;
use super::story::{Flaw, LEAD, TALK, config};

/// Keeps a session, says a number now and then, and notes what comes back.
pub(super) async fn run(
    client: usize,
    seed: u64,
    dialect: Arc<Dialect>,
    flaw: Flaw,
    log: Log,
) -> turmoil::Result {
    log.add(client, Entry::Began);
    let told = log.clone();
    let observer = move |event: &AuthEvent| told.add(client, Entry::Told(event.clone()));
    // What a server is called is the dialer's business here.
    let mut session =
        Session::builder(Target::new("ws://127.0.0.1/ws")?, dialect, Arc::new(Endpoint::of(flaw)))
            .with_config(config())
            .with_seed(seed)
            .with_dialer(Arc::new(Faraway { client, log: log.clone() }))
            .with_observer(Arc::new(observer))
            .spawn();
    let sender = session.sender();
    tokio::spawn(async move {
        for number in 1_u64.. {
            tokio::time::sleep(TALK).await;
            // What was under way when a connection broke is lost, as the session says.
            if sender.send(number.to_string()).await.is_err_and(|error| !error.may_have_arrived()) {
                return;
            }
        }
    });
    while let Some(message) = session.next().await {
        let number = message.as_text().and_then(|text| text.parse().ok()).ok_or("that is no number")?;
        log.add(client, Entry::Heard(number));
    }
    // It failed, which it has told.
    std::future::pending().await
}

/// The token endpoint, with the last token of it.
struct Endpoint {
    flaw: Flaw,
    last: Mutex<Option<(String, Generation)>>,
}

impl Endpoint {
    const fn of(flaw: Flaw) -> Self {
        Self { flaw, last: Mutex::new(None) }
    }

    /// The last token, if it is alive.
    fn last(&self) -> Option<Token> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().and_then(|(text, generation)| {
            let left = match self.flaw {
                Flaw::LifetimesAreALie => Duration::from_secs(3_600),
                _ => left(text)?,
            };
            let token = Token::new(Secret::from(text.clone())).with_generation(*generation);
            (!left.is_zero()).then(|| token.with_expires_in(left).with_renew_in(left.saturating_sub(LEAD)))
        })
    }

    async fn fetch(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(("tokens", 80)).await?;
        stream.write_all(b"?").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        if left(&text).is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = last.as_ref().map_or(Generation::NONE, |(_, generation)| *generation).next();
        *last = Some((text, generation));
        Ok(())
    }
}

#[async_trait]
impl TokenSource for Endpoint {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        if let Some(token) = self.last().filter(|token| demand.accepts(token.generation())) {
            return Ok(token);
        }
        let fetched = self.fetch().await;
        // A token that is alive will do where none newer can be had, unless it was refused.
        let will_do = |token: &Token| match demand {
            Demand::InsteadOf(_) => demand.accepts(token.generation()),
            Demand::Current | Demand::NewerThan(_) => true,
        };
        let unreachable = || Error::new(ErrorKind::Transport, "the token endpoint can't be reached");
        self.last().filter(will_do).ok_or_else(|| match fetched {
            Ok(()) => Error::new(ErrorKind::Timeout, "the token came too late"),
            Err(_) => unreachable(),
        })
    }
}

/// Reaches the server over the simulated network.
struct Faraway {
    client: usize,
    log: Log,
}

impl Dial for Faraway {
    fn dial(&self, _server: &Server) -> Dialing {
        let (client, log) = (self.client, self.log.clone());
        Box::pin(async move {
            let stream = TcpStream::connect(("server", 80)).await?;
            Ok(Box::new(Watched { stream, client, log }) as Box<dyn Stream>)
        })
    }
}

/// A stream that notes the tokens that go out on it.
struct Watched {
    stream: TcpStream,
    client: usize,
    log: Log,
}

impl Watched {
    fn note(&self, bytes: &[u8]) {
        let head = String::from_utf8_lossy(bytes);
        let text = if head.starts_with("GET ") { head.into_owned() } else { unmasked(bytes) };
        for (at, _) in text.match_indices("secret-") {
            let token =
                text[at..].split(|character: char| !(character.is_alphanumeric() || character == '-')).next();
            if let Some(left) = token.and_then(left) {
                self.log.add(self.client, Entry::Presented(left));
            }
        }
    }
}

/// The payloads of the frames, each small and written whole.
fn unmasked(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let [_, length, m0, m1, m2, m3, rest @ ..] = bytes {
        let length = usize::from(length & 0x7f).min(rest.len());
        let masked = rest[..length].iter().zip([m0, m1, m2, m3].into_iter().cycle());
        text.extend(masked.map(|(byte, mask)| char::from(byte ^ mask)));
        bytes = &rest[length..];
    }
    text
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = &written {
            self.note(&bytes[..*length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

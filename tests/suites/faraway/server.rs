//! The other hosts: one issues tokens, one accepts WebSockets by the server's half of the dialect.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::Secret;
use auth_core::time::{Moment, Now, Timestamp};
use realtime_auth_tests::flawed_server::{frame, hear};
use realtime_auth_tests::raw_socket::{opcode, request, switching_protocols};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::sleep;
use turmoil::net::tcp::OwnedWriteHalf;
use turmoil::net::{TcpListener, TcpStream};
use ws_session::dialect::{Dialect, Incoming};
use ws_session::server::{Output, Received, Refusal, ServerSession, Terms, Upgrade};

use super::story::{Flaw, LIFETIME};

/// The time since the story began.
pub(super) fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

/// Hands out a token to whoever connects: `secret-NUMBER-EXPIRY`, in milliseconds.
pub(super) async fn issue(issued: Arc<AtomicU64>) -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let number = issued.fetch_add(1, Ordering::Relaxed);
        let expires = elapsed() + LIFETIME;
        tokio::spawn(async move {
            let _ = stream.read_u8().await;
            let _ = stream.write_all(format!("secret-{number}-{}", expires.as_millis()).as_bytes()).await;
        });
    }
}

/// How long a token still lives.
pub(super) fn left(token: &str) -> Option<Duration> {
    let millis = token.strip_prefix("secret-")?.split_once('-')?.1.parse().ok()?;
    Some(Duration::from_millis(millis).saturating_sub(elapsed()))
}

/// Accepts clients, and echoes what they say.
pub(super) async fn accept(dialect: Arc<Dialect>, flaw: Flaw) -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let dialect = Arc::clone(&dialect);
        // A client that has gone is what this is about.
        tokio::spawn(async move { drop(serve(stream, dialect, flaw).await) });
    }
}

async fn serve(mut stream: TcpStream, dialect: Arc<Dialect>, flaw: Flaw) -> io::Result<()> {
    let head = request(&mut stream).await?;
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let path = head.split(' ').nth(1).unwrap_or_default();
    let upgrade = Upgrade::read(&dialect, path, headers);
    let terms = Terms::of(&dialect);
    let session = ServerSession::new(now(), dialect, terms, "session".to_owned(), upgrade);
    let (mut reader, writer) = stream.into_split();
    let (frames, heard) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok(frame) = hear(&mut reader).await
            && frames.send(frame).await.is_ok()
        {}
    });
    Connection { session, writer, heard, head, flaw }.run().await
}

struct Connection {
    session: ServerSession,
    writer: OwnedWriteHalf,
    heard: mpsc::Receiver<(u8, Vec<u8>)>,
    head: String,
    flaw: Flaw,
}

impl Connection {
    async fn run(mut self) -> io::Result<()> {
        loop {
            let mut presented = None;
            let deadline = loop {
                match self.session.poll() {
                    Output::Verify { credential, .. } => presented = Some(credential),
                    Output::Accept => {
                        let answer = switching_protocols(&self.head, "")?;
                        self.writer.write_all(answer.as_bytes()).await?;
                    }
                    Output::Refuse { status, .. } => {
                        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
                        return self.writer.write_all(answer.as_bytes()).await;
                    }
                    Output::Send { text, .. } => self.say(opcode::TEXT, text.as_bytes()).await?,
                    Output::Deliver { .. } => {}
                    Output::Close { code, .. } => {
                        let code = code.map(u16::to_be_bytes);
                        self.say(opcode::CLOSE, code.as_ref().map_or(&[], |code| code)).await?;
                        // Until the client has closed too, or is given up.
                        while let Some((opcode, _)) = self.heard.recv().await
                            && opcode != opcode::CLOSE
                        {}
                        return Ok(());
                    }
                    Output::Wait(deadline) => break deadline,
                }
            };
            if let Some(credential) = presented {
                self.session.decided(now(), self.judge(&credential)).map_err(io::Error::other)?;
                continue;
            }
            let patience = deadline.map_or(Duration::from_secs(3_600), |deadline| deadline.remaining(now()));
            tokio::select! {
                biased;
                heard = self.heard.recv() => {
                    let Some((opcode, payload)) = heard else { return Ok(()) };
                    self.take(opcode, &payload).await?;
                    if opcode == opcode::CLOSE {
                        return Ok(());
                    }
                }
                () = sleep(patience) => self.session.tick(now()).map_err(io::Error::other)?,
            }
        }
    }

    async fn take(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        match opcode {
            opcode::TEXT => {
                let text = String::from_utf8_lossy(payload);
                let received =
                    self.session.receive(now(), Incoming::Text(&text)).map_err(io::Error::other)?;
                if received == Received::Deliver && self.session.is_live() {
                    self.say(opcode::TEXT, payload).await?;
                    if self.flaw == Flaw::EchoesTwice {
                        self.say(opcode::TEXT, payload).await?;
                    }
                }
                Ok(())
            }
            opcode::PING => self.say(opcode::PONG, payload).await,
            opcode::CLOSE => self.say(opcode::CLOSE, payload).await,
            _ => Ok(()),
        }
    }

    fn judge(&self, credential: &Secret) -> Result<Duration, Refusal> {
        match left(credential.expose()) {
            _ if self.flaw == Flaw::RefusesEverybody => Err(Refusal::expired("nobody is let in")),
            Some(left) if !left.is_zero() => Ok(left),
            // It may have been under way for too long.
            Some(_) => Err(Refusal::expired("it has expired")),
            None => Err(Refusal::rejected("it is none")),
        }
    }

    async fn say(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.writer.write_all(&frame(0x80 | opcode, payload)).await
    }
}

fn now() -> Now {
    let elapsed = elapsed();
    Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
}

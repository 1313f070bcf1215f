//! An HTTP server that answers by script and keeps what it was sent: raw sockets, so that it can misbehave.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// One answer of the script.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes, and then the end of the connection.
    Bytes(Vec<u8>),
    /// The first bytes; the rest once the gate is opened, and then the end of the connection.
    InParts {
        /// What is sent at once.
        first: Vec<u8>,
        /// Opened by `notify_one`.
        gate: Arc<Notify>,
        /// What is sent then.
        rest: Vec<u8>,
    },
    /// The end of the connection without a word.
    HangUp,
    /// Nothing, for ever.
    Silence,
}

impl Answer {
    /// A whole HTTP reply.
    #[must_use]
    pub fn http(status: u16, headers: &str, body: &str) -> Self {
        Self::Bytes(
            format!(
                "HTTP/1.1 {status} Scripted\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }

    /// A token response with an opaque token.
    #[must_use]
    pub fn token(token: &str, expires_in: u64) -> Self {
        let body = format!(r#"{{"access_token":"{token}","token_type":"bearer","expires_in":{expires_in}}}"#);
        Self::http(200, "Content-Type: application/json\r\n", &body)
    }

    /// The same answer, kept back until the gate is opened, from `hold` on.
    #[must_use]
    pub fn held(self, hold: Hold, gate: Arc<Notify>) -> Self {
        let Self::Bytes(mut first) = self else { return self };
        let rest = first.split_off(match hold {
            Hold::Unanswered => 0,
            Hold::Halfway => first.len() / 2,
        });
        Self::InParts { first, gate, rest }
    }
}

/// How much of an answer is sent before it is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// None of it: the request was received.
    Unanswered,
    /// Half of it.
    Halfway,
}

/// How far a server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Requests received.
    pub received: usize,
    /// Answers begun: the first part of what was to be sent is on its way.
    pub begun: usize,
    /// Answers sent as a whole.
    pub answered: usize,
}

/// A server that takes one request after the other, and answers by script.
#[derive(Debug)]
pub struct Script {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    progress: watch::Receiver<Progress>,
    serving: JoinHandle<()>,
}

impl Script {
    /// Serves on a free loopback port: these answers in order, the last one for ever.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn serve(answers: Vec<Answer>) -> io::Result<Self> {
        let mut answers = answers.into_iter();
        let mut last = Answer::HangUp;
        Self::answering(move |_| {
            if let Some(next) = answers.next() {
                last = next;
            }
            last.clone()
        })
        .await
    }

    /// Serves on a free loopback port: to each request what `answer` makes of its text.
    ///
    /// # Errors
    ///
    /// When there is none.
    #[expect(clippy::disallowed_methods, reason = "a test server runs beside its test")]
    pub async fn answering(mut answer: impl FnMut(&str) -> Answer + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let (told, progress) = watch::channel(Progress::default());
        let serving = tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Ok(request) = read(&mut stream).await else { continue };
                let answer = answer(&request);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                told.send_modify(|progress| progress.received += 1);
                // Below, a write that fails is no matter: a client that has gone has what it wants.
                match &answer {
                    Answer::Bytes(bytes) => {
                        told.send_modify(|progress| progress.begun += 1);
                        let _ = stream.write_all(bytes).await;
                        told.send_modify(|progress| progress.answered += 1);
                    }
                    Answer::InParts { first, gate, rest } => {
                        let _ = stream.write_all(first).await;
                        told.send_modify(|progress| progress.begun += 1);
                        gate.notified().await;
                        let _ = stream.write_all(rest).await;
                        told.send_modify(|progress| progress.answered += 1);
                    }
                    Answer::HangUp => {}
                    Answer::Silence => silent.push(stream),
                }
            }
        });
        Ok(Self { url, requests, progress, serving })
    }

    /// The server's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was sent: each request as text.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the server is as far as this.
    pub async fn until(&self, reached: impl FnMut(&Progress) -> bool) {
        // Fails once the server has ended, which happens when this is dropped.
        let _ = self.progress.clone().wait_for(reached).await;
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Reads one request with its body, or as much of it as comes; nothing at the end of the connection.
///
/// # Errors
///
/// When the connection breaks.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let read = stream.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        if read == 0 || is_whole(&text) {
            return Ok(text.into_owned());
        }
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

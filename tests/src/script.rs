//! An HTTP server that answers by script and keeps what it was sent: raw sockets, so that it can misbehave.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One answer of the script.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes, and then the end of the connection.
    Bytes(Vec<u8>),
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
}

/// A server that gives its answers in order, the last one for ever.
#[derive(Debug)]
pub struct Script {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Script {
    /// Serves on a free loopback port.
    ///
    /// # Errors
    ///
    /// When there is none.
    #[expect(clippy::disallowed_methods, reason = "a test server runs beside its test")]
    pub async fn serve(answers: Vec<Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let serving = tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut last = Answer::HangUp;
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Ok(request) = read(&mut stream).await else { continue };
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                last = answers.next().unwrap_or(last);
                match &last {
                    Answer::Bytes(bytes) => {
                        // A client that has gone has what it wants.
                        let _ = stream.write_all(bytes).await;
                    }
                    Answer::HangUp => {}
                    Answer::Silence => silent.push(stream),
                }
            }
        });
        Ok(Self { url, requests, serving })
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
}

impl Drop for Script {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Reads one request with its body.
async fn read(stream: &mut TcpStream) -> io::Result<String> {
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

//! Both endpoints of the document at one address, which keep every word that they hear.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use realtime_auth_tests::flawed_server::{frame, hear};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::{opcode, switching_protocols};
use realtime_auth_tests::script::read;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// What a WebSocket answers a message with.
pub(super) enum Reply {
    Say(String),
    Nothing,
    HangUp,
}

/// A server whose tokens are `t1`, `t2`… It ends with this.
pub(super) struct Spoken {
    server: RawServer,
    heard: watch::Receiver<Vec<String>>,
}

struct Server<F> {
    expires_in: u64,
    /// How many tokens there are; then it fails.
    most: usize,
    issued: AtomicUsize,
    upgraded: AtomicUsize,
    heard: watch::Sender<Vec<String>>,
    answer: F,
}

impl Spoken {
    /// Tokens that live for so many seconds, and `answer` to each text message: the connection's number, and the text.
    pub(super) async fn serve(
        expires_in: u64,
        most: usize,
        answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (issued, upgraded) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (kept, heard) = watch::channel(Vec::new());
        let server = Arc::new(Server { expires_in, most, issued, upgraded, heard: kept, answer });
        let server = RawServer::serve(move |stream, _| Arc::clone(&server).handle(stream)).await.unwrap();
        Self { server, heard }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The head of each upgrade, each message and each close of the WebSockets, with the number of its connection.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.borrow().clone()
    }

    /// Waits until it has heard so much.
    pub(super) async fn until(&self, count: usize) -> Vec<String> {
        self.heard.clone().wait_for(|heard| heard.len() >= count).await.unwrap().clone()
    }
}

impl<F: Fn(usize, &str) -> Reply + Send + Sync> Server<F> {
    async fn handle(self: Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        let request = read(&mut stream).await?;
        if !request.starts_with("GET ") {
            return self.issue(&mut stream).await;
        }
        let connection = self.upgraded.fetch_add(1, Ordering::SeqCst) + 1;
        stream.write_all(switching_protocols(&request, "")?.as_bytes()).await?;
        self.note(connection, &request);
        loop {
            let (opcode, payload) = hear(&mut stream).await?;
            match opcode {
                opcode::TEXT => {
                    let text = String::from_utf8_lossy(&payload).into_owned();
                    self.note(connection, &text);
                    match (self.answer)(connection, &text) {
                        Reply::Say(text) => stream.write_all(&frame(0x81, text.as_bytes())).await?,
                        Reply::Nothing => {}
                        Reply::HangUp => return Ok(()),
                    }
                }
                opcode::CLOSE => {
                    self.note(connection, "close");
                    return stream.write_all(&frame(0x88, &payload)).await;
                }
                _ => {}
            }
        }
    }

    async fn issue(&self, stream: &mut TcpStream) -> io::Result<()> {
        let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        let (status, body) = match number <= self.most {
            true => (200, format!(r#"{{"access_token":"t{number}","expires_in":{}}}"#, self.expires_in)),
            false => (500, String::new()),
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} Spoken\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all([head, body].concat().as_bytes()).await
    }

    fn note(&self, connection: usize, what: &str) {
        self.heard.send_modify(|heard| heard.push(format!("{connection}: {what}")));
    }
}

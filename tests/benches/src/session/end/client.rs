//! What the ends that are compared have in common, and those that hold a bare tokio-tungstenite.

use std::future::poll_fn;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};

use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
pub(super) use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Load;
use super::server::CREDENTIAL;

/// A connection, and one message that it sends again and again.
pub(super) trait Connection {
    /// Reads a message, and says how long it was.
    async fn receive(&mut self) -> usize;

    /// Sends the message in the way of a program that goes on to read.
    async fn answer(&mut self);

    /// Sends the message in the way of a program that has more to send.
    async fn feed(&mut self);
}

/// A server of its own process, which ends with this one.
pub(super) struct Server {
    pub(super) port: u16,
    process: Child,
}

impl Server {
    #[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
    pub(super) fn start(defaults: bool) -> Self {
        let own = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(own);
        command.arg("server").args(defaults.then_some("--defaults"));
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server starts");
        let mut line = String::new();
        let printed = process.stdout.take().expect("it was piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(printed), &mut line).expect("a server says");
        Self { port: line.trim().parse().expect("its port"), process }
    }

    /// Its number, by which the operating system knows it.
    pub(super) fn process(&self) -> String {
        self.process.id().to_string()
    }

    pub(super) fn url(&self, load: Load) -> String {
        let path = match load {
            Load::Echo => "echo",
            Load::Receive => "receive",
            Load::Send => "send",
        };
        format!("ws://127.0.0.1:{}/{path}", self.port)
    }
}

/// The codec's buffers, as they come or with the least read buffer that costs large messages nothing.
pub(super) fn config(defaults: bool) -> WebSocketConfig {
    let config = WebSocketConfig::default();
    if defaults { config } else { config.read_buffer_size(16 * 1024) }
}

/// The largest message that is sent as text.
pub(super) const LARGEST_TEXT: usize = 64 * 1024;

/// Text as most services speak it, or many bytes.
pub(super) fn message(size: usize) -> Message {
    match text(size) {
        Some(text) => Message::text(text),
        None => Message::binary(vec![b'x'; size]),
    }
}

/// The text of a message, unless it is too long for one.
pub(super) fn text(size: usize) -> Option<String> {
    (size <= LARGEST_TEXT).then(|| "x".repeat(size))
}

#[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
pub(super) async fn connect(server: &Server, load: Load, defaults: bool) -> WebSocketStream<TcpStream> {
    let mut request = server.url(load).into_client_request().expect("a URL");
    let bearer = HeaderValue::from_str(&format!("Bearer {CREDENTIAL}")).expect("plain text");
    request.headers_mut().insert("authorization", bearer);
    let stream = TcpStream::connect(("127.0.0.1", server.port)).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket of TCP");
    client_async_with_config(request, stream, Some(config(defaults))).await.expect("the server accepts").0
}

pub(super) async fn next(socket: &mut WebSocketStream<TcpStream>) -> Option<Message> {
    poll_fn(|cx| Pin::new(&mut *socket).poll_next(cx)).await?.ok()
}

pub(super) async fn start_send(
    socket: &mut WebSocketStream<TcpStream>,
    message: Message,
) -> Result<(), Error> {
    poll_fn(|cx| Pin::new(&mut *socket).poll_ready(cx)).await?;
    Pin::new(socket).start_send(message)
}

pub(super) async fn flush(socket: &mut WebSocketStream<TcpStream>) -> Result<(), Error> {
    poll_fn(|cx| Pin::new(&mut *socket).poll_flush(cx)).await
}

/// tokio-tungstenite, as it is used without more ado.
pub(super) struct Bare {
    socket: WebSocketStream<TcpStream>,
    message: Message,
}

impl Bare {
    pub(super) async fn connect(server: &Server, load: Load, size: usize, defaults: bool) -> Self {
        Self { socket: connect(server, load, defaults).await, message: message(size) }
    }

    /// As fresh as a program makes it: a text of its own each time.
    fn message(&self) -> Message {
        match &self.message {
            Message::Text(text) => Message::text(text.as_str().to_owned()),
            other => other.clone(),
        }
    }
}

impl Connection for Bare {
    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn receive(&mut self) -> usize {
        next(&mut self.socket).await.expect("a message").len()
    }

    async fn answer(&mut self) {
        self.feed().await;
        let _ = flush(&mut self.socket).await;
    }

    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn feed(&mut self) {
        let message = self.message();
        start_send(&mut self.socket, message).await.expect("it is sent");
    }
}

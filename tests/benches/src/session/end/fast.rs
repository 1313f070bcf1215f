//! The end that holds a fastwebsockets.

use fastwebsockets::{Frame, Payload, Role, WebSocket};
use tokio::net::TcpStream;

use super::Load;
use super::client::{Connection, Server, connect, text};

pub(super) struct Fast {
    socket: WebSocket<TcpStream>,
    text: Option<String>,
    bytes: Vec<u8>,
}

impl Fast {
    pub(super) async fn connect(server: &Server, load: Load, size: usize) -> Self {
        // Nothing comes before this end has said something: the stream can change hands.
        let stream = connect(server, load, false).await.into_inner();
        let text = text(size);
        let bytes = if text.is_some() { Vec::new() } else { vec![b'x'; size] };
        Self { socket: WebSocket::after_handshake(stream, Role::Client), text, bytes }
    }
}

impl Connection for Fast {
    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn receive(&mut self) -> usize {
        self.socket.read_frame().await.expect("a message").payload.len()
    }

    async fn answer(&mut self) {
        self.feed().await;
    }

    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn feed(&mut self) {
        let frame = match &self.text {
            Some(text) => Frame::text(Payload::Owned(text.clone().into_bytes())),
            None => Frame::binary(Payload::Borrowed(&self.bytes)),
        };
        // It masks in place what is its own, and copies what is not.
        self.socket.write_frame(frame).await.expect("it is sent");
    }
}

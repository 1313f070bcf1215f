//! The ends that hold a session: polled by its owner, or by the handle of one with a task.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use auth_core::source::FixedToken;
use auth_core::{Secret, Token};
use bytes::Bytes;
use futures_sink::Sink as _;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Message, Runtime, Sender, Sent, Target};
use ws_session::driver::{polled, tokio as spawned};

use super::Load;
use super::client::{Connection, Server, text};
use super::server::CREDENTIAL;

/// How many of the last messages are still to be heard of: as many as may wait.
const UNHEARD: usize = 256;

/// A session that its owner polls.
pub(super) struct Polled {
    session: polled::Session,
    message: Message,
}

/// A session by its handle.
pub(super) struct Handle {
    session: spawned::Session,
    sender: Sender,
    unheard: VecDeque<Sent>,
    message: Message,
}

#[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
fn builder(server: &Server, load: Load) -> (Target, Dialect, Arc<FixedToken>) {
    let target = Target::new(&server.url(load)).expect("a URL of this machine");
    (target, Dialect::bearer_header(), Arc::new(FixedToken::new(Token::new(Secret::from(CREDENTIAL)))))
}

fn message(size: usize) -> Message {
    text(size).map_or_else(|| Message::Binary(Bytes::from(vec![b'x'; size])), Message::Text)
}

impl Polled {
    #[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
    pub(super) async fn connect(server: &Server, load: Load, size: usize) -> Self {
        let (target, dialect, source) = builder(server, load);
        let builder = polled::Session::builder(target, dialect, source);
        let mut session = builder.build(Arc::new(Runtime::default()));
        session.authenticated().await.expect("the server accepts");
        Self { session, message: message(size) }
    }
}

impl Connection for Polled {
    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn receive(&mut self) -> usize {
        self.session.next().await.expect("a message").len()
    }

    async fn answer(&mut self) {
        // It goes out when the next is read.
        self.feed().await;
    }

    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn feed(&mut self) {
        poll_fn(|cx| Pin::new(&mut self.session).poll_ready(cx)).await.expect("there is room");
        Pin::new(&mut self.session).start_send(self.message.clone()).expect("it is taken");
    }
}

impl Handle {
    #[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
    pub(super) async fn connect(server: &Server, load: Load, size: usize) -> Self {
        let (target, dialect, source) = builder(server, load);
        let builder = spawned::Session::builder(target, dialect, source);
        let mut session = builder.spawn();
        session.authenticated().await.expect("the server accepts");
        let sender = session.sender();
        Self { session, sender, unheard: VecDeque::new(), message: message(size) }
    }
}

impl Connection for Handle {
    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn receive(&mut self) -> usize {
        self.session.next().await.expect("a message").len()
    }

    async fn answer(&mut self) {
        self.feed().await;
    }

    #[expect(clippy::expect_used, reason = "a connection that breaks measures nothing")]
    async fn feed(&mut self) {
        let sent = self.sender.enqueue(self.message.clone()).await.expect("there is room");
        self.unheard.push_back(sent);
        if self.unheard.len() > UNHEARD
            && let Some(oldest) = self.unheard.pop_front()
        {
            oldest.await.expect("it is sent");
        }
    }
}

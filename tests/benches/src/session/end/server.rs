//! The server of a bench: accepts one credential, then echoes, floods, or reads.

use std::pin::Pin;
use std::task::{Poll, ready};

use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::client::{Message, config, flush, message, next, start_send};

/// What a client presents.
pub(super) const CREDENTIAL: &str = "a-credential-of-a-bench";

/// Listens until its standard input ends.
#[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
#[expect(clippy::disallowed_methods, reason = "each connection is served beside the others")]
pub(super) async fn serve(defaults: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("{}", listener.local_addr().expect("it has an address").port());
    // The process that started it is gone, however it went.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    while let Ok((stream, _)) = listener.accept().await {
        tokio::task::spawn_local(answer(stream, defaults));
    }
}

#[expect(clippy::result_large_err, reason = "the codec's own shape")]
async fn answer(stream: TcpStream, defaults: bool) {
    let _ = stream.set_nodelay(true);
    let mut path = String::new();
    let look = |request: &Request, response: Response| {
        request.uri().path().clone_into(&mut path);
        let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        if bearer.and_then(|value| value.strip_prefix("Bearer ")) == Some(CREDENTIAL) {
            return Ok(response);
        }
        let mut refused = ErrorResponse::new(None);
        *refused.status_mut() = StatusCode::UNAUTHORIZED;
        Err(refused)
    };
    let Ok(mut socket) = accept_hdr_async_with_config(stream, look, Some(config(defaults))).await else {
        return;
    };
    // The first message starts it, and says how long the others are.
    let Some(first) = next(&mut socket).await else { return };
    match path.as_str() {
        "/echo" => echo(&mut socket, first).await,
        "/receive" => flood(&mut socket, first.len()).await,
        _ => while next(&mut socket).await.is_some() {},
    }
}

async fn echo(socket: &mut WebSocketStream<TcpStream>, first: Message) {
    if start_send(socket, first).await.is_err() {
        return;
    }
    // Flushed when all that came was answered.
    std::future::poll_fn(|cx| {
        loop {
            if ready!(Pin::new(&mut *socket).poll_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            match Pin::new(&mut *socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message @ (Message::Text(_) | Message::Binary(_))))) => {
                    if Pin::new(&mut *socket).start_send(message).is_err() {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    return match ready!(Pin::new(&mut *socket).poll_flush(cx)) {
                        Ok(()) => Poll::Pending,
                        Err(_) => Poll::Ready(()),
                    };
                }
            }
        }
    })
    .await;
}

async fn flood(socket: &mut WebSocketStream<TcpStream>, size: usize) {
    let message = message(size);
    while start_send(socket, message.clone()).await.is_ok() {}
    let _ = flush(socket).await;
}

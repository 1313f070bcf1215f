//! What a client shows of itself: no log, error, event or Debug has a token in it, by either transport.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth_core::{Secret, Token};
use providers::optave::{AuthTransport, Client};
use realtime_auth_tests::ear::Listening;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::{request, switching_protocols};
use realtime_auth_tests::recorder::Recorder;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Accepts the first connection and breaks it when it is used, refuses the second, and answers the third with something else.
async fn server(seen: Arc<AtomicUsize>) -> RawServer {
    RawServer::serve(move |stream, number| answer(stream, number, Arc::clone(&seen))).await.unwrap()
}

async fn answer(mut stream: TcpStream, number: usize, seen: Arc<AtomicUsize>) -> io::Result<()> {
    let head = request(&mut stream).await?;
    seen.fetch_add(usize::from(head.contains("canary")), Ordering::SeqCst);
    let name = if head.contains("Authorization=") { "" } else { "Sec-WebSocket-Protocol: optave-v1\r\n" };
    let answer = match number {
        1 => switching_protocols(&head, name)?,
        2 => format!("HTTP/1.1 401 {}\r\nContent-Length: {}\r\n\r\n{head}", "Unauthorized", head.len()),
        _ => head,
    };
    stream.write_all(answer.as_bytes()).await?;
    // Until the client says something, or leaves.
    stream.read(&mut [0]).await.map(drop)
}

/// All on one thread: the test, the server, and the tasks of the client.
#[tokio::test]
async fn no_token_shows_in_a_log_an_error_an_event_or_debug() {
    for transport in [AuthTransport::Subprotocol, AuthTransport::Query] {
        let listening = Listening::begin();
        tracing::trace!("the control: canary");
        let recorder = Recorder::default();
        let seen = Arc::new(AtomicUsize::new(0));
        let server = server(Arc::clone(&seen)).await;
        let count = Arc::new(AtomicUsize::new(0));
        let builder = Client::builder()
            .with_websocket_url(format!("ws://{}/", server.address()))
            .with_auth_transport(transport)
            .with_observer(Arc::new(recorder.clone()))
            .with_token_provider(move || {
                let number = count.fetch_add(1, Ordering::SeqCst);
                async move { Ok(Secret::from(format!("canary.{number}"))) }
            });
        let mut texts = vec![format!("{builder:?}")];
        let client = builder.build().unwrap();
        let token = client.authenticate().await.unwrap();
        texts.push(format!("{client:?} {token:?}"));
        let mut session = client.open_connection(token.clone()).await.unwrap();
        let mut events = session.events();
        texts.push(format!("{session:?} {:?}", session.request(&json!({})).await));
        assert!(session.next().await.is_none());
        while let Some(event) = events.next().await {
            texts.push(format!("{event:?}"));
        }
        texts.push(format!("{session:?} {:?}", session.error()));
        // Used, refused, answered with something else, and what no upgrade may have in it.
        let given = |text: &str| Token::new(Secret::from(text));
        for token in [token, given("canary.a"), given("canary.b"), given("canary \u{7f}c")] {
            let error = client.open_connection(token).await.unwrap_err();
            texts.push(format!("{error} {error:?}"));
        }
        texts.extend(recorder.events().iter().map(|event| format!("{event:?} {}", json!(event))));
        let heard = listening.end();
        let (control, heard) = heard.split_once('\n').unwrap();
        assert!(control.contains("canary"), "the ear hears");
        // The one exception, which the threat model names: the codec writes the upgrade that it sends at TRACE.
        let upgrade = "tungstenite::handshake::client Request: ";
        texts.extend(heard.lines().filter(|line| !line.starts_with(upgrade)).map(str::to_owned));
        for text in texts {
            assert!(!text.contains("canary"), "{transport:?}: {text}");
        }
        assert_eq!(seen.load(Ordering::SeqCst), 3, "the control: the server has seen all that could be sent");
    }
}

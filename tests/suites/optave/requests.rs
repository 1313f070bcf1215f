//! Both timeouts, and requests with their replies, against servers by hand.

use std::io;
use std::time::Duration;

use auth_core::{Secret, Token};
use providers::optave::{AuthTransport, Builder, Client};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::{opcode, request, switching_protocols};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use ws_session::ErrorKind;
use ws_session::driver::tokio::RequestError;

const SHORT: Duration = Duration::from_millis(300);

fn client(server: &RawServer) -> Builder {
    Client::builder()
        .with_websocket_url(format!("ws://{}/", server.address()))
        .with_token_provider(|| async { Ok(Secret::from("t")) })
}

/// A server that takes connections and never says a word.
async fn silent() -> RawServer {
    RawServer::serve(|mut stream, _| async move { stream.read_to_end(&mut Vec::new()).await.map(drop) })
        .await
        .unwrap()
}

/// A server that accepts, and answers each request with these replies, each with the request's identifier.
async fn replying(replies: Vec<Value>) -> RawServer {
    let serve = move |stream, _| answer(stream, replies.clone());
    RawServer::serve(serve).await.unwrap()
}

async fn answer(mut stream: TcpStream, replies: Vec<Value>) -> io::Result<()> {
    let head = request(&mut stream).await?;
    let name = if head.contains("Authorization=") { "" } else { "Sec-WebSocket-Protocol: optave-v1\r\n" };
    stream.write_all(switching_protocols(&head, name)?.as_bytes()).await?;
    while let Some(asked) = text(&mut stream).await? {
        let asked: Value = serde_json::from_str(&asked)?;
        for reply in &replies {
            let mut reply = reply.clone();
            reply["headers"] = json!({"correlationId": asked["headers"]["correlationId"]});
            let reply = reply.to_string();
            let head = [0x80 | opcode::TEXT, 126, (reply.len() >> 8) as u8, reply.len() as u8];
            stream.write_all(&[&head, reply.as_bytes()].concat()).await?;
        }
    }
    Ok(())
}

/// The next text message of the client, masked as it is; `None` when it closes.
async fn text(stream: &mut TcpStream) -> io::Result<Option<String>> {
    if stream.read_u8().await? != 0x80 | opcode::TEXT {
        return Ok(None);
    }
    let length = match stream.read_u8().await? & 0x7f {
        126 => usize::from(stream.read_u16().await?),
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    String::from_utf8(payload).map(Some).map_err(io::Error::other)
}

fn question() -> Value {
    json!({"action": "message", "headers": {"action": "insights"}, "payload": {"request": {}}})
}

#[tokio::test]
async fn a_server_that_never_answers_the_upgrade_is_left_after_the_connection_timeout() {
    let server = silent().await;
    for transport in [AuthTransport::Subprotocol, AuthTransport::Query] {
        let client = client(&server).with_auth_transport(transport).with_connection_timeout(SHORT);
        let client = client.build().unwrap();
        let token = client.authenticate().await.unwrap();
        let late = client.open_connection(token).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
        assert!(late.to_string().contains("not opened in time"), "{late}");
    }
    let before = server.connections();
    let fresh = client(&server).with_connection_timeout(SHORT).build().unwrap();
    let late = fresh.connect().await.unwrap_err();
    assert_eq!((late.kind(), server.connections() > before), (ErrorKind::Timeout, true), "{late}");
}

#[tokio::test]
async fn a_request_without_a_reply_ends_after_the_request_timeout_and_may_have_arrived() {
    let server = replying(Vec::new()).await;
    let client = client(&server).with_request_timeout(SHORT).build().unwrap();
    let session = client.open_connection(Token::new(Secret::from("t"))).await.unwrap();
    let late = session.request(&question()).await.unwrap_err();
    assert!(matches!(late, RequestError::TimedOut { may_have_arrived: true }), "{late:?}");
    assert!(late.to_string().contains("may have arrived"), "{late}");
}

#[tokio::test]
async fn a_request_that_found_no_connection_in_time_was_not_sent() {
    let server = silent().await;
    let client = client(&server).with_request_timeout(SHORT).build().unwrap();
    let late = client.open().request(&question()).await.unwrap_err();
    assert!(matches!(late, RequestError::TimedOut { may_have_arrived: false }), "{late:?}");
    assert!(late.to_string().contains("will not be"), "{late}");
}

#[tokio::test]
async fn a_request_is_answered_by_its_last_reply_and_not_by_the_one_that_says_it_was_started() {
    let started = [json!({"state": "started"}), json!({"payload": {"state": "started"}})];
    for last in [json!({"state": "completed"}), json!({"payload": {"state": "completed"}})] {
        let server = replying([&started[..], std::slice::from_ref(&last)].concat()).await;
        let client = client(&server).build().unwrap();
        let mut session = client.connect().await.unwrap();
        let reply = session.request(&question()).await.unwrap();
        assert!(reply["headers"]["correlationId"].as_str().is_some_and(|id| id.len() == 36), "{reply}");
        assert_eq!((&reply["state"], &reply["payload"]), (&last["state"], &last["payload"]));
        for begun in &started {
            let heard = session.next().await.unwrap();
            let heard: Value = serde_json::from_str(heard.as_text().unwrap()).unwrap();
            assert_eq!((&heard["state"], &heard["payload"]), (&begun["state"], &begun["payload"]));
        }
    }
}

#[tokio::test]
async fn a_reply_that_says_that_the_request_failed_is_an_error_with_what_the_server_said() {
    for failed in [
        json!({"state": "error", "error": {"code": "X"}}),
        json!({"actionType": "error"}),
        json!({"error": {"code": "X", "message": "no"}}),
        json!({"payload": {"state": "error"}}),
    ] {
        let server = replying(vec![json!({"state": "started"}), failed.clone()]).await;
        let session = client(&server).build().unwrap().connect().await.unwrap();
        let refused = session.request(&question()).await.unwrap_err();
        assert_eq!(refused.reply().unwrap()["error"], failed["error"]);
    }
}

//! Upgrades that are answered with something else than a WebSocket, or not in the dialect's way.

use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::{request, switching_protocols};
use tokio::io::AsyncWriteExt as _;
use ws_session::dialect::{SubprotocolEntry, Template};

use super::*;

/// A dialect whose credential is in the upgrade.
fn by_header() -> Dialect {
    let mut dialect = Dialect::new("by-header");
    dialect.placement.headers.push(("Authorization".to_owned(), Template::text("Bearer ${credential}")));
    dialect
}

/// Answers the upgrade with these bytes.
async fn answers(failure: Failure, answer: impl Into<Vec<u8>>) {
    let answer: Arc<[u8]> = answer.into().into();
    ends_as_the_table_says(by_header(), Phase::Upgrade, failure, move |mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            request(&mut stream).await?;
            stream.write_all(&answer).await?;
            Ok(stream)
        }
    })
    .await;
}

fn http(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Flawed\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

#[tokio::test]
async fn every_status_ends_as_the_table_says() {
    for status in (200..=206).chain(300..=308).chain(400..=451).chain(500..=511).chain([599]) {
        answers(Failure::Status(status), http(status, "", "")).await;
    }
}

#[tokio::test]
async fn a_page_in_the_place_of_the_upgrade_ends_as_the_table_says() {
    let page = "<html><body>canary: please log in</body></html>";
    answers(Failure::Status(200), http(200, "Content-Type: text/html\r\n", page)).await;
    answers(Failure::Status(503), http(503, "Content-Type: text/html\r\n", page)).await;
}

#[tokio::test]
async fn what_is_no_answer_ends_as_the_table_says() {
    answers(Failure::Protocol, "220 smtp.example.com ESMTP\r\n\r\n").await;
    answers(Failure::Protocol, [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46].repeat(20)).await;
    answers(Failure::Protocol, "HTTP/1.1 101 Switching Protocols\r\n\r\n").await;
    let wrong = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
    answers(Failure::Protocol, wrong).await;
}

/// One header after the other, and one that does not end: both are left long before they would.
#[tokio::test]
async fn a_head_that_does_not_end_is_left() {
    for endless in [&b"X-Endless: yes\r\n"[..], b"and on and on "] {
        let flaw = move |mut stream: TcpStream| async move {
            request(&mut stream).await?;
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nX-Endless: ").await?;
            while stream.write_all(&endless.repeat(64)).await.is_ok() {}
            Err(io::Error::other("the client has gone"))
        };
        ends_as_the_table_says(by_header(), Phase::Upgrade, Failure::Protocol, flaw).await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_ends_as_the_table_says() {
    let headers = "X-Large: yes\r\n".repeat(200);
    answers(Failure::Protocol, http(200, &headers, "")).await;
    let header = format!("X-Large: {}\r\n", "x".repeat(70_000));
    answers(Failure::Protocol, http(200, &header, "")).await;
}

/// The control: a head that is only long is read.
#[tokio::test]
async fn a_head_of_half_the_limit_is_read() {
    let header = format!("X-Large: {}\r\n", "x".repeat(30_000));
    answers(Failure::Status(404), http(404, &header, "")).await;
}

/// A dialect that offers a protocol, and its credential beside it.
fn by_subprotocol() -> Dialect {
    let mut dialect = Dialect::new("by-subprotocol");
    dialect.placement.subprotocols = vec![
        SubprotocolEntry::Name("optave-v1".to_owned()),
        SubprotocolEntry::Credential(Template::text("${credential}")),
    ];
    dialect
}

#[tokio::test]
async fn a_subprotocol_that_may_not_be_selected_ends_as_the_table_says() {
    for selected in ["", "Sec-WebSocket-Protocol: other\r\n", "Sec-WebSocket-Protocol: canary-0\r\n"] {
        let flaw = move |mut stream: TcpStream| async move {
            let request = request(&mut stream).await?;
            assert!(request.contains("Sec-WebSocket-Protocol: optave-v1, canary-0\r\n"), "{request}");
            stream.write_all(switching_protocols(&request, selected)?.as_bytes()).await?;
            Ok(stream)
        };
        ends_as_the_table_says(by_subprotocol(), Phase::Upgrade, Failure::Subprotocol, flaw).await;
    }
}

/// The control: the right one is taken.
#[tokio::test]
async fn the_subprotocol_that_was_offered_is_taken() {
    let server = RawServer::serve(|mut stream, _| async move {
        let request = request(&mut stream).await?;
        let selected = "Sec-WebSocket-Protocol: optave-v1\r\n";
        stream.write_all(switching_protocols(&request, selected)?.as_bytes()).await?;
        realtime_auth_tests::flawed_server::drain(&mut stream).await
    });
    let server = server.await.unwrap();
    let mut observed = Observed::open(&url(server.address()), by_subprotocol(), config());
    observed.connected().await;
    assert_eq!(server.connections(), 1);
}

/// The credential is in a header: whoever follows the redirect hands it to a stranger.
#[tokio::test]
async fn a_redirect_is_not_followed_and_the_credential_goes_nowhere() {
    for status in [301, 302, 303, 307, 308] {
        let stranger = RawServer::serve(|_, _| async { Ok(()) }).await.unwrap();
        let location = format!("Location: ws://{}/ws\r\n", stranger.address());
        let answer = http(status, &location, "");
        let flaw = move |mut stream: TcpStream| {
            let answer = answer.clone();
            async move {
                let request = request(&mut stream).await?.to_ascii_lowercase();
                assert!(request.contains("authorization: bearer canary-0\r\n"), "{request}");
                stream.write_all(answer.as_bytes()).await?;
                Ok(stream)
            }
        };
        ends_as_the_table_says(by_header(), Phase::Upgrade, Failure::Status(status), flaw).await;
        assert_eq!(stranger.connections(), 0, "{status} was followed");
    }
}

/// Seconds, and a date that counts from the answer's own, however wrong its clock is.
#[tokio::test]
async fn the_wait_that_a_server_asks_for_is_kept() {
    let date = "Date: Fri, 20 Nov 2020 10:00:00 GMT\r\nRetry-After: Fri, 20 Nov 2020 10:00:07 GMT\r\n";
    for (status, headers) in
        [(429, "Retry-After: 7\r\n"), (503, "Retry-After: 7\r\n"), (429, date), (503, date)]
    {
        let answer = http(status, headers, "");
        let flaw = move |mut stream: TcpStream| {
            let answer = answer.clone();
            async move {
                request(&mut stream).await?;
                stream.write_all(answer.as_bytes()).await?;
                Ok(stream)
            }
        };
        let server = FlawedServer::serve(1, flaw).await.unwrap();
        let observed = Observed::open(&url(server.address()), Dialect::genesys(), config());
        observed.recorder.wait_for(1, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
        let retries = observed.retries();
        let waits = retries[0].is_some_and(|wait| (7..=15).contains(&wait.as_secs()));
        assert!(waits, "{status}, {headers}: {:?}", observed.recorder);
        observed.leaves_nothing().await;
        assert_eq!(server.connections(), 1);
        server.until_idle().await;
    }
}

/// Refuses the first upgrades with this status.
async fn refusing(status: u16, times: usize) -> FlawedServer {
    let answer = http(status, "WWW-Authenticate: Bearer\r\n", "");
    let flaw = move |mut stream: TcpStream| {
        let answer = answer.clone();
        async move {
            request(&mut stream).await?;
            stream.write_all(answer.as_bytes()).await?;
            Ok(stream)
        }
    };
    FlawedServer::serve(times, flaw).await.unwrap()
}

/// Twice is in the table of all statuses; once, a fresh token heals it.
#[tokio::test]
async fn one_refusal_is_answered_by_a_fresh_token() {
    for status in [401, 403] {
        let server = refusing(status, 1).await;
        let mut observed = Observed::open(&url(server.address()), by_header(), config());
        observed.connected().await;
        assert_eq!(server.connections(), 2);
        assert_eq!(observed.tokens.refused.load(Ordering::SeqCst), 1);
        observed.leaves_nothing().await;
        server.until_idle().await;
    }
}

/// Where the credential goes into the first message, a refused upgrade has not seen it: it is tried once more, and no token is
/// blamed.
#[tokio::test]
async fn an_upgrade_that_is_refused_before_any_credential_blames_no_token() {
    for (status, times, connected) in [(401, 1, true), (401, 2, false), (403, 2, false)] {
        let server = refusing(status, times).await;
        let mut observed = Observed::open(&url(server.address()), Dialect::genesys(), config());
        let ended = timeout(PATIENCE, observed.session.authenticated()).await.expect("it ends somewhere");
        assert_eq!(
            (ended.is_ok(), server.connections()),
            (connected, 2),
            "{status}: {:?}",
            observed.recorder
        );
        assert_eq!(observed.tokens.refused.load(Ordering::SeqCst), 0);
        observed.leaves_nothing().await;
        server.until_idle().await;
    }
}

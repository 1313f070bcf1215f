//! Bad answers over HTTP/1.1: each ends in an error of a clear kind, in bounded time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::{ErrorKind, Retry};
use auth_http::client::{HyperClient, LARGEST_REPLY};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script::{self, Answer, Script};
use tokio::io::AsyncWriteExt as _;

use super::{PATIENCE, TOKEN, ask, token};

fn client() -> HyperClient {
    HyperClient::plaintext().with_timeout(PATIENCE)
}

fn ok(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn an_answer_that_is_none_has_a_kind_and_leaves_the_request_in_doubt() {
    use ErrorKind::{MalformedResponse as Malformed, Transport as Broken};
    let sized = |body: &str| ok(&format!("Content-Length: {}\r\n", body.len()), body);
    let many_headers: String = (0..101).map(|n| format!("X-{n}: x\r\n")).collect();
    let too_large = "x".repeat(LARGEST_REPLY + 1);
    for (name, answer, kind) in [
        ("nothing at all", String::new(), Broken),
        ("half a status line", "HTTP/1.1 2".into(), Broken),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le".into(), Broken),
        ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n".into(), Malformed),
        ("another version", "HTTP/2.0 200 OK\r\n\r\n".into(), Malformed),
        ("a version of old", TOKEN.into(), Malformed),
        ("no status", "HTTP/1.1 abc\r\n\r\n".into(), Malformed),
        ("a page", sized("<html>Sign in to the hotel</html>"), Malformed),
        ("half a token", sized(&TOKEN[..40]), Malformed),
        ("an empty body", ok("Content-Length: 0\r\n", ""), Malformed),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".into(), Malformed),
        ("less than promised", ok("Content-Length: 1000\r\n", TOKEN), Broken),
        ("more than promised", ok("Content-Length: 20\r\n", TOKEN), Malformed),
        ("two lengths", ok("Content-Length: 20\r\nContent-Length: 21\r\n", TOKEN), Malformed),
        ("a negative length", ok("Content-Length: -1\r\n", TOKEN), Malformed),
        ("a length that is none", ok("Content-Length: 1e3\r\n", TOKEN), Malformed),
        ("no chunk", ok("Transfer-Encoding: chunked\r\n", "<html>"), Malformed),
        ("a chunk without end", ok("Transfer-Encoding: chunked\r\n", "5\r\nhello"), Broken),
        ("a huge chunk", ok("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nhello"), Malformed),
        ("a folded header", ok("X: a\r\n b\r\nContent-Length: 2\r\n", "{}"), Malformed),
        ("a header without a colon", ok("nonsense\r\nContent-Length: 2\r\n", "{}"), Malformed),
        ("a NUL in a header", ok("X: \0\r\nContent-Length: 2\r\n", "{}"), Malformed),
        ("a lone CR in a header", ok("X: a\rY: b\r\nContent-Length: 2\r\n", "{}"), Malformed),
        ("101 headers", ok(&many_headers, TOKEN), Malformed),
        ("a head of 1 MB", ok(&format!("X: {}\r\n", "x".repeat(1_000_000)), TOKEN), Malformed),
        ("64 KiB and one byte", sized(&too_large), Malformed),
        ("the same without a length", ok("", &too_large), Malformed),
        ("gzip", ok("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "\x1f\u{8b}"), Malformed),
        ("another protocol's turn", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n".into(), Malformed),
        ("another kind of token", sized(r#"{"access_token":"t","token_type":"mac"}"#), Malformed),
    ] {
        let server = Script::serve(vec![Answer::Bytes(answer.into_bytes())]).await.unwrap();
        let error = ask(&client(), server.url()).await.expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error:?}");
        assert!(error.is_in_doubt() || name == "another kind of token", "{name}: {error:?}");
        assert_eq!(error.retry(), Retry::Backoff, "{name}: {error:?}");
        assert_eq!(server.requests().len(), 1, "{name}: sent again");
    }
}

/// The controls of the test above: the same server is understood when it makes sense.
#[tokio::test]
async fn an_answer_that_makes_sense_is_understood_in_every_framing() {
    let padded = format!("{TOKEN}{}", " ".repeat(LARGEST_REPLY - TOKEN.len()));
    for answer in [
        ok(&format!("Content-Length: {}\r\n", TOKEN.len()), TOKEN),
        ok("", TOKEN),
        ok(
            "Transfer-Encoding: chunked\r\n",
            &format!("{:x}\r\n{TOKEN}\r\n0\r\nTrailer: x\r\n\r\n", TOKEN.len()),
        ),
        ok("Content-Encoding: identity\r\n", TOKEN),
        format!("HTTP/1.0 200 OK\r\n\r\n{TOKEN}"),
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{}", ok("", TOKEN)),
        ok(&(0..100).map(|n| format!("X-{n}: x\r\n")).collect::<String>(), TOKEN),
        ok(&format!("X: {}\r\n", "x".repeat(50_000)), TOKEN),
        ok("", &padded),
    ] {
        let server = Script::serve(vec![Answer::Bytes(answer.clone().into_bytes())]).await.unwrap();
        let shown = &answer[..answer.len().min(80)];
        assert_eq!(ask(&client(), server.url()).await.expect(shown).access_token.expose(), "t1", "{shown}");
    }
}

/// Endless answers: each part comes in time, but they never come to an end.
#[tokio::test(start_paused = true)]
async fn a_drip_ends_with_the_total_timeout() {
    for (name, head, drop) in [
        ("a slow head", "HTTP/1.1 200 OK\r\n", "X: x\r\n"),
        ("a flood of interim answers", "", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        ("a slow body", "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", " "),
        ("chunks without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
        ("silence", "", ""),
    ] {
        let server = RawServer::serve(move |mut stream, _| async move {
            script::read(&mut stream).await?;
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(drop.as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let server = server.await.unwrap();
        let error =
            ask(&HyperClient::plaintext(), &format!("http://{}", server.address())).await.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error:?}");
        assert!(error.is_in_doubt(), "{name}: the request was written");
    }
}

/// As fast as the socket takes it: what is too much is refused when it has come, not read to its end.
#[tokio::test]
async fn a_gibibyte_is_not_read() {
    for (name, head, part) in [
        ("a body", "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "x".repeat(16_384)),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            format!("4000\r\n{}\r\n", "x".repeat(16_384)),
        ),
        (
            "extensions of a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            "x".repeat(16_384),
        ),
        (
            "trailers",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            format!("X: {}\r\n", "x".repeat(8_192)),
        ),
        ("a head", "HTTP/1.1 200 OK\r\nX: ", "x".repeat(16_384)),
        (
            "interim answers with large heads",
            "",
            format!("HTTP/1.1 103 Hints\r\nX: {}\r\n\r\n", "x".repeat(16_384)),
        ),
    ] {
        let written = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&written);
        let part = Arc::new(part);
        let server = RawServer::serve(move |mut stream, _| {
            let (counted, part) = (Arc::clone(&counted), Arc::clone(&part));
            async move {
                script::read(&mut stream).await?;
                stream.write_all(head.as_bytes()).await?;
                for _ in 0..65_536 {
                    stream.write_all(part.as_bytes()).await?;
                    counted.fetch_add(part.len(), Ordering::Relaxed);
                }
                Ok(())
            }
        });
        let server = server.await.unwrap();
        let client = HyperClient::plaintext().with_timeout(Duration::from_secs(2));
        let error = ask(&client, &format!("http://{}", server.address())).await.expect_err(name);
        if name.starts_with("interim") {
            // They are thrown away one by one, so this takes no memory; the time is bounded.
            assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error:?}");
        } else {
            assert_eq!(error.kind(), ErrorKind::MalformedResponse, "{name}: {error:?}");
            // The buffers of two sockets hold some megabytes.
            let written = written.load(Ordering::Relaxed);
            assert!(written < 32 << 20, "{name}: {written} bytes were taken");
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Script::serve(vec![Answer::token("stolen", 60)]).await.unwrap();
    for status in [301, 302, 303, 307, 308] {
        for location in [target.url(), "/token", "https://127.0.0.1/token"] {
            let answer = Answer::http(status, &format!("Location: {location}\r\n"), "");
            let server = Script::serve(vec![answer]).await.unwrap();
            let error = ask(&client(), server.url()).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(status.into())));
            assert_eq!(server.requests().len(), 1, "{status} {location}");
        }
    }
    assert!(target.requests().is_empty(), "credentials went to {:?}", target.requests());
}

#[tokio::test]
async fn verdicts_and_advice_come_through() {
    for (status, headers, body, kind, retry) in [
        (401, "", "", ErrorKind::InvalidClient, Retry::Never),
        (403, "", "", ErrorKind::Refused, Retry::Never),
        (400, "", r#"{"error":"invalid_grant"}"#, ErrorKind::InvalidGrant, Retry::Reauthorize),
        (429, "", "", ErrorKind::RateLimited, Retry::Backoff),
        (429, "Retry-After: 7\r\n", "", ErrorKind::RateLimited, Retry::After(Duration::from_secs(7))),
        (429, "Retry-After: -7\r\n", "", ErrorKind::RateLimited, Retry::Backoff),
        (429, "Retry-After: soon\r\n", "", ErrorKind::RateLimited, Retry::Backoff),
        (
            503,
            "Date: Fri, 20 Nov 2026 10:00:00 GMT\r\nRetry-After: Fri, 20 Nov 2026 10:00:09 GMT\r\n",
            "",
            ErrorKind::ServerFailed,
            Retry::After(Duration::from_secs(9)),
        ),
        (500, "", "", ErrorKind::ServerFailed, Retry::Backoff),
        (502, "", "<html>", ErrorKind::ServerFailed, Retry::Backoff),
    ] {
        let server =
            Script::serve(vec![Answer::http(status, headers, body), Answer::token("t2", 60)]).await.unwrap();
        let client = client();
        let error = ask(&client, server.url()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{status} {headers}");
        // Nothing of the failure stays with the client.
        assert_eq!(token(ask(&client, server.url()).await), "t2");
    }
}

#[tokio::test]
async fn a_reset_in_the_body_is_a_broken_connection_in_doubt() {
    let server = RawServer::serve(|mut stream, _| async move {
        script::read(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":").await?;
        stream.set_zero_linger()
    });
    let server = server.await.unwrap();
    let error = ask(&client(), &format!("http://{}", server.address())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error:?}");
    assert!(error.is_in_doubt());
}

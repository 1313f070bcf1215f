//! HTTP/2, as TLS negotiates it: good answers and bad ones, frame by frame.

use std::sync::Arc;

use auth_core::ErrorKind;
use auth_http::client::{Builder, HyperClient, Roots};
use realtime_auth_tests::authority::{self, Authority};
use realtime_auth_tests::http2::{Connection, STATUS_200, flag, frame, header};
use realtime_auth_tests::raw_server::RawServer;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use super::{PATIENCE, TOKEN, ask, at_loopback, token};

type Http2 = Connection<TlsStream<TcpStream>>;

/// A server that speaks HTTP/2 only, and does with each connection what its test says; and a client that trusts it.
async fn serve<F>(
    handle: impl Fn(Http2, usize) -> F + Clone + Send + Sync + 'static,
) -> (RawServer, String, Builder)
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let authority = Authority::new().unwrap();
    let acceptor = authority.acceptor("login.example", &["h2"], None).unwrap();
    let serving = RawServer::serve(move |stream, number| {
        let (acceptor, handle) = (acceptor.clone(), handle.clone());
        async move {
            let stream = authority::accept(&acceptor, stream).await?;
            handle(Connection::greet(stream).await?, number).await
        }
    });
    let server = serving.await.unwrap();
    let url = format!("https://login.example:{}", server.address().port());
    let roots = Roots::none().with_pem(authority.pem().as_bytes()).unwrap();
    let builder = HyperClient::builder()
        .with_roots(roots)
        .with_resolver(at_loopback())
        .with_idle_timeout(PATIENCE)
        .with_timeout(PATIENCE);
    (server, url, builder)
}

#[tokio::test]
async fn one_connection_serves_many_requests_at_once() {
    let (server, url, builder) = serve(|mut http2, _| async move {
        // Three requests come in before the first is answered.
        let first = http2.request().await?;
        http2.reply(first, TOKEN).await?;
        let streams = [http2.request().await?, http2.request().await?, http2.request().await?];
        for stream in streams.into_iter().rev() {
            http2.reply(stream, TOKEN).await?;
        }
        http2.request().await.map(drop)
    })
    .await;
    let client = builder.build().unwrap();
    assert_eq!(token(ask(&client, &url).await), "t1");
    let (a, b, c) = tokio::join!(ask(&client, &url), ask(&client, &url), ask(&client, &url));
    assert_eq!([token(a), token(b), token(c)], ["t1"; 3]);
    assert_eq!(server.connections(), 1);
}

/// What a server does instead of an answer.
#[derive(Debug, Clone, Copy)]
enum Bad {
    ClosesAtOnce,
    Resets,
    Refuses,
    GoesAway,
    BodyWithoutHead,
    TooManyBytes,
    MoreThanItMay,
    HugeHead,
    EndlessHead,
    Compressed,
    NoStatus,
    LessThanPromised,
    NoToken,
}

async fn misbehave(mut http2: Http2, bad: Bad) -> std::io::Result<()> {
    let stream = http2.request().await?;
    let large = "x".repeat(16_000);
    match bad {
        Bad::ClosesAtOnce => return Ok(()),
        Bad::Resets => http2.send(frame::RST_STREAM, 0, stream, &[0, 0, 0, 2]).await?,
        // It has done nothing with the stream, it says, but hyper does not pass that on.
        Bad::Refuses => http2.send(frame::RST_STREAM, 0, stream, &[0, 0, 0, 7]).await?,
        // It has seen no stream, it says, though it may have.
        Bad::GoesAway => http2.send(frame::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]).await?,
        Bad::BodyWithoutHead => http2.send(frame::DATA, flag::END_STREAM, stream, TOKEN.as_bytes()).await?,
        Bad::TooManyBytes | Bad::MoreThanItMay => {
            http2.send(frame::HEADERS, flag::END_HEADERS, stream, STATUS_200).await?;
            let count = if matches!(bad, Bad::TooManyBytes) { 1 } else { 1_000 };
            for _ in 0..count {
                http2.send(frame::DATA, 0, stream, large.as_bytes()).await?;
            }
        }
        Bad::HugeHead => {
            http2.send(frame::HEADERS, 0, stream, STATUS_200).await?;
            for _ in 0..10 {
                http2.send(frame::CONTINUATION, 0, stream, &header("x", &large)).await?;
            }
            http2.send(frame::CONTINUATION, flag::END_HEADERS, stream, b"").await?;
        }
        Bad::EndlessHead => {
            http2.send(frame::HEADERS, 0, stream, STATUS_200).await?;
            loop {
                http2.send(frame::CONTINUATION, 0, stream, b"").await?;
            }
        }
        Bad::Compressed => {
            let head = [STATUS_200, &header("content-encoding", "br")].concat();
            http2.send(frame::HEADERS, flag::END_HEADERS, stream, &head).await?;
            http2.send(frame::DATA, flag::END_STREAM, stream, TOKEN.as_bytes()).await?;
        }
        Bad::NoStatus => {
            http2.send(frame::HEADERS, flag::END_HEADERS, stream, &header("x", "y")).await?;
        }
        Bad::LessThanPromised => {
            let head = [STATUS_200, &header("content-length", "1000")].concat();
            http2.send(frame::HEADERS, flag::END_HEADERS, stream, &head).await?;
            http2.send(frame::DATA, flag::END_STREAM, stream, TOKEN.as_bytes()).await?;
        }
        Bad::NoToken => http2.reply(stream, "<html>").await?,
    }
    // Until the client ends it.
    loop {
        http2.frame().await?;
    }
}

#[tokio::test]
async fn an_answer_that_is_none_has_a_kind_and_leaves_the_request_in_doubt() {
    use ErrorKind::{MalformedResponse as Malformed, Transport as Broken};
    for (bad, kind) in [
        (Bad::ClosesAtOnce, Broken),
        (Bad::Resets, Broken),
        (Bad::Refuses, Broken),
        (Bad::GoesAway, Broken),
        (Bad::BodyWithoutHead, Broken),
        (Bad::TooManyBytes, Malformed),
        (Bad::MoreThanItMay, Malformed),
        (Bad::HugeHead, Broken),
        (Bad::EndlessHead, Broken),
        (Bad::Compressed, Malformed),
        (Bad::NoStatus, Broken),
        (Bad::LessThanPromised, Broken),
        (Bad::NoToken, Malformed),
    ] {
        let (server, url, builder) = serve(move |http2, _| misbehave(http2, bad)).await;
        let client = builder.with_largest_reply(10_000).build().unwrap();
        let error = ask(&client, &url).await.expect_err(&format!("{bad:?}"));
        assert_eq!((error.kind(), error.is_in_doubt()), (kind, true), "{bad:?}: {error:?}");
        assert_eq!(server.connections(), 1, "{bad:?}: sent again");
    }
}

/// Its first request is given up by whoever asked, so that no reply ever puts the connection back.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_only_request_was_given_up_is_closed_once_it_was_idle_for_long() {
    let (asked, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (asking, ending) = (Arc::clone(&asked), Arc::clone(&ended));
    let (server, url, builder) = serve(move |mut http2, _| {
        let (asking, ending) = (Arc::clone(&asking), Arc::clone(&ending));
        async move {
            http2.request().await?;
            asking.notify_one();
            while http2.frame().await.is_ok() {}
            ending.notify_one();
            Ok(())
        }
    })
    .await;
    let client = builder.build().unwrap();
    tokio::select! {
        outcome = ask(&client, &url) => panic!("nobody answered: {outcome:?}"),
        () = asked.notified() => {}
    }
    let early = tokio::time::timeout(PATIENCE / 2, ended.notified()).await;
    assert!(early.is_err(), "the control: it is kept for a while");
    let ended = tokio::time::timeout(2 * PATIENCE, ended.notified()).await;
    assert!(ended.is_ok(), "nobody closes it");
    assert_eq!(server.connections(), 1);
    drop(client);
}

/// A connection whose peer has vanished looks as good as new: the next request must not wait for the same silence.
#[tokio::test(start_paused = true)]
async fn a_connection_that_timed_out_is_not_used_again() {
    let (server, url, builder) = serve(|mut http2, number| async move {
        let stream = http2.request().await?;
        if number > 1 {
            http2.reply(stream, TOKEN).await?;
        }
        loop {
            http2.frame().await?;
        }
    })
    .await;
    let client = builder.with_timeout(PATIENCE / 2).build().unwrap();
    let error = ask(&client, &url).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Timeout, true), "{error:?}");
    assert_eq!(token(ask(&client, &url).await), "t1");
    assert_eq!(server.connections(), 2);
}

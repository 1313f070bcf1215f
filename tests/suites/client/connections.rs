//! Connections that are kept, lost or never made: no request is sent twice, and whoever says that it had no effect is right.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ErrorKind;
use auth_http::client::{HyperClient, Resolve};
use auth_http::exchange::HttpExchange as _;
use bytes::Bytes;
use http::Request;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script;
use tokio::io::AsyncWriteExt as _;

use super::{PATIENCE, TOKEN, ask, token};

fn reply(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn keeping() -> HyperClient {
    let builder = HyperClient::builder().with_plaintext().with_idle_timeout(PATIENCE);
    builder.build().unwrap().with_timeout(PATIENCE)
}

/// A server that answers what it is asked on each connection, until the client ends it.
async fn obliging() -> RawServer {
    let serving = RawServer::serve(|mut stream, _| async move {
        while !script::read(&mut stream).await?.is_empty() {
            stream.write_all(&reply(TOKEN)).await?;
        }
        Ok(())
    });
    serving.await.unwrap()
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = obliging().await;
    let url = format!("http://{}", server.address());
    let client = keeping();
    for client in [&client, &client, &client.clone()] {
        assert_eq!(token(ask(client, &url).await), "t1");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_given_up_before_servers_do() {
    let server = obliging().await;
    let url = format!("http://{}", server.address());
    let client = HyperClient::plaintext();
    for (idle, connections) in [(0, 1), (3, 1), (5, 2)] {
        tokio::time::advance(Duration::from_secs(idle)).await;
        ask(&client, &url).await.unwrap();
        assert_eq!(server.connections(), connections, "after {idle} s");
    }
}

/// Nobody is left to use the connection, and an hour is long for a task that waits for nothing.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_leaves_no_task_behind() {
    const AN_HOUR: Duration = Duration::from_secs(3_600);
    let server = obliging().await;
    let url = format!("http://{}", server.address());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let client = HyperClient::builder().with_plaintext().with_idle_timeout(AN_HOUR).build().unwrap();
    let another = client.clone();
    ask(&client, &url).await.unwrap();
    drop(client);
    tokio::time::sleep(AN_HOUR / 60).await;
    assert!(tasks() > before, "the control: a clone has the connection");
    ask(&another, &url).await.unwrap();
    assert_eq!(server.connections(), 1);
    drop(another);
    tokio::time::sleep(AN_HOUR / 60).await;
    assert_eq!(tasks(), before);
}

/// The second request arrives whole and is left without an answer: whether it had an effect is anybody's guess, so it must not be
/// sent once more by the pool.
#[tokio::test]
async fn a_request_that_was_written_is_never_sent_again() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let server = RawServer::serve(move |mut stream, _| {
        let counted = Arc::clone(&counted);
        async move {
            script::read(&mut stream).await?;
            counted.fetch_add(1, Ordering::Relaxed);
            stream.write_all(&reply(TOKEN)).await?;
            script::read(&mut stream).await?;
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    });
    let server = server.await.unwrap();
    let url = format!("http://{}", server.address());
    let client = keeping();
    ask(&client, &url).await.unwrap();
    let error = ask(&client, &url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error:?}");
    assert!(error.is_in_doubt(), "{error:?}");
    assert_eq!((requests.load(Ordering::Relaxed), server.connections()), (2, 1));
}

/// The server closes each connection some time after its first answer, just when the next request may be on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_closing_server_does_each_request_arrives_at_most_once_and_no_error_lies() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let server = RawServer::serve(move |mut stream, number| {
        let kept = Arc::clone(&kept);
        async move {
            let request = script::read(&mut stream).await?;
            kept.lock().unwrap().push(path(&request));
            stream.write_all(&reply(TOKEN)).await?;
            let linger = Duration::from_micros(number as u64 % 40 * 10);
            // Time passes while the request may come in; what has come is counted, and not answered.
            if let Ok(Ok(request)) = tokio::time::timeout(linger, script::read(&mut stream)).await
                && !request.is_empty()
            {
                kept.lock().unwrap().push(path(&request));
            }
            Ok(())
        }
    });
    let server = server.await.unwrap();
    let client = keeping();
    let (mut answered, mut in_doubt) = (0, 0);
    // Long enough for the race to happen, on any machine.
    for number in 0.. {
        if number >= 600 && answered > 0 && in_doubt > 0 {
            break;
        }
        assert!(number < 20_000, "{answered} answered, {in_doubt} in doubt: the race does not happen");
        let request = Request::post(format!("http://{}/{number}", server.address()));
        let request = request.body(Bytes::from_static(b"refresh_token=r")).unwrap();
        match client.exchange(request).await {
            Ok(_) => answered += 1,
            Err(error) if error.is_in_doubt() => in_doubt += 1,
            Err(error) => {
                let arrived = seen.lock().unwrap().contains(&format!("/{number}"));
                assert!(!arrived, "{number} arrived: {error:?}");
            }
        }
    }
    let seen = seen.lock().unwrap();
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "a request arrived twice");
    assert!(
        answered > 0 && in_doubt > 0,
        "{answered} answered, {in_doubt} in doubt: the race did not happen"
    );
}

fn path(request: &str) -> String {
    request.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A whole second answer behind the first: it must not become the answer to the next request, whoever asks.
#[tokio::test]
async fn what_follows_an_answer_is_nobodys_answer() {
    let stolen = reply(&TOKEN.replace("t1", "injected"));
    let both = [reply(TOKEN), stolen].concat();
    let server = RawServer::serve(move |mut stream, _| {
        let both = both.clone();
        async move {
            while !script::read(&mut stream).await?.is_empty() {
                stream.write_all(&both).await?;
            }
            Ok(())
        }
    });
    let server = server.await.unwrap();
    let url = format!("http://{}", server.address());
    let client = keeping();
    for number in 1..=10 {
        assert_eq!(token(ask(&client, &url).await), "t1");
        assert_eq!(server.connections(), number, "the connection is not used again");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_a_request_had_no_effect() {
    // A port that was free a moment ago.
    let gone = RawServer::serve(|_, _| async { Ok(()) }).await.unwrap().address();
    let error = ask(&keeping(), &format!("http://{gone}")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Transport, false), "{error:?}");

    let slow = HyperClient::builder()
        .with_resolver(Arc::new(Flaky::default()))
        .with_resolution_timeout(PATIENCE)
        .with_timeout(PATIENCE / 2)
        .build();
    let error = ask(&slow.unwrap(), "https://slow.example").await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Timeout, false), "{error:?}");
    assert!(error.to_string().starts_with("no connection to the server was made in time"), "{error}");
}

#[tokio::test]
async fn a_name_that_can_be_resolved_again_is_asked_for_again() {
    let server = obliging().await;
    let url = format!("http://login.example:{}", server.address().port());
    let client = HyperClient::builder().with_plaintext().with_resolver(Arc::new(Flaky::default())).build();
    let client = client.unwrap();
    let request = || Request::post(&url).body(Bytes::new()).unwrap();
    let error = client.exchange(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Transport, false), "{error:?}");
    assert!(error.to_string().starts_with("the server's name can't be resolved; check"), "{error}");
    client.exchange(request()).await.unwrap();
}

/// A resolver that fails the first time, then knows the way, but never answers for one name.
#[derive(Default)]
struct Flaky(AtomicUsize);

#[async_trait]
impl Resolve for Flaky {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if host == "slow.example" {
            std::future::pending::<()>().await;
        }
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err(io::Error::other("temporary failure in name resolution")),
            // Nobody listens at the first; the second is the server.
            _ => Ok(vec![IpAddr::from([127, 0, 0, 9]), IpAddr::from([127, 0, 0, 1])]),
        }
    }
}

#[tokio::test]
async fn a_url_with_credentials_or_without_a_host_is_refused_unsent_and_unshown() {
    let server = obliging().await;
    let address = server.address();
    for url in [format!("http://user:canary@{address}/"), "/canary".to_owned(), address.to_string()] {
        let request = Request::post(url).body(Bytes::new()).unwrap();
        let error = keeping().exchange(request).await.unwrap_err();
        assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Misconfigured, false));
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    assert_eq!(server.connections(), 0);
}

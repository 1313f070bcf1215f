//! The tokio driver over real sockets: what it delivers, what it gives back, and what it leaves behind.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::source::FixedToken;
use auth_core::{AuthEvent, Secret, Token, TokenSource};
use gateway::{Client, Gateway, Running};
use providers::genesys;
use realtime_auth_tests::counterparts::{Fault, with_fault};
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};
use tokio::time::timeout;
use ws_session::ErrorKind;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Message, Session, Target};
use ws_session::machine::{Config, State};

async fn gateway() -> Running {
    let config = gateway::Config::new("127.0.0.1:0".parse().unwrap());
    let client = Client::new("id", Secret::from("secret"), "a b".parse().unwrap());
    Gateway::bind(with_fault(config.with_client(client), Fault::None)).await.unwrap().spawn()
}

fn client(gateway: &Running) -> genesys::Client {
    genesys::Client::builder(gateway.http_url(), "id", "secret").build().unwrap()
}

fn fixed(url: &str, token: &str) -> Session {
    let source: Arc<dyn TokenSource> = Arc::new(FixedToken::new(Token::new(Secret::from(token))));
    Session::builder(Target::new(url).unwrap(), Dialect::genesys(), source).spawn()
}

/// Both ends send at once and more than any buffer holds: a driver that does not read while it writes would stop here.
#[tokio::test]
async fn a_flood_that_is_echoed_arrives_in_order_and_whole() {
    let gateway = gateway().await;
    let mut session = client(&gateway).connect().await.unwrap();
    let text = |number: usize| format!("{number}:{}", "x".repeat(8_192));
    let mut sent = 0;
    let flood = async {
        for number in 0..10_000 {
            session.send(text(number)).await.unwrap();
            sent = number + 1;
        }
    };
    // Nothing is read while this sends: 80 MB don't fit into the sockets, the gateway and the queue.
    assert!(timeout(Duration::from_secs(1), flood).await.is_err(), "the queues are bounded");
    assert!(sent > 256, "{sent} messages were sent");
    for number in 0..sent {
        assert_eq!(session.next().await, Some(Message::Text(text(number))));
    }
    session.send("afterwards").await.unwrap();
    // The send that was given up may have been on its way already.
    let mut rest = session.next().await.unwrap();
    if rest == Message::Text(text(sent)) {
        rest = session.next().await.unwrap();
    }
    assert_eq!(rest.as_text(), Some("afterwards"));
}

/// Whoever sends to a peer that answers reads at the same time.
#[tokio::test]
async fn one_task_sends_while_another_reads() {
    let gateway = gateway().await;
    let mut session = client(&gateway).connect().await.unwrap();
    let sender = session.sender();
    let sending = tokio::spawn(async move {
        for number in 0..5_000 {
            sender.send(format!("{number}")).await.unwrap();
        }
    });
    for number in 0..5_000 {
        assert_eq!(session.next().await.unwrap().as_text(), Some(format!("{number}").as_str()));
    }
    sending.await.unwrap();
}

/// More messages wait than a flush takes, and none may go out: a driver that looks for room in a circle would never end.
#[tokio::test]
async fn messages_that_wait_for_a_login_do_not_keep_a_session_from_closing() {
    let server = Script::serve(vec![Answer::Silence]).await.unwrap();
    let session = fixed(&server.url().replace("http", "ws"), "t");
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..200 {
        let sender = session.sender();
        sending.spawn(async move { sender.send(format!("{number}")).await });
    }
    tokio::task::yield_now().await;
    timeout(Duration::from_secs(5), session.close()).await.unwrap().unwrap();
    let returned = sending.join_all().await;
    assert!(returned.into_iter().all(|sent| !sent.unwrap_err().may_have_arrived()), "each came back");
}

/// 600 answers wait for a reader who never comes, and with them the answer to a renewal: that costs the connection, but
/// the login on the next one is read.
#[tokio::test]
async fn a_reader_who_never_comes_does_not_keep_a_session_from_logging_in_again() {
    let config =
        gateway::Config::new("127.0.0.1:0".parse().unwrap()).with_token_lifetime(Duration::from_secs(2));
    let gateway =
        Gateway::bind(config.with_client(Client::new("id", Secret::from("secret"), "a".parse().unwrap())));
    let gateway = gateway.await.unwrap().spawn();
    let recorder = Recorder::default();
    let client = genesys::Client::builder(gateway.http_url(), "id", "secret")
        .with_observer(Arc::new(recorder.clone()))
        .with_session_config(Config::new().with_answer_timeout(Duration::from_millis(300)))
        .build()
        .unwrap();
    let session = client.connect().await.unwrap();
    for number in 0..600 {
        session.send(format!("{number}")).await.unwrap();
    }
    recorder.wait_for(1, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
    recorder.wait_for(2, |event| matches!(event, AuthEvent::Authenticated { .. })).await;
}

/// A server that says `greeting`, then sends text frames as fast as they are taken, and keeps what it is sent.
struct Flood {
    url: String,
    read: Arc<Mutex<Vec<u8>>>,
    talking: tokio::task::JoinHandle<()>,
}

impl Flood {
    async fn serve(greeting: &'static [u8]) -> Self {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        let read = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&read);
        let talking = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = realtime_auth_tests::raw_socket::accept(&mut stream).await;
                let _ = stream.write_all(greeting).await;
                let (mut reader, mut writer) = stream.into_split();
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut buffer = [0; 4_096];
                    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                        kept.lock().unwrap().extend_from_slice(&buffer[..length]);
                    }
                });
                while writer.write_all(&b"\x81\x01x".repeat(10_000)).await.is_ok() {}
            }
        });
        Self { url, read, talking }
    }

    fn session(&self, config: Config, recorder: &Recorder) -> Session {
        let source = Arc::new(FixedToken::new(Token::new(Secret::from("t"))));
        Session::builder(Target::new(&self.url).unwrap(), Dialect::genesys(), source)
            .with_observer(Arc::new(recorder.clone()))
            .with_config(config)
            .spawn()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.talking.abort();
    }
}

/// The server always has something to say, but never the answer.
#[tokio::test]
async fn a_server_that_talks_instead_of_answering_is_left_in_time() {
    let server = Flood::serve(b"").await;
    let recorder = Recorder::default();
    let session = server.session(Config::new().with_answer_timeout(Duration::from_millis(300)), &recorder);
    let unanswered = |event: &AuthEvent| matches!(event, AuthEvent::ConnectionLost { reason, .. } if reason.as_str().contains("did not answer"));
    timeout(Duration::from_secs(5), recorder.wait_for(1, unanswered)).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_keeps_a_session_neither_from_sending_nor_from_closing() {
    let server = Flood::serve(b"\x81\x1d{\"type\":\"auth\",\"status\":\"ok\"}").await;
    let mut session =
        server.session(Config::new().with_close_timeout(Duration::from_secs(1)), &Recorder::default());
    session.authenticated().await.unwrap();
    let sender = session.sender();
    let sent = timeout(Duration::from_secs(5), async {
        let mut sending = std::pin::pin!(sender.send("through the flood"));
        loop {
            tokio::select! {
                sent = &mut sending => break sent,
                _ = session.next() => {}
            }
        }
    });
    sent.await.unwrap().unwrap();
    let before = server.read.lock().unwrap().len();
    timeout(Duration::from_secs(5), session.close()).await.unwrap().unwrap();
    // A close frame of two bytes, masked: eight bytes in all.
    let read = server.read.lock().unwrap().clone();
    assert!(
        read[before..].windows(2).any(|frame| frame == [0x88, 0x82]),
        "no close frame left: {:?}",
        &read[before..]
    );
}

#[tokio::test]
async fn connect_gives_up_when_nothing_answers() {
    let server = Script::serve(vec![Answer::HangUp]).await.unwrap();
    let mut session = fixed(&server.url().replace("http", "ws"), "t");
    let waited = session.authenticated_within(Duration::from_millis(800)).await.unwrap_err();
    assert_eq!(waited.kind(), ErrorKind::Timeout, "{waited}");
    session.close().await.unwrap();
}

#[tokio::test]
async fn what_was_sent_goes_out_before_the_close() {
    let gateway = gateway().await;
    let client = client(&gateway);
    let session = client.connect().await.unwrap();
    let sent = session.send("last words");
    sent.await.unwrap();
    session.close().await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn a_session_that_failed_gives_its_messages_back() {
    let gateway = gateway().await;
    let mut session = fixed(gateway.ws_url(), "not a token of this gateway");
    let refused = session.send("precious").await.unwrap_err();
    assert!(!refused.may_have_arrived());
    assert_eq!(refused.into_message().unwrap().as_text(), Some("precious"));
    let error = session.authenticated().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Token | ErrorKind::AuthenticationRefused), "{error}");
    assert_eq!(session.next().await, None);
    assert_eq!(session.state(), State::Failed);
    assert!(session.close().await.is_err(), "the close tells why it had ended");
}

#[tokio::test]
async fn a_dropped_session_leaves_no_connection_behind() {
    let gateway = gateway().await;
    let recorder = Recorder::default();
    let client = genesys::Client::builder(gateway.http_url(), "id", "secret")
        .with_observer(Arc::new(recorder.clone()))
        .build()
        .unwrap();
    let session = client.connect().await.unwrap();
    assert_eq!(gateway.sessions().live().len(), 1);
    drop(session);
    recorder.wait_for(1, |event| matches!(event, AuthEvent::SessionClosed { .. })).await;
    gateway.stop().await;
}

/// A session that does not know its token's lifetime can't renew it: the gateway ends the connection, and says why.
#[tokio::test]
async fn a_connection_whose_token_expires_without_renewal_is_closed_with_4401() {
    let config =
        gateway::Config::new("127.0.0.1:0".parse().unwrap()).with_token_lifetime(Duration::from_secs(1));
    let client = Client::new("id", Secret::from("secret"), "a b".parse().unwrap());
    let gateway = Gateway::bind(config.with_client(client)).await.unwrap().spawn();
    let issued = genesys::Client::builder(gateway.http_url(), "id", "secret").build().unwrap();
    let token = issued.valid_token().await.unwrap();

    let recorder = Recorder::default();
    let source = Arc::new(FixedToken::new(Token::new(token.secret().clone())));
    let mut session = Session::builder(Target::new(gateway.ws_url()).unwrap(), Dialect::genesys(), source)
        .with_observer(Arc::new(recorder.clone()))
        .spawn();
    session.authenticated().await.unwrap();
    // The session is busy when its time is up: the reason must arrive all the same.
    while session.send("busy").await.is_ok() && session.next().await.is_some() {}
    recorder.wait_for(1, |event| matches!(event, AuthEvent::ConnectionLost { code: Some(4401), .. })).await;
    recorder.wait_for(1, |event| matches!(event, AuthEvent::SessionFailed { .. })).await;
    assert!(gateway.sessions().live().is_empty());
}

#[tokio::test]
async fn an_upgrade_that_is_refused_for_good_ends_the_session_at_once() {
    for (answer, code) in [
        (Answer::http(404, "", ""), Some(404)),
        (Answer::http(302, "Location: http://127.0.0.1:1/\r\n", ""), Some(302)),
        (Answer::http(200, "Content-Type: text/html\r\n", "<html>"), Some(200)),
        (Answer::Bytes(b"220 smtp.example.com ESMTP\r\n".to_vec()), None),
    ] {
        let server = Script::serve(vec![answer]).await.unwrap();
        let mut session = fixed(&server.url().replace("http", "ws"), "t");
        let error = timeout(Duration::from_secs(5), session.authenticated()).await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::ConnectionRefused, code));
        assert_eq!(server.requests().len(), 1, "one attempt");
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_is_tried_again() {
    let server = Script::serve(vec![Answer::HangUp]).await.unwrap();
    let mut session = fixed(&server.url().replace("http", "ws"), "t");
    assert!(timeout(Duration::from_secs(2), session.authenticated()).await.is_err());
    assert!(server.requests().len() > 1);
    let no_redirected_credentials =
        server.requests().iter().all(|request| !request.contains("Authorization"));
    assert!(no_redirected_credentials, "the credential goes into the first message, not into the upgrade");
    session.close().await.unwrap();
}

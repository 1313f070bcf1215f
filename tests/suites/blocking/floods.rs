//! Peers that would keep a session without a runtime busy for ever: by dribbling, and by asking without ever reading.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use auth_core::source::FixedToken;
use auth_core::{Secret, Token};
use serde_json::json;
use tungstenite::Message as Frame;
use ws_session::dialect::{Dialect, Matcher, Renewal, RenewalTime, Reply, Template};
use ws_session::driver::blocking::{Session, Target};
use ws_session::machine::{Config, State};

use crate::stories::log::{Log, PATIENCE};

/// Serves one connection, up to its upgrade, and then as `serve` says.
fn serve<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        let upgraded = tungstenite::accept(socket).unwrap();
        serve(upgraded.get_ref().try_clone().unwrap())
    });
    (address, serving)
}

fn session(address: SocketAddr, dialect: Dialect, config: Config, log: &Log) -> Session {
    session_of(address, dialect, config, log, Token::new(Secret::from("t")))
}

fn session_of(address: SocketAddr, dialect: Dialect, config: Config, log: &Log, token: Token) -> Session {
    let source = Arc::new(FixedToken::new(token));
    let mut session = Session::builder(Target::new(&format!("ws://{address}/")).unwrap(), dialect, source)
        .with_config(config)
        .with_observer(Arc::new(log.clone()))
        .open();
    session.authenticated_within(PATIENCE).unwrap();
    session
}

/// A frame of a megabyte less one byte, a byte at a time, as long as somebody takes them.
fn dribble(mut socket: TcpStream) {
    let head = [&[0x81_u8, 127][..], &1_048_575_u64.to_be_bytes()].concat();
    for byte in head.into_iter().chain(std::iter::repeat_n(b'x', 1_048_575)) {
        if socket.write_all(&[byte]).is_err() {
            break;
        }
        // The pace of the peer, which nothing here waits for.
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_peer_that_dribbles_a_frame_costs_its_caller_no_more_than_the_patience() {
    let (address, serving) = serve(dribble);
    let log = Log::default();
    let config = Config::new().with_keep_alive(None).with_close_timeout(Duration::from_millis(100));
    let mut session = session(address, Dialect::new("nothing"), config, &log);
    let begun = Instant::now();
    assert_eq!(session.next(Duration::from_millis(300)).unwrap(), None);
    assert_eq!(session.next(Duration::ZERO).unwrap(), None);
    assert!(begun.elapsed() < PATIENCE / 4, "the frame takes half an hour: {:?}", begun.elapsed());
    assert_eq!(session.state(), State::Connected);
    session.close().unwrap();
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    drop(session);
    serving.join().unwrap();
}

/// What is due is the renewal. The server answers no ping, which it can't in the middle of a frame, and its bytes say that it lives.
#[test]
fn what_is_due_is_done_while_a_peer_dribbles_and_it_is_not_taken_for_dead() {
    let (address, serving) = serve(dribble);
    let log = Log::default();
    let mut dialect = Dialect::new("renewed without an answer");
    dialect.renewal = Renewal::InBand {
        send: Template::text("${credential}"),
        accepted: Vec::new(),
        asked_by: Vec::new(),
        when: RenewalTime::Early,
    };
    let token = Token::new(Secret::from("t")).with_expires_in(PATIENCE).with_renew_in(Duration::from_secs(3));
    let config = Config::new().with_keep_alive(Some(Duration::from_secs(2)));
    let mut session = session_of(address, dialect, config, &log, token);
    let begun = Instant::now();
    while !log.seen().client.contains(&"renewed in band 1".to_owned()) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", log.seen());
        assert_eq!(session.next(Duration::from_secs(1)).unwrap(), None);
    }
    assert_eq!(session.state(), State::Connected);
    assert!(!log.seen().client.iter().any(|event| event.starts_with("lost")), "{:?}", log.seen());
    drop(session);
    serving.join().unwrap();
}

/// Whoever asks and does not read gets no more than fits: what is not asked for is not kept, and what is asked next is not read.
#[test]
fn a_peer_that_asks_and_does_not_read_is_not_read_either() {
    const PINGS: usize = 3_500;
    let padding = "x".repeat(8_192);
    let mut dialect = Dialect::new("asked");
    dialect.replies.push(Reply {
        on: Matcher::of([("/type", json!("ping"))]),
        send: Template::json(json!({"type": "pong", "padding": padding})),
    });
    let ping = json!({"type": "ping", "padding": padding}).to_string();
    let (address, serving) = serve(move |mut socket| {
        socket.set_write_timeout(Some(Duration::from_secs(4))).unwrap();
        let mut frame = Vec::new();
        let length = u16::try_from(ping.len()).unwrap().to_be_bytes();
        frame.extend([&[0x81_u8, 126][..], &length, ping.as_bytes()].concat());
        // 28 MB, where the platform's buffers hold 10 at most in each direction.
        (0..PINGS).take_while(|_| socket.write_all(&frame).is_ok()).count()
    });
    let log = Log::default();
    let config = Config::new().with_keep_alive(None).with_close_timeout(Duration::from_millis(100));
    let mut session = session(address, dialect, config, &log);
    let begun = Instant::now();
    while !serving.is_finished() {
        assert!(begun.elapsed() < 2 * PATIENCE, "it is held up, or through");
        assert!(session.next(Duration::from_millis(50)).is_ok_and(|message| message.is_none()));
    }
    let asked = serving.join().unwrap();
    assert!(asked > 10 && asked < PINGS, "{asked} pings were taken from one who reads no answer");
    session.close().unwrap();
}

/// The control: whoever reads the answers is answered to the end, many times what may wait.
#[test]
fn a_peer_that_asks_and_reads_is_answered_to_the_end() {
    const PINGS: usize = 500;
    let mut dialect = Dialect::new("asked");
    dialect.replies.push(Reply {
        on: Matcher::of([("/type", json!("ping"))]),
        send: Template::json(json!({"type": "pong", "padding": "x".repeat(8_192)})),
    });
    let (address, serving) = serve(|socket| {
        let mut socket =
            tungstenite::WebSocket::from_raw_socket(socket, tungstenite::protocol::Role::Server, None);
        for _ in 0..PINGS {
            socket.send(Frame::text(r#"{"type":"ping"}"#)).unwrap();
        }
        (0..PINGS).take_while(|_| socket.read().is_ok_and(|frame| frame.is_text())).count()
    });
    let mut session = session(address, dialect, Config::new(), &Log::default());
    let begun = Instant::now();
    while !serving.is_finished() {
        assert!(begun.elapsed() < PATIENCE, "it is answered");
        // The server ends the connection once it has heard enough.
        let _ = session.next(Duration::from_millis(20));
    }
    assert_eq!(serving.join().unwrap(), PINGS);
}

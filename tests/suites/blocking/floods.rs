//! Peers that would keep a session without a runtime busy for ever: by dribbling.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use auth_core::source::FixedToken;
use auth_core::{Secret, Token};
use ws_session::dialect::Dialect;
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
    let source = Arc::new(FixedToken::new(Token::new(Secret::from("t"))));
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

#[test]
fn what_is_due_is_done_while_a_peer_dribbles() {
    let (address, serving) = serve(dribble);
    let log = Log::default();
    let config = Config::new().with_keep_alive(Some(Duration::from_millis(300)));
    let mut session = session(address, Dialect::new("nothing"), config, &log);
    let begun = Instant::now();
    let given_up =
        |log: &Log| log.seen().client.contains(&"lost 1: nothing was heard of the server".to_owned());
    while !given_up(&log) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", log.seen());
        assert_eq!(session.next(Duration::from_secs(1)).unwrap(), None);
    }
    drop(session);
    serving.join().unwrap();
}

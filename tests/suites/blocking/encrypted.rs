//! The blocking driver over TLS: reads and writes that stop halfway go on where they stopped.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use auth_core::source::FixedToken;
use auth_core::{Secret, Token};
use realtime_auth_tests::authority::Authority;
use rustls::{ServerConnection, StreamOwned};
use tungstenite::Message as Frame;
use ws_session::ErrorKind;
use ws_session::dialect::{Dialect, Template};
use ws_session::driver::blocking::{Session, Target};
use ws_session::machine::Config;

use crate::stories::log::PATIENCE;

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// Serves one connection over TLS, up to its upgrade, and then as `serve` says.
fn serve(
    authority: &Authority,
    serve: impl FnOnce(tungstenite::WebSocket<Tls>) + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<()>) {
    let config = Arc::clone(authority.acceptor("127.0.0.1", &[], None).unwrap().config());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
        if let Ok(socket) = tungstenite::accept(stream) {
            serve(socket);
        }
    });
    (address, serving)
}

fn session(address: SocketAddr, trusted: &Authority) -> Session {
    let target = Target::with_roots(&format!("wss://{address}/"), trusted.pem().as_bytes()).unwrap();
    let source = Arc::new(FixedToken::new(Token::new(Secret::from("t"))));
    Session::builder(target, Dialect::new("nothing"), source)
        .with_config(Config::new().with_close_timeout(Duration::from_secs(1)))
        .open()
}

/// 24 MB both ways at once: TLS that would not read before its writes are through would stop here.
#[test]
fn an_echo_that_does_not_read_meanwhile_holds_nothing_up() {
    const MESSAGES: usize = 1_500;
    let authority = Authority::new().unwrap();
    let (address, serving) = serve(&authority, |mut socket| {
        for _ in 0..MESSAGES {
            let frame = loop {
                let frame = socket.read().unwrap();
                if frame.is_text() {
                    break frame;
                }
            };
            socket.send(frame).unwrap();
        }
        while socket.read().is_ok() {}
    });
    let mut session = session(address, &authority);
    let text = |number: usize| format!("{number}:{}", "x".repeat(16_384));
    let mut read = 0;
    let begun = Instant::now();
    let mut next = |session: &mut Session, patience| {
        assert!(begun.elapsed() < 3 * PATIENCE, "stuck at message {read}");
        if let Some(message) = session.next(patience).unwrap() {
            assert!(message.as_text() == Some(&text(read)), "message {read}");
            read += 1;
        }
        read
    };
    for number in 0..MESSAGES {
        let mut message = ws_session::driver::Message::from(text(number));
        while let Err(full) = session.send(message) {
            message = full.into_message().unwrap();
            next(&mut session, Duration::from_millis(10));
        }
    }
    while next(&mut session, PATIENCE) < MESSAGES {}
    session.close().unwrap();
    serving.join().unwrap();
}

#[test]
fn a_frame_that_comes_in_pieces_is_put_together() {
    let authority = Authority::new().unwrap();
    let (go_on, told) = mpsc::channel::<()>();
    let (address, serving) = serve(&authority, move |mut socket| {
        // Three pieces, in TLS records of their own: half of the head, half of the text, and the rest.
        let stream = socket.get_mut();
        for piece in [&[0x81_u8][..], &[5, b'h', b'e'], b"llo"] {
            stream.write_all(piece).unwrap();
            stream.flush().unwrap();
            told.recv().unwrap();
        }
        // A record in two pieces: TLS too is put together.
        let record = {
            stream.conn.writer().write_all(&[0x81, 2, b'o', b'k']).unwrap();
            let mut record = Vec::new();
            stream.conn.write_tls(&mut record).unwrap();
            record
        };
        stream.sock.write_all(&record[..7]).unwrap();
        told.recv().unwrap();
        stream.sock.write_all(&record[7..]).unwrap();
        while socket.read().is_ok() {}
    });
    let mut session = session(address, &authority);
    session.authenticated_within(PATIENCE).unwrap();
    for _ in 0..2 {
        assert_eq!(session.next(Duration::from_millis(100)).unwrap(), None, "not whole yet");
        go_on.send(()).unwrap();
    }
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("hello"));
    go_on.send(()).unwrap();
    assert_eq!(session.next(Duration::from_millis(100)).unwrap(), None, "not whole yet");
    go_on.send(()).unwrap();
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("ok"));
    session.close().unwrap();
    serving.join().unwrap();
}

#[test]
fn a_server_that_others_vouch_for_is_not_trusted() {
    let (authority, other) = (Authority::new().unwrap(), Authority::named("Somebody Else").unwrap());
    let (address, serving) = serve(&authority, |_| panic!("nobody should get this far"));
    let mut session = session(address, &other);
    let error = session.next(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    serving.join().unwrap();
}

#[test]
fn a_server_that_does_not_shake_hands_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let authority = Authority::new().unwrap();
    let target = Target::with_roots(&format!("wss://{address}/"), authority.pem().as_bytes()).unwrap();
    let source = Arc::new(FixedToken::new(Token::new(Secret::from("t"))));
    let mut session = Session::builder(target, Dialect::new("nothing"), source)
        .with_config(Config::new().with_open_timeout(Duration::from_millis(200)))
        .open();
    session.next(Duration::from_secs(1)).unwrap();
    let (mut silent, _) = listener.accept().unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    // The end of the stream, or a reset: whatever comes after the hello, it comes in time.
    let mut hello = Vec::new();
    let ended = silent.read_to_end(&mut hello);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    assert!(!hello.is_empty());
}

#[test]
fn a_close_is_answered_over_tls() {
    let authority = Authority::new().unwrap();
    let (address, serving) = serve(&authority, |mut socket| {
        socket.send(Frame::text("bye")).unwrap();
        let frame = tungstenite::protocol::CloseFrame { code: 4_500.into(), reason: "".into() };
        socket.close(Some(frame)).unwrap();
        assert!(matches!(socket.read(), Ok(Frame::Close(Some(frame))) if u16::from(frame.code) == 4_500));
    });
    let mut session = session(address, &authority);
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("bye"));
    let error = session.next(PATIENCE).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::AuthenticationRefused, Some(4_500)));
    serving.join().unwrap();
}

/// What a server is sent that shakes hands late, behind the back of a session that nobody calls meanwhile.
fn sent_late(token: Token) -> String {
    let authority = Authority::new().unwrap();
    let config = Arc::clone(authority.acceptor("127.0.0.1", &[], None).unwrap().config());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("wss://{}/", listener.local_addr().unwrap());
    let target = Target::with_roots(&target, authority.pem().as_bytes()).unwrap();
    let mut dialect = Dialect::new("header");
    let bearer = Template::text("Bearer ${credential}");
    dialect.placement.headers.push(("Authorization".to_owned(), bearer));
    let mut session = Session::builder(target, dialect, Arc::new(FixedToken::new(token))).open();
    session.next(Duration::from_millis(100)).unwrap();
    let (socket, _) = listener.accept().unwrap();
    // As long as the name server, or the handshake, of a network that is slow.
    thread::sleep(Duration::from_millis(1_500));
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut sent = Vec::new();
    let mut piece = [0; 1_024];
    while !sent.ends_with(b"\r\n\r\n")
        && let Ok(length @ 1..) = stream.read(&mut piece)
    {
        sent.extend(&piece[..length]);
    }
    String::from_utf8(sent).unwrap()
}

#[test]
fn a_credential_that_expires_while_a_connection_is_opened_goes_nowhere() {
    let token = Token::new(Secret::from("canary"));
    assert_eq!(sent_late(token.clone().with_expires_in(Duration::from_secs(1))), "");
    // The control: one that is good for longer does.
    assert!(sent_late(token).contains("Bearer canary"));
}

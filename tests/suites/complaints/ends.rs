//! Complaints about what a session takes and leaves: memory while idle, zombies after a close, and ways to a server that do not end.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{AuthEvent, Demand, Error, Token, TokenSource};
use realtime_auth_tests::authority::{self, Authority};
use realtime_auth_tests::flawed_server::{WELCOME, frame, hear};
use realtime_auth_tests::proxy::Proxy as Tunnel;
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::{opcode, request, switching_protocols};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Dial, Dialing, Proxy, Server, Session, Stream, Target};
use ws_session::machine::State;

use super::scene::{DAY, Peer, Scene, Source};

const SECOND: Duration = Duration::from_secs(1);

/// A stream that notes how many bytes its reader has room for, all of them zeroed and resident.
struct Measured {
    stream: DuplexStream,
    largest: Arc<AtomicUsize>,
}

impl AsyncRead for Measured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.largest.fetch_max(buffer.remaining(), Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Measured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The same for the codec as it comes.
struct Bare(usize);

impl io::Read for Bare {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 = self.0.max(buffer.len());
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl io::Write for Bare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Measuring(mpsc::UnboundedSender<Peer>, Arc<AtomicUsize>);

impl Dial for Measuring {
    fn dial(&self, _server: &Server) -> Dialing {
        let (stream, theirs) = duplex(64 * 1024);
        let sent = self.0.send(Peer(theirs)).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        let measured = Measured { stream, largest: Arc::clone(&self.1) };
        Box::pin(async move { sent.map(|()| Box::new(measured) as Box<dyn Stream>) })
    }
}

/// The codec fills its read buffer with zeros before each read: that much is resident on each idle connection.
#[tokio::test(start_paused = true)]
async fn an_idle_session_reads_with_a_buffer_of_16_kib_at_most() {
    const MOST: usize = 16 * 1024;
    let (ends, mut peers) = mpsc::unbounded_channel();
    let largest = Arc::new(AtomicUsize::new(0));
    let target = Target::new("ws://127.0.0.1/ws").unwrap();
    let dialer = Arc::new(Measuring(ends, Arc::clone(&largest)));
    let mut session =
        Session::builder(target, Dialect::genesys(), Source::for_ever()).with_dialer(dialer).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.welcome().await;
    for _ in 0..100 {
        peer.say(opcode::TEXT, b"a small message").await;
        session.next().await.unwrap();
    }
    let largest = largest.load(Ordering::SeqCst);
    assert!((1..=MOST).contains(&largest), "{largest}");
    // The control: the default of the codec is eight times as much.
    let mut bare =
        tungstenite::WebSocket::from_raw_socket(Bare(0), tungstenite::protocol::Role::Client, None);
    bare.read().unwrap_err();
    assert!(bare.get_ref().0 > MOST, "{}", bare.get_ref().0);
}

/// A source that answers no question but the first, or none.
struct Mute(AtomicUsize);

#[async_trait]
impl TokenSource for Mute {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Source::for_ever().token(demand).await,
            Err(_) => pending().await,
        }
    }
}

/// Where a session may be when it is closed or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Beginning,
    Fetching,
    Opening,
    LoggingIn,
    Connected,
    Renewing,
    BackingOff,
    Suspended,
}

const EVERYWHERE: [At; 8] = [
    At::Beginning,
    At::Fetching,
    At::Opening,
    At::LoggingIn,
    At::Connected,
    At::Renewing,
    At::BackingOff,
    At::Suspended,
];

impl At {
    /// A session that stands there, and its connection if it has one.
    async fn reach(self) -> (Scene, Option<Peer>) {
        let answers = match self {
            Self::Fetching => 0,
            Self::Renewing => 1,
            _ => usize::MAX,
        };
        let mut scene = Scene::open(Dialect::genesys(), Arc::new(Mute(AtomicUsize::new(answers))));
        if self == Self::Beginning {
            return (scene, None);
        }
        if self == Self::Fetching {
            sleep(SECOND).await;
            return (scene, None);
        }
        let mut peer = scene.peer().await;
        match self {
            Self::Beginning | Self::Fetching | Self::Opening => {}
            Self::LoggingIn => {
                peer.upgrade().await;
                peer.text().await;
            }
            Self::Connected | Self::Renewing => {
                peer.welcome().await;
                scene.session.authenticated().await.unwrap();
                if self == Self::Renewing {
                    scene.session.renew();
                    sleep(SECOND).await;
                }
            }
            Self::BackingOff => {
                peer.refuse(503, "Retry-After: 60\r\n").await;
                return (scene, None);
            }
            Self::Suspended => {
                peer.refuse(503, "Retry-After: 200\r\n").await;
                sleep(130 * SECOND).await;
                return (scene, None);
            }
        }
        (scene, Some(peer))
    }

    const fn state(self) -> State {
        match self {
            Self::Beginning => State::Initialized,
            Self::Fetching | Self::Opening | Self::LoggingIn => State::Connecting,
            Self::Connected | Self::Renewing => State::Connected,
            Self::BackingOff => State::Disconnected,
            Self::Suspended => State::Suspended,
        }
    }
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// The peer never answers the close: that is waited for, and no longer.
#[tokio::test(start_paused = true)]
async fn a_close_is_final_wherever_the_session_stands() {
    for at in EVERYWHERE {
        let before = tasks();
        let (Scene { session, mut peers, recorder, .. }, peer) = at.reach().await;
        assert_eq!(session.state(), at.state(), "{at:?}");
        let closing = Instant::now();
        session.close().await.unwrap();
        let logged_in = matches!(at, At::LoggingIn | At::Connected | At::Renewing);
        let expected = if logged_in { 5 } else { 0 };
        assert_eq!(closing.elapsed().as_secs(), expected, "{at:?}");
        if let Some(mut peer) = peer {
            let goodbye = if logged_in { vec![opcode::CLOSE] } else { Vec::new() };
            if at == At::Opening {
                request(&mut peer.0).await.unwrap();
            }
            assert_eq!(peer.ended().await, goodbye, "{at:?}");
        }
        assert!(timeout(DAY, peers.recv()).await.unwrap().is_none(), "{at:?} left a session that connects");
        assert_eq!(tasks(), before, "{at:?} left a task");
        let closed = |event: &AuthEvent| matches!(event, AuthEvent::SessionClosed { .. });
        assert_eq!(recorder.count(closed), 1, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_leaves_no_attempt_no_connection_and_no_task() {
    for at in EVERYWHERE {
        let before = tasks();
        let (Scene { session, mut peers, .. }, peer) = at.reach().await;
        drop(session);
        if let Some(mut peer) = peer {
            // With a goodbye or without one, as far as it was.
            timeout(6 * SECOND, async {
                while tokio::io::AsyncReadExt::read(&mut peer.0, &mut [0; 512]).await.unwrap() > 0 {}
            })
            .await
            .unwrap_or_else(|_| panic!("{at:?} left a connection"));
        }
        assert!(timeout(DAY, peers.recv()).await.unwrap().is_none(), "{at:?} left a session that connects");
        assert_eq!(tasks(), before, "{at:?} left a task");
    }
    // The control: a session that is neither dropped nor closed tries again.
    let (mut scene, _) = At::BackingOff.reach().await;
    assert!(!scene.connects_no_more().await);
}

/// Many servers answer a close by hanging up: that is the end that was wanted, and no fault to tell of.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_instead_of_answering_a_close_is_no_failure() {
    let (Scene { session, recorder, .. }, peer) = At::Connected.reach().await;
    let mut peer = peer.unwrap();
    let closing = tokio::spawn(session.close());
    assert_eq!(peer.hear().await.unwrap().0, opcode::CLOSE);
    drop(peer);
    let closing = timeout(SECOND, closing).await.expect("an answer was waited for").unwrap();
    closing.unwrap();
    let lost = |event: &AuthEvent| matches!(event, AuthEvent::ConnectionLost { .. });
    assert_eq!(recorder.count(lost), 0);
    // The control: without a close it is one.
    let (scene, peer) = At::Connected.reach().await;
    drop(peer);
    scene.recorder.wait_for(1, lost).await;
}

/// The whole way: `CONNECT`, TLS to the server through the tunnel, upgrade, login. The proxy is the only one who knows the name.
#[tokio::test]
async fn a_session_reaches_its_server_through_a_connect_proxy() {
    let authority = Authority::new().unwrap();
    let acceptor = authority.acceptor("server.invalid", &[], None).unwrap();
    let server = RawServer::serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = authority::accept(&acceptor, stream).await?;
            let request = request(&mut stream).await?;
            stream.write_all(switching_protocols(&request, "")?.as_bytes()).await?;
            hear(&mut stream).await?;
            stream.write_all(&frame(0x80 | opcode::TEXT, WELCOME.as_bytes())).await?;
            while hear(&mut stream).await.is_ok() {}
            Ok(())
        }
    });
    let server = server.await.unwrap();
    let authorization = Some("Basic dXNlcjpzZWNyZXQ=".to_owned());
    let tunnel = Tunnel::serve(server.address(), authorization, None).await.unwrap();
    let target = Target::with_roots("wss://server.invalid/ws", authority.pem().as_bytes()).unwrap();
    let open = |credentials: &str| {
        let proxy = Proxy::new(&format!("http://{credentials}@{}", tunnel.address())).unwrap();
        let builder = Session::builder(target.clone(), Dialect::genesys(), Source::for_ever());
        builder.with_proxy(proxy).spawn()
    };
    let mut session = open("user:secret");
    timeout(20 * SECOND, session.authenticated()).await.unwrap().unwrap();
    assert!(tunnel.heads()[0].starts_with("CONNECT server.invalid:443 HTTP/1.1\r\n"), "{:?}", tunnel.heads());
    // The control: the proxy decides, and is heard.
    let error = timeout(20 * SECOND, open("user:wrong").authenticated()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(407), "{error}");
}

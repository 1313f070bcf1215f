//! A polled session: one task, or one for each half; what comes back; how it ends.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::time::Now;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::peer::{CLOSE, Numbered, Peer, Pipes, TEXT};
use crate::dialect::Dialect;
use crate::driver::polled::{self, ByteStream, Session, Task};
use crate::driver::tokio::Runtime;
use crate::driver::{Message, SendError, Server, Target, Unsent};
use crate::machine::State;

fn polled(capacity: usize) -> (Session, UnboundedReceiver<Peer>) {
    polled_on(capacity, |runtime| Arc::new(runtime))
}

fn polled_on(
    capacity: usize,
    wrap: impl FnOnce(Runtime) -> Arc<dyn polled::Runtime>,
) -> (Session, UnboundedReceiver<Peer>) {
    let (pipes, peers) = Pipes::new(capacity);
    let target = Target::new("ws://127.0.0.1/ws").unwrap();
    let builder = Session::builder(target, Dialect::genesys(), Numbered::for_ever());
    (builder.build(wrap(Runtime::new(pipes))), peers)
}

/// A runtime whose timer never fires, as of a computer that sleeps.
struct Timeless(Runtime);

impl polled::Runtime for Timeless {
    fn connect(&self, server: Server) -> Task<io::Result<Box<dyn ByteStream>>> {
        self.0.connect(server)
    }

    fn sleep(&self, _duration: Duration) -> Task<()> {
        Box::pin(pending())
    }

    fn now(&self) -> Now {
        self.0.now()
    }

    fn random(&self) -> [u8; 16] {
        self.0.random()
    }
}

/// As a splitter of streams and sinks shares one between two tasks.
#[derive(Clone)]
struct Shared(Arc<Mutex<Session>>);

impl Shared {
    fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(session)))
    }

    async fn next(&self) -> Option<Message> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_next(cx)).await
    }

    async fn send(&self, message: &str) -> Result<(), SendError> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_ready(cx)).await?;
        Pin::new(&mut *self.0.lock().unwrap()).start_send(message.into())?;
        self.flush().await
    }

    async fn flush(&self) -> Result<(), SendError> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_flush(cx)).await
    }

    async fn close(&self) -> Result<(), SendError> {
        poll_fn(|cx| Pin::new(&mut *self.0.lock().unwrap()).poll_close(cx)).await
    }

    fn state(&self) -> State {
        self.0.lock().unwrap().state()
    }
}

#[tokio::test(start_paused = true)]
async fn one_task_polls_a_session_from_its_login_to_its_end() {
    let (session, mut peers) = polled(64 * 1024);
    let session = Shared::new(session);
    assert_eq!(session.state(), State::Initialized);
    let server = async {
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        for _ in 0..1_000 {
            let text = peer.text().await;
            peer.send(TEXT, text.as_bytes()).await.unwrap();
        }
        assert_eq!(peer.frame().await.unwrap().0, CLOSE);
        peer.send(CLOSE, &[]).await.unwrap();
        assert_eq!(peer.ended().await, None);
    };
    let client = async {
        for number in 0..1_000 {
            session.send(&number.to_string()).await.unwrap();
            assert_eq!(session.next().await.unwrap().as_text(), Some(number.to_string().as_str()));
        }
        session.close().await.unwrap();
        assert_eq!((session.next().await, session.state()), (None, State::Closed));
    };
    timeout(Duration::from_secs(2), async { tokio::join!(server, client) }).await.unwrap();
}

/// The writer polls last, and is done: the reader must be woken all the same.
#[tokio::test(start_paused = true)]
async fn a_reader_is_woken_although_another_task_has_polled_since() {
    let (session, mut peers) = polled(64 * 1024);
    let session = Shared::new(session);
    let reading = tokio::spawn({
        let session = session.clone();
        async move { (session.next().await, session.next().await) }
    });
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    let writing = tokio::spawn({
        let session = session.clone();
        async move { session.send("hello").await }
    });
    assert_eq!(peer.text().await, "hello");
    writing.await.unwrap().unwrap();
    sleep(Duration::from_secs(1)).await;
    peer.send(TEXT, b"one").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    peer.send(TEXT, b"two").await.unwrap();
    let (one, two) = timeout(Duration::from_secs(1), reading).await.unwrap().unwrap();
    assert_eq!((one, two), (Some("one".into()), Some("two".into())));
}

/// The other way round: what the reader polls lets the writer go on.
#[tokio::test(start_paused = true)]
async fn a_writer_is_woken_although_another_task_has_polled_since() {
    let (session, mut peers) = polled(64 * 1024);
    let session = Shared::new(session);
    let writing = tokio::spawn({
        let session = session.clone();
        async move { session.send("early").await }
    });
    sleep(Duration::from_millis(1)).await;
    let reading = tokio::spawn({
        let session = session.clone();
        async move { session.next().await }
    });
    let mut peer = peers.recv().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    peer.log_in().await;
    assert_eq!(peer.text().await, "early");
    timeout(Duration::from_secs(1), writing).await.unwrap().unwrap().unwrap();
    reading.abort();
}

/// The clock decides, whoever looks at it; whoever waits for what follows is told.
#[tokio::test(start_paused = true)]
async fn a_writer_is_woken_by_the_time_that_a_reader_notices() {
    let (session, mut peers) = polled_on(64 * 1024, |runtime| Arc::new(Timeless(runtime)));
    let session = Shared::new(session);
    let reading = tokio::spawn({
        let session = session.clone();
        async move { while timeout(Duration::from_millis(800), session.next()).await.is_err() {} }
    });
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.flush().await.unwrap();
    let closing = tokio::spawn({
        let session = session.clone();
        async move { session.close().await }
    });
    assert_eq!(peer.frame().await.unwrap().0, CLOSE);
    // It never answers, and the close timeout is 5 s.
    sleep(Duration::from_secs(4)).await;
    assert!(!closing.is_finished());
    timeout(Duration::from_secs(2), closing).await.unwrap().unwrap().unwrap();
    reading.await.unwrap();
    assert_eq!(session.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_comes_back() {
    let (session, mut peers) = polled(1_024);
    let session = Shared::new(session);
    let server = async {
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        sleep(Duration::from_secs(1)).await;
        drop(peer);
    };
    let long = "x".repeat(10_000);
    let ((), returned) = tokio::join!(server, session.send(&long));
    let returned = returned.unwrap_err();
    assert_eq!(returned.reason(), Unsent::MayHaveArrived);
    assert_eq!(returned.into_message().unwrap().len(), 10_000);
    assert_ne!(session.state(), State::Connected);

    // There is no connection, and there will be none: the session is closed.
    let waiting = session.send("never");
    let closing = async {
        sleep(Duration::from_millis(1)).await;
        session.0.lock().unwrap().close();
        assert_eq!(session.next().await, None);
    };
    let (refused, ()) = tokio::join!(waiting, closing);
    let refused = refused.unwrap_err();
    assert_eq!((refused.reason(), refused.into_message()), (Unsent::Ended, Some("never".into())));
    let late = session.send("late").await.unwrap_err();
    assert_eq!((late.reason(), late.into_message()), (Unsent::Ended, Some("late".into())));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_polls_does_nothing() {
    let (session, mut peers) = polled(1_024);
    assert!(timeout(Duration::from_secs(3_600), peers.recv()).await.is_err());
    let mut session = Box::pin(session);
    let polled = poll_fn(|cx| session.as_mut().poll_next(cx));
    let (polled, peer) = tokio::join!(timeout(Duration::from_secs(1), polled), peers.recv());
    assert!(polled.is_err() && peer.is_some());
    let mut peer = peer.unwrap();
    drop(session);
    while peer.frame().await.is_ok() {}
}

/// The bound of what waits for a reader: the pipe fills, and the peer waits.
#[tokio::test(start_paused = true)]
async fn a_reader_who_never_comes_costs_a_bounded_amount() {
    let (session, mut peers) = polled(1_024);
    let session = Shared::new(session);
    let flushing = session.send("hello");
    let server = async {
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        peer.text().await;
        peer
    };
    let (sent, mut peer) = tokio::join!(flushing, server);
    sent.unwrap();
    let mut written = 0;
    let writing = async {
        loop {
            peer.send(TEXT, &[b'x'; 1_000]).await.unwrap();
            written += 1;
        }
    };
    // Flushed over and over, and never read.
    let polling = async {
        loop {
            session.flush().await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = timeout(Duration::from_secs(1), async { tokio::join!(writing, polling) }).await;
    assert!((64..100).contains(&written), "{written}");
    for _ in 0..64 {
        assert!(session.next().await.is_some());
    }
}

/// A writer that never flushes, and has more whenever there is room, to a peer that reads all the time: what has gone out is let go of.
#[tokio::test(start_paused = true)]
async fn a_writer_that_always_has_more_keeps_nothing_that_has_gone_out() {
    for length in [1, 1_000] {
        let (mut session, mut peers) = polled(64);
        let server = tokio::spawn(async move {
            let mut peer = peers.recv().await.unwrap();
            peer.log_in().await;
            for _ in 0..2_000 {
                peer.text().await;
            }
        });
        session.authenticated().await.unwrap();
        let mut fed = 0;
        let feeding = async {
            loop {
                poll_fn(|cx| Pin::new(&mut session).poll_ready(cx)).await.unwrap();
                Pin::new(&mut session).start_send("x".repeat(length).into()).unwrap();
                fed += 1;
            }
        };
        assert!(timeout(Duration::from_millis(100), feeding).await.is_err());
        server.await.unwrap();
        assert!(fed > 2_000, "{fed}");
        let _ = timeout(Duration::from_millis(100), session.next()).await;
        let returned: Vec<_> = session.take_returned().map(|error| error.reason()).collect();
        assert!((1..=256).contains(&returned.len()), "{} of {fed} came back", returned.len());
    }
}

/// All of it is there already, and the pipe itself asks for no turn of others.
#[tokio::test(start_paused = true)]
async fn a_reader_that_always_has_something_to_read_lets_others_have_their_turn() {
    for (length, most) in [(1, 300), (100_000, 4)] {
        let (mut session, mut peers) = polled(8 * 1024 * 1024);
        let server = async {
            let mut peer = peers.recv().await.unwrap();
            peer.log_in().await;
            peer
        };
        let (authenticated, mut peer) = tokio::join!(session.authenticated(), server);
        authenticated.unwrap();
        for _ in 0..8 * most {
            peer.send(TEXT, &vec![b'x'; length]).await.unwrap();
        }
        let other = tokio::spawn(async {});
        for _ in 0..most {
            assert!(session.next().await.is_some());
        }
        assert!(other.is_finished(), "{length}");
    }
}

//! What the tests here share: a source that counts, pipes in the place of a network, and a session between the two.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, ErrorKind, Secret, Token, TokenSource};
use realtime_auth_tests::flawed_server::{WELCOME, frame, hear};
use realtime_auth_tests::raw_socket::{opcode, request, switching_protocols};
use realtime_auth_tests::recorder::Recorder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{
    Builder, Dial, Dialing, Events, Server, Session, SessionEvent, Stream, Target,
};
use ws_session::machine::Config;

/// What every token of a [`Source`] begins with, and nothing that is shown may hold.
pub(super) const CANARY: &str = "canary-";

/// Longer than any session waits for anything, in virtual time.
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Hands out `canary-1`, `canary-2` and so on, another one each time that it is asked.
#[derive(Default)]
pub(super) struct Source {
    life: Option<(Duration, Duration)>,
    asked: Mutex<Vec<Demand>>,
    down: AtomicBool,
}

impl Source {
    /// Of tokens whose lifetime nobody states.
    pub(super) fn for_ever() -> Arc<Self> {
        Arc::default()
    }

    /// Of tokens that live for so long, and should be renewed after so long.
    pub(super) fn living(life: Duration, renew_in: Duration) -> Arc<Self> {
        Arc::new(Self { life: Some((life, renew_in)), ..Self::default() })
    }

    /// What it was asked for.
    pub(super) fn asked(&self) -> Vec<Demand> {
        self.asked.lock().unwrap().clone()
    }

    /// From now on it has no token, or has again.
    pub(super) fn be_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

#[async_trait]
impl TokenSource for Source {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(demand);
            asked.len()
        };
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::ServerFailed, "the token endpoint is down"));
        }
        let generation = (0..number).fold(Generation::NONE, |generation, _| generation.next());
        let token = Token::new(Secret::from(format!("{CANARY}{number}"))).with_generation(generation);
        Ok(match self.life {
            Some((life, renew_in)) => token.with_expires_in(life).with_renew_in(renew_in),
            None => token,
        })
    }
}

/// A pipe for each connection, the other end of which goes to the test.
pub(super) struct Pipes {
    capacity: usize,
    ends: UnboundedSender<Peer>,
}

impl Pipes {
    pub(super) fn of(capacity: usize) -> (Arc<Self>, UnboundedReceiver<Peer>) {
        let (ends, peers) = mpsc::unbounded_channel();
        (Arc::new(Self { capacity, ends }), peers)
    }
}

impl Dial for Pipes {
    fn dial(&self, _server: &Server) -> Dialing {
        let (ours, theirs) = duplex(self.capacity);
        let taken = self.ends.send(Peer(theirs)).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        Box::pin(async move { taken.map(|()| Box::new(ours) as Box<dyn Stream>) })
    }
}

/// The server's end of a connection.
pub(super) struct Peer(pub(super) DuplexStream);

impl Peer {
    /// Reads the head of the upgrade, and agrees to it; selects the first subprotocol that was offered.
    pub(super) async fn upgrade(&mut self) -> String {
        let request = request(&mut self.0).await.unwrap();
        let offered = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        let selected = offered.and_then(|offered| offered.split(',').next());
        let selected = selected.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        self.0.write_all(switching_protocols(&request, &selected).unwrap().as_bytes()).await.unwrap();
        request
    }

    /// Answers the upgrade with another status than 101, and waits until the client has left.
    pub(super) async fn refuse(mut self, status: u16, headers: &str) {
        request(&mut self.0).await.unwrap();
        let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n{headers}\r\n");
        self.0.write_all(answer.as_bytes()).await.unwrap();
        self.0.read_to_end(&mut Vec::new()).await.unwrap();
    }

    /// Upgrades, and welcomes whoever logs in as in the dialect `genesys`: the text of the login.
    pub(super) async fn welcome(&mut self) -> String {
        self.upgrade().await;
        self.answer_login().await
    }

    /// Reads a login, or a renewal, and accepts it.
    pub(super) async fn answer_login(&mut self) -> String {
        let login = self.text().await;
        self.say(opcode::TEXT, WELCOME.as_bytes()).await;
        login
    }

    /// Sends a frame.
    pub(super) async fn say(&mut self, opcode: u8, payload: &[u8]) {
        self.0.write_all(&frame(0x80 | opcode, payload)).await.unwrap();
    }

    /// Closes with a code and a reason.
    pub(super) async fn close(mut self, code: u16, reason: &str) {
        self.say(opcode::CLOSE, &[&code.to_be_bytes()[..], reason.as_bytes()].concat()).await;
        self.ended().await;
    }

    /// The next frame; an error when the client has ended the connection.
    pub(super) async fn hear(&mut self) -> io::Result<(u8, Vec<u8>)> {
        hear(&mut self.0).await
    }

    /// The next frame, which must be a text.
    pub(super) async fn text(&mut self) -> String {
        let (opcode, payload) = self.hear().await.unwrap();
        assert_eq!(opcode, opcode::TEXT, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// Reads until the client has ended the connection: what it sent, each frame by its opcode.
    pub(super) async fn ended(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        while let Ok((opcode, _)) = self.hear().await {
            heard.push(opcode);
        }
        heard
    }
}

/// Nobody asks whether the connection lives: what is heard is what the test is about.
pub(super) fn quiet(builder: Builder) -> Builder {
    builder.with_config(Config::new().with_keep_alive(None))
}

/// A session whose connections are pipes, and all that can be seen of it.
pub(super) struct Scene {
    pub(super) session: Session,
    pub(super) events: Events,
    pub(super) peers: UnboundedReceiver<Peer>,
    pub(super) recorder: Recorder,
}

impl Scene {
    pub(super) fn open(dialect: Dialect, source: Arc<dyn TokenSource>) -> Self {
        Self::with(dialect, source, |builder| builder)
    }

    pub(super) fn with(
        dialect: Dialect,
        source: Arc<dyn TokenSource>,
        settle: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let (pipes, peers) = Pipes::of(64 * 1024);
        let recorder = Recorder::default();
        let target = Target::new("ws://127.0.0.1/ws").unwrap();
        let builder = Session::builder(target, dialect, source).with_dialer(pipes);
        let session = settle(builder.with_observer(Arc::new(recorder.clone()))).spawn();
        let events = session.events();
        Self { session, events, peers, recorder }
    }

    /// The other end of the next connection.
    pub(super) async fn peer(&mut self) -> Peer {
        let peer = tokio::time::timeout(DAY, self.peers.recv()).await;
        peer.expect("nothing connects for a day").expect("the session has ended")
    }

    /// Whether a day passes without another connection.
    pub(super) async fn connects_no_more(&mut self) -> bool {
        !matches!(tokio::time::timeout(DAY, self.peers.recv()).await, Ok(Some(_)))
    }

    /// How each connection was lost: the code, and the wait before the next.
    pub(super) fn losses(&self) -> Vec<(Option<u16>, Option<Duration>)> {
        let loss = |event: &AuthEvent| match event {
            AuthEvent::ConnectionLost { code, retry_in, .. } => Some((*code, *retry_in)),
            _ => None,
        };
        self.recorder.events().iter().filter_map(loss).collect()
    }

    /// The events so far, for the user and for the observer, as they print.
    pub(super) async fn told(&mut self) -> String {
        let mut told = format!("{:?}", self.recorder);
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(1), self.events.next()).await {
            told.push_str(&format!("{event:?}"));
        }
        told
    }

    /// Waits until the server has accepted a credential: whether the session before was taken up.
    pub(super) async fn resumed(&mut self) -> Option<bool> {
        loop {
            if let SessionEvent::Authenticated { resumed, .. } = self.events.next().await.unwrap() {
                return resumed;
            }
        }
    }
}

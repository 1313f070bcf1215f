//! Complaints about connections that are dead, or taken for dead: half-open sockets, suspended computers, crossed answers.

use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};
use auth_core::{AuthEvent, Error, ErrorKind, Retry, Secret, Token};
use realtime_auth_tests::flawed_server::WELCOME;
use realtime_auth_tests::raw_socket::opcode;
use realtime_auth_tests::wrong_clocks::WrongClocks;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout};
use ws_session::dialect::{Dialect, Failure, Incoming};
use ws_session::machine::{Config, Epoch, Input, Output, Received, Session, State, Ticket, TokenFacts};

use super::clocked::Clocked;
use super::scene::{Scene, Source};

const SECOND: Duration = Duration::from_secs(1);

/// By default a connection is asked after 25 s, and given up after 50 s at the latest.
const TWO_INTERVALS: Duration = Duration::from_secs(50);

/// Ten bytes of the head of a frame that will never be whole, and then its payload byte by byte.
fn piece_of_a_large_frame(number: usize) -> Vec<u8> {
    if number == 0 { [&[0x82, 127][..], &1_000_000_u64.to_be_bytes()].concat() } else { b"x".to_vec() }
}

/// The server answers no ping. While a single byte comes every 20 s it lives; then it is left.
#[tokio::test(start_paused = true)]
async fn any_byte_of_the_server_is_a_sign_of_life() {
    let signs: [fn(usize) -> Vec<u8>; 5] = [
        |_| vec![0x80 | opcode::PONG, 0],
        |_| vec![0x80 | opcode::PING, 0],
        |_| vec![0x80 | opcode::TEXT, 1, b'x'],
        |_| vec![0x80 | opcode::BINARY, 0],
        piece_of_a_large_frame,
    ];
    for (kind, sign) in signs.into_iter().enumerate() {
        let mut scene = Scene::open(Dialect::genesys(), Source::for_ever());
        let mut peer = scene.peer().await;
        peer.welcome().await;
        scene.session.authenticated().await.unwrap();
        for number in 0..200 {
            sleep(20 * SECOND).await;
            assert_eq!(
                (scene.losses().len(), scene.session.state()),
                (0, State::Connected),
                "{kind}, {number}"
            );
            peer.0.write_all(&sign(number)).await.unwrap();
            while timeout(Duration::from_millis(1), scene.session.next()).await.is_ok() {}
        }
        timeout(TWO_INTERVALS, peer.ended()).await.expect("the control: silence is none");
    }
}

/// The connection is dropped as it is: no close frame, whose answer would be waited for.
#[tokio::test(start_paused = true)]
async fn a_silent_server_is_pinged_and_then_left_within_two_intervals_without_a_close_handshake() {
    let mut scene = Scene::open(Dialect::genesys(), Source::for_ever());
    let mut peer = scene.peer().await;
    peer.welcome().await;
    let silent = Instant::now();
    assert_eq!(peer.ended().await, [opcode::PING], "asked once, and told nothing more");
    assert!(silent.elapsed() <= TWO_INTERVALS, "{:?}", silent.elapsed());
    let left = Instant::now();
    scene.peer().await.welcome().await;
    assert!(left.elapsed() < SECOND, "a close would have been waited for: {:?}", left.elapsed());
}

/// Many proxies forget a connection on which nothing was said for 60 s, some after 30 s.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_pinged_more_often_than_every_30_seconds_by_default() {
    let mut scene = Scene::open(Dialect::genesys(), Source::for_ever());
    let mut peer = scene.peer().await;
    peer.welcome().await;
    for _ in 0..100 {
        let heard = timeout(30 * SECOND, peer.hear()).await.expect("30 s of silence").unwrap();
        assert_eq!(heard.0, opcode::PING);
        peer.say(opcode::PONG, &heard.1).await;
    }
    assert_eq!(scene.losses(), []);
}

/// The monotonic clock stands still in a sleep, and every timer with it; the wall clock tells.
#[tokio::test(start_paused = true)]
async fn a_computer_that_slept_asks_at_once_and_once_whether_its_connection_lives() {
    let clocks = WrongClocks::start();
    let mut clocked = Clocked::open(&clocks, Source::for_ever(), Config::new());
    let mut peer = clocked.peer().await;
    peer.welcome().await;
    // The server talks all the time: nothing is asked, until the computer has slept.
    for number in 0..40 {
        if number == 20 {
            clocks.suspend(3_600 * SECOND);
        }
        let heard = timeout(5 * SECOND, peer.hear()).await;
        let asked = heard.is_ok_and(|heard| heard.unwrap().0 == opcode::PING);
        if number < 20 {
            assert!(!asked, "the control: {number}");
        } else if asked {
            assert_eq!(peer.ended().await, [0; 0], "asked once");
            let awake = clocks.awake() - 20 * 5 * SECOND;
            assert!(awake <= 10 * SECOND, "given up like that after 5 s: {awake:?}");
            return;
        }
        peer.say(opcode::TEXT, b"busy").await;
    }
    panic!("never asked");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expired_in_a_sleep_is_replaced_as_soon_as_the_computer_wakes() {
    for (slept, expired) in [(1_700 * SECOND, false), (3_600 * SECOND, true)] {
        let clocks = WrongClocks::start();
        let source = Source::living(1_800 * SECOND, 1_790 * SECOND);
        let mut clocked = Clocked::open(&clocks, source.clone(), Config::new().with_keep_alive(None));
        let mut peer = clocked.peer().await;
        peer.welcome().await;
        sleep(SECOND).await;
        clocks.suspend(slept);
        // A computer that is awake looks at its clock every half a minute.
        if expired {
            assert_eq!(timeout(31 * SECOND, peer.ended()).await.unwrap(), [0; 0]);
            let login = timeout(SECOND, async { clocked.peer().await.welcome().await }).await.unwrap();
            assert!(login.contains("canary-2"), "{login}");
            assert_eq!(clocked.recorder.count(|event| matches!(event, AuthEvent::ConnectionLost { .. })), 1);
        } else {
            assert!(
                timeout(31 * SECOND, peer.hear()).await.is_err(),
                "the control: a token that still lives"
            );
            assert_eq!(source.asked().len(), 1);
        }
    }
}

/// A machine by hand, for inputs that come in an order that no server is asked to produce.
struct Machine {
    session: Session,
    seconds: u64,
    /// What it has asked for, but for events: those are counted.
    tickets: Vec<Ticket>,
    opened: Vec<Epoch>,
    sent: usize,
    ended: usize,
    deadline: String,
}

impl Machine {
    fn start() -> Self {
        let session = Session::new(Dialect::genesys(), Config::new().with_keep_alive(None), 1);
        let (tickets, opened, deadline) = (Vec::new(), Vec::new(), String::new());
        let mut machine = Self { session, seconds: 0, tickets, opened, sent: 0, ended: 0, deadline };
        machine.input(Input::Start);
        machine
    }

    fn now(&self) -> Now {
        let elapsed = Duration::from_secs(self.seconds);
        Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
    }

    fn input(&mut self, input: Input) {
        self.session.handle(self.now(), input).unwrap();
        self.act();
    }

    fn act(&mut self) {
        loop {
            match self.session.poll() {
                Output::FetchToken { ticket, .. } => self.tickets.push(ticket),
                Output::Open { epoch, .. } => self.opened.push(epoch),
                Output::Send { .. } | Output::Farewell { .. } => self.sent += 1,
                Output::Close { .. } | Output::Abort { .. } => self.ended += 1,
                Output::Forget { .. } | Output::Ping { .. } | Output::Event(_) => {}
                Output::Wait(deadline) => {
                    self.deadline = format!("{deadline:?}");
                    return;
                }
            }
        }
    }

    fn token(&self, ticket: usize) -> Input {
        let token =
            Token::new(Secret::from(format!("t{ticket}"))).with_expires_in(Duration::from_secs(3_600));
        Input::Token { ticket: self.tickets[ticket], result: Ok(TokenFacts::from(&token)) }
    }

    fn message(&mut self, connection: usize, text: &str) -> Received {
        let received =
            self.session.receive(self.now(), self.opened[connection], Incoming::Text(text)).unwrap();
        self.act();
        received
    }

    /// Brings the connection that is wanted into being, with the newest token that is asked for.
    fn connect(&mut self) {
        self.input(self.token(self.tickets.len() - 1));
        let epoch = *self.opened.last().unwrap();
        self.input(Input::Opened { epoch });
        assert_eq!(
            self.message(self.opened.len() - 1, r#"{"type":"auth","status":"ok"}"#),
            Received::Consumed
        );
        assert_eq!((self.session.state(), self.session.live()), (State::Connected, Some(epoch)));
    }

    /// All that could have been touched.
    fn standing(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let (state, live) = (self.session.state(), self.session.live());
        (state, live, self.tickets.len(), self.opened.len(), self.sent, self.ended, self.deadline.clone())
    }
}

/// What the first connection asked for and was told comes when the second one lives: its token, its failures, its end.
#[test]
fn a_late_answer_or_close_of_an_earlier_connection_touches_nothing_of_the_next() {
    let mut machine = Machine::start();
    machine.connect();
    machine.input(Input::Renew);
    assert_eq!(machine.tickets.len(), 2, "a renewal of the first connection is on its way");
    let first = machine.opened[0];
    let lost = || Input::Ended { epoch: first, failure: Failure::Transport, retry_after: None };
    machine.input(lost());
    machine.seconds = 60;
    machine.input(Input::Tick);
    machine.connect();
    let before = machine.standing();
    let forbidden = || Failure::Closed { code: Some(4403), reason: String::new() };
    let fatal = || Error::new(ErrorKind::InvalidGrant, "log in again").with_retry(Retry::Never);
    let stale = [
        machine.token(0),
        machine.token(1),
        Input::Token { ticket: machine.tickets[1], result: Err(fatal()) },
        Input::Token { ticket: machine.tickets[1], result: Err(Error::new(ErrorKind::Transport, "down")) },
        Input::Opened { epoch: first },
        Input::Ended { epoch: first, failure: forbidden(), retry_after: Some(SECOND) },
        lost(),
    ];
    for input in stale {
        let shown = format!("{input:?}");
        machine.input(input);
        assert_eq!(machine.standing(), before, "{shown}");
    }
    assert_eq!(machine.message(0, r#"{"type":"auth","status":"error"}"#), Received::Consumed);
    assert_eq!(machine.message(0, "hello"), Received::Consumed, "not even a message of it is heard");
    assert_eq!(machine.standing(), before);
    // The control: the same of the connection that lives ends the session.
    let second = machine.opened[1];
    machine.input(Input::Ended { epoch: second, failure: forbidden(), retry_after: None });
    assert_eq!(machine.session.state(), State::Failed);
}

/// Each connection that was lost in the middle of a renewal would leave a chain of renewals behind.
#[tokio::test(start_paused = true)]
async fn after_any_number_of_reconnects_a_credential_is_renewed_once_in_its_life() {
    let source = Source::living(600 * SECOND, 480 * SECOND);
    let mut scene = Scene::open(Dialect::genesys(), source.clone());
    for _ in 0..5 {
        let mut peer = scene.peer().await;
        peer.welcome().await;
        scene.session.authenticated().await.unwrap();
        scene.session.renew();
        // The renewal is on its way when the connection breaks.
        peer.text().await;
    }
    let mut peer = scene.peer().await;
    peer.welcome().await;
    let before = source.asked().len();
    let begun = Instant::now();
    let mut renewals = 0;
    while begun.elapsed() < 4_800 * SECOND {
        match peer.hear().await.unwrap() {
            (opcode::PING, payload) => peer.say(opcode::PONG, &payload).await,
            (_, renewal) => {
                assert!(String::from_utf8(renewal).unwrap().contains("canary-"));
                renewals += 1;
                peer.say(opcode::TEXT, WELCOME.as_bytes()).await;
            }
        }
    }
    assert!((9..=10).contains(&renewals), "{renewals} renewals in ten times 480 s");
    assert_eq!(source.asked().len() - before, renewals);
}

//! Faults of bytes over real sockets: each ends in the state that the dialect's table says, and leaves nothing behind.

mod close_codes;
mod encrypted;
mod frames;
mod handshake;
mod service;
mod silence;
mod upgrade;
mod without_runtime;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::backoff::Backoff;
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, Secret, Token, TokenSource};
use realtime_auth_tests::authority::Authority;
use realtime_auth_tests::flawed_server::FlawedServer;
use realtime_auth_tests::recorder::Recorder;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use ws_session::dialect::{Dialect, Disposition, Failure, Occurrence, Phase};
use ws_session::driver::tokio::{Session, Target};
use ws_session::machine::{Config, State};

/// What no event and no error may hold.
const CANARY: &str = "canary";

/// The longest that any test here waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest wait between two attempts.
const CAP: Duration = Duration::from_millis(20);

/// Short waits, and patience with a machine that is busy.
fn config() -> Config {
    Config::new().with_backoff(Backoff::new(Duration::from_millis(1), CAP)).with_close_timeout(PATIENCE)
}

fn disposition(dialect: &Dialect, phase: Phase, failure: &Failure) -> Disposition {
    dialect.verdict(&Occurrence { phase, elapsed: Duration::ZERO, failure }).disposition()
}

fn closed(code: impl Into<Option<u16>>, reason: &str) -> Failure {
    Failure::Closed { code: code.into(), reason: reason.to_owned() }
}

/// What the bytes of a WebSocket go over.
#[derive(Clone)]
enum Transport {
    Tcp,
    /// The TLS of a server, and the authority that it is trusted by.
    Tls(TlsAcceptor, Arc<Authority>),
}

impl Transport {
    fn target(&self, address: SocketAddr) -> Target {
        match self {
            Self::Tcp => Target::new(&url(address)),
            Self::Tls(_, authority) => {
                Target::with_roots(&format!("wss://{address}/ws"), authority.pem().as_bytes())
            }
        }
        .unwrap()
    }

    /// A server whose first connections fail in this way.
    async fn serve<F>(&self, flawed: usize, flaw: impl Fn(TcpStream) -> F + Send + 'static) -> FlawedServer
    where
        F: Future<Output = io::Result<TcpStream>> + Send + 'static,
    {
        let tls = match self {
            Self::Tcp => None,
            Self::Tls(acceptor, _) => Some(acceptor.clone()),
        };
        FlawedServer::serve_over(tls, flawed, flaw).await.unwrap()
    }

    async fn flawless(&self) -> FlawedServer {
        self.serve(0, |stream| async { Ok(stream) }).await
    }
}

/// Hands out a token, and another one for each that is refused or old.
#[derive(Debug, Default)]
struct Tokens {
    refused: AtomicUsize,
    issued: AtomicUsize,
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let old = match demand {
            Demand::Current => 0,
            Demand::NewerThan(_) => self.issued.fetch_add(1, Ordering::SeqCst) + 1,
            Demand::InsteadOf(_) => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                self.issued.fetch_add(1, Ordering::SeqCst) + 1
            }
        };
        let generation = (0..=old).fold(Generation::NONE, |generation, _| generation.next());
        Ok(Token::new(Secret::from(format!("{CANARY}-{old}"))).with_generation(generation))
    }
}

/// A session with what it was given and what it told.
struct Observed {
    session: Session,
    recorder: Recorder,
    tokens: Arc<Tokens>,
    /// How many tasks there were before it.
    tasks: usize,
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}/ws")
}

impl Observed {
    fn open(url: &str, dialect: Dialect, config: Config) -> Self {
        Self::at(Target::new(url).unwrap(), dialect, config)
    }

    fn at(target: Target, dialect: Dialect, config: Config) -> Self {
        let tasks = tasks();
        let (recorder, tokens) = (Recorder::default(), Arc::new(Tokens::default()));
        let session = Session::builder(target, dialect, tokens.clone())
            .with_config(config)
            .with_observer(Arc::new(recorder.clone()))
            .spawn();
        Self { session, recorder, tokens, tasks }
    }

    /// The waits after each connection that was lost so far.
    fn retries(&self) -> Vec<Option<Duration>> {
        let retry = |event: &AuthEvent| match event {
            AuthEvent::ConnectionLost { retry_in, .. } => Some(*retry_in),
            _ => None,
        };
        self.recorder.events().iter().filter_map(retry).collect()
    }

    async fn connected(&mut self) {
        let connected = timeout(PATIENCE, self.session.authenticated()).await;
        connected.expect("the session is not authenticated in time").expect("the session failed");
    }

    /// Closes the session, and looks for what it has left behind: tasks, and texts that hold a token.
    async fn leaves_nothing(self) {
        let Self { session, recorder, tokens: _, tasks: before } = self;
        let closed = timeout(PATIENCE, session.close()).await.expect("the session does not close");
        let error = closed.err().map(|error| format!("{error} {error:?}")).unwrap_or_default();
        assert!(!error.contains(CANARY), "{error}");
        let events = recorder.events();
        assert!(!format!("{events:?}").contains(CANARY), "{events:?}");
        none_beyond(before).await;
    }
}

/// Waits until there are no more tasks than there were.
async fn none_beyond(before: usize) {
    let gone = async {
        while tasks() > before {
            yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, gone).await.is_ok(), "{} tasks are left, of {before}", tasks());
}

/// Waits until this is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "waited in vain until {what}");
}

/// On each driver: a session whose first two connections fail in this way ends where the dialect's table says, after as many attempts.
async fn ends_as_the_table_says<F>(
    dialect: Dialect,
    phase: Phase,
    failure: Failure,
    flaw: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) where
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    ends_over(&Transport::Tcp, dialect, phase, failure, flaw).await;
}

async fn ends_over<F>(
    transport: &Transport,
    dialect: Dialect,
    phase: Phase,
    failure: Failure,
    flaw: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) where
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    let disposition = disposition(&dialect, phase, &failure);
    let flaw = Arc::new(flaw);
    let again = Arc::clone(&flaw);
    let server = transport.serve(2, move |stream| flaw(stream)).await;
    let mut observed = Observed::at(transport.target(server.address()), dialect.clone(), config());
    let ended = timeout(PATIENCE, observed.session.authenticated()).await;
    let ended = ended.map_err(|_| format!("{failure:?} ended nowhere: {:?}", observed.recorder)).unwrap();
    // A server that fails after its welcome is one that the session was connected to.
    let ended = match (phase, ended) {
        (Phase::Live | Phase::Renewing, Ok(())) => came_to_rest(&mut observed, disposition).await,
        (_, ended) => ended,
    };
    let told = format!("{failure:?} as {disposition:?}: {:?}", observed.recorder);
    let refused = observed.tokens.refused.load(Ordering::SeqCst);
    match disposition {
        Disposition::Fatal => {
            ended.expect_err(&told);
            assert_eq!((observed.session.state(), server.connections()), (State::Failed, 1), "{told}");
            assert_eq!(observed.retries(), [None], "{told}");
        }
        Disposition::RetryWithFreshToken => {
            ended.expect_err(&told);
            assert_eq!((observed.session.state(), server.connections()), (State::Failed, 2), "{told}");
            assert_eq!(refused, 1, "{told}");
        }
        Disposition::Retry | Disposition::RetryNow | Disposition::RetrySlowly => {
            ended.expect(&told);
            assert_eq!((observed.session.state(), server.connections()), (State::Connected, 3), "{told}");
            assert_eq!(refused, 0, "{told}");
            let retries: Vec<_> = observed.retries().into_iter().flatten().collect();
            assert_eq!(retries.len(), 2, "{told}");
            assert!(disposition != Disposition::RetrySlowly || retries[0] >= CAP / 2, "{told}");
        }
    }
    observed.leaves_nothing().await;
    assert!(timeout(PATIENCE, server.until_idle()).await.is_ok(), "{failure:?} left a socket");
    let server = transport.serve(2, move |stream| again(stream)).await;
    without_runtime::ends(transport, disposition, dialect, failure, server).await;
}

/// Waits until a session that was connected has failed, or is connected to the server that serves.
async fn came_to_rest(observed: &mut Observed, disposition: Disposition) -> Result<(), ws_session::Error> {
    let lost = match disposition {
        Disposition::Fatal => 1,
        _ => 2,
    };
    observed.recorder.wait_for(lost, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
    if matches!(disposition, Disposition::Fatal | Disposition::RetryWithFreshToken) {
        observed.recorder.wait_for(1, |event| matches!(event, AuthEvent::SessionFailed { .. })).await;
    } else {
        observed.recorder.wait_for(3, |event| matches!(event, AuthEvent::Authenticated { .. })).await;
    }
    // The state is published after the event: whoever asks is told then.
    let state = || observed.session.state();
    until("it says so", || state().is_final() || state() == State::Connected).await;
    timeout(PATIENCE, observed.session.authenticated()).await.expect("the session is where it was told to be")
}

/// The control: what the table says otherwise is not what happens.
#[tokio::test]
#[should_panic(expected = "as Fatal")]
async fn a_failure_that_ends_otherwise_is_noticed() {
    let hang_up = |stream| async move { Ok(stream) };
    ends_as_the_table_says(Dialect::genesys(), Phase::Upgrade, Failure::Protocol, hang_up).await;
}

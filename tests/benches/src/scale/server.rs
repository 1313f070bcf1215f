//! The other end of all sessions of this suite: a WebSocket server that answers the login, and a token endpoint whose tokens serve once.
//!
//! It counts by its own clock: when a token was asked for, when a connection was accepted, when a login was. Whatever comes is counted by
//! a thread that does little else, or what came while ten thousand connections were being dropped would be counted together. Lost
//! connections are reset rather than closed, so that no port of this machine is left waiting for stragglers.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::child::{Part, Playing, say};
use super::ends::{next, runtime, send};

/// What kind of server it is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Whether connections are encrypted.
    tls: bool,
    /// Whether a login takes a token of the endpoint's, and each once; any will do otherwise.
    once: bool,
}

/// Where it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Addresses {
    pub(super) sessions: String,
    pub(super) tokens: String,
    /// Whom to trust there, in PEM, if it is encrypted.
    pub(super) roots: Option<String>,
}

/// What it counted since it last dropped all connections, in nanoseconds from then on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Counted {
    pub(super) tokens: Vec<u64>,
    pub(super) connections: Vec<u64>,
    pub(super) logins: Vec<u64>,
    /// Logins with a token that is not of the endpoint's, or was presented before.
    pub(super) refused: u64,
}

/// The process, for as long as it is wanted.
pub(super) struct Server {
    playing: Playing,
    pub(super) at: Addresses,
}

impl Server {
    pub(super) fn begin(tls: bool, once: bool, pinned: bool) -> Self {
        let mut playing = Part::Server(Settings { tls, once }).play(pinned);
        let at = playing.hear();
        Self { playing, at }
    }

    /// Has it drop all connections, and count from here. Says how many there were.
    pub(super) fn drop_all(&mut self) -> u32 {
        self.playing.ask("drop")
    }

    /// How many have logged in.
    pub(super) fn logins(&mut self) -> u32 {
        self.playing.ask("logins")
    }

    pub(super) fn counted(&mut self) -> Counted {
        self.playing.ask("counted")
    }
}

struct State {
    once: bool,
    tls: Option<TlsAcceptor>,
    /// Changes when all connections are to be dropped.
    dropped: watch::Sender<()>,
    counting: Mutex<Counting>,
}

struct Counting {
    since: Instant,
    counted: Counted,
    /// Tokens that nobody has presented.
    issued: HashSet<String>,
    numbered: u64,
}

/// As many connections may wait to be accepted as systems allow.
const BACKLOG: u32 = 4_096;

#[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
#[expect(
    clippy::disallowed_methods,
    reason = "the server is its own program, and counts in a thread of its own"
)]
pub(super) fn run(settings: &Settings) {
    let (acceptor, roots) = if settings.tls { encryption() } else { (None, None) };
    let counting =
        Counting { since: now(), counted: Counted::default(), issued: HashSet::new(), numbered: 0 };
    let (once, dropped) = (settings.once, watch::channel(()).0);
    let state = Arc::new(State { once, tls: acceptor, dropped, counting: Mutex::new(counting) });
    let (hand_over, mut accepted) = mpsc::unbounded_channel();
    let (counting, tls) = (Arc::clone(&state), settings.tls);
    std::thread::spawn(move || {
        runtime().block_on(async {
            let (sessions, tokens) = (listen(), listen());
            let url = |scheme: &str, listener: &TcpListener| {
                format!("{scheme}://{}", listener.local_addr().expect("it listens"))
            };
            let sessions_at = url(if tls { "wss" } else { "ws" }, &sessions);
            say(&Addresses { sessions: sessions_at, tokens: url("http", &tokens), roots });
            let counted = Arc::clone(&counting);
            let conversing = accept(sessions, move |stream| {
                counted.count(|counted| &mut counted.connections);
                let _ = stream.into_std().map(|stream| hand_over.send(stream));
            });
            let issuing = accept(tokens, move |stream| {
                let counting = Arc::clone(&counting);
                // A client that went away is no fault.
                tokio::spawn(async move { drop(endpoint(stream, &counting).await) });
            });
            tokio::join!(conversing, issuing)
        })
    });
    runtime().block_on(async {
        let conversing = Arc::clone(&state);
        tokio::spawn(async move {
            while let Some(stream) = accepted.recv().await {
                let stream = TcpStream::from_std(stream).expect("it was one of tokio's");
                let state = Arc::clone(&conversing);
                tokio::spawn(async move { session(stream, &state).await });
            }
        });
        obey(&state).await;
    });
}

/// Until nobody can tell it anything any more.
async fn obey(state: &State) {
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(order)) = orders.next_line().await {
        match order.as_str() {
            "drop" => {
                {
                    let mut counting = state.counting();
                    (counting.since, counting.counted) = (now(), Counted::default());
                }
                let dropped = state.dropped.receiver_count();
                state.dropped.send_replace(());
                say(&dropped);
            }
            "logins" => say(&state.counting().counted.logins.len()),
            _ => say(&state.counting().counted),
        }
    }
}

#[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("the system has sockets");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free");
    socket.listen(BACKLOG).expect("it is bound")
}

/// Hands over each connection as it comes.
async fn accept(listener: TcpListener, serve: impl Fn(TcpStream)) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let _ = stream.set_zero_linger();
                serve(stream);
            }
            // Out of descriptors, for as long as others have them.
            Err(error) => {
                eprintln!("the server can't accept a connection: {error}");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn session(stream: TcpStream, state: &State) {
    let mut dropped = state.dropped.subscribe();
    let serving = async {
        match &state.tls {
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => converse(stream, state).await,
                Err(error) => eprintln!("the server can't agree on TLS: {error}"),
            },
            None => converse(stream, state).await,
        }
    };
    tokio::select! {
        () = serving => {}
        _ = dropped.changed() => {}
    }
}

/// Answers logins, and nothing else.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) {
    let small = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(0);
    let Ok(mut socket) = accept_async_with_config(stream, Some(small)).await else { return };
    while let Some(Ok(message)) = next(&mut socket).await {
        let Message::Text(text) = message else { continue };
        let answer = state.login(&text);
        if send(&mut socket, Message::text(answer)).await.is_err() {
            return;
        }
    }
}

impl State {
    fn counting(&self) -> MutexGuard<'_, Counting> {
        self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, which: impl FnOnce(&mut Counted) -> &mut Vec<u64>) {
        let mut counting = self.counting();
        let since = now() - counting.since;
        which(&mut counting.counted).push(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The answer to a login of Genesys' kind.
    fn login(&self, text: &str) -> &'static str {
        let token = text.split('"').rfind(|piece| piece.starts_with("token-")).unwrap_or_default();
        if self.once && !self.counting().issued.remove(token) {
            self.counting().counted.refused += 1;
            return r#"{"type":"auth","status":"error"}"#;
        }
        self.count(|counted| &mut counted.logins);
        r#"{"type":"auth","status":"ok","sessionId":"0f7bc3a1"}"#
    }

    /// A token that was never issued before.
    fn issue(&self) -> String {
        let mut counting = self.counting();
        counting.numbered += 1;
        let token = format!("token-{:0>794}", counting.numbered);
        counting.issued.insert(token.clone());
        token
    }
}

/// A token endpoint: each request is read to its end, counted, and answered with a token of 800 characters.
async fn endpoint(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(1_024);
    loop {
        request.clear();
        // The form of the grant ends in the value of its only parameter.
        while !request.ends_with(b"=client_credentials") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        state.count(|counted| &mut counted.tokens);
        let body =
            format!(r#"{{"access_token":"{}","token_type":"bearer","expires_in":600}}"#, state.issue());
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store";
        let reply = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(reply.as_bytes()).await?;
    }
}

/// A certificate of its own, and whom to trust for it.
#[expect(clippy::expect_used, reason = "a bench without its server measures nothing")]
fn encryption() -> (Option<TlsAcceptor>, Option<String>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("it is an address");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("it was just made");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("they belong together");
    (Some(TlsAcceptor::from(Arc::new(config))), Some(cert.pem()))
}

#[expect(clippy::disallowed_methods, reason = "to count by the second is to read a clock")]
fn now() -> Instant {
    Instant::now()
}

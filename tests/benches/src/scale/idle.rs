//! What an idle, authenticated session weighs, beside a bare connection that has logged in nowhere.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};
use stats_alloc::Region;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, yield_now};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Runtime, Target};
use ws_session::driver::{polled, tokio as handled};

use super::child::Part;
use super::ends::{next, resident, runtime};
use super::server::Addresses;
use super::{SESSIONS, Server, source};
use crate::ALLOCATOR;
use crate::case::{Bar, Case, Work};

/// What is held, and how often.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    kind: Kind,
    at: Addresses,
    connections: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Kind {
    /// Sessions that a task of their user's polls.
    Polled,
    /// Sessions with a driver and a handle.
    Handle,
    /// tokio-tungstenite with a read buffer of 4 KiB.
    Bare,
    /// tokio-tungstenite as it comes.
    Defaults,
}

/// What one of them adds to its process, in bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Weighed {
    resident: f64,
    allocated: f64,
}

const BARE: &str = "bare tokio-tungstenite with a read buffer of 4 KiB";
const DEFAULTS: &str = "bare tokio-tungstenite as it comes";

/// What a session may add to its process at most, in bytes, and what an encrypted one may.
const MOST: (f64, f64) = (12_000.0, 22_000.0);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for tls in [false, true] {
        let server = Server::begin(tls, false, false);
        let weigh = |kind| {
            eprintln!("weighing {SESSIONS} of {kind:?}{}", if tls { " over TLS" } else { "" });
            let settings = Settings { kind, at: server.at.clone(), connections: SESSIONS };
            Part::Idle(settings).play(false).hear::<Weighed>()
        };
        let (polled, handle) = (weigh(Kind::Polled), weigh(Kind::Handle));
        let (bare, defaults) = (weigh(Kind::Bare), weigh(Kind::Defaults));
        let most = if tls { MOST.1 } else { MOST.0 };
        let mut case = |subjects: [&'static str; 2], ours, baseline, baseline_name, bar| {
            let work = Work::Counted { unit: "B", ours, baseline };
            let subject = subjects[usize::from(tls)];
            cases.push(Case { subject, size: None, work, baseline_name, bar });
        };
        let resident = ["resident_polled", "resident_polled_tls"];
        case(resident, polled.resident, bare.resident, BARE, Bar::Most(most));
        let resident = ["resident_handle", "resident_handle_tls"];
        case(resident, handle.resident, bare.resident, BARE, Bar::Most(most));
        let resident = ["resident_handle_beside_defaults", "resident_handle_beside_defaults_tls"];
        case(resident, handle.resident, defaults.resident, DEFAULTS, Bar::Ratio(0.2));
        let allocated = ["allocated_polled", "allocated_polled_tls"];
        case(allocated, polled.allocated, bare.allocated, BARE, Bar::Most(most));
        let allocated = ["allocated_handle", "allocated_handle_tls"];
        case(allocated, handle.allocated, bare.allocated, BARE, Bar::Most(most));
    }
    cases
}

/// Those that come first, and are not counted: what a process needs once is there then.
const FIRST: u32 = 100;

pub(super) fn run(settings: &Settings) -> Weighed {
    runtime().block_on(async {
        let opening = Opening::new(settings);
        let mut held = Vec::with_capacity((FIRST + settings.connections) as usize);
        for _ in 0..FIRST {
            held.push(opening.open().await);
        }
        rest().await;
        let (before, region) = (resident(), Region::new(ALLOCATOR));
        for _ in 0..settings.connections {
            held.push(opening.open().await);
        }
        rest().await;
        let (after, change) = (resident(), region.change());
        let allocated = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
        let each = |bytes: f64| bytes / f64::from(settings.connections);
        assert!(held.iter().all(Held::is_held), "a connection was lost; the sample says nothing");
        Weighed { resident: each(after - before), allocated: each(allocated) }
    })
}

/// Has all tasks do what they have to do.
async fn rest() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// One connection, and whoever keeps it.
enum Held {
    Task(JoinHandle<()>),
    Handle(handled::Session),
}

impl Held {
    fn is_held(&self) -> bool {
        match self {
            Self::Task(task) => !task.is_finished(),
            Self::Handle(session) => session.state() == ws_session::machine::State::Connected,
        }
    }
}

/// What all connections of a process share.
struct Opening<'a> {
    settings: &'a Settings,
    target: Target,
    dialect: Arc<Dialect>,
    source: Arc<dyn auth_core::TokenSource>,
    runtime: Arc<Runtime>,
    tls: Option<TlsConnector>,
}

#[expect(clippy::expect_used, reason = "a bench without its connections measures nothing")]
#[expect(clippy::disallowed_methods, reason = "each connection has a task, as it would have in a program")]
impl<'a> Opening<'a> {
    fn new(settings: &'a Settings) -> Self {
        let Addresses { sessions, roots, .. } = &settings.at;
        let target = match roots {
            Some(roots) => Target::with_roots(sessions, roots.as_bytes()),
            None => Target::new(sessions),
        };
        let target = target.expect("it is on loopback");
        let tls = roots.as_ref().map(|roots| connector(roots));
        let (dialect, runtime) = (Arc::new(Dialect::genesys()), Arc::default());
        Self { settings, target, dialect, source: source::fixed(), runtime, tls }
    }

    async fn open(&self) -> Held {
        let (target, dialect, source) =
            (self.target.clone(), Arc::clone(&self.dialect), Arc::clone(&self.source));
        let usual = WebSocketConfig::default();
        match self.settings.kind {
            Kind::Polled => {
                let builder = polled::Session::builder(target, dialect, source);
                let mut session = builder.build(Arc::clone(&self.runtime) as _);
                session.authenticated().await.expect("the server takes any token");
                Held::Task(tokio::spawn(async move { while session.next().await.is_some() {} }))
            }
            Kind::Handle => {
                let mut session = handled::Session::builder(target, dialect, source).spawn();
                session.authenticated().await.expect("the server takes any token");
                Held::Handle(session)
            }
            Kind::Bare => self.bare(usual.read_buffer_size(4 * 1024)).await,
            Kind::Defaults => self.bare(usual).await,
        }
    }

    async fn bare(&self, config: WebSocketConfig) -> Held {
        let url = &self.settings.at.sessions;
        let address = url.rsplit('/').next().unwrap_or_default();
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("the connection stands");
        let Some(tls) = &self.tls else {
            let (mut socket, _) =
                client_async_with_config(url, stream, Some(config)).await.expect("the server upgrades");
            return Held::Task(tokio::spawn(
                async move { while let Some(Ok(_)) = next(&mut socket).await {} },
            ));
        };
        let name = ServerName::try_from("127.0.0.1").expect("it is an address");
        let stream = tls.connect(name, stream).await.expect("the server has a certificate");
        let (mut socket, _) =
            client_async_with_config(url, stream, Some(config)).await.expect("the server upgrades");
        Held::Task(tokio::spawn(async move { while let Some(Ok(_)) = next(&mut socket).await {} }))
    }
}

/// As sessions encrypt.
#[expect(clippy::expect_used, reason = "a bench without its connections measures nothing")]
fn connector(roots: &str) -> TlsConnector {
    let mut trusted = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(roots.as_bytes()).expect("the server has made it");
    trusted.add(certificate).expect("it is a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(trusted)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

//! Every way to the receiver brings every entry, once.

use std::net::SocketAddr;
use std::sync::Arc;

use audit::deliver::syslog::Syslog;
use realtime_auth_tests::authority::Authority;
use realtime_auth_tests::verdict::{Verdict, same};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::Settings;
use crate::ledger::{Ledger, Sender};
use crate::rsyslog::{Rsyslog, message};

const ENTRIES: u64 = 20_000;

fn all_arrive(rsyslog: &Rsyslog, syslog: Syslog) -> Verdict {
    let mut sender = Sender::to(syslog)?;
    sender.offer_slowly(ENTRIES)?;
    let counts = sender.close()?;
    same("delivered", (counts.delivered, counts.retries), (ENTRIES, 0))?;
    let ledger = Ledger::of(rsyslog, ENTRIES)?;
    ledger.check(ENTRIES)?;
    same("received, missing", (ledger.received(), ledger.missing()), (ENTRIES, 0))
}

pub(crate) async fn tcp_brings_every_entry(settings: &Settings) -> Verdict {
    let rsyslog = Rsyslog::start(settings, "tcp", None)?;
    all_arrive(&rsyslog, Syslog::tcp(&rsyslog.tcp.to_string(), message()))
}

pub(crate) async fn tls_brings_every_entry(settings: &Settings) -> Verdict {
    let authority = Authority::new()?;
    let certificate = authority.certify("localhost")?;
    let rsyslog = Rsyslog::start(settings, "tls", Some((&authority.pem(), &certificate)))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der().to_vec()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let address = rsyslog.tls.as_ref().map(SocketAddr::to_string).unwrap_or_default();
    let name = ServerName::try_from("localhost")?;
    all_arrive(&rsyslog, Syslog::tls(&address, name, config, message()))
}

pub(crate) async fn a_unix_stream_brings_every_entry(settings: &Settings) -> Verdict {
    let rsyslog = Rsyslog::start(settings, "unix-stream", None)?;
    all_arrive(&rsyslog, Syslog::unix(rsyslog.path("stream"), message()))
}

pub(crate) async fn unix_datagrams_bring_every_entry(settings: &Settings) -> Verdict {
    let rsyslog = Rsyslog::start(settings, "unix-datagram", None)?;
    all_arrive(&rsyslog, Syslog::unix_datagram(rsyslog.path("datagram"), message()))
}

//! The same faults under TLS, and those that TLS adds: certificates, and an end that is none.

use realtime_auth_tests::authority;
use realtime_auth_tests::fault_proxy::{Fault, Harm};
use realtime_auth_tests::flawed_server::welcome;
use realtime_auth_tests::raw_socket::accept;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::handshake::{each_survives, login, works_in_single_bytes};
use super::silence::{KEEP_ALIVE, is_left_in_time};
use super::*;

/// The name in the URLs of these tests.
const HERE: &str = "127.0.0.1";

/// As long as a handshake may take on a machine that is busy, and short enough to be waited for.
const SHORT: Duration = Duration::from_millis(600);

/// Signatures in a handshake differ in length, by a few bytes: this many more or less are the same point of it.
const SLACK: usize = 8;

/// TLS without tickets: each handshake is a whole one, and as long as the one before.
fn without_tickets(authority: &Authority) -> TlsAcceptor {
    let acceptor = authority.acceptor(HERE, &[], None).unwrap();
    let mut config = ServerConfig::clone(acceptor.config());
    config.send_tls13_tickets = 0;
    TlsAcceptor::from(Arc::new(config))
}

fn tls() -> Transport {
    let authority = Arc::new(Authority::new().unwrap());
    Transport::Tls(without_tickets(&authority), authority)
}

/// Some points of a handshake, of the upgrade and of the login behind it, from the first byte on.
fn points(all: usize) -> impl Iterator<Item = usize> {
    (0..all - 2 * SLACK).step_by(31)
}

#[tokio::test]
async fn a_reset_within_the_handshake_or_behind_it_costs_one_attempt() {
    let tls = tls();
    let ((up, down), plain) = (login(&tls).await, login(&Transport::Tcp).await);
    assert!(up > plain.0 + 250 && down > plain.1 + 600, "{up} and {down} bytes have no handshake in them");
    each_survives(&tls, points(up).map(|at| Harm { up: Fault::Reset(at), ..Harm::default() })).await;
    each_survives(&tls, points(down).map(|at| Harm { down: Fault::Reset(at), ..Harm::default() })).await;
}

#[tokio::test]
async fn an_end_within_the_handshake_or_behind_it_costs_one_attempt() {
    let tls = tls();
    let (up, down) = login(&tls).await;
    each_survives(&tls, points(up).map(|at| Harm { up: Fault::Cut(at), ..Harm::default() })).await;
    each_survives(&tls, points(down).map(|at| Harm { down: Fault::Cut(at), ..Harm::default() })).await;
}

#[tokio::test]
async fn a_handshake_that_is_never_answered_is_left_in_time() {
    for harm in [
        Harm { up: Fault::Stall(0), ..Harm::default() },
        Harm { up: Fault::Stall(100), ..Harm::default() },
        Harm { down: Fault::Stall(0), ..Harm::default() },
        Harm { down: Fault::Stall(500), ..Harm::default() },
    ] {
        is_left_in_time(&tls(), Phase::Upgrade, config().with_open_timeout(SHORT), harm).await;
    }
}

#[tokio::test]
async fn a_handshake_of_a_byte_a_second_is_left_in_time() {
    let slow = Harm { down: Fault::Trickle(Duration::from_secs(1)), ..Harm::default() };
    is_left_in_time(&tls(), Phase::Upgrade, config().with_open_timeout(SHORT), slow).await;
}

#[tokio::test]
async fn a_connection_that_died_in_one_direction_is_found_by_pings_under_tls_too() {
    let tls = tls();
    let (up, down) = login(&tls).await;
    let config = config().with_keep_alive(Some(KEEP_ALIVE));
    // Within the first record behind the login.
    for harm in [
        Harm { up: Fault::Stall(up + SLACK), ..Harm::default() },
        Harm { down: Fault::Stall(down + SLACK), ..Harm::default() },
    ] {
        is_left_in_time(&tls, Phase::Live, config.clone(), harm).await;
    }
}

#[tokio::test]
async fn a_whole_session_in_single_bytes_works_under_tls_too() {
    works_in_single_bytes(&tls()).await;
}

/// The end of the stream without a `close_notify` (RFC 8446 §6.1), which may be an attacker's: no clean end, and nothing is taken for one.
#[tokio::test]
async fn an_end_that_tls_was_not_told_of_ends_as_the_table_says_before_and_after_the_welcome() {
    let authority = Arc::new(Authority::new().unwrap());
    let acceptor = without_tickets(&authority);
    let transport = Transport::Tls(acceptor.clone(), authority);
    for phase in [Phase::Login, Phase::Live] {
        let acceptor = acceptor.clone();
        let flaw = move |stream: TcpStream| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = authority::accept(&acceptor, stream).await?;
                if phase == Phase::Live {
                    welcome(&mut stream).await?;
                } else {
                    accept(&mut stream).await?;
                }
                stream.flush().await?;
                Ok(stream.into_inner().0)
            }
        };
        ends_over(&transport, Dialect::genesys(), phase, Failure::Transport, flaw).await;
    }
}

/// Those that are good for another, for another time, or in the eyes of another.
#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_ends_as_the_table_says() {
    let authority = Arc::new(Authority::new().unwrap());
    let transport = Transport::Tls(without_tickets(&authority), Arc::clone(&authority));
    let stranger = Authority::named("Somebody Else").unwrap();
    for acceptor in [
        authority.acceptor("localhost", &[], None).unwrap(),
        authority.expired_acceptor(HERE).unwrap(),
        stranger.acceptor(HERE, &[], None).unwrap(),
    ] {
        let flaw = move |stream: TcpStream| {
            let acceptor = acceptor.clone();
            async move {
                // The client says why, and goes: no byte of the upgrade comes.
                let stream = authority::accept(&acceptor, stream).await?;
                Ok(stream.into_inner().0)
            }
        };
        ends_over(&transport, Dialect::genesys(), Phase::Upgrade, Failure::Untrusted, flaw).await;
    }
}

#[tokio::test]
async fn what_does_not_speak_tls_ends_as_the_table_says() {
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]] {
        let flaw = move |mut stream: TcpStream| async move {
            stream.read_u8().await?;
            stream.write_all(answer).await?;
            Ok(stream)
        };
        ends_over(&tls(), Dialect::genesys(), Phase::Upgrade, Failure::Transport, flaw).await;
    }
}

//! Peers that say nothing: black holes, half-open connections, and those that stop reading.

use realtime_auth_tests::fault_proxy::{Fault, FaultProxy, Harm};
use realtime_auth_tests::flawed_server::{drain, welcome};
use realtime_auth_tests::raw_socket::accept;
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;

use super::handshake::login;
use super::*;

/// Short enough to be waited for, long enough for a machine that is busy.
const SHORT: Duration = Duration::from_millis(150);

/// The same for a connection that shall not be taken for dead, on a machine that is busy.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Nobody accepts: the queue of the listener is full, and what is sent to it is dropped.
#[tokio::test]
async fn a_listener_that_never_accepts_is_left_in_time() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let mut observed = Observed::open(&url(address), Dialect::genesys(), config().with_open_timeout(SHORT));
    observed.recorder.wait_for(2, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
    let disposition = disposition(&Dialect::genesys(), Phase::Upgrade, &Failure::Timeout);
    assert_eq!(disposition, Disposition::Retry);
    assert!(observed.retries().iter().all(Option::is_some), "{:?}", observed.recorder);
    assert!(timeout(SHORT, observed.session.authenticated()).await.is_err());
    observed.leaves_nothing().await;
}

pub(super) async fn is_left_in_time(transport: &Transport, phase: Phase, config: Config, harm: Harm) {
    let disposition = disposition(&Dialect::genesys(), phase, &Failure::Timeout);
    assert_eq!(disposition, Disposition::Retry, "else there would be no other connection");
    let server = transport.flawless().await;
    let harmed = move |number| if number < 3 { harm } else { Harm::default() };
    let proxy = FaultProxy::to(server.address(), harmed).await.unwrap();
    let mut observed = Observed::at(transport.target(proxy.address()), Dialect::genesys(), config.clone());
    observed.recorder.wait_for(2, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
    until("it is made once more", || proxy.connections() >= 3).await;
    observed.connected().await;
    assert_eq!(observed.session.send("still here").await.map_err(|error| error.to_string()), Ok(()));
    let heard = timeout(PATIENCE, observed.session.next()).await.expect("nothing came back").unwrap();
    assert_eq!(heard.as_text(), Some("still here"));
    observed.leaves_nothing().await;
    timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
    let proxy = FaultProxy::to(server.address(), harmed).await.unwrap();
    without_runtime::survives(transport.target(proxy.address()), 2, config).await;
    timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
    timeout(PATIENCE, server.until_idle()).await.expect("a socket is left");
}

#[tokio::test]
async fn an_upgrade_that_is_never_answered_is_left_in_time() {
    for harm in [
        Harm { up: Fault::Stall(0), ..Harm::default() },
        Harm { up: Fault::Stall(100), ..Harm::default() },
        Harm { down: Fault::Stall(0), ..Harm::default() },
        Harm { down: Fault::Stall(100), ..Harm::default() },
    ] {
        is_left_in_time(&Transport::Tcp, Phase::Upgrade, config().with_open_timeout(SHORT), harm).await;
    }
}

#[tokio::test]
async fn a_login_that_is_never_answered_is_left_in_time() {
    for reads in [true, false] {
        let released = Arc::new(Semaphore::new(0));
        let release = Arc::clone(&released);
        let server = FlawedServer::serve(2, move |mut stream| {
            let released = Arc::clone(&released);
            async move {
                accept(&mut stream).await?;
                if !reads {
                    let _ = released.acquire().await;
                }
                drain(&mut stream).await?;
                Ok(stream)
            }
        });
        let server = server.await.unwrap();
        let config = config().with_answer_timeout(SHORT);
        let mut observed = Observed::open(&url(server.address()), Dialect::genesys(), config);
        observed.connected().await;
        assert!(server.connections() >= 3, "{:?}", observed.recorder);
        release.close();
        observed.leaves_nothing().await;
        server.until_idle().await;
    }
}

/// Half-open: the end of the stream is swallowed too, as by a NAT that forgot. Pings find it out.
#[tokio::test]
async fn a_connection_that_died_in_one_direction_is_found_by_pings() {
    let (up, down) = login(&Transport::Tcp).await;
    let config = config().with_keep_alive(Some(KEEP_ALIVE));
    for harm in [
        Harm { up: Fault::Stall(up), ..Harm::default() },
        Harm { down: Fault::Stall(down), ..Harm::default() },
        Harm { up: Fault::Stall(up), down: Fault::Stall(down) },
    ] {
        is_left_in_time(&Transport::Tcp, Phase::Live, config.clone(), harm).await;
    }
}

/// Whatever fits into the buffers is gone; the rest comes back or arrives, and nobody waits for ever.
#[tokio::test]
async fn a_peer_that_stops_reading_hangs_nobody_and_loses_nothing_in_silence() {
    let released = Arc::new(Semaphore::new(0));
    let release = Arc::clone(&released);
    let server = FlawedServer::serve(1, move |mut stream| {
        let released = Arc::clone(&released);
        async move {
            welcome(&mut stream).await?;
            // It reads no more, until the client has long given it up.
            let _ = released.acquire().await;
            drain(&mut stream).await?;
            Ok(stream)
        }
    });
    let server = server.await.unwrap();
    let config = config().with_keep_alive(Some(KEEP_ALIVE));
    let mut observed = Observed::open(&url(server.address()), Dialect::genesys(), config);
    observed.connected().await;
    let text = |number: usize| format!("{number}:{}", "x".repeat(16_384));
    let sender = observed.session.sender();
    let sending = tokio::spawn(async move {
        let mut fates = Vec::new();
        for number in 0..2_000 {
            fates.push(sender.send(text(number)).await.map_err(|error| error.may_have_arrived()));
        }
        fates
    });
    // Whoever reads gets what arrived at the server that serves.
    let mut heard = Vec::new();
    let fates = {
        let mut sending = std::pin::pin!(timeout(PATIENCE, sending));
        loop {
            tokio::select! {
                fates = &mut sending => break fates.expect("a message waits for ever").unwrap(),
                message = observed.session.next() => heard.push(message.unwrap()),
            }
        }
    };
    let lost = fates.iter().filter(|fate| **fate == Err(true)).count();
    assert!(lost > 0 && fates.iter().all(|fate| *fate != Err(false)), "each was sent, or may have been");
    assert!(server.connections() >= 2);
    let last_lost = fates.iter().rposition(Result::is_err).unwrap();
    let first_heard = heard.first().and_then(|message| message.as_text()).unwrap_or_default().to_owned();
    assert!(first_heard.starts_with(&format!("{}:", last_lost + 1)), "{}", &first_heard[..8]);
    release.close();
    observed.leaves_nothing().await;
    server.until_idle().await;
}

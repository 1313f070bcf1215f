//! Handshakes that break: refused, cut and reset at each byte, dribbled, and split.

use realtime_auth_tests::closed_port::ClosedPort;
use realtime_auth_tests::fault_proxy::{Fault, FaultProxy, Harm};
use tokio::task::JoinSet;

use super::*;

/// As many sessions at a time.
const AT_A_TIME: usize = 16;

/// How many bytes pass each way until a session is authenticated.
pub(super) async fn login(transport: &Transport) -> (usize, usize) {
    let server = transport.flawless().await;
    let proxy = FaultProxy::to(server.address(), |_| Harm::default()).await.unwrap();
    let mut observed = Observed::at(transport.target(proxy.address()), Dialect::genesys(), config());
    observed.connected().await;
    let passed = proxy.passed();
    observed.leaves_nothing().await;
    passed
}

/// A session whose first connection is harmed is connected by the next one, and nothing is left of either.
async fn survives(transport: &Transport, harm: Harm) {
    let server = transport.flawless().await;
    let harmed = move |number| if number == 1 { harm } else { Harm::default() };
    let proxy = FaultProxy::to(server.address(), harmed).await.unwrap();
    let failure = disposition(&Dialect::genesys(), Phase::Upgrade, &Failure::Transport);
    assert_eq!(failure, Disposition::Retry, "else there would be no second connection");
    let mut observed = Observed::at(transport.target(proxy.address()), Dialect::genesys(), config());
    // It may be connected for a moment: the fault may strike just behind the answer.
    observed.connected().await;
    observed.recorder.wait_for(1, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
    let back = || proxy.connections() >= 2 && observed.session.state() == State::Connected;
    until("it is connected again", back).await;
    assert_eq!(proxy.connections(), 2, "{harm:?}");
    let Observed { session, recorder, .. } = observed;
    timeout(PATIENCE, session.close()).await.expect("the session does not close").unwrap();
    assert!(!format!("{:?}", recorder.events()).contains(CANARY));
    timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
    let again = FaultProxy::to(server.address(), harmed).await.unwrap();
    without_runtime::survives(transport.target(again.address()), 1, config()).await;
    timeout(PATIENCE, again.until_idle()).await.expect("a socket is left");
    timeout(PATIENCE, server.until_idle()).await.expect("a socket is left");
}

/// All of these at once, as many as there may be, and no task is left of any.
pub(super) async fn each_survives(transport: &Transport, harms: impl Iterator<Item = Harm>) {
    let before = tasks();
    let mut sessions = JoinSet::new();
    for harm in harms {
        if sessions.len() == AT_A_TIME {
            sessions.join_next().await.unwrap().unwrap();
        }
        let transport = transport.clone();
        sessions.spawn(async move {
            assert!(timeout(3 * PATIENCE, survives(&transport, harm)).await.is_ok(), "{harm:?} hangs")
        });
    }
    sessions.join_all().await;
    none_beyond(before).await;
}

#[tokio::test]
async fn a_reset_at_any_byte_of_request_and_login_costs_one_attempt() {
    let (up, _) = login(&Transport::Tcp).await;
    assert!(up > 150, "{up} bytes are no upgrade request and login");
    each_survives(&Transport::Tcp, (0..=up).map(|at| Harm { up: Fault::Reset(at), ..Harm::default() })).await;
}

#[tokio::test]
async fn a_reset_at_any_byte_of_the_answers_costs_one_attempt() {
    let (_, down) = login(&Transport::Tcp).await;
    assert!(down > 100, "{down} bytes are no answers");
    each_survives(&Transport::Tcp, (0..=down).map(|at| Harm { down: Fault::Reset(at), ..Harm::default() }))
        .await;
}

#[tokio::test]
async fn an_end_at_any_byte_of_either_direction_costs_one_attempt() {
    let (up, down) = login(&Transport::Tcp).await;
    each_survives(&Transport::Tcp, (0..=up).map(|at| Harm { up: Fault::Cut(at), ..Harm::default() })).await;
    each_survives(&Transport::Tcp, (0..=down).map(|at| Harm { down: Fault::Cut(at), ..Harm::default() }))
        .await;
}

#[tokio::test]
async fn a_whole_session_in_single_bytes_works() {
    works_in_single_bytes(&Transport::Tcp).await;
}

pub(super) async fn works_in_single_bytes(transport: &Transport) {
    let server = transport.flawless().await;
    let each = Fault::Trickle(Duration::ZERO);
    let proxy = FaultProxy::to(server.address(), move |_| Harm { up: each, down: each }).await.unwrap();
    let mut observed = Observed::at(transport.target(proxy.address()), Dialect::genesys(), config());
    observed.connected().await;
    // Of each length that frames know.
    for length in [0, 1, 125, 126, 127, 70_000] {
        let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
        let sender = observed.session.sender();
        let (sent, heard) = tokio::join!(sender.send(text.clone()), async {
            timeout(PATIENCE, observed.session.next()).await.expect("nothing came back")
        });
        sent.unwrap();
        assert_eq!(heard.unwrap().as_text(), Some(text.as_str()));
    }
    assert_eq!(proxy.connections(), 1);
    observed.leaves_nothing().await;
    timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
}

/// The blocking driver has a reader of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_a_runtime_works_in_single_bytes_too() {
    use ws_session::driver::blocking::Session as Blocking;

    let server = FlawedServer::flawless().await.unwrap();
    // Long enough for its thread to read each by itself.
    let slow = Harm { down: Fault::Trickle(Duration::from_millis(1)), ..Harm::default() };
    let proxy = FaultProxy::to(server.address(), move |_| slow).await.unwrap();
    let target = Target::new(&url(proxy.address())).unwrap();
    let talking = tokio::task::spawn_blocking(move || {
        let source = Arc::new(Tokens::default());
        let mut session = Blocking::builder(target, Dialect::genesys(), source).with_config(config()).open();
        session.authenticated_within(PATIENCE).unwrap();
        session.send("in single bytes").unwrap();
        let heard = session.next(PATIENCE).unwrap().expect("nothing came back");
        assert_eq!(heard.as_text(), Some("in single bytes"));
        session.close().unwrap();
    });
    talking.await.unwrap();
    assert_eq!(proxy.connections(), 1);
    timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
}

/// Slower than the patience of the session: a byte at a time is no answer in time.
#[tokio::test]
async fn an_answer_that_dribbles_is_left_in_time() {
    let server = FlawedServer::flawless().await.unwrap();
    let slow = Harm { down: Fault::Trickle(Duration::from_millis(20)), ..Harm::default() };
    let proxy =
        FaultProxy::to(server.address(), move |number| if number < 3 { slow } else { Harm::default() });
    let proxy = proxy.await.unwrap();
    let config = config().with_open_timeout(Duration::from_millis(300));
    let mut observed = Observed::open(&url(proxy.address()), Dialect::genesys(), config);
    observed.connected().await;
    // More, where the machine is busy.
    assert!(proxy.connections() >= 3 && observed.retries().len() >= 2, "{:?}", observed.recorder);
    observed.leaves_nothing().await;
    timeout(PATIENCE, proxy.until_idle()).await.expect("a socket is left");
}

#[tokio::test]
async fn a_port_that_refuses_is_tried_until_somebody_listens() {
    let closed = ClosedPort::take().unwrap();
    let address = closed.address().unwrap();
    // This server answers no close.
    let config = config().with_close_timeout(Duration::from_millis(50));
    let mut observed = Observed::open(&url(address), Dialect::genesys(), config);
    observed.recorder.wait_for(5, |event| matches!(event, AuthEvent::ConnectionLost { .. })).await;
    assert!(observed.retries().iter().all(Option::is_some), "{:?}", observed.recorder);
    let listener = closed.open().unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    realtime_auth_tests::flawed_server::welcome(&mut stream).await.unwrap();
    observed.connected().await;
    let server = tokio::spawn(async move { realtime_auth_tests::flawed_server::drain(&mut stream).await });
    let Observed { session, .. } = observed;
    drop(session);
    timeout(PATIENCE, server).await.expect("the socket is left").unwrap().unwrap();
}

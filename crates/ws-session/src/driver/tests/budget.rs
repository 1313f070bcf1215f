//! Sessions that take turns to connect.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use auth_core::token::Generation;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};

use super::peer::{Diary, Numbered, Peer};
use super::{session, session_of};
use crate::dialect::{Dialect, Renewal, RenewalTime};
use crate::driver::budget::Turn;
use crate::driver::tokio::{ConnectBudget, Runtime, Session};
use crate::machine::{Config, State};

type Waiting = (Session, UnboundedReceiver<Peer>, Diary);

/// Sessions that share a budget, each begun when the one before was.
async fn sharing(budget: &ConnectBudget, count: usize) -> Vec<Waiting> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        let (builder, peers, diary) = session(Numbered::for_ever());
        sessions.push((builder.with_connect_budget(budget.clone()).spawn(), peers, diary));
        tokio::task::yield_now().await;
    }
    sessions
}

#[tokio::test(start_paused = true)]
async fn sessions_connect_in_the_order_in_which_they_wanted_to_and_one_that_waits_can_be_closed() {
    let budget = ConnectBudget::new(1);
    let mut sessions = sharing(&budget, 4).await;
    let mut first = sessions[0].1.recv().await.unwrap();
    first.upgrade().await;
    sleep(Duration::from_secs(5)).await;
    for (session, peers, _) in &mut sessions[1..] {
        assert_eq!((session.state(), peers.is_empty()), (State::Connecting, true));
    }
    let (second, _, _) = sessions.remove(1);
    timeout(Duration::from_secs(1), second.close()).await.unwrap().unwrap();
    first.accept().await;
    let third = timeout(Duration::from_secs(1), sessions[1].1.recv()).await.unwrap().unwrap();
    assert!(sessions[2].1.is_empty());
    // A failure gives the permit back too, before the wait for the next attempt.
    drop(third.stream);
    let mut fourth = timeout(Duration::from_millis(1), sessions[2].1.recv()).await.unwrap().unwrap();
    fourth.log_in().await;
    timeout(Duration::from_secs(5), sessions[1].1.recv()).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_timeout_runs_while_a_session_waits_for_its_turn() {
    let budget = ConnectBudget::new(1).with_rate(1);
    let held = budget.take().ok();
    let mut sessions = sharing(&budget, 1).await;
    sleep(Duration::from_secs(300)).await;
    assert!(sessions[0].2.find(|_| Some(())).is_empty(), "nothing happened");
    drop(held);
    timeout(Duration::from_secs(1), sessions[0].1.recv()).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_wants_another_credential_meanwhile_keeps_its_place() {
    let budget = ConnectBudget::new(1);
    let held = budget.take().ok().expect("nobody else has it");
    let mut sessions = sharing(&budget, 2).await;
    let control = sessions[0].0.control();
    let presenting = tokio::spawn(async move { control.present(Generation::NONE).await });
    sleep(Duration::from_millis(10)).await;
    drop(held);
    let first = timeout(Duration::from_secs(1), sessions[0].1.recv());
    first.await.expect("it was the first to wait").unwrap();
    assert!(sessions[1].1.is_empty());
    presenting.abort();
}

/// Ably's server is told farewell once it has let the session in.
#[tokio::test(start_paused = true)]
async fn who_is_closed_while_it_dials_keeps_its_place_until_it_has() {
    let budget = ConnectBudget::new(1);
    let (builder, mut peers, _diary) = session_of(Dialect::ably(), 1 << 16, Numbered::for_ever());
    let first = builder.with_connect_budget(budget.clone()).spawn();
    let mut peer = peers.recv().await.unwrap();
    let mut others = sharing(&budget, 1).await;
    let closing = tokio::spawn(first.close());
    sleep(Duration::from_secs(1)).await;
    assert!(others[0].1.is_empty(), "the first is not there yet");
    peer.upgrade().await;
    timeout(Duration::from_secs(1), others[0].1.recv()).await.unwrap().unwrap();
    drop(peer);
    closing.await.unwrap().unwrap();
}

/// It has a connection that would expire meanwhile.
#[tokio::test(start_paused = true)]
async fn who_replaces_a_live_connection_waits_for_nobody_who_has_none() {
    let hour = Duration::from_secs(3_600);
    let mut dialect = Dialect::genesys();
    dialect.renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    let budget = ConnectBudget::new(1);
    let (builder, mut peers, diary) = session_of(dialect, 1 << 16, Numbered::living(hour, hour / 2));
    let builder = builder.with_config(Config::new().with_keep_alive(None));
    let mut session = builder.with_connect_budget(budget.clone()).spawn();
    let mut old = peers.recv().await.unwrap();
    old.log_in().await;
    session.authenticated().await.unwrap();
    let _held = budget.take().ok().expect("it was given back");
    let mut new =
        timeout(hour, peers.recv()).await.expect("a connection in the place of the old one").unwrap();
    new.log_in().await;
    assert_eq!((old.ended().await, session.state()), (Some(1000), State::Connected));
    assert!(diary.losses().is_empty(), "{:?}", diary.losses());
    // Without one it waits for its turn again.
    drop((old, new));
    assert!(timeout(hour, peers.recv()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_to_whoever_gives_up_meanwhile() {
    let budget = ConnectBudget::new(1_000).with_rate(10);
    let begun = Instant::now();
    let mut sessions = sharing(&budget, 40).await;
    // Every second one, first of all those that wait.
    let kept: Vec<_> = (0..40).map(|number| number % 2 == 0).collect();
    let mut kept = kept.into_iter();
    sessions.retain(|_| kept.next().unwrap());
    let mut times = Vec::new();
    for (_, peers, _) in &mut sessions {
        timeout(Duration::from_secs(30), peers.recv()).await.unwrap().unwrap();
        times.push(begun.elapsed());
    }
    let last = *times.last().unwrap();
    assert!(times.is_sorted(), "{times:?}");
    assert!(last > Duration::from_millis(1_800) && last < Duration::from_millis(2_100), "{times:?}");
    for window in times.windows(6) {
        assert!(window[5] - window[0] >= Duration::from_millis(400), "{times:?}");
    }
}

/// So many who wait for their turn, behind one who has had it.
fn waiting(budget: &ConnectBudget, count: usize) -> Vec<Turn> {
    let first = budget.take();
    assert!(first.is_ok());
    (0..count).map_while(|_| budget.take().err()).collect()
}

/// Polls all of them, and lets those go whose turn it is. How many that were.
async fn those_whose_turn_it_is(turns: &mut Vec<Turn>) -> usize {
    let runtime = Runtime::default();
    let before = turns.len();
    poll_fn(|cx| {
        turns.retain_mut(|turn| turn.poll(cx, &runtime).is_pending());
        Poll::Ready(())
    })
    .await;
    before - turns.len()
}

#[tokio::test(start_paused = true)]
async fn no_second_sees_more_than_the_rate_however_late_those_are_who_wait() {
    const RATE: usize = 10;
    let budget = ConnectBudget::new(1_000).with_rate(10);
    let mut turns = waiting(&budget, 60);
    let begun = Instant::now();
    let mut times = vec![Duration::ZERO];
    // The first is late, and the others are not; later on, some are.
    for late in
        std::iter::once(145).chain(std::iter::repeat_n(5, 300)).chain([140, 90, 47, 3].into_iter().cycle())
    {
        sleep(Duration::from_millis(late)).await;
        let count = those_whose_turn_it_is(&mut turns).await;
        times.extend(std::iter::repeat_n(begun.elapsed(), count));
        if turns.is_empty() {
            break;
        }
    }
    for window in times.windows(RATE + 1) {
        assert!(window[RATE] - window[0] >= Duration::from_secs(1), "{times:?}");
    }
    assert!(times[60] < Duration::from_secs(8), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_were_held_up_together_do_not_connect_together() {
    let budget = ConnectBudget::new(1_000).with_rate(10);
    let mut held_up = waiting(&budget, 20);
    let mut last = vec![held_up.pop().unwrap()];
    // It looks at the clock, for all those before it.
    for _ in 0..30 {
        sleep(Duration::from_millis(100)).await;
        those_whose_turn_it_is(&mut last).await;
    }
    assert!(those_whose_turn_it_is(&mut held_up).await <= 1);
    let begun = Instant::now();
    while !held_up.is_empty() {
        sleep(Duration::from_millis(5)).await;
        assert!(those_whose_turn_it_is(&mut held_up).await <= 1);
    }
    assert!(begun.elapsed() > Duration::from_millis(1_800), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_of_their_own_sessions_do_not_wait_for_each_other() {
    let mut peers = Vec::new();
    for _ in 0..50 {
        let (builder, mut ends, _) = session(Numbered::for_ever());
        let session = builder.spawn();
        peers.push((session, timeout(Duration::from_millis(10), ends.recv()).await.unwrap()));
    }
}

//! Sessions that take turns to connect.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};

use super::peer::{Diary, Numbered, Peer};
use super::session;
use crate::driver::tokio::{ConnectBudget, Session};
use crate::machine::State;

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

#[tokio::test(start_paused = true)]
async fn without_a_budget_of_their_own_sessions_do_not_wait_for_each_other() {
    let mut peers = Vec::new();
    for _ in 0..50 {
        let (builder, mut ends, _) = session(Numbered::for_ever());
        let session = builder.spawn();
        peers.push((session, timeout(Duration::from_millis(10), ends.recv()).await.unwrap()));
    }
}

//! A store that fails at any step: no refresh token is sent that could get lost, and none is sent twice.

use std::pin::Pin;

use auth_core::{AuthEvent, Demand, ErrorKind, TokenSource as _};
use realtime_auth_tests::faulty_disk::Fault;
use realtime_auth_tests::rotating::chain;

use super::Rig;

/// What a refresh asks of the disk when nothing fails: a look without the lock, another under it, and two writes.
const STEPS: [&str; 14] = [
    "open",
    "open",
    "open",
    "create",
    "write",
    "sync",
    "rename",
    "sync_directory",
    "open",
    "create",
    "write",
    "sync",
    "rename",
    "sync_directory",
];

/// How many steps precede the write of the new refresh token.
const INTENDED: usize = 8;

#[tokio::test]
async fn a_disk_that_works_is_asked_for_these_steps() {
    let mut rig = Rig::start().await;
    let first = rig.first().await;
    let before = rig.login.disk.steps().len();
    rig.login.token(Demand::NewerThan(first)).await.unwrap();
    rig.login.saved(2).await;
    assert_eq!(rig.login.disk.steps()[before..], STEPS);
}

#[tokio::test]
async fn a_store_may_fail_once_at_any_step_of_a_refresh() {
    for fault in [Fault::Before, Fault::After] {
        for (step, name) in STEPS.into_iter().enumerate() {
            let mut rig = Rig::start().await;
            let first = rig.first().await;
            rig.login.disk.fail_once(step, fault);
            let second = rig.login.token(Demand::NewerThan(first)).await;
            let second = second.unwrap_or_else(|error| panic!("{name} ({step}) {fault:?}: {error:?}"));
            assert_eq!(second.secret().expose(), "token-2", "{name} ({step}) {fault:?}");
            rig.login.saved(2).await;
            assert_eq!(rig.login.disk.failures(), 1, "{name} ({step}) {fault:?}: nothing failed");
            rig.assert_alive_after(2).await;
        }
    }
}

/// The first refresh finds no file, and writes one.
#[tokio::test]
async fn a_store_may_fail_once_at_any_step_of_the_first_refresh() {
    for fault in [Fault::Before, Fault::After] {
        for step in 0..STEPS.len() {
            let mut rig = Rig::start().await;
            rig.login.disk.fail_once(step, fault);
            let first = rig.login.token(Demand::Current).await;
            let first = first.unwrap_or_else(|error| panic!("step {step} {fault:?}: {error:?}"));
            assert_eq!(first.secret().expose(), "token-1");
            rig.login.saved(1).await;
            assert_eq!(rig.login.disk.failures(), 1, "step {step} {fault:?}: nothing failed");
            rig.assert_alive_after(1).await;
        }
    }
}

#[tokio::test]
async fn an_access_token_is_served_although_the_refresh_token_beside_it_cannot_be_saved() {
    let mut rig = Rig::start().await;
    let first = rig.first().await;
    rig.login.disk.break_down(INTENDED);
    // It comes with the answer, not after the disk's: a step that waits holds it up no more than one that fails.
    let second = rig.login.token(Demand::NewerThan(first)).await.unwrap();
    assert_eq!(second.secret().expose(), "token-2");
    let unsaved = |event: &AuthEvent| matches!(event, AuthEvent::StoreFailed { .. });
    rig.login.turns.until(rig.login.recorder.wait_for(2, unsaved)).await;
    assert_eq!(rig.login.manager.current().unwrap().generation(), second.generation());

    // Nothing is sent meanwhile: who asks for more gets what there is, or learns of the disk.
    let same = rig.login.token(Demand::NewerThan(second.generation())).await.unwrap();
    assert_eq!(same.generation(), second.generation());
    let error = rig.login.token(Demand::InsteadOf(second.generation())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreFailed);
    rig.login.turns.until(rig.login.recorder.wait_for(6, unsaved)).await;
    assert_eq!(rig.endpoint.presented(), chain(2));

    rig.login.disk.mend();
    rig.login.saved(2).await;
    let third = rig.login.token(Demand::InsteadOf(second.generation())).await.unwrap();
    assert_eq!(third.secret().expose(), "token-3");
    rig.assert_alive_after(3).await;
}

#[tokio::test]
async fn an_access_token_is_served_while_the_disk_is_at_it() {
    let mut rig = Rig::start().await;
    let first = rig.first().await;
    rig.login.disk.hold(INTENDED);
    let mut caller: Pin<Box<_>> = Box::pin(rig.login.manager.token(Demand::NewerThan(first)));
    let second = rig.login.turns.until(caller.as_mut()).await.unwrap();
    assert_eq!(second.secret().expose(), "token-2");
    let record = rig.record();
    assert_eq!(record.refresh_token.unwrap().expose(), "refresh-1", "the disk has not got to it yet");
    assert!(record.intent.is_some());
    drop(caller);
    rig.login.disk.mend();
    rig.login.saved(2).await;
    rig.assert_alive_after(2).await;
}

#[tokio::test]
async fn no_refresh_token_is_sent_that_could_not_be_saved_afterwards() {
    let mut rig = Rig::start().await;
    let first = rig.first().await;
    // From the last step of the note on: it may be on the disk, and may be lost with the power.
    rig.login.disk.break_down(INTENDED - 1);
    let error = rig.login.token(Demand::InsteadOf(first)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreFailed);
    assert_eq!(rig.endpoint.presented(), chain(1));

    rig.login.disk.mend();
    // The token in use was refused, and is replaced without anybody asking again.
    rig.login.saved(2).await;
    rig.assert_alive_after(2).await;
}

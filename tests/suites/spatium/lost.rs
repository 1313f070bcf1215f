//! Answers that are lost: nothing is spent for nothing, and nothing looks like theft.

use std::time::Duration;

use auth_core::{ErrorKind, Secret};

use super::{establish, presented, serve, served, text, verified};

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_is_asked_for_again_with_the_same_token() {
    let served = served().await;
    let session = served.established("device").await;
    served.relay.lose_answers(1);
    session.refresh().await.unwrap();
    let sent = presented(&served);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    assert_eq!((served.counts.redeemed(), served.counts.retried(), served.counts.revoked()), (1, 1, 0));
    verified(&text(&session).await);
    session.refresh().await.unwrap();
    assert_eq!((served.counts.redeemed(), served.counts.revoked()), (2, 0), "the line goes on");
}

/// The control: a service that gives no answer twice takes the second request for theft.
#[tokio::test]
async fn without_a_grace_a_lost_answer_costs_the_session() {
    let served = serve(|server| server.with_refresh_grace(Duration::ZERO)).await;
    let session = served.established("device").await;
    served.relay.lose_answers(1);
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    assert_eq!((served.counts.redeemed(), served.counts.revoked()), (1, 1));
    establish(&session).await.unwrap();
    verified(&text(&session).await);
}

#[tokio::test]
async fn a_refresh_token_that_is_presented_after_its_successor_revokes_the_session() {
    let served = served().await;
    let session = served.established("device").await;
    session.refresh().await.unwrap();
    session.refresh().await.unwrap();
    let stolen = presented(&served).remove(0);
    assert_eq!(super::document::status_of_refresh(&served, &stolen).await, 401);
    assert_eq!(served.counts.revoked(), 1);
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
}

#[tokio::test]
async fn an_establishment_whose_answer_was_lost_is_not_tried_again_by_itself() {
    let served = served().await;
    let session = served.session("device");
    let password = Secret::from("password");
    let factor = session.security_factor_credentials("username", &password).await.unwrap();
    served.relay.lose_answers(1);
    let error = session.establish(std::slice::from_ref(&factor)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::Transport, true));
    assert_eq!(served.counts.established(), 1, "the service has done it");
    assert_eq!(session.permission_token().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
    session.establish(&[factor]).await.unwrap();
    session.refresh().await.unwrap();
}

#[tokio::test]
async fn a_caller_that_gives_up_in_the_middle_of_a_refresh_costs_nothing() {
    let served = served().await;
    let session = served.established("device").await;
    session.permission_token().await.unwrap();
    served.relay.hold_answers(true);
    for _ in 0..3 {
        tokio::select! {
            biased;
            refreshed = session.refresh() => panic!("its answer is held back: {refreshed:?}"),
            // The service has answered the first refresh, which none of these callers hears of.
            () = served.relay.until_answered(3) => {}
        }
    }
    served.relay.hold_answers(false);
    session.refresh().await.unwrap();
    verified(&text(&session).await);
    assert_eq!((served.refreshes(), served.counts.redeemed()), (1, 1), "all of them were one refresh");
    assert_eq!((served.counts.retried(), served.counts.revoked()), (0, 0));
}

//! Complaints about refusals: tried for ever, taken for final, invisible, or judged by whether the server gave a reason.

use std::time::Duration;

use auth_core::{AuthEvent, Demand};
use realtime_auth_tests::raw_socket::opcode;
use ws_session::ErrorKind;
use ws_session::dialect::{Codes, Dialect, Disposition, On, Rule, Verdict};
use ws_session::driver::tokio::SessionEvent;
use ws_session::machine::State;

use super::scene::{Peer, Scene, Source, quiet};

/// A close with this code and a reason, or none.
fn closed(code: u16, reason: Option<&str>) -> On {
    On::Close { codes: Codes::only(code), reason: reason.map(str::to_owned) }
}

/// Ways to refuse a credential.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    Status(u16),
    Close(u16),
    Message,
}

impl Refusal {
    fn dialect(self) -> Dialect {
        if matches!(self, Self::Status(_)) { Dialect::bearer_header() } else { Dialect::genesys() }
    }

    const fn code(self) -> Option<u16> {
        match self {
            Self::Status(code) | Self::Close(code) => Some(code),
            Self::Message => None,
        }
    }

    async fn tell(self, mut peer: Peer) {
        match self {
            Self::Status(status) => peer.refuse(status, "").await,
            Self::Close(code) => {
                peer.upgrade().await;
                peer.text().await;
                peer.close(code, "").await;
            }
            Self::Message => {
                peer.upgrade().await;
                peer.text().await;
                peer.say(opcode::TEXT, br#"{"type":"auth","status":"error"}"#).await;
                peer.ended().await;
            }
        }
    }
}

const REFUSALS: [Refusal; 6] = [
    Refusal::Status(401),
    Refusal::Status(403),
    Refusal::Close(4401),
    Refusal::Close(4001),
    Refusal::Close(1008),
    Refusal::Message,
];

#[tokio::test(start_paused = true)]
async fn a_refused_credential_is_replaced_once_and_the_second_refusal_ends_the_session_and_is_told() {
    for refusal in REFUSALS {
        let source = Source::for_ever();
        let mut scene = Scene::open(refusal.dialect(), source.clone());
        refusal.tell(scene.peer().await).await;
        assert_eq!(scene.session.error().map(|error| error.kind()), None, "{refusal:?}");
        refusal.tell(scene.peer().await).await;
        let error = scene.session.authenticated().await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::AuthenticationRefused, refusal.code()));
        let asked = source.asked();
        assert!(matches!(asked[..], [Demand::Current, Demand::InsteadOf(_)]), "{refusal:?}: {asked:?}");
        assert!(scene.connects_no_more().await, "{refusal:?}");
        let mut failed = Vec::new();
        while let Some(event) = scene.events.next().await {
            if let SessionEvent::Failed { error } = event {
                failed.push(error.kind());
            }
        }
        assert_eq!(failed, [ErrorKind::AuthenticationRefused], "{refusal:?}: told once");
        assert_eq!(scene.recorder.count(|event| matches!(event, AuthEvent::SessionFailed { .. })), 1);
        assert!(matches!(scene.losses()[..], [(_, Some(_)), (_, None)]), "{:?}", scene.losses());
    }
}

/// The control of the one before, and the opposite complaint: a refusal is no end where a fresh token helps.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_a_fresh_token_heals_ends_nothing() {
    for refusal in REFUSALS {
        let source = Source::for_ever();
        let mut scene = Scene::with(refusal.dialect(), source.clone(), quiet);
        // Again and again, as long as the fresh one served for a while.
        for _ in 0..3 {
            refusal.tell(scene.peer().await).await;
            let mut peer = scene.peer().await;
            peer.upgrade().await;
            if matches!(refusal, Refusal::Close(_) | Refusal::Message) {
                peer.answer_login().await;
            }
            scene.session.authenticated().await.unwrap();
            tokio::time::sleep(Duration::from_secs(40)).await;
            peer.close(1011, "").await;
        }
        let instead = source.asked().into_iter().filter(|demand| matches!(demand, Demand::InsteadOf(_)));
        assert_eq!(instead.count(), 3, "{refusal:?}");
    }
}

/// What became of a session whose server closes like this; the next connection is welcomed.
async fn follows(dialect: &Dialect, code: u16, reason: &str) -> Disposition {
    let source = Source::for_ever();
    let mut scene = Scene::open(dialect.clone(), source.clone());
    let mut peer = scene.peer().await;
    peer.welcome().await;
    scene.session.authenticated().await.unwrap();
    peer.close(code, reason).await;
    if scene.losses()[0].1.is_none() {
        assert!(scene.connects_no_more().await);
        assert_eq!(scene.session.state(), State::Failed);
        return Disposition::Fatal;
    }
    let mut peer = scene.peer().await;
    peer.welcome().await;
    scene.session.authenticated().await.unwrap();
    match source.asked()[1] {
        Demand::InsteadOf(_) => Disposition::RetryWithFreshToken,
        _ => Disposition::Retry,
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_backs_off_or_renews_or_ends_by_the_table_which_is_the_users_to_replace() {
    use Disposition::{Fatal, Retry, RetryWithFreshToken};

    for (code, by_default) in [
        (1001, Retry),
        (1011, Retry),
        (4400, Retry),
        (1008, RetryWithFreshToken),
        (4401, RetryWithFreshToken),
        (1002, Fatal),
        (4403, Fatal),
        (3500, Fatal),
    ] {
        assert_eq!(follows(&Dialect::genesys(), code, "").await, by_default, "{code}");
        for (verdict, expected) in
            [(Verdict::Transient, Retry), (Verdict::Expired, RetryWithFreshToken), (Verdict::Rejected, Fatal)]
        {
            let mut dialect = Dialect::genesys();
            dialect.rules.insert(0, Rule::new(closed(code, None), verdict));
            assert_eq!(follows(&dialect, code, "").await, expected, "{code} as {verdict:?}");
        }
    }
}

/// A client that looks at the code only where there is a reason, as one of Centrifugo's does, comes back after a final verdict 24 times in
/// 200 ms.
#[tokio::test(start_paused = true)]
async fn a_final_close_without_a_reason_ends_a_session_as_one_with_a_reason_does() {
    for code in [3500, 3501, 3999, 4500, 4999] {
        for reason in ["", "invalid token"] {
            assert_eq!(
                follows(&Dialect::genesys(), code, reason).await,
                Disposition::Fatal,
                "{code} {reason}"
            );
            let mut scene = Scene::open(Dialect::centrifugo(), Source::for_ever());
            let mut peer = scene.peer().await;
            peer.upgrade().await;
            peer.close(code, reason).await;
            assert!(scene.connects_no_more().await, "{code} {reason}");
        }
    }
    // The control: with such a table, it comes back.
    let mut dialect = Dialect::genesys();
    let with_reason = Rule::new(closed(3500, Some("invalid")), Verdict::Rejected);
    dialect.rules = vec![with_reason, Rule::new(closed(3500, None), Verdict::Transient)];
    assert_eq!(follows(&dialect, 3500, "invalid token").await, Disposition::Fatal);
    assert_eq!(follows(&dialect, 3500, "").await, Disposition::Retry);
}

/// A browser sees nothing of it but a close with 1006.
#[tokio::test(start_paused = true)]
async fn a_refused_upgrade_is_told_with_its_status_and_the_wait_that_it_names() {
    for (status, headers, comes_back) in [
        (400, "", false),
        (404, "", false),
        (426, "", false),
        (502, "", true),
        (503, "Retry-After: 42\r\n", true),
        (429, "Retry-After: 42\r\n", true),
        (401, "", true),
        (403, "", true),
    ] {
        let mut scene = Scene::open(Dialect::bearer_header(), Source::for_ever());
        scene.peer().await.refuse(status, headers).await;
        let (code, wait) = scene.losses()[0];
        assert_eq!((code, wait.is_some()), (Some(status), comes_back));
        assert!(headers.is_empty() || wait.unwrap().as_secs() >= 42, "{status}: {wait:?}");
        let to_the_user = loop {
            if let SessionEvent::Closed { code, retry_in, .. } = scene.events.next().await.unwrap() {
                break (code, retry_in);
            }
        };
        assert_eq!(to_the_user, (code, wait));
        if comes_back {
            let mut peer = scene.peer().await;
            peer.upgrade().await;
            scene.session.authenticated().await.unwrap();
        } else {
            let error = scene.session.authenticated().await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::ConnectionRefused, code));
            assert!(error.to_string().contains(&status.to_string()), "{error}");
        }
    }
}

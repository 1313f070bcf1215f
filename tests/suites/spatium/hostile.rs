//! Servers that answer wrongly, and the secrets that no error may show.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{ErrorKind, Secret};
use auth_http::client::HyperClient;
use auth_http::spatium::wire::{AuthorizationService, WantedPermissions};
use auth_http::spatium::{AuthorizationSession, Builder};
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};
use tokio::task::JoinSet;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

fn builder(url: &str) -> Builder {
    let service = AuthorizationService::new(url).unwrap();
    let wanted = WantedPermissions::new("device", ["read"]).unwrap();
    AuthorizationSession::builder(service, Arc::new(HyperClient::plaintext()), wanted)
}

fn id_of(request: &str) -> String {
    let lower = request.to_lowercase();
    lower.lines().find_map(|line| line.strip_prefix("request-id: ").map(str::to_owned)).unwrap()
}

/// The documented reply, with tokens that are opaque.
fn issued(id: &str, number: usize) -> String {
    format!(
        r#"{{"requestId":"{id}","data":{{"permissionToken":{{"permissionToken":"canary-permission-{number}","issuer":"authorization-service","expiresAt":4102444800}},"permissionRefreshToken":{{"permissionRefreshToken":"canary-refresh-{number}","issuer":"authorization-service","expiresAt":4102444800}}}}}}"#
    )
}

/// A server that establishes as documented, and answers refreshes like this.
async fn refreshing(answer: impl Fn(&str, usize) -> Answer + Send + 'static) -> Script {
    let mut count = 0;
    Script::answering(move |request| {
        count += 1;
        match request.contains("permission/refresh") {
            true => answer(request, count),
            false => Answer::http(200, "", &issued(&id_of(request), 0)),
        }
    })
    .await
    .unwrap()
}

async fn established(url: &str) -> AuthorizationSession {
    let session = builder(url).build();
    session.establish(&[Secret::from("canary-factor")]).await.unwrap();
    session
}

#[tokio::test]
async fn the_documented_reply_is_read_though_its_tokens_are_opaque() {
    let server = refreshing(|request, count| Answer::http(200, "", &issued(&id_of(request), count))).await;
    let session = established(server.url()).await;
    assert_eq!(session.permission_token().await.unwrap().secret().expose(), "canary-permission-0");
    session.refresh().await.unwrap();
    assert_eq!(session.permission_token().await.unwrap().secret().expose(), "canary-permission-2");
    assert!(server.requests()[1].ends_with(r#"{"permissionRefreshToken":"canary-refresh-0"}"#));
}

#[tokio::test]
async fn an_answer_to_somebody_elses_request_is_refused() {
    let somebody = "00000000-0000-4000-8000-000000000000";
    let server = Script::serve(vec![Answer::http(200, "", &issued(somebody, 1))]).await.unwrap();
    let session = builder(server.url()).build();
    let error = session.establish(&[Secret::from("canary-factor")]).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_doubt()), (ErrorKind::MalformedResponse, true));
    assert!(session.permission_token().await.is_err());

    // The control: the same without a name is taken, and so is the right one in capitals.
    let unnamed =
        Answer::http(200, "", &issued(somebody, 1).replace(&format!(r#""requestId":"{somebody}","#), ""));
    let server = Script::serve(vec![unnamed]).await.unwrap();
    established(server.url()).await;
}

#[tokio::test]
async fn a_verdict_on_somebody_elses_request_ends_no_session() {
    let server = refreshing(|request, count| match count {
        2 => Answer::http(401, "", r#"{"requestId":"00000000-0000-4000-8000-000000000000","error":{}}"#),
        _ => Answer::http(200, "", &issued(&id_of(request).to_uppercase(), count)),
    })
    .await;
    let session = established(server.url()).await;
    session.refresh().await.unwrap();
    assert_eq!(session.permission_token().await.unwrap().secret().expose(), "canary-permission-3");
    // The control: with its own name, or none, it does.
    let server = refreshing(|_, _| Answer::http(401, "", "{}")).await;
    let session = established(server.url()).await;
    assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
}

#[tokio::test]
async fn answers_that_are_none_each_end_in_a_clear_kind_and_leave_the_token_in_use() {
    let body = |text: &str| Answer::http(200, "", text);
    let single = r#"{"data":{"permissionToken":"canary-body","permissionRefreshToken":"canary-body"}}"#;
    let mut tasks = JoinSet::new();
    for (answer, kind) in [
        (body("<html>canary-body"), ErrorKind::MalformedResponse),
        (body(""), ErrorKind::MalformedResponse),
        (body("[]"), ErrorKind::MalformedResponse),
        (body(r#"{"data":{}}"#), ErrorKind::MalformedResponse),
        (body(single), ErrorKind::MalformedResponse),
        (
            body(r#"{"data":{"permissionToken":{"permissionToken":["canary-body"]}}}"#),
            ErrorKind::MalformedResponse,
        ),
        (body(r#"{"data":{"permissionToken":{"permissionToken":""}}}"#), ErrorKind::MalformedResponse),
        (body(&"[".repeat(60_000)), ErrorKind::MalformedResponse),
        (body(&"canary-body".repeat(10_000)), ErrorKind::MalformedResponse),
        (Answer::http(302, "Location: http://127.0.0.1:1/canary-body\r\n", ""), ErrorKind::Refused),
        (Answer::http(400, "", r#"{"error":"canary-body"}"#), ErrorKind::Refused),
        (Answer::http(403, "", "canary-body"), ErrorKind::Refused),
        (Answer::http(500, "", "canary-body"), ErrorKind::ServerFailed),
        (Answer::HangUp, ErrorKind::Transport),
    ] {
        // Beside each other: some are asked for again for ten seconds.
        tasks.spawn(async move {
            let shown = format!("{answer:.60?}");
            let server = refreshing(move |_, _| answer.clone()).await;
            let session = established(server.url()).await;
            let error = timeout(SOON, session.refresh()).await.expect(&shown).unwrap_err();
            assert_eq!(error.kind(), kind, "{shown}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            assert_eq!(session.permission_token().await.unwrap().secret().expose(), "canary-permission-0");
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let server = Script::serve(vec![Answer::http(200, "", single)]).await.unwrap();
    let error = builder(server.url()).build().establish(&[Secret::from("canary-factor")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MalformedResponse);
}

#[tokio::test]
async fn a_rate_limit_is_waited_for() {
    let server = refreshing(|request, count| match count {
        2 => Answer::http(429, "Retry-After: 1\r\n", ""),
        _ => Answer::http(200, "", &issued(&id_of(request), count)),
    })
    .await;
    let session = established(server.url()).await;
    session.refresh().await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_leaves_the_one_in_use_and_establishes_nothing() {
    let without = |id: &str, number| {
        let body = issued(id, number);
        body.replace(r#""permissionRefreshToken":{"permissionRefreshToken""#, r#""other":{"other""#)
    };
    let server =
        refreshing(move |request, count| Answer::http(200, "", &without(&id_of(request), count))).await;
    let session = established(server.url()).await;
    session.refresh().await.unwrap();
    session.refresh().await.unwrap();
    let requests = server.requests();
    assert!(requests[1..].iter().all(|request| request.ends_with(r#""canary-refresh-0"}"#)), "{requests:?}");

    let server =
        Script::answering(move |request| Answer::http(200, "", &without(&id_of(request), 1))).await.unwrap();
    let session = builder(server.url()).build();
    let error = session.establish(&[Secret::from("canary-factor")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MalformedResponse);
}

#[tokio::test]
async fn the_refresh_path_can_be_another() {
    let server = Script::answering(|request| match request.starts_with("POST /base/v2/renew ") {
        true => Answer::http(200, "", &issued(&id_of(request), 9)),
        false => Answer::http(200, "", &issued(&id_of(request), 0)),
    })
    .await
    .unwrap();
    let service = AuthorizationService::new(&format!("{}/base/", server.url())).unwrap();
    let service = service.with_refresh_path("/v2/renew").unwrap();
    let wanted = WantedPermissions::new("device", ["read"]).unwrap();
    let session =
        AuthorizationSession::builder(service.clone(), Arc::new(HyperClient::plaintext()), wanted).build();
    session.establish(&[Secret::from("canary-factor")]).await.unwrap();
    session.refresh().await.unwrap();
    assert_eq!(session.permission_token().await.unwrap().secret().expose(), "canary-permission-9");
    for path in ["renew", "", "/renew?x=1", "/renew#x"] {
        assert!(service.clone().with_refresh_path(path).is_err(), "{path}");
    }
}

#[tokio::test]
async fn no_secret_shows_in_any_text() {
    let recorder = Recorder::default();
    let server = refreshing(|request, count| match count {
        2 => Answer::http(200, "", &issued(&id_of(request), count)),
        _ => Answer::http(401, "", r#"{"error":"canary-body"}"#),
    })
    .await;
    let unbuilt = builder(server.url()).with_observer(Arc::new(recorder.clone()));
    let mut texts = vec![format!("{unbuilt:?}")];
    let session = unbuilt.build();
    texts.push(format!("{session:?}"));
    session.establish(&[Secret::from("canary-factor")]).await.unwrap();
    session.refresh().await.unwrap();
    texts.push(format!("{session:?} {:?}", session.permission_token().await.unwrap()));
    let error = session.refresh().await.unwrap_err();
    texts.push(format!("{error} {error:?}"));
    let error = session.security_factor_credentials("username", &Secret::from("canary-password")).await;
    texts.push(format!("{:?}", error.unwrap_err()));
    texts.extend(
        recorder.events().iter().map(|event| format!("{event:?} {}", serde_json::to_string(event).unwrap())),
    );
    assert!(texts.len() > 8);
    for text in texts {
        assert!(!text.contains("canary"), "{text}");
    }
    assert!(server.requests().concat().contains("canary-password"), "the control");
}

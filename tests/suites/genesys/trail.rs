//! What the document wants written down, and that nothing of it is in the session's way: scopes, audit, hooks, metrics.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::observe::ScopeVerdict;
use auth_core::{AuthEvent, ErrorKind};
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::script::{Answer, Script};
use serde_json::{Value, json};

use super::{HOUR, REFRESH_TOKEN, SCOPES, SECRET, client, gateway};

#[tokio::test]
async fn missing_scopes_are_named_before_any_socket_is_opened() {
    let gateway = gateway(HOUR).await;
    let recorder = Recorder::default();
    let required = "conversation:read analytics:read".parse().unwrap();
    let client = client(gateway.http_url(), &recorder).with_required_scopes(required).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert_eq!(error.token_error().unwrap().kind(), ErrorKind::InsufficientScope);
    assert!(error.to_string().contains("analytics:read"), "{error}");
    let denied = recorder.count(|event| {
        matches!(event, AuthEvent::ScopesChecked { verdict: ScopeVerdict::Denied, missing, .. }
            if missing.to_string() == "analytics:read")
    });
    assert_eq!((denied, gateway.sessions().upgrades()), (1, 0));
}

#[tokio::test]
async fn a_token_that_can_not_be_read_is_refused_with_an_error_verdict() {
    let recorder = Recorder::default();
    let server = Script::serve(vec![Answer::token("not.a.jwt", 3_600)]).await.unwrap();
    let required = "conversation:read".parse().unwrap();
    let client = client(server.url(), &recorder).with_required_scopes(required).build().unwrap();
    assert_eq!(client.valid_token().await.unwrap_err().kind(), ErrorKind::InvalidToken);
    let verdict =
        |event: &AuthEvent| matches!(event, AuthEvent::ScopesChecked { verdict: ScopeVerdict::Error, .. });
    assert_eq!(recorder.count(verdict), 1);
}

/// Every input has a canary; none of the outputs may.
#[tokio::test]
async fn no_secret_reaches_an_event_an_error_or_the_audit_log() {
    let gateway = gateway(Duration::from_secs(2)).await;
    let recorder = Recorder::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    let client = client(gateway.http_url(), &recorder)
        .with_refresh_token(REFRESH_TOKEN)
        .with_required_scopes(SCOPES.parse().unwrap())
        .with_audit(&path)
        .build()
        .unwrap();
    let session = client.connect().await.unwrap();
    let token = client.valid_token().await.unwrap();
    recorder.wait_for(1, |event| matches!(event, AuthEvent::TokenRenewed { .. })).await;
    session.close().await.unwrap();
    let summary = client.close_audit().unwrap();
    assert_eq!((summary.dropped, summary.failed), (0, 0));
    let log = std::fs::read_to_string(path.join("00000000000000000001.jsonl")).unwrap();
    assert_eq!(
        audit::verify(&path).unwrap().records,
        summary.written + 3,
        "that the segment begins, and that the trail was opened and closed"
    );
    assert_eq!(summary.written, recorder.events().len() as u64);
    let outputs = format!("{log}{recorder:?}{client:?}{token:?}");
    for secret in [SECRET, REFRESH_TOKEN, token.secret().expose(), "eyJ"] {
        assert!(!outputs.contains(secret), "found {secret}");
    }
    assert!(outputs.contains("token_renewed"), "the control: the outputs are not empty");
}

#[tokio::test]
async fn a_scope_check_is_written_to_the_audit_with_all_that_the_document_lists() {
    let gateway = gateway(HOUR).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    let client = client(gateway.http_url(), &Recorder::default())
        .with_required_scopes("conversation:read analytics:read".parse().unwrap())
        .with_audit(&path)
        .build()
        .unwrap();
    client.valid_token().await.unwrap_err();
    let _ = client.close_audit();
    let log = std::fs::read_to_string(path.join("00000000000000000001.jsonl")).unwrap();
    let record = log.lines().find(|line| line.contains("scopes_checked")).unwrap();
    let record: Value = serde_json::from_str(record).unwrap();
    assert!(record["time"].as_str().unwrap().ends_with('Z'), "{record}");
    assert_eq!(record["verdict"], "denied");
    assert_eq!(record["required"], json!(["conversation:read", "analytics:read"]));
    assert_eq!(record["granted"], json!(["conversation:read", "user:read"]));
    assert_eq!(record["missing"], json!(["analytics:read"]));
    assert_eq!(record["client_id"], "abc123");
}

#[tokio::test]
async fn each_new_token_is_told_to_the_hook() {
    let gateway = gateway(Duration::from_secs(2)).await;
    let told = Arc::new(Mutex::new(BTreeSet::new()));
    let kept = Arc::clone(&told);
    let hook = move |event: &AuthEvent| {
        if let AuthEvent::TokenIssued { token, .. } = event {
            kept.lock().unwrap().insert(*token);
        }
    };
    let recorder = Recorder::default();
    let client = client(gateway.http_url(), &recorder).with_observer(Arc::new(hook)).build().unwrap();
    let session = client.connect().await.unwrap();
    recorder.wait_for(1, |event| matches!(event, AuthEvent::TokenRenewed { .. })).await;
    session.close().await.unwrap();
    let presented: BTreeSet<_> = recorder
        .events()
        .iter()
        .filter_map(|event| match event {
            AuthEvent::Authenticated { token, .. } | AuthEvent::TokenRenewed { token, .. } => *token,
            _ => None,
        })
        .collect();
    assert!(presented.len() >= 2 && told.lock().unwrap().is_superset(&presented));
}

/// What a hook of the trail was told of attempts to authenticate, as JSON.
fn attempts(told: &Mutex<Vec<Value>>) -> Vec<Value> {
    let told = told.lock().unwrap();
    told.iter().filter(|entry| entry["event_type"] == "authentication_attempt").cloned().collect()
}

#[tokio::test]
async fn attempts_are_counted_and_told_to_both_hooks_in_the_documents_words() {
    let gateway = gateway(HOUR).await;
    let recorder = Recorder::default();
    for (required, status, severity) in
        [(SCOPES, "success", "info"), ("analytics:read", "failure", "warning")]
    {
        let [audit, siem] = [(); 2].map(|()| Arc::new(Mutex::new(Vec::new())));
        let keep = |told: &Arc<Mutex<Vec<Value>>>| {
            let told = Arc::clone(told);
            move |entry: &str| told.lock().unwrap().push(serde_json::from_str(entry).unwrap())
        };
        let client = client(gateway.http_url(), &recorder)
            .on_audit(keep(&audit))
            .on_siem(keep(&siem))
            .with_required_scopes(required.parse().unwrap())
            .build()
            .unwrap();
        assert_eq!(client.metrics().success_rate(), 100.0, "nothing has failed yet");
        drop(client.connect().await);
        client.close_audit().unwrap();

        let metrics = client.metrics();
        let succeeded = u64::from(status == "success");
        assert_eq!((metrics.success_count, metrics.failure_count), (succeeded, 1 - succeeded));
        assert_eq!(metrics.request_count, 1);
        let [audited, alerted] = [attempts(&audit).remove(0), attempts(&siem).remove(0)];
        let keys = [
            "avg_latency_ms",
            "event_type",
            "id",
            "latency_ms",
            "metadata",
            "status",
            "success_rate",
            "timestamp",
        ];
        assert_eq!(audited.as_object().unwrap().keys().collect::<Vec<_>>(), keys);
        assert_eq!(
            (&audited["status"], audited["success_rate"].as_f64()),
            (&json!(status), Some(metrics.success_rate()))
        );
        assert_eq!((&alerted["severity"], &alerted["status"]), (&json!(severity), &json!(status)));
        assert!(alerted["source"].is_string() && alerted["id"] == audited["id"], "{alerted}");
        if status == "success" {
            assert_eq!(audited["latency_ms"], metrics.total_latency_ms);
        }
    }
}

#[tokio::test]
async fn hooks_that_panic_cost_nothing() {
    let gateway = gateway(Duration::from_secs(2)).await;
    let called = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&called);
    let failing = move |_: &AuthEvent| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new("the SIEM is down"));
    };
    let recorder = Recorder::default();
    let builder = providers::genesys::Client::builder(gateway.http_url(), "abc123", SECRET)
        .with_observer(Arc::new(failing))
        .with_observer(Arc::new(recorder.clone()))
        .with_required_scopes(SCOPES.parse().unwrap());
    let client = builder.build().unwrap();
    let mut session = client.connect().await.unwrap();
    recorder.wait_for(1, |event| matches!(event, AuthEvent::TokenRenewed { .. })).await;
    session.send("still here").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("still here"));
    session.close().await.unwrap();
    assert!(recorder.events().len() > 4, "the next hook is told of everything");
    assert_eq!(called.load(Ordering::SeqCst), recorder.events().len() as u64);
}

/// That a disk which fails is counted, and blocks nobody, is tested beside the log itself.
#[tokio::test]
async fn a_session_goes_on_without_its_audit() {
    let gateway = gateway(HOUR).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    let recorder = Recorder::default();
    let client = client(gateway.http_url(), &recorder).with_audit(&path).build().unwrap();
    let mut session = client.connect().await.unwrap();
    let before = client.close_audit().unwrap();
    assert!(before.written > 0 && before.dropped == 0, "{before:?}");
    let live = gateway.sessions().live().remove(0);
    assert!(gateway.sessions().disconnect(&live.session_id));
    recorder.wait_for(2, super::is_authenticated).await;
    session.send("still here").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("still here"));
    let after = client.close_audit().unwrap();
    assert!(after.written == before.written && after.dropped > 0, "{after:?}");
}

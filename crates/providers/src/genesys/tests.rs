//! What can be wrong about a client, and what its texts show.

use std::sync::Mutex;

use audit::deliver::Outlet;
use audit::format::{Format, Origin, Renderer};
use auth_core::AuthEvent;
use serde_json::{Value, json};

use super::*;

#[test]
fn a_region_names_both_endpoints() {
    assert_eq!(
        endpoints("mypurecloud.com").unwrap(),
        ("https://api.mypurecloud.com/oauth/token".into(), "wss://api.mypurecloud.com/ws".into())
    );
    assert_eq!(
        endpoints("http://127.0.0.1:8080/").unwrap(),
        ("http://127.0.0.1:8080/oauth/token".into(), "ws://127.0.0.1:8080/ws".into())
    );
    for region in ["", "localhost", "a.b/c", "a.b?x", "ftp://a.b", "a b.c"] {
        assert!(matches!(endpoints(region), Err(ConfigError::Region)), "{region}");
    }
}

#[tokio::test]
async fn credentials_never_go_to_another_machine_in_plain_text() {
    let built = Client::builder("http://api.example.com", "id", "secret").build();
    assert!(matches!(built, Err(ConfigError::Token(auth_http::wire::ConfigError::Plaintext))));
}

#[tokio::test]
async fn no_secret_shows_in_debug() {
    let builder = Client::builder("http://127.0.0.1:1", "id", "canary").with_refresh_token("canary");
    let text =
        format!("{builder:?}{:?}", Client::builder("http://127.0.0.1:1", "id", "canary").build().unwrap());
    assert!(!text.contains("canary"), "{text}");
}

/// What a SIEM and an outlet are told of one step, by a client of which this is said besides.
fn told(more: impl FnOnce(Builder) -> Builder) -> [Value; 2] {
    let told = [(); 2].map(|()| Arc::new(Mutex::new(Vec::new())));
    let keep = |told: &Arc<Mutex<Vec<Value>>>| {
        let told = Arc::clone(told);
        move |text: &str| told.lock().unwrap().push(serde_json::from_str(text).unwrap())
    };
    let (siem, elastic) = (keep(&told[0]), keep(&told[1]));
    let builder = Client::builder("http://127.0.0.1:1", "id", "secret").on_siem(siem);
    let builder = builder.with_audit_outlet_as(move |origin| {
        let ecs = Renderer::new(Format::Ecs, origin.clone());
        Outlet::closure("elastic", move |entry| elastic(&ecs.render(entry)))
    });
    let (observer, witness) = more(builder).settings.witnesses("genesys").unwrap();
    observer.observe(&AuthEvent::SessionClosed { lasted: None });
    assert_eq!(witness.close_audit().unwrap().written, 1);
    // Beside that the trail began and ended.
    let is_step = |told: &Value| {
        [&told["event_type"], &told["event"]["action"]].into_iter().any(|name| name == "session_closed")
    };
    told.map(|told| {
        let mut told = told.lock().unwrap();
        assert_eq!(told.len(), 3, "{told:?}");
        let step = told.iter().position(is_step).unwrap();
        told.remove(step)
    })
}

#[test]
fn receivers_are_told_who_speaks_and_by_default_which_process() {
    let [siem, elastic] = told(|builder| builder.with_audit_origin(Origin::new("host-1", "orders")));
    let [other, _] = told(|builder| builder.with_audit_origin(Origin::new("host-2", "orders")));
    assert_eq!((&siem["source"], &siem["metadata"]["host"]), (&json!("orders"), &json!("host-1")));
    assert_eq!((&other["source"], &other["metadata"]["host"]), (&json!("orders"), &json!("host-2")));
    assert_ne!(siem["id"], other["id"]);
    let process = json!(std::process::id());
    assert_eq!((&elastic["host"]["hostname"], &elastic["process"]["pid"]), (&json!("host-1"), &process));
    assert_eq!(elastic["service"]["name"], "orders");
    let [siem, _] =
        told(|builder| builder.with_audit_origin(Origin::new("host-1", "orders").with_process(7)));
    assert_eq!(siem["metadata"]["process_id"], 7);

    let [siem, elastic] = told(|builder| builder);
    let metadata = &siem["metadata"];
    assert_eq!((&metadata["host"], &metadata["process_id"]), (&json!("localhost"), &process));
    assert_eq!((&siem["source"], &elastic["service"]["name"]), (&json!("realtime-auth"), &json!("genesys")));
}

#[test]
fn a_client_that_was_not_told_who_speaks_puts_no_default_on_record() {
    let opened = |more: fn(Builder) -> Builder| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (keep, json) = (Arc::clone(&told), Renderer::new(Format::Json, Origin::default()));
        let log = Outlet::closure("log", move |entry| keep.lock().unwrap().push(json.render(entry)));
        let builder = Client::builder("http://127.0.0.1:1", "id", "secret").with_audit_outlet(log);
        let (_, witness) = more(builder).settings.witnesses("genesys").unwrap();
        witness.close_audit().unwrap();
        let record: Value = serde_json::from_str(&told.lock().unwrap()[0]).unwrap();
        assert_eq!(record["event"], "trail_opened");
        record
    };
    let [quiet, told] = [
        opened(|builder| builder),
        opened(|builder| builder.with_audit_origin(Origin::new("host-1", "orders"))),
    ];
    let file = std::env::current_exe().unwrap();
    let file = file.file_name().unwrap().to_string_lossy();
    assert_eq!(
        (&quiet["host"], &quiet["application"], &quiet["version"]),
        (&json!(null), &json!(file), &json!(null))
    );
    assert_eq!(
        (&told["host"], &told["application"], &told["version"]),
        (&json!("host-1"), &json!("orders"), &json!(null))
    );
}

#[test]
fn whoever_says_only_who_speaks_has_no_trail() {
    let builder = Client::builder("http://127.0.0.1:1", "id", "secret");
    let mut builder = builder.with_audit_origin(Origin::new("host-1", "orders"));
    let (_, witness) = builder.settings.witnesses("genesys").unwrap();
    assert!(witness.trail.is_none());
}

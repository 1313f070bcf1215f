//! `rtauth token-request` and `rtauth inspect` as processes: what scripts rely on.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]
#![expect(clippy::disallowed_methods, reason = "it looks at the clock that the process looks at")]

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use auth_core::ably::{ApiKey, ClientId, TokenParams, TokenRequest, mint_jwt};
use auth_core::jwt::{Draft, HmacKey};
use auth_core::time::{Moment, Now, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

const API_KEY: &str = "appid1.keyid1:SecretSecretSecret";
const SECRET: &[u8] = b"a secret of more than thirty-two bytes";

fn rtauth(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rtauth"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that is done before it has read everything is a verdict of its own.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// The exit code, and the one JSON object on standard output.
fn answer(arguments: &[&str], stdin: &str) -> (i32, Value) {
    let output = rtauth(arguments, stdin);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let value = serde_json::from_str(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {stdout:?} {:?}", output.stderr));
    (output.status.code().unwrap(), value)
}

/// Standard error of a command that fails with `code` and prints nothing else.
fn complaint(code: i32, arguments: &[&str], stdin: &str) -> String {
    let output = rtauth(arguments, stdin);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A token that is good until the year 2100.
fn token(draft: Draft) -> String {
    let draft = draft.with_expiry(Timestamp::from_millis(4_102_444_800_000));
    HmacKey::hs256(SECRET).unwrap().mint(&draft).expose().to_owned()
}

fn oct_jwk() -> Value {
    use base64::Engine as _;
    json!({ "kty": "oct", "k": base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256" })
}

#[test]
fn a_token_request_is_signed_as_ably_signs_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = file(&folder, "key.txt", format!("{API_KEY}\n"));
    let arguments = [
        "token-request",
        "--key-file",
        &key,
        "--ttl",
        "3600000",
        "--client-id",
        "alice",
        "--timestamp",
        "1700000000000",
        "--nonce",
        "0123456789abcdef",
        "--capability",
        r#"{"b:*":["subscribe","publish"],"a":["*"]}"#,
    ];
    let (code, request) = answer(&arguments, "");
    let expected = json!({
        "keyName": "appid1.keyid1", "ttl": 3_600_000, "clientId": "alice", "timestamp": 1_700_000_000_000_u64,
        "capability": r#"{"a":["*"],"b:*":["publish","subscribe"]}"#, "nonce": "0123456789abcdef",
        "mac": "+Nju41oO7ZRqfxKoHII6bYiHgmURODiM+fJEmU8aliE=",
    });
    assert_eq!((code, request), (0, expected));
}

#[test]
fn a_token_request_has_the_time_and_a_fresh_nonce_by_itself() {
    let made = [(); 2].map(|()| rtauth(&["token-request", "--key-file", "-"], API_KEY).stdout);
    let requests = made.map(|json| TokenRequest::parse(&json).unwrap());
    assert_ne!(requests[0], requests[1]);
    let wall = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let now = Now { wall: Timestamp::since_epoch(wall), mono: Moment::ORIGIN };
    for request in requests {
        request.verify(&ApiKey::parse(API_KEY).unwrap(), now).unwrap();
    }
}

#[test]
fn wrong_options_of_token_request_name_themselves_and_never_the_key() {
    for (more, expected) in [
        (&["--capability", "{"][..], "--capability: "),
        (&["--capability", r#"{"a":["fly"]}"#], "--capability: "),
        (&["--client-id", ""], "--client-id: "),
        (&["--nonce", "short"], "--nonce: "),
        (&["--ttl", "86400001"], "--ttl: "),
        (&["--ttl", "-1"], "--ttl"),
        (&["--timestamp", "18446744073709551615"], "--timestamp"),
    ] {
        let arguments = [&["token-request", "--key-file", "-"][..], more].concat();
        let text = complaint(2, &arguments, API_KEY);
        assert!(text.contains(expected) && !text.contains("SecretSecret"), "{text}");
    }
    let text = complaint(2, &["token-request", "--key-file", "-"], "canary canary");
    assert!(text.contains("--key-file: ") && !text.contains("canary"), "{text}");
    assert!(complaint(2, &["token-request", "--key-file", "/nowhere"], "").contains("can't be read"));
}

#[test]
fn inspect_tells_claims_validity_and_scopes() {
    let draft = Draft::new().with_client_id("abc123").with_scope(&"a b".parse().unwrap());
    let token = token(draft);
    let (code, report) = answer(&["inspect", &token, "--require-scope", "a"], "");
    assert_eq!((code, &report["isValid"]), (0, &json!(true)));
    assert_eq!(report["claims"]["client_id"], "abc123");
    assert_eq!(report["header"], json!({ "typ": "JWT", "alg": "HS256" }));
    assert_eq!((&report["validity"]["state"], &report["signature"]), (&json!("valid"), &json!("unchecked")));
    assert_eq!(report["grantedScopes"], json!(["a", "b"]));
    assert_eq!(report["auditPayload"]["result"], "allowed");

    let arguments = ["inspect", "-", "--require-scope", "a", "--require-scope", "c", "--json"];
    let output = rtauth(&arguments, &format!("{token}\n"));
    assert_eq!(output.status.code(), Some(3), "a denied scope is a refusal");
    assert!(output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["isValid"], &report["missingScopes"]), (&json!(false), &json!(["c"])));
}

#[test]
fn inspect_tells_a_token_that_cannot_be_read() {
    let text = complaint(1, &["inspect", "opaque"], "");
    assert!(text.contains("segment_count"), "{text}");
    let (code, report) = answer(&["inspect", "opaque", "--require-scope", "a"], "");
    assert_eq!((code, &report["isValid"], &report["missingScopes"]), (3, &json!(false), &json!(["a"])));
    assert_eq!(report["auditPayload"]["error"], "invalid_token_structure");
    let expired =
        HmacKey::hs256(SECRET).unwrap().mint(&Draft::new().with_expiry(Timestamp::from_millis(1_000)));
    let (code, report) = answer(&["inspect", expired.expose()], "");
    assert_eq!((code, &report["validity"]["state"]), (0, &json!("expired")));
}

#[test]
fn inspect_checks_a_signature_with_whatever_key_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let token = token(Draft::new());
    let (secret, other) = (file(&folder, "s", SECRET), file(&folder, "o", [b'x'; 40]));
    let (jwk, set) = (file(&folder, "k", oct_jwk().to_string()), json!({ "keys": [oct_jwk()] }).to_string());
    let set = file(&folder, "set", set);
    for (flag, path) in [("--secret-file", &secret), ("--jwks", &jwk), ("--jwks", &set)] {
        let (code, report) = answer(&["inspect", &token, flag, path], "");
        assert_eq!((code, &report["signature"]), (0, &json!("valid")), "{flag}");
    }
    let (code, report) = answer(&["inspect", &token, "--secret-file", &other], "");
    assert_eq!((code, &report["signature"], &report["reason"]), (3, &json!("invalid"), &json!("signature")));
    assert_eq!(report["validity"]["state"], "valid", "what it holds is told all the same");
    let short = file(&folder, "short", "short");
    assert!(complaint(2, &["inspect", &token, "--secret-file", &short], "").contains("32"));
}

#[test]
fn inspect_checks_what_a_capability_allows() {
    let capability = r#"{"chat:*":["publish"]}"#;
    let needs = |need: &str| answer(&["inspect", "--capability", capability, "--needs", need], "");
    let (code, report) = needs("chat:lobby:publish");
    let expected = json!([{ "channel": "chat:lobby", "operation": "publish", "permitted": true }]);
    assert_eq!((code, &report["needs"]), (0, &expected));
    let (code, report) = needs("chat:lobby:subscribe");
    assert_eq!((code, &report["needs"][0]["permitted"]), (3, &json!(false)));

    let folder = tempfile::tempdir().unwrap();
    let key = file(&folder, "key", API_KEY);
    let other = file(&folder, "other", oct_jwk().to_string());
    let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
    let params = TokenParams::new()
        .with_capability(capability.parse().unwrap())
        .with_client_id(ClientId::new("alice").unwrap());
    let jwt = mint_jwt(&ApiKey::parse(API_KEY).unwrap(), &params, now);
    let arguments = ["inspect", jwt.expose(), "--key-file", &key, "--needs", "chat:a:publish"];
    let (code, report) = answer(&arguments, "");
    assert_eq!((code, &report["signature"]), (0, &json!("valid")));
    assert_eq!(
        (&report["needs"][0]["permitted"], &report["claims"]["x-ably-clientId"]),
        (&json!(true), &json!("alice"))
    );

    for (arguments, expected) in [
        (&["inspect", "--capability", "{", "--needs", "a:publish"][..], "--capability: "),
        (&["inspect", "--capability", capability, "--needs", "publish"], "--needs: "),
        (&["inspect", "--capability", capability, "--needs", ":publish"], "--needs: "),
        (&["inspect", "--capability", capability, "--needs", "a:fly"], "--needs: "),
        (&["inspect", "--capability", capability], "--needs"),
        (&["inspect", "x", "--require-scope", "a b"], "--require-scope: "),
        (&["inspect", "x", "--signature-only"], "--jwks"),
        (&["inspect", "-", "--jwks", "-"], "standard input"),
        (&["inspect", "--key-file", "-"], "standard input"),
    ] {
        let text = complaint(2, arguments, "");
        assert!(text.contains(expected), "{text}");
    }
    let plain = token(Draft::new());
    let (code, report) = answer(&["inspect", &plain, "--needs", "a:publish"], "");
    assert_eq!((code, &report["error"]), (3, &json!("no_capability")), "nobody knows what its key allows");
    let arguments = ["inspect", jwt.expose(), "--jwks", &other, "--needs", "chat:a:publish"];
    let (code, report) = answer(&arguments, "");
    assert_eq!((code, &report["signature"]), (3, &json!("invalid")));
    assert_eq!(report["needs"][0]["permitted"], true, "one denial does not hide the other answers");
}

#[test]
fn signature_only_looks_at_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let jwk = file(&folder, "jwk", oct_jwk().to_string());
    let expired = HmacKey::hs256(SECRET).unwrap().mint(&Draft::new().with_expiry(Timestamp::from_millis(1)));
    let verdict = |token: &str| answer(&["inspect", "-", "--signature-only", "--jwks", &jwk], token);
    assert_eq!(verdict(expired.expose()), (0, json!({ "signature": "valid" })));
    assert_eq!(verdict("a.b"), (3, json!({ "signature": "invalid", "reason": "segment_count" })));
    let garbage = file(&folder, "garbage", "{");
    let text = complaint(2, &["inspect", "x", "--signature-only", "--jwks", &garbage], "");
    assert!(text.contains("--jwks: "), "{text}");
    let weak = file(&folder, "weak", r#"{"kty":"oct","k":"AAAA"}"#);
    let verdict = answer(&["inspect", expired.expose(), "--signature-only", "--jwks", &weak], "");
    assert_eq!(verdict, (3, json!({ "signature": "invalid", "reason": "key_weak" })));
    assert!(
        complaint(2, &["inspect", "x", "--signature-only", "--jwks", "/nowhere"], "")
            .contains("can't be read")
    );
}

#[test]
fn a_batch_gives_a_verdict_for_each_line_in_order() {
    let good = json!({ "token": token(Draft::new()), "jwk": oct_jwk() }).to_string();
    let twice = good.replacen(r#""kty":"#, r#""kty":"oct","kty":"#, 1);
    let long = format!(r#"{{"token":"{}"}}"#, "a".repeat(2 * 1024 * 1024));
    let array = json!([token(Draft::new()), oct_jwk()]).to_string();
    let lines =
        [&good, "{", "", &array, &long, r#"{"token":"a.b.c","jwk":{"kty":"DSA"}}"#, &twice, &good].join("\n");
    let output = rtauth(&["inspect", "--batch"], &lines);
    assert_eq!(output.status.code(), Some(0), "a batch is done when each line has its verdict");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let reasons: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|verdict| verdict.get("reason").unwrap_or_else(|| &verdict["signature"]).clone())
        .collect();
    let expected = [
        "valid",
        "malformed_line",
        "malformed_line",
        "malformed_line",
        "malformed_line",
        "key_unsupported",
        "key_malformed",
        "valid",
    ];
    assert_eq!(reasons, expected);
}

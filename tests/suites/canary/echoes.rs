//! What a hostile server answers.

use realtime_auth_tests::script::Answer;

use super::{CANARY, LETTERS};

/// The secret wherever one fits, and where none fits.
pub(super) fn echoes() -> Vec<Answer> {
    let token = |member: &str| format!(r#"{{"access_token":"{CANARY}","token_type":"bearer"{member}}}"#);
    let ok = |body: &str| Answer::http(200, "", body);
    let headers = format!(
        "Retry-After: {CANARY}\r\nDate: {CANARY}\r\nDPoP-Nonce: {CANARY}\r\nWWW-Authenticate: DPoP error=\"{CANARY}\"\r\nLocation: https://{CANARY}.example/\r\nX: {CANARY}\r\n"
    );
    let error = format!(r#"{{"error":"{CANARY}","error_description":"{CANARY}","error_uri":"{CANARY}"}}"#);
    let mut answers = vec![
        ok(&token(&format!(r#","refresh_token":"{CANARY}","id_token":"{CANARY}","expires_in":60"#))),
        ok(&token(&format!(r#","expires_in":"{CANARY}","x":"{CANARY}","{CANARY}":1"#))),
        ok(&token(&format!(r#","issued_token_type":"{CANARY}""#))),
        ok(&format!(r#"{{"access_token":"{CANARY}","token_type":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"access_token":"{CANARY}","token_type":"DPoP"}}"#)),
        ok(&format!(r#"{{"access_token":["{CANARY}"]}}"#)),
        ok(&error),
        ok(&format!("{{\"access_token\":\"{CANARY}")),
        ok(CANARY),
        ok(&format!(r#"["{CANARY}"]"#)),
        ok(&format!(r#"{{"device_code":"{CANARY}","user_code":"B","verification_uri":"https://{CANARY}"}}"#)),
        ok(&format!(r#"{{"device_code":"{CANARY}","user_code":"{CANARY}","verification_uri":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"active":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"active":false,"scope":"{CANARY}","sub":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"issuer":"{CANARY}","token_endpoint":"{CANARY}","jwks_uri":"{CANARY}"}}"#)),
        ok(&format!(r#"{{"keys":[{{"kty":"{CANARY}","kid":"{CANARY}"}}]}}"#)),
        ok(&format!(r#"{{"keys":[{{"kty":"oct","k":"{CANARY}","kid":"{CANARY}"}}]}}"#)),
        Answer::Bytes(format!("HTTP/1.1 400 {CANARY}\r\nContent-Length: 0\r\n\r\n").into_bytes()),
        Answer::Bytes(format!("{CANARY}\r\n\r\n").into_bytes()),
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n").into_bytes()),
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n").into_bytes()),
        Answer::Bytes(
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n").into_bytes(),
        ),
    ];
    for status in [307, 400, 401, 403, 429, 500, 503] {
        answers.push(Answer::http(status, &headers, &error));
        answers.push(Answer::http(status, &headers, CANARY));
    }
    for status in [200, 400, 401] {
        answers.push(Answer::http(status, "", &format!(r#"{{"error":"{LETTERS}"}}"#)));
    }
    for code in ["use_dpop_nonce", "invalid_grant", "authorization_pending"] {
        let body = format!(r#"{{"error":"{code}","error_description":"{CANARY}"}}"#);
        answers.push(Answer::http(400, &headers, &body));
    }
    answers
}

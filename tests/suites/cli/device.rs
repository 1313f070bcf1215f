//! `rtauth login --device`: a code is shown, and typed in elsewhere.

use super::*;

const BEGUN: &str = r#"{"device_code":"canary-device","user_code":"WDJBMJHT","verification_uri":"https://as.example.com/device","verification_uri_complete":"https://as.example.com/device?c=WDJBMJHT","expires_in":900,"interval":1}"#;

/// A server whose person answers at the second question.
async fn server(verdict: &'static str) -> Script {
    let mut asked = 0;
    let answering = Script::answering(move |request| {
        if is_for(request, "/device") {
            return Answer::http(200, JSON, BEGUN);
        }
        asked += 1;
        match (asked, verdict) {
            (1, _) => Answer::http(400, JSON, r#"{"error":"authorization_pending"}"#),
            (_, "") => login_answer(),
            (_, error) => Answer::http(400, JSON, &format!(r#"{{"error":"{error}"}}"#)),
        }
    });
    answering.await.unwrap()
}

fn arguments(server: &Script) -> Vec<String> {
    let (device, token) = (format!("{}/device", server.url()), format!("{}/token", server.url()));
    let fixed = ["login", "--device", "--client-id", "tv", "--scope", "a", "--store", "login.json"];
    let urls = ["--device-authorization-url", &device, "--token-url", &token];
    fixed.iter().chain(&urls).map(|text| (*text).to_owned()).collect()
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_person_types_the_code_elsewhere_and_the_login_is_in_the_store() {
    let (desk, server) = (Desk::new(), server("").await);
    desk.logged_in().await;
    let arguments = arguments(&server);
    let mut running = Running::start(desk.rtauth(&[&borrowed(&arguments)[..], &["--json"]].concat()));
    let code = running.event().await;
    assert_eq!((&code["event"], &code["user_code"]), (&"user_code".into(), &"WDJBMJHT".into()));
    assert_eq!(code["verification_uri"], "https://as.example.com/device");
    assert_eq!(code["expires_in_ms"], 900_000);
    let done = running.event().await;
    assert_eq!((&done["event"], &done["refreshable"]), (&"logged_in".into(), &true.into()));
    let (exit, stderr) = running.end().await;
    assert_eq!((exit, stderr.as_str()), (Some(0), ""));
    assert!(!format!("{code}{done}").contains("canary"));
    let asked = of_grant(&server, "urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!(asked.len(), 2, "once more after it was pending, and not again for the token manager");
    assert!(asked.iter().all(|one| parameter(one, "device_code").as_deref() == Some("canary-device")));
    let record = desk.record().await.unwrap();
    assert_eq!((record.revision, record.refresh_token), (5, Some(Secret::from("canary-refresh-1"))));
    assert_eq!(of_grant(&server, "refresh_token").len(), 0, "the older login is not redeemed");
}

#[tokio::test]
async fn the_code_stands_on_a_line_of_its_own_as_it_was_issued_and_nothing_moves_where_nobody_watches() {
    let (desk, server) = (Desk::new(), server("").await);
    let output = desk.run(&borrowed(&arguments(&server))).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("\n\n    WDJBMJHT\n\n") && stdout.contains("device?c=WDJBMJHT"), "{stdout}");
    assert!(output.stderr.is_empty(), "no countdown into a pipe");
    assert!(!stdout.contains("canary"), "{stdout}");
}

#[tokio::test]
async fn a_person_who_says_no_or_a_code_that_expired_is_a_refusal() {
    for (verdict, kind) in [("access_denied", "refused: "), ("expired_token", "invalid_grant: ")] {
        let (desk, server) = (Desk::new(), server(verdict).await);
        let output = desk.run(&borrowed(&arguments(&server))).await;
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with(&format!("rtauth login: {kind}")), "{stderr}");
        assert_eq!(desk.record().await, Some(Record::default()));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_the_wait() {
    let (desk, server) = (Desk::new(), server("authorization_pending").await);
    let arguments = arguments(&server);
    let mut running = Running::start(desk.rtauth(&[&borrowed(&arguments)[..], &["--json"]].concat()));
    running.event().await;
    interrupt(&running);
    let (code, stderr) = running.end().await;
    assert_eq!((code, stderr.as_str()), (Some(130), "rtauth login: interrupted\n"));
}

//! What `rtauth token` keeps in a store, and whose it takes it to be.

#[cfg(unix)]
use realtime_auth_tests::script::Hold;

use super::*;

/// `rtauth token` that redeems a refresh token, whose store is broken while the answer is on its way.
#[cfg(unix)]
async fn with_a_store_that_breaks(mut command: Command, desk: &Desk) -> Output {
    desk.put("refresh", "canary-refresh-0");
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let held = login_answer().held(Hold::Unanswered, gate.clone());
    let server = Script::serve(vec![held]).await.unwrap();
    let url = format!("{}/token", server.url());
    command.args([
        "--token-url",
        &url,
        "--client-id",
        "c",
        "--client-auth",
        "none",
        "--store",
        "login.json",
        "--timeout",
        "5",
    ]);
    let running =
        command.args(["--grant", "refresh_token", "--refresh-token-file", "refresh"]).spawn().unwrap();
    drop(command);
    server.until(|progress| progress.received == 1).await;
    fs::remove_file(desk.path("login.json")).unwrap();
    fs::create_dir(desk.path("login.json")).unwrap();
    gate.notify_one();
    tokio::time::timeout(PATIENCE, running.wait_with_output()).await.expect("the command hangs").unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn a_login_that_was_lost_is_said_to_be_whatever_else_went_wrong() {
    let desk = Desk::new();
    let (reader, unread) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = desk.rtauth(&["token"]);
    command.stdout(unread).stderr(Stdio::piped());
    let output = with_a_store_that_breaks(command, &desk).await;
    let stderr = failed(&output, 1);
    assert!(stderr.contains("standard output can't be written"), "{stderr}");
    assert!(stderr.contains("could not be saved") && stderr.contains("log in again"), "{stderr}");
    assert!(stderr.contains("login.json"), "the reason: {stderr}");
    assert!(!stderr.contains("canary"), "{stderr}");
}

/// A store that can't be written, and a token that is good without it.
#[tokio::test]
async fn a_store_that_fails_is_named_with_its_reason() {
    let desk = Desk::new();
    let server = Script::serve(vec![Answer::token("canary-token-1", 3_600)]).await.unwrap();
    let url = format!("{}/token", server.url());
    fs::create_dir(desk.path("login.json.lock")).unwrap();
    let arguments = ["token", "--json", "--token-url", &url, "--client-id", "c", "--store", "login.json"];
    let output = desk.run(&[&arguments[..], &["--client-secret-file", "secret"]].concat()).await;
    assert_eq!(printed(&output)["token"], "canary-token-1");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the token is not shared: ") && stderr.contains("login.json.lock"), "{stderr}");
}

/// `rtauth token` with a refresh token in the environment, and a store.
async fn ambient(desk: &Desk, server: &Script, variable: &str) -> Output {
    let url = format!("{}/token", server.url());
    let arguments =
        ["token", "--json", "--refresh", "--token-url", &url, "--client-id", "c", "--client-auth", "none"];
    let mut command =
        desk.rtauth(&[&arguments[..], &["--grant", "refresh_token", "--store", "login.json"]].concat());
    tokio::time::timeout(PATIENCE, command.env("RTAUTH_REFRESH_TOKEN", variable).output())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_refresh_token_of_the_environment_begins_a_login_and_replaces_none() {
    let (desk, mut count) = (Desk::new(), 0);
    let server = Script::answering(move |_| {
        count += 1;
        let body = r#"{"access_token":"canary-token-N","token_type":"Bearer","expires_in":60,"refresh_token":"canary-refresh-N"}"#;
        Answer::http(200, JSON, &body.replace('N', &count.to_string()))
    });
    let server = server.await.unwrap();
    let sent = || {
        of_grant(&server, "refresh_token")
            .iter()
            .map(|one| parameter(one, "refresh_token").unwrap())
            .collect::<Vec<_>>()
    };
    let first = ambient(&desk, &server, "canary-ambient").await;
    printed(&first);
    assert!(first.stderr.is_empty(), "{first:?}");
    assert_eq!(sent(), ["canary-ambient"], "the control: the store had none");
    let again = ambient(&desk, &server, "canary-ambient").await;
    assert!(again.stderr.is_empty(), "what is in the store came of it: {again:?}");
    let other = ambient(&desk, &server, "canary-other").await;
    printed(&other);
    let stderr = String::from_utf8(other.stderr).unwrap();
    assert!(stderr.contains("RTAUTH_REFRESH_TOKEN is ignored") && !stderr.contains("canary"), "{stderr}");
    assert_eq!(sent(), ["canary-ambient", "canary-refresh-1", "canary-refresh-2"]);
}

/// A JSON Web Token of this subject that nobody has signed.
fn jwt(subject: &str, id: u8) -> String {
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"iss":"https://as/","sub":"{subject}","jti":"{id}"}}"#);
    format!("{}.{}.c2ln", encode(r#"{"alg":"RS256"}"#), encode(&claims))
}

#[tokio::test]
async fn one_subjects_token_is_never_handed_to_another() {
    for (grant, flag) in [("token_exchange", "--subject-token-file"), ("jwt_bearer", "--assertion-file")] {
        let (desk, mut count) = (Desk::new(), 0);
        let server = Script::answering(move |_| {
            count += 1;
            Answer::token(&format!("canary-token-{count}"), 3_600)
        });
        let server = server.await.unwrap();
        let url = format!("{}/token", server.url());
        for (text, expected) in [
            (jwt("alice", 1), 1),
            (jwt("alice", 2), 1),
            (jwt("bob", 3), 2),
            ("canary-opaque".to_owned(), 3),
            ("canary-opaque".to_owned(), 3),
            ("canary-of-another".to_owned(), 4),
        ] {
            desk.put("subject", &text);
            let arguments = [
                "token",
                "--json",
                "--token-url",
                &url,
                "--client-id",
                "c",
                "--client-secret-file",
                "secret",
            ];
            let more = ["--grant", grant, flag, "subject", "--store", "login.json"];
            let output = desk.run(&[&arguments[..], &more].concat()).await;
            assert_eq!(printed(&output)["token"], format!("canary-token-{expected}"), "{grant} {text}");
        }
    }
}

#[tokio::test]
async fn a_store_needs_a_file_and_not_a_dash() {
    let desk = Desk::new();
    let of_client = ["--client-id", "c", "--token-url", "http://127.0.0.1:1/t", "--store", "-"];
    for more in [
        &["token", "--client-secret-file", "secret"][..],
        &["login", "--authorization-url", "http://127.0.0.1:1/a"],
    ] {
        let stderr = failed(&desk.run(&[more, &of_client].concat()).await, 2);
        assert!(stderr.contains("--store - would be a file of that name"), "{stderr}");
    }
    assert!(!desk.path("-").exists() && !desk.path("-.lock").exists());
}

//! `rtauth revoke`: what is asked of the server, and what is left here.

use super::*;

async fn server(status: u16) -> Script {
    Script::serve(vec![Answer::http(status, "", "")]).await.unwrap()
}

fn revoked(server: &Script) -> Vec<(String, String)> {
    let requests = server.requests();
    let pair = |one: &String| Some((parameter(one, "token")?, parameter(one, "token_type_hint")?));
    requests.iter().filter_map(pair).collect()
}

/// `rtauth revoke` of the store.
async fn revoke(desk: &Desk, server: &Script, more: &[&str]) -> Output {
    let url = format!("{}/revoke", server.url());
    let arguments = ["revoke", "--store", "login.json", "--client-id", "app", "--revocation-url", &url];
    desk.run(&[&arguments[..], more].concat()).await
}

#[tokio::test]
async fn the_refresh_token_ends_before_the_token_and_the_store_holds_neither() {
    let (desk, server) = (Desk::new(), server(200).await);
    desk.logged_in().await;
    let output = revoke(&desk, &server, &["--json"]).await;
    assert_eq!(printed(&output), serde_json::json!({ "event": "revoked", "tokens": 2 }));
    assert!(output.stderr.is_empty());
    let pair = |token: &str, hint: &str| (token.to_owned(), hint.to_owned());
    let expected = [pair("canary-refresh-0", "refresh_token"), pair("canary-token-0", "access_token")];
    assert_eq!(revoked(&server), expected);
    assert_eq!(desk.record().await, Some(Record { revision: 5, ..Record::default() }));

    let again = revoke(&desk, &server, &["--json"]).await;
    assert_eq!(printed(&again)["tokens"], 0);
    assert_eq!(revoked(&server).len(), 2, "nothing is left to be sent");
    let url = format!("{}/token", server.url());
    let token = [
        "token",
        "--token-url",
        &url,
        "--client-id",
        "app",
        "--grant",
        "refresh_token",
        "--store",
        "login.json",
    ];
    let stderr = failed(&desk.run(&token).await, 3);
    assert!(stderr.contains("invalid_grant: there is no refresh token; log in"), "{stderr}");
}

#[tokio::test]
async fn the_copies_here_go_even_when_the_server_fails_refuses_or_says_nothing() {
    for (answer, more, code) in [
        (Answer::http(503, "", ""), &[][..], 1),
        (Answer::http(400, JSON, r#"{"error":"unsupported_token_type"}"#), &[], 3),
        (Answer::Silence, &["--timeout", "1"], 4),
    ] {
        let desk = Desk::new();
        desk.logged_in().await;
        let server = Script::serve(vec![answer]).await.unwrap();
        let stderr = failed(&revoke(&desk, &server, more).await, code);
        assert!(stderr.contains("may be good at the server until they expire"), "{stderr}");
        assert!(!stderr.contains("canary"), "{stderr}");
        assert_eq!(desk.record().await.unwrap(), Record { revision: 5, ..Record::default() });
    }
}

/// A login of this server's `/token` as `app`, bound as `rtauth token` binds it.
async fn bound(desk: &Desk, url: &str) -> Record {
    desk.put("refresh", "canary-refresh-0");
    let client = ["token", "--token-url", url, "--client-id", "app", "--client-auth", "none"];
    let grant = ["--grant", "refresh_token", "--refresh-token-file", "refresh", "--store", "login.json"];
    let output = desk.run(&[&client[..], &grant].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let record = desk.record().await.unwrap();
    assert!(record.credential.is_some());
    record
}

#[tokio::test]
async fn a_login_goes_to_nobody_but_the_server_and_the_client_that_hold_it() {
    let desk = Desk::new();
    let holder = Script::serve(vec![login_answer()]).await.unwrap();
    let url = format!("{}/token", holder.url());
    let record = bound(&desk, &url).await;
    desk.put(
        "key.pem",
        &realtime_auth_tests::authority::Authority::new().unwrap().certify("k").unwrap().key_pem,
    );
    let other = server(200).await;
    let elsewhere = format!("{}/token", other.url());
    for (more, expected) in [
        (&[][..], "give --token-url"),
        (&["--token-url", &elsewhere], "of another client, server or key"),
        (&["--token-url", &url, "--dpop", "--dpop-key-file", "key.pem"], "of another client, server or key"),
    ] {
        let stderr = failed(&revoke(&desk, &other, more).await, 2);
        assert!(stderr.contains(expected), "{more:?}: {stderr}");
        assert_eq!(desk.record().await.as_ref(), Some(&record), "{more:?}");
    }
    let revocation = format!("{}/revoke", other.url());
    let mallory = ["revoke", "--store", "login.json", "--client-id", "mallory", "--token-url", &url];
    let stderr = failed(&desk.run(&[&mallory[..], &["--revocation-url", &revocation]].concat()).await, 2);
    assert!(stderr.contains("of another client, server or key"), "{stderr}");
    assert_eq!(desk.record().await, Some(record));
    assert!(other.requests().is_empty());
    let output = revoke(&desk, &other, &["--token-url", &url, "--json"]).await;
    assert_eq!(printed(&output)["tokens"], 2, "the control");
    assert_eq!(revoked(&other).len(), 2);
}

#[tokio::test]
async fn the_issuers_metadata_say_whose_login_it_is() {
    let desk = Desk::new();
    let server = Script::answering(|request| {
        let host = header(request, "Host").unwrap();
        if is_for(request, "/.well-known/oauth-authorization-server") {
            let metadata = format!(
                r#"{{"issuer":"http://{host}","token_endpoint":"http://{host}/token","revocation_endpoint":"http://{host}/revoke"}}"#
            );
            return Answer::http(200, JSON, &metadata);
        }
        login_answer()
    });
    let server = server.await.unwrap();
    let elsewhere = Script::serve(vec![login_answer()]).await.unwrap();
    let arguments = ["revoke", "--store", "login.json", "--client-id", "app", "--issuer", server.url()];
    bound(&desk, &format!("{}/token", elsewhere.url())).await;
    let stderr = failed(&desk.run(&arguments).await, 2);
    assert!(stderr.contains("of another client, server or key"), "{stderr}");
    assert!(revoked(&server).is_empty());
    fs::remove_file(desk.path("login.json")).unwrap();
    bound(&desk, &format!("{}/token", server.url())).await;
    assert_eq!(desk.run(&arguments).await.status.code(), Some(0));
    assert_eq!(revoked(&server).len(), 2);
}

#[tokio::test]
async fn a_login_of_which_nothing_was_sent_stays() {
    let desk = Desk::new();
    desk.logged_in().await;
    let record = desk.record().await;
    let without = Script::answering(|request| {
        let host = header(request, "Host").unwrap();
        Answer::http(
            200,
            JSON,
            &format!(r#"{{"issuer":"http://{host}","token_endpoint":"http://{host}/token"}}"#),
        )
    });
    let (without, silent) = (without.await.unwrap(), Script::serve(vec![Answer::Silence]).await.unwrap());
    let base = ["revoke", "--store", "login.json", "--client-id", "app"];
    for (more, code, expected) in [
        (&["--issuer", without.url()][..], 2, "give --revocation-url"),
        (&["--issuer", "http://127.0.0.1:1"], 1, "transport: "),
        (&["--issuer", silent.url(), "--timeout", "1"], 4, "timeout: "),
        (
            &["--revocation-url", "http://127.0.0.1:1/revoke"],
            1,
            "nothing was sent, and login.json holds the login still",
        ),
    ] {
        let stderr = failed(&desk.run(&[&base[..], more].concat()).await, code);
        assert!(stderr.contains(expected), "{more:?}: {stderr}");
        assert_eq!(desk.record().await, record, "{more:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_while_the_endpoint_is_looked_up_leaves_the_login() {
    let desk = Desk::new();
    desk.logged_in().await;
    let record = desk.record().await;
    let silent = Script::serve(vec![Answer::Silence]).await.unwrap();
    let arguments = ["revoke", "--store", "login.json", "--client-id", "app", "--issuer", silent.url()];
    let running = Running::start(desk.rtauth(&arguments));
    silent.until(|progress| progress.received == 1).await;
    interrupt(&running);
    let (code, stderr) = running.end().await;
    assert_eq!((code, stderr.as_str()), (Some(130), "rtauth revoke: interrupted\n"));
    assert_eq!(desk.record().await, record);
}

#[tokio::test]
async fn a_refresh_token_that_nobody_answers_for_leaves_the_other_its_time() {
    let desk = Desk::new();
    desk.logged_in().await;
    let silence = Script::serve(vec![Answer::Silence, Answer::http(200, "", "")]).await.unwrap();
    failed(&revoke(&desk, &silence, &["--timeout", "3"]).await, 4);
    assert_eq!(revoked(&silence).len(), 2);
}

#[tokio::test]
async fn nobody_redeems_the_login_while_it_is_ended() {
    let desk = Desk::new();
    desk.logged_in().await;
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let held = Answer::http(200, "", "").held(realtime_auth_tests::script::Hold::Unanswered, gate.clone());
    let server = Script::serve(vec![held, Answer::http(200, "", "")]).await.unwrap();
    let (output, ()) = tokio::join!(revoke(&desk, &server, &[]), async {
        server.until(|progress| progress.received == 1).await;
        assert!(desk.store().try_lock().await.unwrap().is_none());
        gate.notify_one();
    });
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn one_token_of_a_file_is_ended_in_the_clients_name() {
    let (desk, server) = (Desk::new(), server(200).await);
    desk.put("token", "canary-token\n");
    let url = format!("{}/revoke", server.url());
    let arguments = ["revoke", "--token-file", "token", "--client-id", "abc", "--revocation-url", &url];
    let more = ["--client-secret-file", "secret", "--hint", "refresh_token"];
    let output = desk.run(&[&arguments[..], &more].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(revoked(&server), [("canary-token".to_owned(), "refresh_token".to_owned())]);
    assert!(header(&server.requests()[0], "authorization").unwrap().starts_with("Basic "));
    assert!(!format!("{output:?}").contains("canary"));
}

#[tokio::test]
async fn what_can_not_be_meant_is_refused_with_what_to_do_instead() {
    let desk = Desk::new();
    desk.put("token", "canary-token");
    let url = ["--revocation-url", "http://127.0.0.1:1/r"];
    let base = ["revoke", "--client-id", "app"];
    let file = ["--token-file", "token"];
    for (more, expected) in [
        (&url[..], "what is to be ended? --source oauth needs the --store FILE"),
        (&file, "--revocation-url is missing; give it, or --issuer"),
        (&[&file[..], &url, &["--store", "login.json"]].concat(), "cannot be used with"),
        (&[&url[..], &["--store", "login.json"]].concat(), "there is no login.json"),
        (&[&url[..], &["--store", "login.json", "--hint", "access_token"]].concat(), "cannot be used with"),
        (
            &[&file[..], &["--revocation-url", "http://as.example.com/r"]].concat(),
            "--revocation-url: the URL must use https",
        ),
        (&[&file[..], &url, &["--client-auth", "basic"]].concat(), "needs the client's secret"),
    ] {
        let stderr = failed(&desk.run(&[&base[..], more].concat()).await, 2);
        assert!(stderr.contains(expected) && !stderr.contains("canary"), "{more:?}\n{expected}\n{stderr}");
    }
}

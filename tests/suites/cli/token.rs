//! `rtauth token` against servers by script: each way to say who the client is, each grant, and what is shared.

use realtime_auth_tests::authority::{self, Authority};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::script;

use super::*;

/// A server that issues one token for ever.
async fn server() -> Script {
    Script::serve(vec![Answer::token("canary-token-1", 3_600)]).await.unwrap()
}

async fn token(desk: &Desk, server: &Script, more: &[&str]) -> Output {
    let url = format!("{}/token", server.url());
    let arguments = ["token", "--json", "--token-url", &url, "--client-id", "a b"];
    desk.run(&[&arguments[..], more].concat()).await
}

/// The only request, of a command that got its token.
async fn asked(desk: &Desk, more: &[&str]) -> String {
    let server = server().await;
    let output = token(desk, &server, more).await;
    assert_eq!(printed(&output)["token"], "canary-token-1");
    let shown = String::from_utf8_lossy(&output.stdout).replacen("canary-token-1", "", 1);
    assert!(!shown.contains("canary") && output.stderr.is_empty(), "{output:?}");
    let [request] = server.requests().try_into().unwrap();
    request
}

fn basic(pair: &str) -> Option<String> {
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

#[tokio::test]
async fn the_client_says_who_it_is_in_the_way_that_was_chosen() {
    let desk = Desk::new();
    desk.put("long", "canary-secret-of-more-than-32-bytes");
    let key = Authority::new().unwrap().certify("key").unwrap().key_pem;
    desk.put("key.pem", &key);
    let secret = ["--client-secret-file", "secret"];

    let request = asked(&desk, &secret).await;
    assert_eq!(header(&request, "authorization"), basic("a%20b:canary-secret"));
    let request = asked(&desk, &[&secret[..], &["--client-auth", "basic_raw"]].concat()).await;
    assert_eq!(header(&request, "authorization"), basic("a b:canary-secret"));
    let request = asked(&desk, &[&secret[..], &["--client-auth", "post"]].concat()).await;
    assert_eq!(header(&request, "authorization"), None);
    assert!(request.ends_with("client_id=a+b&client_secret=canary-secret"), "{request}");
    let request = asked(&desk, &["--client-secret-file", "long", "--client-auth", "client_secret_jwt"]).await;
    assert_eq!(claims(&parameter(&request, "client_assertion").unwrap())["sub"], "a b");
    assert!(!request.contains("canary"), "the secret itself is not sent");
    let request = asked(&desk, &["--client-key-file", "key.pem"]).await;
    let claims = claims(&parameter(&request, "client_assertion").unwrap());
    assert_eq!((&claims["iss"], &claims["sub"]), (&"a b".into(), &"a b".into()));
    assert!(claims["aud"].as_str().unwrap().ends_with("/token"), "without an issuer, the endpoint");
    desk.put("assertion", "canary-assertion");
    let public = ["--client-auth", "none", "--grant", "jwt_bearer", "--assertion-file", "assertion"];
    let request = asked(&desk, &public).await;
    assert_eq!(parameter(&request, "client_id").as_deref(), Some("a b"));
}

#[tokio::test]
async fn a_secret_in_the_url_is_warned_of() {
    let (desk, server) = (Desk::new(), server().await);
    let more = ["--client-secret-file", "secret", "--client-auth", "query"];
    let output = token(&desk, &server, &more).await;
    printed(&output);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("puts the secret into the URL") && !stderr.contains("canary"), "{stderr}");
    assert!(server.requests()[0].starts_with("POST /token?client_id=a+b&client_secret=canary-secret "));
}

#[tokio::test]
async fn each_grant_sends_what_its_flags_say() {
    let desk = Desk::new();
    desk.put("key.pem", &Authority::new().unwrap().certify("key").unwrap().key_pem);
    desk.put("subject", "canary-subject\n");
    desk.put("actor", "canary-actor");
    let secret = ["--client-secret-file", "secret"];

    let wanted = [
        "--scope",
        "a",
        "--scope",
        "b",
        "--resource",
        "https://r/",
        "--resource",
        "https://s/",
        "--audience",
        "x",
    ];
    let request = asked(&desk, &[&secret[..], &wanted].concat()).await;
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(
        body,
        "grant_type=client_credentials&scope=a+b&resource=https%3A%2F%2Fr%2F&resource=https%3A%2F%2Fs%2F&audience=x"
    );

    let key = ["--grant", "jwt_bearer", "--assertion-key-file", "key.pem", "--assertion-subject", "alice"];
    let request = asked(&desk, &[&secret[..], &key, &["--assertion-audience", "https://as/"]].concat()).await;
    let assertion = claims(&parameter(&request, "assertion").unwrap());
    assert_eq!(
        (&assertion["iss"], &assertion["sub"], &assertion["aud"]),
        (&"a b".into(), &"alice".into(), &"https://as/".into())
    );

    let exchange =
        ["--grant", "token_exchange", "--subject-token-file", "subject", "--subject-token-type", "jwt"];
    let actor = ["--actor-token-file", "actor", "--actor-token-type", "urn:example:actor"];
    let request = asked(&desk, &[&secret[..], &exchange, &actor].concat()).await;
    assert_eq!(parameter(&request, "subject_token").as_deref(), Some("canary-subject"));
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    assert_eq!(parameter(&request, "subject_token_type").as_deref(), Some(jwt));
    assert_eq!(parameter(&request, "actor_token").as_deref(), Some("canary-actor"));
    assert_eq!(parameter(&request, "actor_token_type").as_deref(), Some("urn:example:actor"));
}

#[tokio::test]
async fn a_bound_token_says_so_and_a_key_of_this_run_alone_is_warned_of() {
    let desk = Desk::new();
    desk.put("key.pem", &Authority::new().unwrap().certify("key").unwrap().key_pem);
    let body = r#"{"access_token":"canary-token-1","token_type":"DPoP","expires_in":60}"#;
    let server = Script::serve(vec![Answer::http(200, JSON, body)]).await.unwrap();
    let secret = ["--client-secret-file", "secret", "--dpop"];
    let kept = token(&desk, &server, &[&secret[..], &["--dpop-key-file", "key.pem"]].concat()).await;
    assert_eq!(printed(&kept)["tokenType"], "DPoP");
    assert!(kept.stderr.is_empty());
    let fresh = token(&desk, &server, &secret).await;
    assert_eq!(printed(&fresh)["tokenType"], "DPoP");
    assert!(String::from_utf8(fresh.stderr).unwrap().contains("--dpop-key-file"));
    let requests = server.requests();
    let proofs: Vec<_> = requests.iter().map(|one| header(one, "dpop").unwrap()).collect();
    assert!(proofs.iter().all(|proof| claims(proof)["htm"] == "POST"));
}

#[tokio::test]
async fn a_bearer_token_in_place_of_a_bound_one_is_not_printed() {
    let (desk, server) = (Desk::new(), server().await);
    let output = token(&desk, &server, &["--client-secret-file", "secret", "--dpop"]).await;
    let stderr = failed(&output, 1);
    assert!(
        stderr.contains("bearer token where one bound to a key") && !stderr.contains("canary"),
        "{stderr}"
    );
}

/// With the issuer the endpoint is looked up, and the assertion is meant for it alone.
#[tokio::test]
async fn the_issuer_leads_to_the_endpoint_and_is_whom_an_assertion_is_for() {
    let desk = Desk::new();
    desk.put("key.pem", &Authority::new().unwrap().certify("key").unwrap().key_pem);
    let server = Script::answering(|request| {
        let host = header(request, "Host").unwrap();
        if is_for(request, "/.well-known/oauth-authorization-server/tenant") {
            let metadata = format!(
                r#"{{"issuer":"http://{host}/tenant","token_endpoint":"http://{host}/tenant/token"}}"#
            );
            return Answer::http(200, JSON, &metadata);
        }
        Answer::token("canary-token-1", 60)
    });
    let server = server.await.unwrap();
    let issuer = format!("{}/tenant", server.url());
    let arguments = ["token", "--issuer", &issuer, "--client-id", "c", "--client-key-file", "key.pem"];
    printed(&desk.run(&arguments).await);
    let request = server.requests().pop().unwrap();
    assert!(is_for(&request, "/tenant/token"), "{request}");
    assert_eq!(claims(&parameter(&request, "client_assertion").unwrap())["aud"], issuer);

    let other = format!("{issuer}/");
    let arguments = ["token", "--issuer", &other, "--client-id", "c", "--client-key-file", "key.pem"];
    let stderr = failed(&desk.run(&arguments).await, 3);
    assert!(stderr.contains("metadata are of another issuer"), "{stderr}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_the_given_authority_is_trusted() {
    let (desk, authority) = (Desk::new(), Authority::new().unwrap());
    let client = authority.certify("client").unwrap();
    desk.put("ca.pem", &authority.pem());
    desk.put("client.pem", &client.pem);
    desk.put("client-key.pem", &client.key_pem);
    let acceptor = authority.acceptor("localhost", &["http/1.1"], Some(&authority)).unwrap();
    let server = RawServer::serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = authority::accept(&acceptor, stream).await?;
            let request = script::read(&mut stream).await?;
            let token = parameter(&request, "client_id").unwrap_or_default();
            if let Answer::Bytes(bytes) = Answer::token(&token, 60) {
                stream.write_all(&bytes).await?;
            }
            stream.shutdown().await
        }
    });
    let server = server.await.unwrap();
    let url = format!("https://localhost:{}/token", server.address().port());
    let arguments = ["token", "--token-url", &url, "--client-id", "c", "--ca-file", "ca.pem"];
    let identity =
        ["--client-certificate-file", "client.pem", "--client-certificate-key-file", "client-key.pem"];
    let output = desk.run(&[&arguments[..], &identity].concat()).await;
    assert_eq!(printed(&output)["token"], "c", "the id says whose the certificate is");

    let secret = ["--client-secret-file", "secret"];
    let stderr = failed(&desk.run(&[&arguments[..], &secret].concat()).await, 3);
    assert!(stderr.contains("client certificate"), "the control: {stderr}");
}

#[tokio::test]
async fn processes_that_share_a_store_ask_once() {
    let (desk, server) = (Desk::new(), server().await);
    let more = ["--client-secret-file", "secret", "--store", "login.json"];
    let outputs = tokio::join!(
        token(&desk, &server, &more),
        token(&desk, &server, &more),
        token(&desk, &server, &more),
        token(&desk, &server, &more),
    );
    let issued = |output: &Output| printed(output)["issued"].as_u64().unwrap();
    let issued = [issued(&outputs.0), issued(&outputs.1), issued(&outputs.2), issued(&outputs.3)];
    assert_eq!(server.requests().len(), 1);
    // One of them looked at its clock, the others at the store, which was written a moment later.
    let stored = desk.record().await.unwrap().access_token.unwrap().issued.as_millis();
    assert!(issued.iter().filter(|time| **time == stored).count() >= 3, "{issued:?} {stored}");
}

/// A token in the store that lives for `left` of its hour.
async fn stored(desk: &Desk, left: Duration) {
    desk.logged_in().await;
    let mut record = desk.record().await.unwrap();
    let token = record.access_token.as_mut().unwrap();
    let age = Duration::from_secs(3_600).saturating_sub(left);
    let earlier = |time: Timestamp| Timestamp::since_epoch(Duration::from_millis(time.as_millis()) - age);
    (token.issued, token.expires) = (earlier(token.issued), earlier(token.expires));
    token.scope = Some("a".parse().unwrap());
    desk.store().try_lock().await.unwrap().unwrap().save(&record).await.unwrap();
}

#[tokio::test]
async fn a_stored_token_is_renewed_when_it_is_due_and_serves_where_that_fails() {
    let (desk, server) = (Desk::new(), server().await);
    let more = ["--client-secret-file", "secret", "--store", "login.json"];
    stored(&desk, Duration::from_secs(60)).await;
    let short = token(&desk, &server, &[&more[..], &["--lead", "5"]].concat()).await;
    assert_eq!((&printed(&short)["token"], server.requests().len()), (&"canary-token-0".into(), 0));

    let failing =
        Script::serve(vec![Answer::http(400, JSON, r#"{"error":"invalid_client"}"#)]).await.unwrap();
    assert_eq!(printed(&token(&desk, &failing, &more).await)["token"], "canary-token-0");
    assert_eq!(failing.requests().len(), 1);

    assert_eq!(printed(&token(&desk, &server, &more).await)["token"], "canary-token-1");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_token_that_lacks_a_scope_is_said_to() {
    let (desk, server) = (Desk::new(), server().await);
    stored(&desk, Duration::from_secs(3_000)).await;
    let more = ["--client-secret-file", "secret", "--store", "login.json", "--scope", "a"];
    let enough = token(&desk, &server, &more).await;
    assert_eq!((&printed(&enough)["scope"], enough.stderr.len()), (&"a".into(), 0));
    let output = token(&desk, &server, &[&more[..], &["--scope", "b"]].concat()).await;
    assert_eq!(printed(&output)["token"], "canary-token-0");
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("the token lacks b: the server did not grant it")
    );
}

#[tokio::test]
async fn a_store_serves_the_client_and_server_that_it_was_made_for_and_no_other() {
    let (desk, first, second) = (Desk::new(), server().await, server().await);
    desk.put("refresh", "canary-refresh-0");
    let more = ["--client-auth", "none", "--grant", "refresh_token", "--refresh-token-file", "refresh"];
    let more = [&more[..], &["--store", "login.json"]].concat();
    let issued = printed(&token(&desk, &first, &more).await)["token"].clone();
    let stderr = failed(&token(&desk, &second, &more).await, 2);
    assert!(stderr.contains("tokens of another client, server or key"), "{stderr}");
    assert_eq!(second.requests().len(), 0, "a refresh token never goes to another server");
    assert_eq!(printed(&token(&desk, &first, &more).await)["token"], issued, "the control");
}

#[tokio::test]
async fn the_exit_code_says_whether_trying_again_can_help() {
    let verdict = |code: &str| {
        Answer::http(400, JSON, &format!(r#"{{"error":"{code}","error_description":"canary"}}"#))
    };
    for (answer, code, kind) in [
        (verdict("invalid_client"), 3, "invalid_client: "),
        (verdict("invalid_scope"), 3, "refused: "),
        (Answer::http(404, "", "canary"), 3, "refused: "),
        (Answer::http(500, "", "canary"), 1, "server_failed: "),
        (Answer::http(429, "Retry-After: 60\r\n", "canary"), 1, "rate_limited: "),
        (Answer::http(200, JSON, "canary"), 1, "malformed_response: "),
        (Answer::http(302, "Location: http://127.0.0.1:1/\r\n", "canary"), 3, "refused: "),
        (Answer::HangUp, 1, "transport: "),
        (Answer::Silence, 4, "timeout: "),
    ] {
        let desk = Desk::new();
        let server = Script::serve(vec![answer.clone()]).await.unwrap();
        let more = ["--client-secret-file", "secret", "--timeout", "5"];
        let stderr = failed(&token(&desk, &server, &more).await, code);
        assert!(stderr.starts_with(&format!("rtauth token: {kind}")), "{answer:?}: {stderr}");
        assert!(!stderr.contains("canary"), "{stderr}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_lets_the_answer_to_a_refresh_token_come_and_saves_it() {
    let desk = Desk::new();
    desk.put("refresh", "canary-refresh-0");
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let held = login_answer().held(script::Hold::Unanswered, gate.clone());
    let server = Script::serve(vec![held]).await.unwrap();
    let url = format!("{}/token", server.url());
    let mut command =
        desk.rtauth(&["token", "--token-url", &url, "--client-id", "c", "--client-auth", "none"]);
    command.args(["--grant", "refresh_token", "--refresh-token-file", "refresh", "--store", "login.json"]);
    let mut running = Running::start(command);
    server.until(|progress| progress.received == 1).await;
    interrupt(&running);
    running.complaint("interrupt again").await;
    gate.notify_one();
    let (code, stderr) = running.end().await;
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(desk.record().await.unwrap().refresh_token, Some(Secret::from("canary-refresh-1")));
}

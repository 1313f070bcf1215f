//! Ably's tokens by an API key, and their revocation.

use super::*;

fn token<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["token", "--json", "--source", "ably", "--token-url", url], more].concat()
}

fn revoke<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let revoke = ["revoke", "--json", "--source", "ably", "--ably-url", url, "--key-file", "key.txt"];
    [&revoke[..], more].concat()
}

const KEY: [&str; 2] = ["--key-file", "key.txt"];

#[test]
fn a_token_is_printed_with_its_capability_and_its_client() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let asked =
        ["--client-id", "alice", "--ttl", "600000", "--capability", r#"{"chat:a":["publish"],"b":["*"]}"#];
    let details = printed(&desk.run(&token(&gateway.url, &[&KEY[..], &asked].concat())));
    assert_eq!(names(&details), ["capability", "clientId", "expires", "issued", "token"]);
    assert_eq!(details["capability"], r#"{"chat:a":["publish"]}"#, "what the key has of it");
    assert_eq!((&details["clientId"], life(&details)), (&"alice".into(), 600_000));

    let anonymous = printed(&desk.run(&token(&gateway.url, &KEY)));
    assert_eq!(names(&anonymous), ["capability", "expires", "issued", "token"]);
    let anybody = [&KEY[..], &["--client-id", "*", "--query-time"]].concat();
    assert_eq!(printed(&desk.run(&token(&gateway.url, &anybody)))["clientId"], "*");
}

#[test]
fn with_query_time_a_request_is_signed_with_the_servers_time() {
    let desk = Desk::new();
    let details = r#"{"token":"t"}"#;
    let backend = Backend::serve(vec![Backend::json("[1700000000000]"), Backend::json(details)]);
    let url = backend.url.trim_end_matches("/ably-token").to_owned();
    assert_eq!(printed(&desk.run(&token(&url, &[&KEY[..], &["--query-time"]].concat())))["token"], "t");
    let [time, request] = backend.asked().try_into().unwrap();
    assert!(time.starts_with("GET /time "), "{time}");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /keys/appid1.keyid1/requestToken ") && !body.contains(CANARY),
        "{request}"
    );
    let signed: Value = serde_json::from_str(body).unwrap();
    assert!(
        (1_700_000_000_000..1_700_000_060_000).contains(&signed["timestamp"].as_u64().unwrap()),
        "{body}"
    );
}

#[test]
fn the_key_comes_from_a_file_from_standard_input_or_from_the_environment() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let key = fs::read_to_string(desk.path("key.txt")).unwrap();
    printed(&desk.run_with(&token(&gateway.url, &["--key-file", "-"]), &key));
    let mut of_environment = desk.command(&token(&gateway.url, &[]));
    printed(&of_environment.env("RTAUTH_ABLY_KEY", key.trim_end()).output().unwrap());
    let stderr = failed(&of_environment.env_remove("RTAUTH_ABLY_KEY").output().unwrap(), 2);
    assert!(stderr.contains("--key-file FILE") && stderr.contains("RTAUTH_ABLY_KEY"), "{stderr}");
}

#[test]
fn a_stored_token_is_printed_whole_without_any_request_and_is_no_token_of_another_client_or_service() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let alice = [&KEY[..], &["--client-id", "alice", "--store", "ably.json"]].concat();
    let first = printed(&desk.run(&token(&gateway.url, &alice)));
    let renewed = printed(&desk.run(&token(&gateway.url, &[&alice[..], &["--refresh"]].concat())));
    assert_ne!(first["token"], renewed["token"]);

    let url = gateway.url.clone();
    drop(gateway);
    assert_eq!(printed(&desk.run(&token(&url, &alice))), renewed, "the capability and the client too");
    let stderr = failed(&desk.run(&token(&url, &[&alice[..], &["--refresh"]].concat())), 1);
    assert!(stderr.starts_with("rtauth token: transport: "), "{stderr}");
    let bob = [&KEY[..], &["--client-id", "bob", "--store", "ably.json"]].concat();
    assert!(failed(&desk.run(&token(&url, &bob)), 1).contains("transport: "), "bob's is asked for");
    let elsewhere = Gateway::start(&desk);
    let output = desk.run(&token(&elsewhere.url, &alice));
    assert_ne!(with_complaint(&output)["token"], renewed["token"]);
    assert!(
        text(&output).contains("misconfigured: it holds the tokens of another client, server or key"),
        "{output:?}"
    );
    assert_eq!(printed(&desk.run(&token(&url, &alice))), renewed, "and it holds what it held");
}

#[test]
fn a_key_that_is_wrong_or_unknown_is_a_refusal_with_kind_and_code() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    for (key, kind, code) in
        [("wrong-key.txt", "invalid_client", "40101"), ("unknown-key.txt", "refused", "40400")]
    {
        for output in [
            desk.run(&token(&gateway.url, &["--key-file", key])),
            desk.run(&[
                "revoke",
                "--source",
                "ably",
                "--ably-url",
                &gateway.url,
                "--key-file",
                key,
                "--target",
                "clientId:alice",
            ]),
        ] {
            let stderr = failed(&output, 3);
            assert!(stderr.contains(&format!(": {kind}: ")), "{stderr}");
            assert!(stderr.contains(&format!("(code {code})")), "{stderr}");
        }
    }
    let nothing = [&KEY[..], &["--capability", r#"{"other":["publish"]}"#]].concat();
    let stderr = failed(&desk.run(&token(&gateway.url, &nothing)), 3);
    assert!(stderr.contains("insufficient_scope: ") && stderr.contains("(code 40160)"), "{stderr}");
}

/// The status of a request with this token.
fn publish(gateway: &Gateway, token: &str) -> String {
    let address = gateway.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = r#"{"name":"n","data":"d"}"#;
    write!(
        stream,
        "POST /channels/chat:a/messages HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn what_is_revoked_is_refused_from_then_on_and_nothing_else_is() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let of = |client| {
        let details =
            printed(&desk.run(&token(&gateway.url, &[&KEY[..], &["--client-id", client]].concat())));
        details["token"].as_str().unwrap().to_owned()
    };
    let (alice, bob, eve) = (of("alice"), of("bob"), of("eve"));
    desk.put("token.txt", &bob);
    for token in [&alice, &bob, &eve] {
        assert_eq!(publish(&gateway, token), "201", "the control");
    }
    let both = ["--target", "clientId:alice", "--token-file", "token.txt"];
    let output = desk.run(&revoke(&gateway.url, &both));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty() && !text(&output).contains(&bob), "{output:?}");
    let lines: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let targets: Vec<_> = lines.iter().map(|line| line["target"].as_str().unwrap()).collect();
    assert_eq!(targets, ["clientId:alice", "token"]);
    for line in &lines {
        assert_eq!(names(line), ["applies_at", "event", "issued_before", "target"]);
        assert_eq!((&line["event"], &line["applies_at"]), (&"revoked".into(), &line["issued_before"]));
    }
    let statuses = [&alice, &bob, &eve].map(|token| publish(&gateway, token));
    assert_eq!(statuses, ["401", "401", "201"]);
}

#[test]
fn a_target_that_is_refused_is_told_apart_and_ends_with_3() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let targets = ["--target", "clientId:alice", "--target", "shoeSize:42", "--allow-reauth-margin"];
    let output = desk.run(&revoke(&gateway.url, &targets));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(output.stderr.is_empty(), "standard output has said why: {output:?}");
    let lines: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |target: &str| lines.iter().find(|line| line["target"] == target).unwrap();
    let alice = of("clientId:alice");
    let margin = alice["applies_at"].as_u64().unwrap() - alice["issued_before"].as_u64().unwrap();
    assert_eq!((&alice["event"], margin), (&"revoked".into(), 30_000));
    let refused = serde_json::json!({
        "event": "refused", "target": "shoeSize:42", "code": 40_000, "status": 400,
    });
    assert_eq!((of("shoeSize:42"), lines.len()), (&refused, 2));

    let for_people = desk.run(&[
        "revoke",
        "--source",
        "ably",
        "--ably-url",
        &gateway.url,
        "--key-file",
        "key.txt",
        "--target",
        "shoeSize:42",
    ]);
    assert_eq!(for_people.status.code(), Some(3));
    assert!(
        text(&for_people).starts_with("shoeSize:42: refused: ") && text(&for_people).contains("(code 40000)")
    );
}

#[test]
fn a_revocation_that_is_refused_as_a_whole_tells_of_no_target() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let too_old = ["--target", "clientId:alice", "--issued-before", "1000"];
    let stderr = failed(&desk.run(&revoke(&gateway.url, &too_old)), 3);
    assert!(stderr.contains("refused: ") && stderr.contains("(code 40003)"), "{stderr}");
    let unreachable = failed(&desk.run(&revoke("http://127.0.0.1:1", &["--target", "clientId:a"])), 1);
    assert!(unreachable.starts_with("rtauth revoke: transport: "), "{unreachable}");
}

#[test]
fn a_server_that_leaves_a_target_out_has_not_revoked_it() {
    let desk = Desk::new();
    let of_another = r#"{"results":[{"target":"clientId:canary","issuedBefore":1,"appliesAt":1}]}"#;
    let backend = Backend::serve(vec![Backend::json(of_another)]);
    let url = backend.url.trim_end_matches("/ably-token");
    let stderr = failed(&desk.run(&revoke(url, &["--target", "clientId:alice"])), 1);
    assert!(stderr.contains("malformed_response: ") && stderr.contains("take them to be good"), "{stderr}");
    let [asked] = backend.asked().try_into().unwrap();
    assert!(asked.ends_with(r#"{"targets":["clientId:alice"]}"#), "{asked}");
}

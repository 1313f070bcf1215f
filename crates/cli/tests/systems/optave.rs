//! Optave's tokens, each for one connection.

use super::*;

fn token<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let token = ["token", "--json", "--source", "optave", "--token-url", url, "--client-id", "cid"];
    [&token[..], more].concat()
}

const SECRET: [&str; 2] = ["--client-secret-file", "optave.txt"];

#[test]
fn each_run_prints_a_token_of_its_own_in_whichever_way_the_secret_goes() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/auth/oauth2");
    let mut seen = Vec::new();
    for more in [&[][..], &["--client-auth", "basic"], &["--client-auth", "post"]] {
        let details = printed(&desk.run(&token(&url, &[&SECRET[..], more].concat())));
        assert_eq!(names(&details), ["expires", "issued", "token"]);
        assert!((299_000..=300_010).contains(&life(&details)), "{details}");
        seen.push(details["token"].clone());
    }
    let output = desk.run(&token(&url, &[&SECRET[..], &["--client-auth", "query"]].concat()));
    seen.push(with_complaint(&output)["token"].clone());
    assert!(text(&output).contains("puts the secret into the URL"), "{output:?}");
    seen.sort_by_key(Value::to_string);
    seen.dedup();
    assert_eq!(seen.len(), 4);
    let whole = gateway.at("/auth/oauth2/token");
    printed(
        &desk.command(&token(&whole, &[])).env("RTAUTH_CLIENT_SECRET", "canary-of-optave").output().unwrap(),
    );
}

#[test]
fn the_secret_goes_where_it_was_told_to() {
    let desk = Desk::new();
    let asked = |method| {
        let backend = Backend::serve(vec![Backend::json(r#"{"access_token":"t"}"#)]);
        let output = desk.run(&token(&backend.url, &[&SECRET[..], &["--client-auth", method]].concat()));
        assert_eq!(with_complaint(&output)["token"], "t");
        let [asked] = backend.asked().try_into().unwrap();
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        let (target, headers) = head.split_once("\r\n").unwrap();
        let header = headers.to_ascii_lowercase().contains("authorization: basic ");
        (target.contains(CANARY), header, body.contains(CANARY))
    };
    assert_eq!(asked("basic"), (false, true, false));
    assert_eq!(asked("post"), (false, false, true));
    assert_eq!(asked("query"), (true, false, false));
}

#[test]
fn a_secret_that_is_wrong_and_a_client_that_is_unknown_are_refusals() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/auth/oauth2");
    let unknown = ["token", "--source", "optave", "--token-url", &url, "--client-id", "nobody"];
    for output in [
        desk.run(&token(&url, &["--client-secret-file", "wrong.txt"])),
        desk.run(&[&unknown[..], &SECRET].concat()),
    ] {
        let stderr = failed(&output, 3);
        assert!(stderr.contains("invalid_client: ") && stderr.contains("(status 401)"), "{stderr}");
    }
}

#[test]
fn what_opens_one_connection_is_neither_kept_nor_revoked() {
    let desk = Desk::new();
    for more in [&["--store", "o.json"][..], &["--lead", "5"], &["--refresh"]] {
        let stderr = failed(&desk.run(&token("http://127.0.0.1:1", &[&SECRET[..], more].concat())), 2);
        assert!(stderr.contains("each token of which opens one connection"), "{stderr}");
    }
    assert!(!desk.path("o.json").exists());
    let stderr = failed(&desk.run(&["revoke", "--source", "optave", "--token-file", "wrong.txt"]), 2);
    assert!(stderr.contains("ends with the one connection that it opens"), "{stderr}");
}

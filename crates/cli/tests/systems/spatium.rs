//! Spatium's permission tokens: of a session that is resumed, and established where there is none that lives.

use super::*;

const PASSWORD: [&str; 4] = ["--username", "alice", "--password-file", "alice.txt"];
const STORE: [&str; 2] = ["--store", "spatium.json"];

fn token<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let token = ["token", "--json", "--source", "spatium", "--token-url", url, "--token-id", "laptop"];
    [&token[..], &["--permission", "read"], more].concat()
}

#[test]
fn a_session_is_established_once_and_resumed_from_the_store() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/authorization/v1");
    let first = printed(&desk.run(&token(&url, &[&PASSWORD[..], &STORE].concat())));
    assert_eq!(names(&first), ["expires", "issued", "token"]);
    let again = printed(&desk.run(&token(&url, &[&PASSWORD[..], &STORE].concat())));
    // When it expires is counted from each process's own start.
    assert_eq!((&again["token"], &again["issued"]), (&first["token"], &first["issued"]));
    // Without a password, only the refresh token of the session can give another.
    let refreshed = printed(&desk.run(&token(&url, &[&STORE[..], &["--refresh"]].concat())));
    assert_ne!(refreshed["token"], first["token"]);
    let refreshed_again = printed(&desk.run(&token(&url, &[&STORE[..], &["--refresh"]].concat())));
    assert_ne!(refreshed_again["token"], refreshed["token"], "it rotates");

    drop(gateway);
    let kept = printed(&desk.run(&token(&url, &STORE)));
    assert_eq!(kept["token"], refreshed_again["token"], "nobody is asked");
    let other =
        ["token", "--source", "spatium", "--token-url", &url, "--token-id", "phone", "--permission", "read"];
    let stderr = failed(&desk.run(&[&other[..], &STORE].concat()), 2);
    assert!(stderr.contains("tokens of another client, server or key"), "{stderr}");
}

#[test]
fn a_session_that_has_ended_is_established_anew_where_that_is_possible() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/authorization/v1");
    let first = printed(&desk.run(&token(&url, &[&PASSWORD[..], &STORE].concat())));
    // Another session of the same id displaces the one in the store.
    printed(&desk.run(&token(&url, &PASSWORD)));
    let stderr = failed(&desk.run(&token(&url, &[&STORE[..], &["--refresh"]].concat())), 3);
    assert!(stderr.contains("invalid_grant: there is no living session; establish one by"), "{stderr}");
    let refresh = [&PASSWORD[..], &STORE, &["--refresh"]].concat();
    let anew = printed(&desk.run(&token(&url, &refresh)));
    assert_ne!(anew["token"], first["token"]);
    printed(&desk.run(&token(&url, &[&STORE[..], &["--refresh"]].concat())));
}

#[test]
fn a_session_that_was_just_established_is_not_refreshed_at_once() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/authorization/v1");
    let revision = || {
        let record = fs::read_to_string(desk.path("spatium.json")).unwrap();
        serde_json::from_str::<Value>(&record).unwrap()["revision"].clone()
    };
    let refresh = [&PASSWORD[..], &STORE, &["--refresh"]].concat();
    printed(&desk.run(&token(&url, &refresh)));
    // Once to see that it can be written, once with the session.
    assert_eq!(revision(), 2);
    printed(&desk.run(&token(&url, &refresh)));
    assert_eq!(revision(), 3, "the control");
}

#[test]
fn a_session_is_refreshed_where_it_was_told_to_be() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/authorization/v1");
    printed(&desk.run(&token(&url, &[&PASSWORD[..], &STORE].concat())));
    let at = |path| [&STORE[..], &["--refresh", "--refresh-path", path]].concat();
    let stderr = failed(&desk.run(&token(&url, &at("/api/elsewhere"))), 3);
    assert!(stderr.contains("refused: ") && stderr.contains("(status 404)"), "{stderr}");
    printed(&desk.run(&token(&url, &at("/api/permission/refresh"))));
    let stderr = failed(&desk.run(&token(&url, &at("elsewhere"))), 2);
    assert!(stderr.contains("--refresh-path: the path must begin with a slash"), "{stderr}");
}

/// A security token of the gateway, for a password.
fn security_token(gateway: &Gateway) -> String {
    let address = gateway.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = r#"{"username":"alice","password":"canary-of-alice"}"#;
    write!(
        stream,
        "POST /authorization/v1/api/security-factor/credentials HTTP/1.1\r\nHost: {address}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    answer["data"]["securityToken"].as_str().unwrap().to_owned()
}

#[test]
fn security_tokens_of_files_establish_a_session_too() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/authorization/v1");
    desk.put("factor.txt", &security_token(&gateway));
    printed(&desk.run(&token(&url, &["--security-token-file", "factor.txt"])));
    let stderr = failed(&desk.run(&token(&url, &["--security-token-file", "wrong.txt"])), 3);
    assert!(stderr.contains("invalid_grant: ") && stderr.contains("refused the security tokens"), "{stderr}");
    let both = [&PASSWORD[..], &["--security-token-file", "factor.txt"]].concat();
    printed(&desk.run(&token(&url, &both)));
}

#[test]
fn a_wrong_password_an_unknown_user_and_a_permission_that_is_not_granted_are_refusals() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/authorization/v1");
    for (more, kind, code) in [
        (["--username", "alice", "--password-file", "wrong.txt"], "invalid_client", "status 401"),
        (["--username", "nobody", "--password-file", "alice.txt"], "invalid_client", "status 401"),
    ] {
        let stderr = failed(&desk.run(&token(&url, &more)), 3);
        assert!(stderr.contains(&format!("{kind}: ")) && stderr.contains(code), "{stderr}");
    }
    let stderr = failed(&desk.run(&token(&url, &[&PASSWORD[..], &["--permission", "rule"]].concat())), 3);
    assert!(stderr.contains("refused: ") && stderr.contains("(status 403)"), "{stderr}");
}

#[test]
fn a_session_can_be_removed_here_and_that_is_not_said_to_have_ended_it() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = gateway.at("/authorization/v1");
    printed(&desk.run(&token(&url, &[&PASSWORD[..], &STORE].concat())));
    let remove = ["revoke", "--json", "--source", "spatium", "--store", "spatium.json"];
    let stderr = failed(&desk.run(&remove), 1);
    assert!(stderr.contains("Spatium has no call that ends a session"), "{stderr}");
    assert!(!fs::read_to_string(desk.path("spatium.json")).unwrap().contains("token\":"));
    let stderr = failed(&desk.run(&token(&url, &STORE)), 3);
    assert!(stderr.contains("there is no living session"), "{stderr}");
    assert_eq!(printed(&desk.run(&remove))["tokens"], 0, "nothing is left to be removed");
}

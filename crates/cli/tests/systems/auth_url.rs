//! Ably's tokens from an auth URL: each reply that there is, and what is asked.

use super::*;

fn token<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["token", "--json", "--source", "auth-url", "--token-url", url], more].concat()
}

/// A request that the backend has signed.
fn signed(desk: &Desk) -> String {
    let output = desk.run(&["token-request", "--key-file", "key.txt", "--client-id", "alice"]);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_token_request_is_exchanged_and_the_token_of_a_store_asked_for_once() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let backend = Backend::serve(vec![Backend::json(&signed(&desk))]);
    let url = backend.url.clone();
    let kept = ["--ably-url", &gateway.url, "--store", "ably.json"];
    let first = printed(&desk.run(&token(&url, &kept)));
    assert_eq!(names(&first), ["capability", "clientId", "expires", "issued", "token"]);
    assert_eq!(first["clientId"], "alice");
    assert_eq!(backend.asked().len(), 1, "and nobody answers any more");
    assert_eq!(printed(&desk.run(&token(&url, &kept))), first);
}

#[test]
fn token_details_and_bare_tokens_are_printed_as_they_came() {
    let desk = Desk::new();
    let details = r#"{"token":"t.1","expires":4102444800000,"clientId":"alice","keyName":"a.b"}"#;
    for (reply, expected) in [
        (
            Backend::json(details),
            serde_json::json!({"token":"t.1","expires":4_102_444_800_000_u64,"clientId":"alice"}),
        ),
        (Backend::reply("200 OK", "text/plain", "t.2"), serde_json::json!({"token":"t.2"})),
    ] {
        let backend = Backend::serve(vec![reply]);
        assert_eq!(printed(&desk.run(&token(&backend.url, &[]))), expected, "nothing is made up");
        backend.asked();
    }
}

#[test]
fn headers_and_parameters_are_sent_and_secret_ones_come_from_files() {
    let desk = Desk::new();
    let replies = || vec![Backend::reply("200 OK", "text/plain", "t")];
    desk.put("auth.txt", "Bearer canary-of-a-session\n");
    let asked = [
        "--header",
        "X-Shop: blue",
        "--header-file",
        "Authorization=auth.txt",
        "--param",
        "room=a b",
        "--param",
        "via==",
        "--param-file",
        "pin=wrong.txt",
        "--client-id",
        "alice",
        "--ttl",
        "1000",
    ];
    let backend = Backend::serve(replies());
    printed(&desk.run(&token(&format!("{}?own=1", backend.url), &asked)));
    let [got] = backend.asked().try_into().unwrap();
    let query = "own=1&room=a%20b&via=%3D&pin=canary-of-nobody&clientId=alice&ttl=1000";
    assert!(got.starts_with(&format!("GET /ably-token?{query} HTTP/1.1\r\n")), "{got}");
    let got = got.to_ascii_lowercase();
    assert!(
        got.contains("x-shop: blue\r\n") && got.contains("authorization: bearer canary-of-a-session\r\n")
    );

    let backend = Backend::serve(replies());
    printed(&desk.run(&token(&backend.url, &[&asked[..], &["--method", "post"]].concat())));
    let [posted] = backend.asked().try_into().unwrap();
    assert!(posted.starts_with("POST /ably-token HTTP/1.1\r\n"), "{posted}");
    assert!(posted.ends_with("\r\n\r\nroom=a%20b&via=%3D&pin=canary-of-nobody&clientId=alice&ttl=1000"));

    let backend = Backend::serve(replies());
    let output = desk.run_with(&token(&backend.url, &["--header-file", "Cookie=-"]), "session=canary");
    printed(&output);
    assert!(backend.asked()[0].to_ascii_lowercase().contains("cookie: session=canary\r\n"));
}

#[test]
fn a_secret_header_on_the_command_line_is_warned_of_and_not_repeated() {
    let desk = Desk::new();
    let replies = || vec![Backend::reply("200 OK", "text/plain", "t")];
    let backend = Backend::serve(replies());
    let output = desk.run(&token(&backend.url, &["--header", "Authorization: canary"]));
    with_complaint(&output);
    assert!(text(&output).contains("use --header-file Authorization=FILE"), "{output:?}");
    backend.asked();
}

#[test]
fn a_token_of_another_client_is_refused_and_so_is_one_that_is_not_given() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let request = signed(&desk);
    let replayed = vec![Backend::json(&request); 2];
    let spent = Backend::serve(replayed);
    let at_gateway = ["--ably-url", &gateway.url];
    printed(&desk.run(&token(&spent.url, &at_gateway)));
    let stderr = failed(&desk.run(&token(&spent.url, &at_gateway)), 3);
    assert!(stderr.contains("invalid_grant: ") && stderr.contains("(code 40105)"), "{stderr}");

    for (reply, more, kind, code) in [
        (Backend::json(&signed(&desk)), &["--client-id", "bob"][..], "invalid_client", "code 40102"),
        (Backend::reply("403 Forbidden", "text/plain", "canary"), &[], "refused", "code 40300"),
        (Backend::reply("401 Unauthorized", "text/plain", "canary"), &[], "refused", "status 401"),
        (Backend::reply("302 Found", "text/plain", "canary"), &[], "refused", "status 302"),
    ] {
        let backend = Backend::serve(vec![reply]);
        let stderr = failed(&desk.run(&token(&backend.url, &[&at_gateway[..], more].concat())), 3);
        assert!(stderr.contains(&format!("{kind}: ")) && stderr.contains(code), "{kind} {code}: {stderr}");
        backend.asked();
    }
}

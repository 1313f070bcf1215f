//! Flags that can't be meant so: each is refused with a sentence that says what to do.

use super::*;

const URL: &str = "http://127.0.0.1:1";

#[test]
fn a_flag_of_another_source_is_refused_and_its_owner_named() {
    let desk = Desk::new();
    for (source, flag, owner) in [
        ("static", &["--key-file", "key.txt"][..], "--key-file is for --source ably, not for static"),
        ("oauth", &["--ttl", "5"], "--ttl is for --source ably or auth-url, not for oauth"),
        (
            "oauth",
            &["--username", "a", "--password-file", "alice.txt"],
            "is for --source spatium, not for oauth",
        ),
        ("oauth", &["--method", "GET"], "--method is for --source auth-url, not for oauth"),
        ("ably", &["--client-secret-file", "optave.txt"], "is for --source oauth or optave, not for ably"),
        ("ably", &["--issuer", "https://as.example.com"], "--issuer is for --source oauth, not for ably"),
        ("ably", &["--header", "a: b"], "--header is for --source auth-url, not for ably"),
        ("auth-url", &["--key-file", "key.txt"], "--key-file is for --source ably, not for auth-url"),
        ("auth-url", &["--query-time"], "--query-time is for --source ably, not for auth-url"),
        ("optave", &["--scope", "a"], "--scope is for --source oauth, not for optave"),
        ("optave", &["--capability", "{}"], "--capability is for --source ably or auth-url, not for optave"),
        ("spatium", &["--client-id", "a"], "oauth or ably or auth-url or optave, not for spatium"),
        ("spatium", &["--token-file", "wrong.txt"], "--token-file is for --source static, not for spatium"),
    ] {
        let stderr = failed(&desk.run(&[&["token", "--source", source], flag].concat()), 2);
        assert!(stderr.contains(owner) && stderr.contains("leave it out, or say --source"), "{stderr}");
    }
    for (source, flag, owner) in [
        ("oauth", &["--target", "clientId:a"][..], "--target is for --source ably, not for oauth"),
        ("ably", &["--hint", "refresh_token"], "--hint is for --source oauth, not for ably"),
        ("ably", &["--store", "s.json"], "--store is for --source oauth or spatium, not for ably"),
        (
            "spatium",
            &["--token-file", "wrong.txt"],
            "--token-file is for --source oauth or ably, not for spatium",
        ),
    ] {
        let stderr = failed(&desk.run(&[&["revoke", "--source", source], flag].concat()), 2);
        assert!(stderr.contains(owner), "{stderr}");
    }
}

#[test]
fn what_a_source_needs_and_what_can_not_be_is_said() {
    let desk = Desk::new();
    let key = ["--source", "ably", "--key-file", "key.txt"];
    let backend = ["--source", "auth-url", "--token-url", URL];
    let optave = ["--source", "optave", "--token-url", URL, "--client-id", "cid"];
    let spatium = ["--source", "spatium", "--token-url", URL, "--token-id", "t", "--permission", "read"];
    let secret = ["--client-secret-file", "optave.txt"];
    for (arguments, expected) in [
        (vec!["--source", "ably"], "--source ably needs an API key: --key-file FILE"),
        (vec!["--source", "ably", "--key-file", "wrong.txt"], "--key-file: "),
        ([&key[..], &["--ttl", "86400001"]].concat(), "--ttl: a token lives a day at most"),
        ([&key[..], &["--ttl", "-1"]].concat(), "--ttl"),
        ([&key[..], &["--capability", "{"]].concat(), "--capability: "),
        ([&key[..], &["--client-id", ""]].concat(), "--client-id: a clientId must not be empty"),
        ([&key[..], &["--token-url", "http://ably.example"]].concat(), "--token-url: "),
        ([&key[..], &["--token-url", "http://127.0.0.1:1/?a=b"]].concat(), "must not have a query"),
        (vec!["--source", "auth-url"], "--source auth-url needs --token-url URL"),
        (vec!["--source", "auth-url", "--token-url", "http://shop.example/t"], "must use https"),
        ([&backend[..], &["--ably-url", "http://ably.example"]].concat(), "--ably-url: "),
        ([&backend[..], &["--header", "canary"]].concat(), "--header 'NAME: VALUE'"),
        ([&backend[..], &["--header", "a b: canary"]].concat(), "can't be one"),
        ([&backend[..], &["--header-file", "Cookie"]].concat(), "--header-file NAME=FILE"),
        (
            [&backend[..], &["--header-file", "Cookie=nowhere"]].concat(),
            "--header-file: nowhere can't be read",
        ),
        ([&backend[..], &["--header-file", "A=-", "--param-file", "b=-"]].concat(), "is empty"),
        ([&backend[..], &["--param", "=canary"]].concat(), "--param NAME=VALUE"),
        ([&backend[..], &["--method", "PUT"]].concat(), "possible values: GET, POST"),
        (vec!["--source", "optave"], "--source optave needs --token-url URL"),
        (vec!["--source", "optave", "--token-url", URL], "--source optave needs --client-id ID"),
        (optave.to_vec(), "needs the client's secret: --client-secret-file FILE"),
        (
            [&optave[..], &secret, &["--client-auth", "private_key_jwt"]].concat(),
            "--client-auth private_key_jwt is not for --source optave; choose basic, post or query",
        ),
        (
            [&["--source", "optave", "--token-url", "http://o.example", "--client-id", "c"][..], &secret]
                .concat(),
            "must use https",
        ),
        (vec!["--source", "spatium"], "--source spatium needs --token-url URL"),
        (vec!["--source", "spatium", "--token-url", URL], "--source spatium needs --token-id ID"),
        (spatium[..6].to_vec(), "name at least one permission"),
        (spatium.to_vec(), "--source spatium needs --security-token-file FILE, or --username NAME"),
        ([&spatium[..], &["--username", "a"]].concat(), "--password-file <FILE>"),
        ([&spatium[..], &["--password-file", "alice.txt"]].concat(), "--username <NAME>"),
        ([&spatium[..], &["--security-token-file", "nowhere"]].concat(), "nowhere can't be read"),
    ] {
        let stderr = failed(&desk.run(&[&["token"], &arguments[..]].concat()), 2);
        assert!(stderr.contains(expected), "{arguments:?}\n{expected}\n{stderr}");
    }
}

#[test]
fn what_can_not_be_revoked_so_is_refused_with_what_to_do_instead() {
    let desk = Desk::new();
    let key = ["--source", "ably", "--key-file", "key.txt"];
    let many = ["--target", "clientId:a"].repeat(101);
    for (arguments, expected) in [
        (vec!["--source", "static"], "name its system, such as oauth"),
        (vec!["--source", "auth-url"], "--source ably --key-file FILE"),
        (key.to_vec(), "needs from 1 to 100 of --target KIND:VALUE"),
        ([&key[..], &many].concat(), "needs from 1 to 100 of --target KIND:VALUE"),
        ([&key[..], &["--target", "alice"]].concat(), "--target: a revocation target is kind:value"),
        ([&key[..], &["--target", "token:abc"]].concat(), "give it by --token-file FILE"),
        (vec!["--source", "ably", "--target", "clientId:a"], "--source ably needs an API key"),
        (
            [&key[..], &["--target", "clientId:a", "--ably-url", "http://ably.example"]].concat(),
            "--ably-url: ",
        ),
        (vec!["--source", "spatium"], "--source spatium needs the --store FILE of a session"),
        (vec!["--source", "spatium", "--store", "nowhere"], "there is no nowhere"),
    ] {
        let stderr = failed(&desk.run(&[&["revoke"], &arguments[..]].concat()), 2);
        assert!(stderr.contains(expected), "{arguments:?}\n{expected}\n{stderr}");
    }
}

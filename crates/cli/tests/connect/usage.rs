//! Flags that can't be meant so: each is refused with a sentence that says what to do.

use super::*;

#[test]
fn what_can_not_be_is_said_before_anything_is_sent() {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    desk.put("mine.toml", "name = \"mine\"\nplace.headers.Authorization = \"Bearer canary\"\nfoo = 1");
    let fixed = ["--source", "static", "--token-file", "token.txt"];
    let bearer = [&["--dialect", "bearer-header", "--url", "ws://127.0.0.1:1/"][..], &fixed].concat();
    for (arguments, expected) in [
        (vec![], "how does the service log in? say --dialect NAME"),
        (vec!["--dialect", "genesis"], "[possible values: ably, "),
        (vec!["--dialect", "genesis"], "a similar value exists: 'genesys'"),
        (vec!["--dialect", "genesys", "--dialect-file", "a"], "cannot be used with"),
        (vec!["--dialect-file", "nowhere"], "nowhere can't be read"),
        (vec!["--dialect-file", "mine.toml"], "mine.toml is wrong in line"),
        (vec!["--dialect", "genesys"], "where to? give --url wss://"),
        (
            vec!["--dialect", "genesys", "--url", "http://127.0.0.1/"],
            "--url: a WebSocket URL begins with wss://",
        ),
        (
            vec!["--dialect", "genesys", "--url", "ws://api.example.com/ws"],
            "--url: the WebSocket URL must use wss",
        ),
        (vec!["--dialect", "genesys", "--url", "a.example/ws"], "--url: the WebSocket URL must be absolute"),
        (
            vec!["--dialect", "genesys", "--url", "wss://user:canary@a.example/"],
            "--url: a user and a password before the `@` are seen by others; a source gives the credential",
        ),
        (
            vec!["--dialect", "genesys", "--url", "ws://127.0.0.1:1/?access_token=canary"],
            "--url: the value of \"access_token\" is seen by others; leave it out: a source gives",
        ),
        (vec!["--dialect", "genesys", "--url", "ws://127.0.0.1:1/"], "who asks? name the client"),
        ([&bearer[..], &["--for", "0"]].concat(), "a number of seconds above 0"),
        ([&bearer[..], &["--for", "-1"]].concat(), "a number of seconds above 0"),
        ([&bearer[..], &["--timeout", "nan"]].concat(), "a number of seconds above 0"),
        ([&bearer[..], &["--require-scope", "\"a\""]].concat(), "--require-scope: "),
        (
            [&bearer[..], &["--ws-header", "Cookie: canary"]].concat(),
            "other users of this machine see the value",
        ),
        (
            [&bearer[..], &["--ws-header", "X-Auth-Token: canary"]].concat(),
            "other users of this machine see the value",
        ),
        ([&bearer[..], &["--ws-header", "canary"]].concat(), "--ws-header 'NAME: VALUE'"),
        ([&bearer[..], &["--ws-header", "Host: a"]].concat(), "--ws-header or --ws-header-file: "),
        ([&bearer[..], &["--ws-ca-file", "token.txt"]].concat(), "--ws-ca-file: "),
        ([&bearer[..], &["--client-id", "a"]].concat(), "--client-id is for --source"),
        ([&bearer[..], &["--audit", "token.txt"]].concat(), "--audit: "),
        ([&bearer[..], &["--fingerprint-key-file", "token.txt"]].concat(), "--audit <DIR>"),
        (
            [&bearer[..], &["--audit", "audit", "--fingerprint-key-file", "token.txt"]].concat(),
            "--fingerprint-key-file: a fingerprint key is 64 hexadecimal digits, such as openssl rand -hex 32 prints",
        ),
        (
            [&bearer[..], &["--audit", "audit", "--fingerprint-key-file", "nowhere"]].concat(),
            "nowhere can't be read",
        ),
        ([&bearer[..], &["--config", "c.toml"]].concat(), "--profile <NAME>"),
    ] {
        let stderr = failed(&desk.run(&[&["connect"], &arguments[..]].concat()), 2);
        assert!(stderr.contains(expected), "{arguments:?}\n{expected}\n{stderr}");
    }
}

#[test]
fn no_flag_takes_a_secret_itself() {
    let desk = Desk::new();
    for flag in ["--token", "--client-secret", "--password", "--key"] {
        let stderr = failed(&desk.run(&["connect", "--dialect", "genesys", &format!("{flag}=x")]), 2);
        assert!(stderr.contains("unexpected argument"), "{stderr}");
    }
}

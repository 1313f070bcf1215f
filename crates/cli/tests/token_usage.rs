//! `rtauth token` with flags that can't be meant so: each is refused with a sentence that says what to do.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Without what the environment of the tests may say.
fn rtauth() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtauth"));
    command.env_remove("RTAUTH_CLIENT_SECRET").env_remove("RTAUTH_REFRESH_TOKEN");
    command
}

/// Standard error of a command that must be refused as a usage error.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Standard error of a command that can't be meant so.
fn usage(folder: &Path, arguments: &[&str]) -> String {
    let output = rtauth().current_dir(folder).args(arguments).stdin(Stdio::null()).output().unwrap();
    refused(&output)
}

#[test]
fn what_can_not_be_meant_is_refused_with_what_to_do_instead() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("s", "canary-secret"), ("empty", "\n"), ("pem", "-----BEGIN PRIVATE KEY-----\ncanary\n")]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let url = ["--token-url", "http://127.0.0.1:1/t"];
    let with = |more: &[&'static str]| [&["token"][..], &url, &["--client-id", "c"], more].concat();
    let secret = |more: &[&'static str]| with(&[&["--client-secret-file", "s"], more].concat());
    for (arguments, expected) in [
        (vec!["token"], "--client-id ID"),
        (
            vec!["token", "--client-id", "c", "--client-secret-file", "s"],
            "--token-url is missing; give it, or --issuer",
        ),
        (
            vec![
                "token",
                "--token-url",
                "http://example.com/t",
                "--client-id",
                "c",
                "--client-secret-file",
                "s",
            ],
            "must use https",
        ),
        (
            vec!["token", "--token-url", "nowhere", "--client-id", "c", "--client-secret-file", "s"],
            "must be absolute",
        ),
        (
            vec!["token", "--issuer", "http://example.com", "--client-id", "c", "--client-secret-file", "s"],
            "--issuer: the URL must use https",
        ),
        (vec!["token", "--token-url", "http://127.0.0.1:1/t", "--client-id", ""], "the client id is empty"),
        (with(&[]), "client_credentials is for a client that proves who it is"),
        (
            with(&["--client-auth", "post"]),
            "--client-auth post needs the client's secret: --client-secret-file FILE",
        ),
        (
            with(&["--client-auth", "private_key_jwt"]),
            "--client-auth private_key_jwt needs --client-key-file",
        ),
        (with(&["--client-auth", "mutual_tls"]), "needs --client-certificate-file and"),
        (with(&["--client-auth", "client_secret_jwt", "--client-secret-file", "s"]), "at least 32 bytes"),
        (
            with(&["--client-auth", "none", "--client-secret-file", "s"]),
            "--client-secret-file is not used by --client-auth none",
        ),
        (
            with(&["--client-auth", "basic", "--client-key-file", "s"]),
            "--client-key-file is not used by --client-auth basic",
        ),
        (with(&["--client-auth", "magic"]), "possible values"),
        (with(&["--client-key-file", "s"]), "--client-key-file: the key is not a JSON object"),
        (with(&["--client-key-file", "pem"]), "in PEM and not encrypted"),
        (with(&["--client-certificate-file", "s"]), "--client-certificate-key-file"),
        (
            with(&["--client-certificate-file", "s", "--client-certificate-key-file", "s"]),
            "--client-certificate-file: the client certificate",
        ),
        (with(&["--client-secret-file", "nowhere"]), "--client-secret-file: nowhere can't be read"),
        (with(&["--client-secret-file", "empty"]), "empty is empty"),
        (
            with(&["--client-secret-file", "-", "--grant", "refresh_token", "--refresh-token-file", "-"]),
            "is empty",
        ),
        (secret(&["--ca-file", "s"]), "--ca-file: the roots hold no certificate"),
        (secret(&["--grant", "authorization_code"]), "rtauth login --store FILE"),
        (secret(&["--grant", "device_code"]), "rtauth login --device --store FILE"),
        (secret(&["--grant", "refresh_token"]), "--refresh-token-file FILE, in the environment variable"),
        (secret(&["--refresh-token-file", "s"]), "say --grant refresh_token"),
        (secret(&["--grant", "jwt_bearer"]), "needs --assertion-file FILE, or --assertion-key-file"),
        (
            secret(&["--grant", "jwt_bearer", "--assertion-file", "s", "--assertion-key-file", "s"]),
            "cannot be used with",
        ),
        (secret(&["--assertion-file", "s"]), "say --grant jwt_bearer"),
        (secret(&["--grant", "token_exchange"]), "needs --subject-token-file FILE"),
        (secret(&["--grant", "refresh_token", "--subject-token-file", "s"]), "say --grant token_exchange"),
        (secret(&["--grant", "token_exchange", "--actor-token-file", "s"]), "--subject-token-file"),
        (secret(&["--scope", "\u{e9}"]), "--scope: a scope must be printable ASCII"),
        (secret(&["--resource", "calendar"]), "--resource: the resource must be an absolute URI"),
        (secret(&["--dpop-key-file", "s"]), "--dpop"),
        (secret(&["--dpop", "--dpop-key-file", "s"]), "--dpop-key-file: the key is not"),
        (secret(&["--dpop", "--store", "store.json"]), "openssl genpkey"),
        (secret(&["--store", "nowhere/store.json"]), "mkdir -m 700 nowhere"),
        (secret(&["--timeout", "0"]), "1..=600"),
        (secret(&["--client-secret", "canary"]), "unexpected argument '--client-secret'"),
        (secret(&["--token-file", "s"]), "--token-file is for --source static"),
        (vec!["token", "--source", "static"], "--source static needs --token-file FILE"),
        (
            vec!["token", "--source", "static", "--token-file", "s", "--refresh"],
            "--refresh is not for --source static, whose token is as it is",
        ),
        (
            vec!["token", "--source", "static", "--token-file", "s", "--scope", "a"],
            "--scope is for --source oauth, not for static; leave it out, or say --source oauth",
        ),
        (
            vec!["token", "--source", "static", "--token-file", "s", "--store", "x"],
            "--store is not for --source static",
        ),
    ] {
        let stderr = usage(folder.path(), &arguments);
        assert!(stderr.contains(expected), "{arguments:?}\n{expected}\n{stderr}");
        assert!(!stderr.contains("canary-") && !stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn standard_input_holds_one_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = rtauth()
        .current_dir(folder.path())
        .args([
            "token",
            "--token-url",
            "http://127.0.0.1:1/t",
            "--client-id",
            "c",
            "--client-secret-file",
            "-",
        ])
        .args(["--grant", "refresh_token", "--refresh-token-file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(b"canary").unwrap();
    let stderr = refused(&process.wait_with_output().unwrap());
    assert!(stderr.contains("--client-secret-file and --refresh-token-file can't both"), "{stderr}");
    assert!(!stderr.contains("canary"), "{stderr}");
}

#[test]
fn a_proxy_that_can_not_be_used_is_named() {
    let output = rtauth()
        .args(["token", "--token-url", "https://example.com/t", "--client-id", "c"])
        .env("RTAUTH_CLIENT_SECRET", "canary-secret")
        .env("HTTPS_PROXY", "socks5://user:canary@proxy")
        .output()
        .unwrap();
    let stderr = refused(&output);
    assert!(stderr.contains("variables of the proxy") && !stderr.contains("canary"), "{stderr}");
}

//! `rtauth token` as a process, against the gateway: what it prints, what it keeps, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const SECRET: &str = "canary-client-secret-of-more-than-32-bytes";
const REFRESH: &str = "canary-refresh-token";

/// Without what the environment of the tests may say.
fn rtauth() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtauth"));
    for name in
        ["RTAUTH_CLIENT_SECRET", "RTAUTH_REFRESH_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    {
        command.env_remove(name);
    }
    command
}

/// A gateway that rotates refresh tokens and forgives no reuse.
struct Gateway {
    process: Child,
    folder: TempDir,
    url: String,
}

impl Gateway {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        file("secret.txt", &format!("{SECRET}\n"));
        file("refresh.txt", &format!("{REFRESH}\n"));
        file(
            "gateway.toml",
            "token_lifetime_seconds = 600\nrefresh_grace_seconds = 0\n[[client]]\nid = \"abc\"\n\
             secret_file = \"secret.txt\"\nscope = \"a b\"\nrefresh_token_file = \"refresh.txt\"",
        );
        let mut process = rtauth()
            .args(["gateway", "--config"])
            .arg(folder.path().join("gateway.toml"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        let url = format!("{}/oauth/token", listening["http"].as_str().unwrap());
        Self { process, folder, url }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `rtauth token` with this client.
    fn token(&self, more: &[&str]) -> Command {
        let mut command = rtauth();
        command.current_dir(self.folder.path());
        command.args(["token", "--json", "--token-url", &self.url, "--client-id", "abc"]).args(more);
        command
    }

    /// The same by a refresh token, kept in a store.
    fn refreshing(&self, more: &[&str]) -> Command {
        let mut command = self.token(&["--client-secret-file", "secret.txt", "--grant", "refresh_token"]);
        command.args(["--refresh-token-file", "refresh.txt", "--store", "store.json"]).args(more);
        command
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The token of a command that must have one.
fn printed(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Standard error of a command that must end so, and prints nothing.
fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

const WITH_SECRET: [&str; 2] = ["--client-secret-file", "secret.txt"];

#[test]
fn a_token_is_printed_with_what_is_known_of_it_and_nothing_else() {
    let gateway = Gateway::start();
    let output = gateway.token(&WITH_SECRET).output().unwrap();
    let token = printed(&output);
    let names: Vec<_> = token.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["expires", "issued", "scope", "token"]);
    assert_eq!(token["scope"], "a b");
    let life = token["expires"].as_u64().unwrap() - token["issued"].as_u64().unwrap();
    // Two readings of the clock: a millisecond more or less.
    assert!((599_000..=600_010).contains(&life), "{life}");
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "one line with --json");
    assert!(output.stderr.is_empty(), "{output:?}");

    let indented = rtauth()
        .current_dir(gateway.folder.path())
        .args(["token", "--token-url", &gateway.url, "--client-id", "abc", "--scope", "a"])
        .args(WITH_SECRET)
        .output()
        .unwrap();
    assert_eq!(printed(&indented)["scope"], "a");
    assert!(indented.stdout.starts_with(b"{\n  \"token\": "), "for people");
}

#[test]
fn a_secret_comes_from_a_file_from_standard_input_or_from_the_environment() {
    let gateway = Gateway::start();
    let mut process = gateway
        .token(&["--client-secret-file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(format!("{SECRET}\n").as_bytes()).unwrap();
    printed(&process.wait_with_output().unwrap());

    let mut of_environment = gateway.token(&[]);
    printed(&of_environment.env("RTAUTH_CLIENT_SECRET", SECRET).output().unwrap());
    let stderr = failed(&of_environment.env("RTAUTH_CLIENT_SECRET", "wrong").output().unwrap(), 3);
    assert!(
        stderr.starts_with("rtauth token: invalid_client: ") && stderr.contains("status 401"),
        "{stderr}"
    );
    let mut file_first = gateway.token(&WITH_SECRET);
    printed(&file_first.env("RTAUTH_CLIENT_SECRET", "wrong").output().unwrap());

    let mut refreshing = gateway.token(&["--grant", "refresh_token", "--store", "store.json"]);
    refreshing.env("RTAUTH_CLIENT_SECRET", SECRET).env("RTAUTH_REFRESH_TOKEN", REFRESH);
    printed(&refreshing.output().unwrap());
}

#[test]
fn a_stored_token_that_lives_is_printed_without_any_request_and_refresh_obtains_another() {
    let mut gateway = Gateway::start();
    let first = printed(&gateway.refreshing(&[]).output().unwrap());
    let second = printed(&gateway.refreshing(&["--refresh"]).output().unwrap());
    assert_ne!(first["token"], second["token"]);
    // The configured refresh token is spent by now: the store's successor was redeemed.
    let third = printed(&gateway.refreshing(&["--refresh"]).output().unwrap());
    assert_ne!(second["token"], third["token"]);

    gateway.process.kill().unwrap();
    gateway.process.wait().unwrap();
    assert_eq!(printed(&gateway.refreshing(&[]).output().unwrap())["token"], third["token"]);
    let of_the_store = gateway
        .token(&["--client-secret-file", "secret.txt", "--grant", "refresh_token", "--store", "store.json"])
        .output()
        .unwrap();
    assert_eq!(printed(&of_the_store)["token"], third["token"], "a login needs no other file");
    let stderr = failed(&gateway.refreshing(&["--refresh"]).output().unwrap(), 1);
    assert!(stderr.starts_with("rtauth token: transport: "), "{stderr}");
}

/// A refresh token that is redeemed twice ends the login here, so each process must use the successor of the one before.
#[test]
fn processes_that_share_a_store_never_redeem_a_refresh_token_twice() {
    let gateway = Gateway::start();
    let processes: Vec<_> = (0..6)
        .map(|_| {
            gateway.refreshing(&["--refresh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for process in processes {
        printed(&process.wait_with_output().unwrap());
    }
    printed(&gateway.refreshing(&["--refresh"]).output().unwrap());

    // The control: without the store, the configured one is sent again, and refused.
    let mut without = gateway.token(&["--client-secret-file", "secret.txt", "--grant", "refresh_token"]);
    let stderr = failed(&without.args(["--refresh-token-file", "refresh.txt"]).output().unwrap(), 3);
    assert!(stderr.contains("without --store") && stderr.contains("invalid_grant: "), "{stderr}");
}

#[test]
fn a_store_that_others_may_read_is_not_used() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let gateway = Gateway::start();
        fs::write(gateway.path("store.json"), "{}").unwrap();
        fs::set_permissions(gateway.path("store.json"), fs::Permissions::from_mode(0o644)).unwrap();
        let stderr = failed(&gateway.refreshing(&[]).output().unwrap(), 2);
        assert!(stderr.contains("chmod 600"), "{stderr}");
    }
}

#[test]
fn a_server_that_says_nothing_ends_in_a_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", silent.local_addr().unwrap());
    let output = rtauth()
        .args(["token", "--token-url", &url, "--client-id", "abc", "--timeout", "1"])
        .env("RTAUTH_CLIENT_SECRET", SECRET)
        .output()
        .unwrap();
    let stderr = failed(&output, 4);
    assert!(stderr.starts_with("rtauth token: timeout: "), "{stderr}");
}

#[test]
fn a_static_token_is_printed_as_it_is_and_with_what_it_says_itself() {
    let gateway = Gateway::start();
    let jwt = printed(&gateway.token(&WITH_SECRET).output().unwrap());
    let token = jwt["token"].as_str().unwrap();
    fs::write(gateway.path("token.txt"), format!("{token}\n")).unwrap();
    fs::write(gateway.path("opaque.txt"), "opaque").unwrap();
    let fixed = |name: &str| {
        let mut command = rtauth();
        command.args(["token", "--source", "static", "--json", "--token-file"]).arg(gateway.path(name));
        printed(&command.output().unwrap())
    };
    let read = fixed("token.txt");
    assert_eq!(read["token"], token);
    assert_eq!(read["expires"].as_u64().unwrap() % 1_000, 0, "from the token itself: whole seconds");
    assert_eq!(fixed("opaque.txt"), serde_json::json!({ "token": "opaque" }));
}

/// Secrets in each flag's file: none shows but the token, where it belongs.
#[cfg(target_os = "linux")]
#[test]
fn no_secret_shows_in_arguments_messages_or_logs() {
    let gateway = Gateway::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", silent.local_addr().unwrap());
    let mut waiting = rtauth();
    let process = waiting
        .current_dir(gateway.folder.path())
        .env("RUST_LOG", "trace")
        .args(["token", "--token-url", &url, "--client-id", "abc", "--client-secret-file", "secret.txt"])
        .args(["--grant", "refresh_token", "--refresh-token-file", "refresh.txt", "--timeout", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it has sent its request, all its secrets are in its memory.
    let (_connection, _) = silent.accept().unwrap();
    let arguments = fs::read(format!("/proc/{}/cmdline", process.id())).unwrap();
    assert!(String::from_utf8_lossy(&arguments).contains("secret.txt"), "the control");
    assert!(!String::from_utf8_lossy(&arguments).contains("canary"));
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(!format!("{output:?}").contains("canary"), "{output:?}");

    let traced = gateway.refreshing(&[]).env("RUST_LOG", "trace").output().unwrap();
    let token = printed(&traced)["token"].as_str().unwrap().to_owned();
    assert!(traced.stderr.is_empty(), "{traced:?}");
    let refused =
        gateway.refreshing(&["--scope", "c", "--refresh"]).env("RUST_LOG", "trace").output().unwrap();
    let stderr = failed(&refused, 3);
    assert!(stderr.contains("invalid_scope") && !stderr.contains("canary"), "{stderr}");
    assert!(!stderr.contains(&token), "{stderr}");
}

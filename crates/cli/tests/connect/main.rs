//! `rtauth connect`, `dialects`, `completions` and profiles, as processes against the gateway as a process.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod contract;
mod endings;
mod flow;
mod names;
mod profiles;
mod small;
mod usage;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Every secret that a test puts anywhere has this word in it.
const CANARY: &str = "canary";

const SETTINGS: &str = r#"
token_lifetime_seconds = 4
[[client]]
id = "abc"
secret_file = "secret.txt"
scope = "conversation:read user:read"
[optave]
[[optave.client]]
id = "cid"
secret_file = "optave.txt"
"#;

/// A folder with secrets in it, and the command in that folder.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, text) in [
            ("secret.txt", "canary-of-abc\n"),
            ("optave.txt", "canary-of-optave\n"),
            ("wrong.txt", "canary-of-nobody"),
            ("gateway.toml", SETTINGS),
        ] {
            desk.put(name, text);
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Without what the environment of the tests may say, and with an input that never has a line.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtauth"));
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        for name in
            ["RTAUTH_CLIENT_SECRET", "RTAUTH_REFRESH_TOKEN", "RTAUTH_ABLY_KEY", "RTAUTH_FINGERPRINT_KEY"]
        {
            command.env_remove(name);
        }
        command.env("HOME", self.0.path());
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// With these lines on standard input, and its end.
    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        process.wait_with_output().unwrap()
    }

    /// A session that is under way.
    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Running { process, lines, seen: Vec::new() }
    }
}

/// A gateway, until it is dropped.
struct Gateway {
    process: Child,
    /// `127.0.0.1:port`.
    address: String,
}

impl Gateway {
    fn start(desk: &Desk) -> Self {
        Self::at(desk, "127.0.0.1:0")
    }

    fn at(desk: &Desk, address: &str) -> Self {
        let mut command = desk.command(&["gateway", "--config", "gateway.toml", "--listen", address]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        let url = listening["http"].as_str().unwrap();
        Self { process, address: url.trim_start_matches("http://").to_owned() }
    }

    /// `rtauth connect` to it as a Genesys client.
    fn genesys<'a>(&'a self, more: &[&'a str]) -> Vec<String> {
        let Self { address, .. } = self;
        let (url, token_url) = (format!("ws://{address}/ws"), format!("http://{address}/oauth/token"));
        let flags = ["connect", "--dialect", "genesys", "--url", &url, "--token-url", &token_url];
        let client = ["--client-id", "abc", "--client-secret-file", "secret.txt"];
        flags.iter().chain(&client).chain(more).map(|word| (*word).to_owned()).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A session that is under way, by its lines of JSON.
struct Running {
    process: Child,
    lines: BufReader<ChildStdout>,
    seen: Vec<Value>,
}

impl Running {
    /// Reads until a line is like this one, as far as that goes.
    fn until(&mut self, expected: &Value) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the command ended before {expected}: {:?}", self.seen);
            let event: Value = serde_json::from_str(&line).unwrap();
            self.seen.push(event.clone());
            if is_like(&event, expected) {
                return event;
            }
        }
    }

    fn type_in(&mut self, text: &str) {
        self.process.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn end_input(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Sends it a signal.
    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &process]).status().unwrap().success());
    }

    /// All lines, the exit code, and standard error.
    fn end(mut self) -> (Vec<Value>, Option<i32>, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        self.seen.extend(rest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        let output = self.process.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains(CANARY) && !stderr.contains("panicked"), "{stderr}");
        assert!(!self.seen.iter().any(|line| line.to_string().contains(CANARY)), "{:?}", self.seen);
        (self.seen, output.status.code(), stderr)
    }
}

fn is_like(event: &Value, expected: &Value) -> bool {
    expected.as_object().unwrap().iter().all(|(name, value)| event.get(name) == Some(value))
}

/// The lines of a command that has ended so.
fn lines(output: &Output, code: i32) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let all = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(!all.contains(CANARY) && !all.contains("panicked"), "{all}");
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Standard error of a command that must end so, and prints nothing.
fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!stderr.contains(CANARY) && !stderr.contains("panicked"), "{stderr}");
    stderr
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The names of events, states by their state.
fn names(lines: &[Value]) -> Vec<&str> {
    let name = |line: &Value| match line["event"].as_str() {
        Some("state") => "state",
        _ => "event",
    };
    lines.iter().map(|line| line[name(line)].as_str().unwrap()).collect()
}

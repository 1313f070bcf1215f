//! `rtauth token` and `rtauth revoke` with the tokens of Ably, Optave and Spatium, as processes against the gateway.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a server that a process asks runs beside the test")]

mod ably;
mod auth_url;
mod endings;
mod examples;
mod optave;
mod spatium;
mod usage;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tempfile::TempDir;

/// Every secret that a test puts anywhere has this word in it.
const CANARY: &str = "canary";

const SETTINGS: &str = r#"
[[ably_key]]
key_file = "key.txt"
capability = '{"chat:*":["*"]}'
revocable = true

[[optave.client]]
id = "cid"
secret_file = "optave.txt"

[spatium]
refresh_lifetime_seconds = 3600
[[spatium.account]]
username = "alice"
password_file = "alice.txt"
permissions = ["read", "secret"]
"#;

/// A folder with secrets in it, and the command in that folder.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, text) in [
            ("key.txt", "appid1.keyid1:canary-of-a-key\n"),
            ("wrong-key.txt", "appid1.keyid1:canary-of-another"),
            ("unknown-key.txt", "appid1.keyid2:canary-of-another"),
            ("optave.txt", "canary-of-optave\n"),
            ("alice.txt", "canary-of-alice\n"),
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

    /// Without what the environment of the tests may say.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtauth"));
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        for name in
            ["RTAUTH_CLIENT_SECRET", "RTAUTH_REFRESH_TOKEN", "RTAUTH_ABLY_KEY", "RTAUTH_FINGERPRINT_KEY"]
        {
            command.env_remove(name);
        }
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// With a secret on standard input.
    fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        process.wait_with_output().unwrap()
    }
}

/// A gateway that serves all three systems, until it is dropped.
struct Gateway {
    process: Child,
    url: String,
}

impl Gateway {
    fn start(desk: &Desk) -> Self {
        let mut command = desk.command(&["gateway", "--config", "gateway.toml", "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        Self { process, url: listening["http"].as_str().unwrap().to_owned() }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A backend that answers one request after the other with these replies, and then has gone.
struct Backend {
    url: String,
    asked: JoinHandle<Vec<String>>,
}

impl Backend {
    fn serve(replies: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/ably-token", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let answer = |reply: String| Self::answer(&mut listener.accept().unwrap().0, &reply);
            replies.into_iter().map(answer).collect()
        });
        Self { url, asked }
    }

    fn json(body: &str) -> String {
        Self::reply("200 OK", "application/json", body)
    }

    fn reply(status: &str, kind: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }

    fn answer(stream: &mut TcpStream, reply: &str) -> String {
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            assert!(reader.read_line(&mut head).unwrap() > 0, "a request that ends in its head");
            let line = head[from..].to_ascii_lowercase();
            length =
                line.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(reply.as_bytes()).unwrap();
        head + &String::from_utf8(body).unwrap()
    }

    /// What was asked.
    fn asked(self) -> Vec<String> {
        self.asked.join().unwrap()
    }
}

/// The object of a command that must print one in one line, and nothing else anywhere.
fn printed(output: &Output) -> Value {
    assert!(output.stderr.is_empty(), "{output:?}");
    with_complaint(output)
}

/// The same of one that may complain.
fn with_complaint(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "{output:?}");
    assert!(!text(output).contains(CANARY), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Standard error of a command that must end so, and prints nothing.
fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(!text(output).contains(CANARY) && !text(output).contains("panicked"), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// All that a command has printed.
fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// How long a token lives, in milliseconds.
fn life(token: &Value) -> u64 {
    token["expires"].as_u64().unwrap() - token["issued"].as_u64().unwrap()
}

/// What a JSON object has.
fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

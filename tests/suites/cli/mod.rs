//! `rtauth` as a process against servers by script: what is asked of them, and what becomes of their answers.

mod audit;
mod browser;
mod connect;
mod device;
mod kept;
mod login;
mod network;
mod receivers;
mod revoke;
mod secrets;
mod token;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use auth_core::Secret;
use auth_core::renewal::{Record, StoredToken};
use auth_core::time::Timestamp;
use auth_http::store::{FileStore, TokenStore as _};
use base64::Engine as _;
use realtime_auth_tests::script::{Answer, Script};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

const JSON: &str = "Content-Type: application/json\r\n";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a client's secret in it, and the command in that folder.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "canary-secret\n").unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn rtauth(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtauth-itself"));
        command.current_dir(self.0.path()).args(arguments).kill_on_drop(true).stdin(Stdio::null());
        let proxies = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"];
        let displays = ["DISPLAY", "WAYLAND_DISPLAY"];
        for name in proxies.iter().chain(&displays).chain(&["RTAUTH_CLIENT_SECRET", "RTAUTH_REFRESH_TOKEN"]) {
            command.env_remove(name);
        }
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let running = self.rtauth(arguments).output();
        tokio::time::timeout(PATIENCE, running).await.expect("the command hangs").unwrap()
    }

    fn store(&self) -> FileStore {
        FileStore::open(self.path("login.json")).unwrap()
    }

    async fn record(&self) -> Option<Record> {
        self.store().load().await.unwrap()
    }

    /// A login in the store, of a refresh token and a token that lives.
    async fn logged_in(&self) {
        let issued = Timestamp::since_epoch(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap());
        let record = Record {
            revision: 4,
            refresh_token: Some(Secret::from("canary-refresh-0")),
            access_token: Some(StoredToken {
                secret: Secret::from("canary-token-0"),
                issued,
                expires: issued.saturating_add(Duration::from_secs(3_600)),
                scope: None,
                details: None,
            }),
            ..Record::default()
        };
        self.store().try_lock().await.unwrap().unwrap().save(&record).await.unwrap();
    }
}

/// A command that is under way, by its lines of JSON.
struct Running {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        Self { process, lines, stderr }
    }

    /// The next line, which must be there.
    async fn event(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("no line comes");
        serde_json::from_str(&line.unwrap().expect("the command ended")).unwrap()
    }

    /// Waits for a line on standard error that has this in it.
    async fn complaint(&mut self, expected: &str) {
        let reading = async {
            let mut line = String::new();
            while !line.contains(expected) {
                line.clear();
                assert_ne!(self.stderr.read_line(&mut line).await.unwrap(), 0, "the command ended");
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("no complaint comes");
    }

    /// The exit code, and what is left of standard error.
    async fn end(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        let ending = async {
            self.stderr.read_to_string(&mut stderr).await.unwrap();
            self.process.wait().await.unwrap()
        };
        let status = tokio::time::timeout(PATIENCE, ending).await.expect("the command hangs");
        (status.code(), stderr)
    }
}

/// Standard error of a command that must end so, and prints nothing.
fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The token of a command that must have one.
fn printed(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything that comes back for a GET of this URL.
async fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let request = format!("GET /{target} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The value of a parameter in the query of a request or a URL, or in the form of a request.
fn parameter(text: &str, name: &str) -> Option<String> {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let target = head.lines().next().unwrap_or_default();
    let target = target.split(' ').find(|word| word.contains('?')).unwrap_or_default();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    [body, query].into_iter().flat_map(|pairs| pairs.split('&')).find_map(|pair| {
        let value = pair.strip_prefix(name)?.strip_prefix('=')?;
        Some(decoded(value))
    })
}

/// A value of a form.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// Whether a request is for this path.
fn is_for(request: &str, path: &str) -> bool {
    request.lines().next().unwrap().split([' ', '?']).nth(1) == Some(path)
}

/// The value of a header.
fn header(request: &str, name: &str) -> Option<String> {
    request.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (is, value) = line.split_once(": ")?;
        is.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// What a JSON Web Token says.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// A server that hands out logins: `canary-refresh-1` and `canary-token-1`.
fn login_answer() -> Answer {
    let tokens = r#"{"access_token":"canary-token-1","token_type":"Bearer","expires_in":3600,"refresh_token":"canary-refresh-1","scope":"a b"}"#;
    Answer::http(200, JSON, tokens)
}

/// The requests of a server whose form has this grant.
fn of_grant(server: &Script, grant: &str) -> Vec<String> {
    let requests = server.requests().into_iter();
    requests.filter(|request| parameter(request, "grant_type").as_deref() == Some(grant)).collect()
}

/// Whether a file may be read by its owner only.
#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode().trailing_zeros() >= 6
}

#[cfg(not(unix))]
fn is_private(_path: &Path) -> bool {
    true
}

#[cfg(unix)]
fn interrupt(running: &Running) {
    signal(running, "-INT");
}

#[cfg(unix)]
fn signal(running: &Running, name: &str) {
    let process = running.process.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args([name, &process]).status().unwrap().success());
}

//! `rtauth` as a process: what scripts rely on.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

fn rtauth() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rtauth"))
}

fn output(arguments: &[&str]) -> Output {
    rtauth().args(arguments).output().unwrap()
}

/// Standard error of a command that must be refused as a usage error, in one line.
fn usage_error(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The events that the demo promises, in order.
const PROMISED: [&str; 14] = [
    "gateway_listening",
    "token_requested",
    "rate_limited",
    "token_issued",
    "scopes_checked",
    "connecting",
    "authenticated",
    "message_echoed",
    "token_renewed",
    "connection_lost",
    "reconnected",
    "scope_denied",
    "audit_verified",
    "done",
];

#[test]
fn the_demo_gives_its_events_in_order_and_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit");
    let output = rtauth().args(["demo", "--json", "--audit"]).arg(&audit).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let mut names = events.iter().map(|event| event["event"].as_str().unwrap());
    for promised in PROMISED {
        assert!(names.any(|name| name == promised), "{promised} is missing or out of order:\n{stdout}");
    }
    let at = |event: &Value| event["at_ms"].as_u64().unwrap();
    assert!(at(events.last().unwrap()) < 15_000);

    let named = |name: &'static str| events.iter().filter(move |event| event["event"] == name);
    let first = |name| named(name).next().unwrap();
    assert_eq!(first("token_renewed")["session_id"], first("authenticated")["session_id"]);
    assert_eq!(first("token_renewed")["in_band"], true);
    let expired = at(first("token_issued")) + first("token_issued")["expires_in_ms"].as_u64().unwrap();
    let outlived = named("message_echoed").find(|event| event["outlived_first_token"] == true).unwrap();
    assert!(at(outlived) > expired);
    let token = &first("reconnected")["token"];
    let earlier = events.iter().take_while(|event| event["event"] != "connection_lost");
    assert_eq!(earlier.filter(|event| event["token"] == *token).count(), 0, "a fresh token");

    let log = fs::read_to_string(audit.join("00000000000000000001.jsonl")).unwrap();
    assert_eq!(first("audit_verified")["records"].as_u64(), Some(log.lines().count() as u64));
    assert!(output.stderr.is_empty());
}

#[test]
fn the_timeline_for_people_names_the_same_story() {
    let output = output(&["demo"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    for promised in PROMISED {
        assert!(stdout.contains(&promised.replace('_', " ")), "{promised}:\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn a_wrong_flag_is_a_usage_error() {
    for arguments in
        [&["demo", "--jsno"][..], &["demo", "--listen", "nowhere"], &["dmeo"], &["gateway", "extra"]]
    {
        let stderr = usage_error(arguments);
        assert!(stderr.starts_with("error: ") && stderr.contains("--help"), "{stderr}");
    }
}

#[test]
fn a_port_in_use_is_named_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["demo", "gateway"] {
        let stderr = usage_error(&[command, "--listen", &address]);
        let last = stderr.lines().last().unwrap();
        assert!(last.contains(&format!("{address} is in use")) && last.contains("--listen"), "{stderr}");
    }
}

#[test]
fn an_address_that_is_open_to_others_needs_the_users_word() {
    let stderr = usage_error(&["gateway", "--listen", "0.0.0.0:0"]);
    assert!(stderr.contains("--insecure"), "{stderr}");
    let stderr = usage_error(&["demo", "--listen", "0.0.0.0:0"]);
    assert!(stderr.contains("for this one"), "{stderr}");
}

fn configuration(folder: &Path, text: &str) -> String {
    let path = folder.join("gateway.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn configurations_that_can_not_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.txt"), "\n").unwrap();
    fs::write(folder.path().join("s.txt"), "secret").unwrap();
    fs::write(folder.path().join("key.txt"), "a.b:canary\n").unwrap();
    fs::write(folder.path().join("no-key.txt"), "a.b.canary\n").unwrap();
    let ably_key = |members: &str| format!("[[ably_key]]\n{members}");
    let client = |members: &str| format!("[[client]]\nid = \"a\"\n{members}");
    for (text, expected) in [
        ("listen = 5".to_owned(), "gateway.toml is wrong"),
        ("lisen = 5".to_owned(), "unknown field `lisen`"),
        (client("scope = \"a\""), "missing field `secret_file`"),
        (client("secret_file = \"missing.txt\"\nscope = \"a\""), "missing.txt can't be read"),
        (client("secret_file = \"empty.txt\"\nscope = \"a\""), "empty.txt is empty"),
        (client("secret_file = \"empty.txt\"\nscope = \"é\""), "scope of client \"a\" is wrong"),
        (
            client(
                "secret_file = \"s.txt\"\nscope = \"a\"\n[[client]]\nid = \"a\"\nsecret_file = \"s.txt\"\nscope = \"a\"",
            ),
            "stands twice",
        ),
        ("[[client]]\nid = \"\"\nsecret_file = \"s.txt\"\nscope = \"a\"".to_owned(), "is empty, or"),
        ("token_lifetime_seconds = 0".to_owned(), "must be from 1 to 2592000"),
        ("token_lifetime_seconds = 9223372036854775807".to_owned(), "must be from 1 to 2592000"),
        ("refresh_grace_seconds = 61".to_owned(), "must be from 0 to 60"),
        ("refresh_grace_seconds = -1".to_owned(), "is wrong in line 1"),
        (client("secret = \"canary\""), "wrong in line 3: unknown field `secret`"),
        (ably_key("key_file = \"missing.txt\""), "missing.txt can't be read"),
        (ably_key("key_file = \"no-key.txt\""), "no-key.txt has no API key"),
        (ably_key("key = \"canary\""), "wrong in line 2: unknown field `key`"),
        (
            ably_key("key_file = \"key.txt\"\ncapability = \"{\""),
            "the capability of the Ably key \"a.b\" is wrong",
        ),
        (ably_key("key_file = \"key.txt\"\n[[ably_key]]\nkey_file = \"key.txt\""), "\"a.b\" stands twice"),
        ("[optave]\ntoken_lifetime_seconds = 901".to_owned(), "must be from 1 to 900"),
        ("[optave]\npublishable_key = \"canary\"".to_owned(), "say browsers = true"),
        ("[optave]\nsecret = \"canary\"".to_owned(), "wrong in line 2: unknown field `secret`"),
        ("[[optave.client]]\nid = \"\"\nsecret_file = \"s.txt\"".to_owned(), "is empty, or stands twice"),
        ("[[optave.client]]\nid = \"a\"\nsecret_file = \"empty.txt\"".to_owned(), "empty.txt is empty"),
        ("[spatium]\nrefresh_lifetime_seconds = 0".to_owned(), "must be from 1 to 31536000"),
        ("[spatium]\nsigning_key_file = \"s.txt\"".to_owned(), "s.txt is no key to sign with"),
        (
            "[[spatium.account]]\nusername = \"a\"\npassword_file = \"missing.txt\"\npermissions = []"
                .to_owned(),
            "missing.txt can't be read",
        ),
        ("[[spatium.merchant]]\nid = \"a\"\nkey = \"canary\"".to_owned(), "unknown field `key`"),
    ] {
        let path = configuration(folder.path(), &text);
        let stderr = usage_error(&["gateway", "--config", &path]);
        assert!(stderr.contains(expected), "{expected}: {stderr}");
        assert!(!stderr.contains("canary"), "a secret that stands in the wrong place is not repeated");
    }
    let missing = folder.path().join("nowhere.toml");
    assert!(usage_error(&["gateway", "--config", missing.to_str().unwrap()]).contains("can't be read"));
    assert!(usage_error(&["gateway", "--config", folder.path().to_str().unwrap()]).contains("can't be read"));
}

#[test]
fn the_demo_keeps_away_from_an_audit_log_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit");
    fs::write(&path, "precious").unwrap();
    let stderr = usage_error(&["demo", "--audit", path.to_str().unwrap()]);
    assert!(stderr.contains("exists"), "{stderr}");
    assert_eq!(fs::read_to_string(path).unwrap(), "precious");
}

#[test]
fn an_audit_log_that_can_not_be_written_is_a_usage_error() {
    let stderr = usage_error(&["demo", "--audit", "/dev/null/audit"]);
    assert!(stderr.contains("/dev/null/audit"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_can_not_be_written_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = rtauth().args(["demo", "--json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("standard output can't be written"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_complaint_that_nobody_reads_leaves_the_exit_code() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = rtauth().args(["gateway", "--config", "/nowhere"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[cfg(unix)]
fn started(command: &mut Command) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    (child, stdout, line)
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_demo_and_leaves_nothing_behind() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = rtauth();
        demo.args(["demo", "--json"]).env("TMPDIR", folder.path());
        let (mut child, mut stdout, line) = started(&mut demo);
        let listening: Value = serde_json::from_str(&line).unwrap();
        signal(&child, name);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        assert!(!rest.contains("\"done\""));
        let address = listening["http"].as_str().unwrap().strip_prefix("http://").unwrap();
        assert!(TcpListener::bind(address).is_ok(), "the port is free again");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no folder is left");
    }
}

#[cfg(unix)]
#[test]
fn the_gateway_says_where_it_listens_and_drains_when_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret.txt"), "s3cret\r\n").unwrap();
    let settings = "listen = \"127.0.0.1:0\"\ntoken_lifetime_seconds = 60\nrefresh_grace_seconds = 0";
    let text = format!("{settings}\n[[client]]\nid = \"a\"\nsecret_file = \"secret.txt\"\nscope = \"a b\"");
    let path = configuration(folder.path(), &text);
    for name in ["-TERM", "-INT"] {
        let (mut child, _stdout, line) = started(rtauth().args(["gateway", "--config", &path]));
        let listening: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(listening["event"], "listening");
        let http = listening["http"].as_str().unwrap();
        assert_eq!(listening["ws"].as_str().unwrap(), format!("{}/ws", http.replace("http", "ws")));
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn the_tables_of_the_other_systems_open_their_endpoints() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.txt"), "s3cret\n").unwrap();
    let text = "[optave]\nbrowsers = true\n[[optave.client]]\nid = \"cid\"\nsecret_file = \"s.txt\"\n\
                [spatium]\npermission_lifetime_seconds = 60\n[[spatium.account]]\nusername = \"alice\"\n\
                password_file = \"s.txt\"\npermissions = [\"read\"]";
    let path = configuration(folder.path(), text);
    let (mut child, _stdout, line) = started(rtauth().args(["gateway", "--config", &path]));
    let listening: Value = serde_json::from_str(&line).unwrap();
    let address = listening["http"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let post = |target: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let length = body.len();
        write!(stream, "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let optave = "/auth/oauth2/token?grant_type=client_credentials&client_id=cid&client_secret=";
    assert!(post(&format!("{optave}s3cret"), "").contains("\"access_token\":\""));
    assert!(post(&format!("{optave}wrong"), "").starts_with("HTTP/1.1 401 "), "the control");
    assert!(post("/api/optave/ws-ticket", "").contains("\"token\":\""));
    let credentials = r#"{"username":"alice","password":"s3cret"}"#;
    let answer = post("/authorization/v1/api/security-factor/credentials", credentials);
    assert!(answer.contains("\"securityToken\":\""), "{answer}");
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!(complaints, "", "nobody is told that there is no client");
}

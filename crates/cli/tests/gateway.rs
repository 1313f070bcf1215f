//! `rtauth gateway` as a process: what it records of its decisions, and what it lets others count.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const CLIENT: &str =
    "listen = \"127.0.0.1:0\"\n[[client]]\nid = \"id\"\nsecret_file = \"secret.txt\"\nscope = \"a b\"\n";
const SECRET: &str = "canary-of-the-client";

/// A folder with the files of a gateway.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
        fs::write(folder.path().join("names.key"), "0b".repeat(32)).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rtauth")).current_dir(self.path()).args(arguments).output().unwrap()
    }

    /// A gateway whose file is that of one client and `tables`.
    fn gateway(&self, tables: &str) -> Gateway {
        self.gateway_with(tables, &[])
    }

    /// The same, with these variables in its environment.
    fn gateway_with(&self, tables: &str, variables: &[(&str, &str)]) -> Gateway {
        fs::write(self.path().join("gateway.toml"), format!("{CLIENT}{tables}")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_rtauth"))
            .current_dir(self.path())
            .args(["gateway", "--config", "gateway.toml"])
            .env_remove("RTAUTH_HEC_TOKEN")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Gateway { process, listening: serde_json::from_str(&line).unwrap() }
    }

    /// The segments of the log, in order.
    fn segments(&self) -> Vec<PathBuf> {
        let paths = fs::read_dir(self.path().join("audit")).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).collect();
        segments.sort();
        segments
    }
}

struct Gateway {
    process: Child,
    listening: Value,
}

impl Gateway {
    fn signal(&self, name: &str) {
        assert!(
            Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap().success()
        );
    }

    /// The reply to a request for a token by this secret.
    fn token(&self, secret: &str) -> String {
        let body = format!("grant_type=client_credentials&client_id=id&client_secret={secret}");
        let head = "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
        ask(
            self.listening["http"].as_str().unwrap(),
            &format!("{head}\r\nContent-Length: {}", body.len()),
            &body,
        )
    }

    fn scrape(&self) -> String {
        let url = self.listening["metrics"].as_str().unwrap();
        ask(url.strip_suffix("/metrics").unwrap(), "GET /metrics HTTP/1.1", "")
    }

    fn end(mut self) {
        self.signal("-TERM");
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // One that was waited for is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ask(url: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "{head}\r\nHost: gateway\r\n\r\n{body}").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// A record without what differs from run to run.
fn in_short(record: &Value) -> Value {
    let mut short = json!({});
    for name in ["event", "reason", "grant", "client_id"] {
        if !record[name].is_null() {
            short[name] = record[name].clone();
        }
    }
    short
}

#[test]
fn what_a_gateway_decides_is_on_record_exactly_once_and_its_log_is_accepted() {
    let desk = Desk::new();
    let made = desk.run(&["audit", "key", "--out", "audit.key"]);
    let verifier = String::from_utf8(made.stdout).unwrap();
    let mut gateway = desk.gateway(
        "[audit]\ndirectory = \"audit\"\nsigning_key_file = \"audit.key\"\nfingerprint_key_file = \"names.key\"\n",
    );
    assert!(gateway.token(SECRET).starts_with("HTTP/1.1 200 "));
    gateway.signal("-HUP");
    while desk.segments().len() < 2 {
        assert!(gateway.process.try_wait().unwrap().is_none(), "it ends instead of beginning a segment");
        std::thread::yield_now();
    }
    assert!(gateway.token("canary-wrong").starts_with("HTTP/1.1 401 "));
    gateway.end();

    let verified = desk.run(&["audit", "verify", "audit", "--key", verifier.trim(), "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let text: String = desk.segments().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // When there is a checkpoint is a matter of time.
    let decided = records.iter().filter(|record| record["event"] != "checkpoint_signed");
    let story: Vec<_> = decided.map(in_short).collect();
    assert_eq!(
        story,
        [
            json!({ "event": "segment_opened", "reason": "created" }),
            json!({ "event": "trail_opened" }),
            json!({ "event": "token_minted", "grant": "client_credentials", "client_id": "id" }),
            json!({ "event": "segment_opened", "reason": "reopened" }),
            json!({
                "event": "token_denied", "reason": "invalid_client",
                "grant": "client_credentials", "client_id": "id",
            }),
            json!({ "event": "trail_closed" }),
        ]
    );
    assert!(!text.contains("canary") && !text.contains("eyJ"), "no secret is on record");

    // And a log that somebody changed is not accepted.
    let changed = desk.segments().remove(1);
    let other = fs::read_to_string(&changed).unwrap().replace("invalid_client", "invalid_grant_");
    fs::write(&changed, other).unwrap();
    let refused = desk.run(&["audit", "verify", "audit", "--key", verifier.trim()]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn a_gateway_that_is_killed_leaves_no_end_and_the_next_one_says_so() {
    const AUDIT: &str = "[audit]\ndirectory = \"audit\"\n";
    let desk = Desk::new();
    let runs = || {
        let verified = desk.run(&["audit", "verify", "audit", "--json"]);
        let told: Value = serde_json::from_slice(&verified.stdout).unwrap();
        ["opened", "closed", "broken_off", "is_open"].map(|name| told[name].clone())
    };
    let killed = desk.gateway(AUDIT);
    let process_id = killed.process.id();
    drop(killed);
    assert_eq!(runs(), [json!(1), json!(0), json!(0), json!(true)], "nobody can tell yet");
    desk.gateway(AUDIT).end();
    assert_eq!(runs(), [json!(2), json!(1), json!(1), json!(false)]);
    desk.gateway(AUDIT).end();
    assert_eq!(runs(), [json!(3), json!(2), json!(1), json!(false)], "the control: that one ended");

    let said = desk.run(&["audit", "verify", "audit"]);
    let said = String::from_utf8(said.stdout).unwrap();
    let expected = "The log was opened 3 times and closed twice; once it was broken off, by a crash";
    assert!(said.contains(expected), "{said}");
    let report = desk.run(&["audit", "report", "audit", "--out", "-"]);
    assert!(String::from_utf8(report.stdout).unwrap().contains(expected));
    let text = fs::read_to_string(&desk.segments()[0]).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let openings: Vec<_> = records.filter(|record| record["event"] == "trail_opened").collect();
    let ends: Vec<_> = openings.iter().map(|opened| opened["previous_end"].as_str().unwrap()).collect();
    assert_eq!(ends, ["none", "broken_off", "clean"]);
    assert_eq!(
        (&openings[0]["application"], &openings[0]["process_id"]),
        (&json!("rtauth"), &json!(process_id))
    );
    assert!(openings[0]["host"].as_str().is_some_and(|host| !host.is_empty()), "{openings:?}");
}

const MINTED: &str =
    "rtauth_token_requests_total{end=\"server\",grant=\"client_credentials\",outcome=\"success\"}";

#[test]
fn metrics_are_scraped_with_an_audit_log_and_without() {
    for (audit, records) in [("", "0"), ("[audit]\ndirectory = \"audit\"\n", "3")] {
        let desk = Desk::new();
        let gateway = desk.gateway(&format!("{audit}[metrics]\nlisten = \"127.0.0.1:0\"\n"));
        assert!(!gateway.scrape().contains(MINTED), "the control");
        assert!(gateway.token(SECRET).starts_with("HTTP/1.1 200 "));
        let scraped = gateway.scrape();
        assert!(scraped.starts_with("HTTP/1.1 200 OK\r\n"), "{scraped}");
        assert!(scraped.contains("text/plain; version=0.0.4"), "{scraped}");
        assert!(scraped.contains(&format!("{MINTED} 1\n")), "{scraped}");
        assert!(scraped.contains(&format!("rtauth_audit_records_total {records}\n")), "{scraped}");
        gateway.end();
    }
    let gateway = Desk::new().gateway("");
    assert_eq!(gateway.listening["metrics"], Value::Null, "the control");
}

#[test]
fn tables_that_can_not_be_used_are_named() {
    let desk = Desk::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    fs::write(desk.path().join("short.key"), "canary").unwrap();
    for (table, expected) in [
        ("[metrics]\nlisten = \"0.0.0.0:0\"".to_owned(), "0.0.0.0:0 is open to other machines"),
        ("[metrics]".to_owned(), "missing field `listen`"),
        (
            format!("[metrics]\nlisten = \"{taken}\""),
            &*format!("{taken}, where metrics would be served, can't be listened on"),
        ),
        (
            "[audit]\ndirectory = \"audit\"\nfingerprint_key_file = \"short.key\"".to_owned(),
            "short.key: a fingerprint key is 64 hexadecimal digits",
        ),
        (
            "[audit]\ndirectory = \"audit\"\nsigning_key_file = \"short.key\"".to_owned(),
            "rtauth audit key makes one",
        ),
        (
            "[audit]\ndirectory = \"audit\"\n[audit.syslog]\naddress = \"a:1\"\nport = 1".to_owned(),
            "gateway.toml is wrong in line 10: unknown field `port`",
        ),
        (
            "[audit]\ndirectory = \"audit\"\n[audit.syslog]\naddress = \"logs.example:601\"\ntransport = \"tcp\"".to_owned(),
            "over tcp to logs.example, everybody on the way can read the records",
        ),
    ] {
        fs::write(desk.path().join("gateway.toml"), format!("{CLIENT}{table}\n")).unwrap();
        let output = desk.run(&["gateway", "--config", "gateway.toml"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{table}: {stderr}");
        assert!(stderr.contains(expected) && !stderr.contains("canary"), "{table}: {stderr}");
    }
}

/// The records of a log, as its lines.
fn records(desk: &Desk) -> usize {
    desk.segments().iter().map(|path| fs::read_to_string(path).unwrap().lines().count()).sum()
}

/// The messages of a stream, each behind its length (RFC 6587 §3.4.1).
fn messages(mut stream: impl Read) -> Vec<String> {
    let (mut text, mut messages) = (String::new(), Vec::new());
    stream.read_to_string(&mut text).unwrap();
    let mut rest = text.as_str();
    while let Some((length, framed)) = rest.split_once(' ') {
        let (message, behind) = framed.split_at(length.parse().unwrap());
        messages.push(message.to_owned());
        rest = behind;
    }
    assert_eq!(rest, "");
    messages
}

/// What a gateway has on record that issues a token, refuses one, and is killed.
const UNENDED: [&str; 4] = ["segment_opened", "trail_opened", "token_minted", "token_denied"];
/// And that is ended.
const WHOLE: [&str; 5] = ["segment_opened", "trail_opened", "token_minted", "token_denied", "trail_closed"];

/// What a gateway tells a receiver by this table while it issues a token and refuses one, and how many records it has.
fn told(table: &str, receive: impl FnOnce(&Desk, Gateway) -> Vec<String>) -> (Vec<String>, usize) {
    let desk = Desk::new();
    let table = table.replace("{}", &desk.path().display().to_string());
    let gateway = desk.gateway(&format!("[audit]\ndirectory = \"audit\"\n{table}"));
    assert!(gateway.token(SECRET).starts_with("HTTP/1.1 200 "));
    assert!(gateway.token("canary-wrong").starts_with("HTTP/1.1 401 "));
    let told = receive(&desk, gateway);
    assert!(!told.iter().any(|message| message.contains("canary") || message.contains("eyJ")), "{told:?}");
    (told, records(&desk))
}

#[test]
fn a_syslog_receiver_is_given_every_record_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let table = format!(
        "[audit.syslog]\naddress = \"{address}\"\ntransport = \"tcp\"\n[audit.origin]\nhost = \"gw-1\"\nservice = \"orders\"\n"
    );
    let (told, records) = told(&table, |_, gateway| {
        gateway.end();
        messages(listener.accept().unwrap().0)
    });
    assert_eq!((told.len(), records), (WHOLE.len(), WHOLE.len()), "{told:?}");
    let process = told[0].split(' ').nth(4).unwrap();
    assert!(process.parse::<u32>().is_ok(), "{}", told[0]);
    for (message, name) in told.iter().zip(WHOLE) {
        let header = format!(" gw-1 rtauth {process} {name} [");
        assert!(
            message.contains(&header)
                && message.contains("[rtauth@32473 ")
                && message.contains("service=\"orders\""),
            "{message}"
        );
    }
}

#[test]
fn a_syslog_receiver_behind_a_socket_is_given_every_record_in_the_format_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream");
    let listener = UnixListener::bind(&path).unwrap();
    let table = format!(
        "[audit.syslog]\naddress = \"{}\"\ntransport = \"unix\"\nformat = \"json\"\nqueue = 100\n",
        path.display()
    );
    let (told, records) = told(&table, |_, gateway| {
        gateway.end();
        messages(listener.accept().unwrap().0)
    });
    let events: Vec<Value> = told.iter().map(|message| serde_json::from_str(message).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|event| (&event["seq"], &event["event"])).collect();
    let all: Vec<_> =
        (1..=WHOLE.len()).map(|number| json!(number)).zip(WHOLE.map(|name| json!(name))).collect();
    assert_eq!(told, all.iter().map(|(number, name)| (number, name)).collect::<Vec<_>>());
    assert_eq!(records, WHOLE.len());

    let path = folder.path().join("datagrams");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let table = format!("[audit.syslog]\naddress = \"{}\"\ntransport = \"unix_datagram\"\n", path.display());
    let (told, records) = self::told(&table, |_, _gateway| {
        let mut space = [0; 10_000];
        let mut next = || {
            let length = receiver.recv(&mut space).unwrap();
            std::str::from_utf8(&space[..length]).unwrap().to_owned()
        };
        UNENDED.map(|_| next()).into()
    });
    assert_eq!(records, UNENDED.len());
    for (message, name) in told.iter().zip(UNENDED) {
        assert!(
            message.starts_with('<') && message.contains(&format!(" {name} [")),
            "no length before it: {told:?}"
        );
    }
}

#[test]
fn a_receiver_that_is_not_there_costs_no_token_and_what_it_missed_is_kept_and_told() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = format!(
        "[audit.syslog]\naddress = \"{closed}\"\ntransport = \"tcp\"\ndead_letter_file = \"{{}}/missed.jsonl\"\n"
    );
    let (missed, records) = told(&table, |desk, gateway| {
        gateway.end();
        let missed = fs::read_to_string(desk.path().join("missed.jsonl")).unwrap();
        missed.lines().map(str::to_owned).collect()
    });
    assert_eq!((missed.len(), records), (WHOLE.len(), WHOLE.len()), "{missed:?}");
}

/// A collector that takes everything until it has heard of an event: what it was sent, request by request.
fn collected(listener: &TcpListener, event: &str) -> Vec<String> {
    let mut requests: Vec<String> = Vec::new();
    while !requests.iter().any(|request| request.contains(event)) {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            assert_ne!(stream.read_line(&mut head).unwrap(), 0);
            if let Some((name, value)) = head[start..].split_once(": ")
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let answer = "{\"text\":\"Success\",\"code\":0}";
        let reply = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        stream.get_mut().write_all(reply.as_bytes()).unwrap();
        requests.push(head + &String::from_utf8(body).unwrap());
    }
    requests
}

#[test]
fn a_collector_is_given_every_record_with_the_token_of_a_file_or_of_the_environment() {
    for token_file in ["token_file = \"hec.txt\"\n", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let desk = Desk::new();
        fs::write(desk.path().join("hec.txt"), "hec-of-the-file\n").unwrap();
        let table = format!(
            "[audit]\ndirectory = \"audit\"\n[audit.hec]\nurl = \"http://{}\"\n{token_file}[audit.origin]\nhost = \"gw-1\"\n",
            listener.local_addr().unwrap()
        );
        let gateway = desk.gateway_with(&table, &[("RTAUTH_HEC_TOKEN", "hec-of-the-environment")]);
        assert!(gateway.token(SECRET).starts_with("HTTP/1.1 200 "));
        let requests = collected(&listener, "token_minted");
        let expected = if token_file.is_empty() { "hec-of-the-environment" } else { "hec-of-the-file" };
        for request in &requests {
            assert!(request.starts_with("POST /services/collector/event HTTP/1.1\r\n"), "{request}");
            assert!(request.contains(&format!("authorization: Splunk {expected}\r\n")), "{request}");
            assert!(request.contains("\"host\":\"gw-1\"") && !request.contains("canary"), "{request}");
        }
        // Nobody takes what it has left to say.
        drop(listener);
        gateway.end();
    }
}

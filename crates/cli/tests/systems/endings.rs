//! How the sources end when nobody is there, nobody answers, or somebody watches.

use super::*;

/// The commands of all sources, at a server of this URL.
fn commands(url: &str) -> Vec<Vec<String>> {
    let source = |kind: &str, more: &[&str]| {
        let command = ["token", "--source", kind, "--token-url", url, "--timeout", "1"];
        command.iter().chain(more).map(|text| (*text).to_owned()).collect::<Vec<_>>()
    };
    let mut revoke: Vec<_> =
        ["revoke", "--source", "ably", "--ably-url", url, "--key-file", "key.txt"].into();
    revoke.extend(["--target", "clientId:alice", "--token-file", "wrong.txt", "--timeout", "1"]);
    vec![
        source("ably", &["--key-file", "key.txt", "--client-id", "alice", "--store", "ably.json"]),
        source("auth-url", &["--header-file", "Authorization=wrong.txt", "--param-file", "pin=alice.txt"]),
        source("optave", &["--client-id", "cid", "--client-secret-file", "optave.txt"]),
        source("spatium", &["--token-id", "t", "--permission", "read", "--security-token-file", "wrong.txt"]),
        source(
            "spatium",
            &["--token-id", "t", "--permission", "read", "--username", "a", "--password-file", "alice.txt"],
        ),
        revoke.into_iter().map(str::to_owned).collect(),
    ]
}

/// The command with the time that it has by default.
fn in_its_time(command: &[String]) -> Vec<&str> {
    let limit = command.iter().position(|word| word == "--timeout").unwrap();
    let (before, after) = command.split_at(limit);
    before.iter().chain(&after[2..]).map(String::as_str).collect()
}

fn borrowed(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

#[test]
fn where_nobody_is_there_the_operation_has_failed() {
    let desk = Desk::new();
    // A privileged port: no other test is ever given it.
    for command in commands("http://127.0.0.1:1") {
        let stderr = failed(&desk.run(&in_its_time(&command)), 1);
        assert!(stderr.contains(": transport: "), "{command:?}: {stderr}");
    }
}

/// Each is looked at while it waits for an answer, when all its secrets are in its memory.
#[test]
fn where_nobody_answers_it_timed_out_and_no_secret_showed_meanwhile() {
    let desk = Desk::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for command in commands(&format!("http://{}", silent.local_addr().unwrap())) {
        let mut running = desk.command(&borrowed(&command));
        running.env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = running.spawn().unwrap();
        let (mut connection, _) = silent.accept().unwrap();
        #[cfg(target_os = "linux")]
        {
            let arguments = fs::read(format!("/proc/{}/cmdline", process.id())).unwrap();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            assert!(arguments.contains(".txt") && !arguments.contains(CANARY), "{arguments}");
        }
        let mut sent = [0; 4_096];
        let length = connection.read(&mut sent).unwrap();
        assert!(length > 0, "the control: it has sent its request");
        let stderr = failed(&process.wait_with_output().unwrap(), 4);
        assert!(stderr.contains(": timeout: "), "{command:?}: {stderr}");
    }
}

#[test]
fn a_server_that_fails_or_talks_nonsense_has_refused_nothing() {
    let desk = Desk::new();
    for (status, body, kind) in
        [("500 Internal Server Error", "canary", "server_failed"), ("200 OK", "canary", "malformed_response")]
    {
        let url = always(&Backend::reply(status, "application/json", body));
        for command in commands(&url) {
            let stderr = failed(&desk.run(&in_its_time(&command)), 1);
            assert!(stderr.contains(&format!(": {kind}: ")), "{command:?}: {stderr}");
        }
    }
}

/// Somebody who answers every request like this, for as long as the tests run.
fn always(reply: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let reply = reply.to_owned();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            Backend::answer(&mut stream, &reply);
        }
    });
    url
}

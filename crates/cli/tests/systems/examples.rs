//! What `--help` shows is tried as it stands: its examples against a gateway with the configuration that it shows.

use super::*;

/// The help of a command.
fn help(desk: &Desk, command: &str) -> String {
    String::from_utf8(desk.run(&[command, "--help"]).stdout).unwrap()
}

/// The examples that speak of a gateway, as arguments.
fn examples(help: &str) -> Vec<Vec<String>> {
    let lines = help.replace("\\\n", " ");
    let of_gateway = lines.lines().filter(|line| line.contains("://127.0.0.1:8080"));
    let command = of_gateway.filter_map(|line| line.trim().strip_prefix("rtauth "));
    let words =
        |line: &str| line.split_whitespace().take_while(|word| *word != "#").map(str::to_owned).collect();
    command.map(words).collect()
}

#[test]
fn the_examples_of_the_help_work_against_the_gateway_of_the_help() {
    let desk = Desk::new();
    let gateway_help = help(&desk, "gateway");
    let (_, configuration) = gateway_help.split_once("A configuration file:\n\n").unwrap();
    let configuration: Vec<_> = configuration
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        // It takes another program to make an RSA key, and it is optional.
        .filter(|line| !line.contains("rsa.pem"))
        .collect();
    // The port may be somebody else's here.
    let configuration = configuration.join("\n").replace("127.0.0.1:9464", "127.0.0.1:0");
    desk.put("gateway.toml", &configuration);
    assert_eq!(desk.run(&["audit", "key", "--out", "audit.key"]).status.code(), Some(0));
    desk.put("names.key", &"0b".repeat(32));
    for name in ["secret.txt", "refresh.txt", "shop.txt", "hec.txt"] {
        desk.put(name, "canary");
    }
    let gateway = Gateway::start(&desk);
    let request = desk.run(&["token-request", "--key-file", "key.txt", "--client-id", "alice"]);
    let backend = Backend::serve(vec![Backend::json(&String::from_utf8(request.stdout).unwrap())]);

    let tokens = examples(&help(&desk, "token"));
    let sources: Vec<_> = tokens
        .iter()
        .map(|words| words.iter().skip_while(|word| *word != "--source").nth(1).map_or("", String::as_str))
        .collect();
    assert_eq!(sources, ["", "ably", "auth-url", "optave", "spatium"]);
    let run = |words: &[String]| {
        let here = |word: &String| {
            let word = word.replace("http://127.0.0.1:8081/request.json", &backend.url);
            let word = word.replace("http://127.0.0.1:8080", &gateway.url);
            word.replace("ws://127.0.0.1:8080", &gateway.url.replace("http", "ws"))
        };
        let words: Vec<_> = words.iter().map(here).collect();
        let output = desk.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        output
    };
    for words in &tokens {
        let token: Value = serde_json::from_slice(&run(words).stdout).unwrap();
        if words.iter().any(|word| word == "ably") {
            desk.put("token.txt", token["token"].as_str().unwrap());
        }
    }
    let oauth = tokens.iter().find(|words| !words.iter().any(|word| word == "--source")).unwrap();
    let token: Value = serde_json::from_slice(&run(oauth).stdout).unwrap();
    let ably = fs::read_to_string(desk.path("token.txt")).unwrap();
    desk.put("token.txt", token["token"].as_str().unwrap());
    let sessions = examples(&help(&desk, "connect"));
    let dialects: Vec<_> = sessions.iter().map(|words| words[2].as_str()).collect();
    assert_eq!(dialects, ["genesys", "optave", "genesys"]);
    for words in &sessions {
        let said = run(words);
        let stdout = String::from_utf8(said.stdout).unwrap();
        assert_eq!(
            words.iter().any(|word| word == "--send"),
            stdout.contains("hello"),
            "{words:?}: {stdout}"
        );
    }
    let record = |directory: &str, event: &str| -> Value {
        let log = fs::read_to_string(desk.path(directory).join("00000000000000000001.jsonl")).unwrap();
        let mut records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.rfind(|record| record["event"] == event).unwrap()
    };
    let (ours, theirs) = (record("audit", "authenticated"), record("decisions", "client_authenticated"));
    assert!(ours["token"].is_string() && ours["token"] == theirs["token"], "{ours} {theirs}");

    desk.put("token.txt", &ably);
    let revocations = examples(&help(&desk, "revoke"));
    assert_eq!(revocations.len(), 1);
    run(&revocations[0]);
}

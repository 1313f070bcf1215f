//! Names of tokens in audit logs: the same in every run that has the key, and at a gateway that has it too.

use std::collections::BTreeSet;

use auth_core::Secret;
use auth_core::fingerprint::FingerprintKey;

use super::*;

const KEY: &str = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

/// A desk with a gateway whose tokens live long, and a token of it in a store.
fn stored() -> (Desk, Gateway, Secret) {
    let desk = Desk::new();
    desk.put("gateway.toml", &SETTINGS.replace("token_lifetime_seconds = 4", ""));
    desk.put("names.key", &format!("{KEY}\n"));
    let gateway = Gateway::start(&desk);
    let url = format!("http://{}/oauth/token", gateway.address);
    let client = ["token", "--json", "--token-url", &url, "--client-id", "abc"];
    let kept = ["--client-secret-file", "secret.txt", "--store", "tokens.json"];
    let token = lines(&desk.run(&[&client[..], &kept].concat()), 0)[0]["token"].as_str().unwrap().to_owned();
    desk.put("token.txt", &token);
    (desk, gateway, Secret::from(token))
}

/// All names that tokens have in the log of a session that ends with its input.
fn names(desk: &Desk, mut command: Command, audit: &str) -> BTreeSet<String> {
    let process = command.args(["--audit", audit]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = process.unwrap();
    process.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"hello\n"[..]), "{output:?}");
    let log = fs::read_to_string(desk.path(audit).join("00000000000000000001.jsonl")).unwrap();
    let records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let records: Vec<_> = records.filter(|record| record["event"] == "authenticated").collect();
    assert_eq!(records.len(), 1, "{log}");
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["token"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn runs_with_one_key_name_a_token_alike_and_runs_without_one_apart() {
    let (desk, gateway, token) = stored();
    let expected = KEY.parse::<FingerprintKey>().unwrap().fingerprint(&token).to_string();
    let session = gateway.genesys(&["--store", "tokens.json"]);
    let session = |more: &[&str]| desk.command(&[&words(&session)[..], more].concat());
    let with_file = || session(&["--fingerprint-key-file", "names.key"]);
    let mut of_environment = session(&[]);
    of_environment.env("RTAUTH_FINGERPRINT_KEY", KEY);
    for (audit, command) in [("a", with_file()), ("b", with_file()), ("c", of_environment)] {
        assert_eq!(names(&desk, command, audit), BTreeSet::from([expected.clone()]), "{audit}");
    }
    let [one, other] = ["d", "e"].map(|audit| names(&desk, session(&[]), audit));
    assert_eq!((one.len(), other.len()), (1, 1));
    assert!(one != other && !one.contains(&expected), "without a key: {one:?} {other:?}");
    let logs = ["a", "b", "c"].map(|audit| desk.path(audit).join("00000000000000000001.jsonl"));
    assert!(logs.iter().all(|log| !fs::read_to_string(log).unwrap().contains(KEY)));
}

#[test]
fn a_token_that_is_given_has_a_name_where_there_is_a_key() {
    let (desk, gateway, token) = stored();
    let expected = KEY.parse::<FingerprintKey>().unwrap().fingerprint(&token).to_string();
    let url = format!("ws://{}/ws", gateway.address);
    let fixed = ["connect", "--dialect", "genesys", "--url", &url, "--source", "static"];
    let session = |more: &[&str]| desk.command(&[&fixed[..], &["--token-file", "token.txt"], more].concat());
    let named = names(&desk, session(&["--fingerprint-key-file", "names.key"]), "a");
    assert_eq!(named, BTreeSet::from([expected]));
    assert_eq!(names(&desk, session(&[]), "b"), BTreeSet::new(), "nobody has named it");
}

#[test]
fn a_profile_says_where_the_key_is_and_not_what_it_is() {
    let (desk, gateway, token) = stored();
    let expected = KEY.parse::<FingerprintKey>().unwrap().fingerprint(&token).to_string();
    let Gateway { address, .. } = &gateway;
    let configure = |key: &str| {
        let text = format!(
            "[profile.work]\ndialect = 'genesys'\nurl = 'ws://{address}/ws'\ntoken-url = 'http://{address}/oauth/token'\n\
             client-id = 'abc'\nclient-secret = {{ file = 'secret.txt' }}\nstore = 'tokens.json'\nfingerprint-key = {key}\n"
        );
        desk.put("config.toml", &text);
    };
    let session = || desk.command(&["connect", "--profile", "work", "--config", "config.toml"]);
    for (audit, key) in [("a", "{ file = 'names.key' }"), ("b", "{ env = 'WORK_NAMES' }")] {
        configure(key);
        let mut command = session();
        command.env("WORK_NAMES", KEY);
        assert_eq!(names(&desk, command, audit), BTreeSet::from([expected.clone()]), "{key}");
    }
    configure(&format!("'{KEY}'"));
    let stderr = failed(&session().args(["--audit", "c"]).output().unwrap(), 2);
    assert!(stderr.contains("is a secret, which does not stand here") && !stderr.contains(KEY), "{stderr}");
}

#[test]
fn a_key_in_the_environment_that_is_none_is_named_where_it_would_be_used() {
    let (desk, gateway, _) = stored();
    let flags = gateway.genesys(&["--store", "tokens.json"]);
    let session = |more: &[&str]| {
        let mut command = desk.command(&[&words(&flags)[..], more].concat());
        command.env("RTAUTH_FINGERPRINT_KEY", "canary");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // One that ends at once reads nothing.
        let _ = process.stdin.take().unwrap().write_all(b"hello\n");
        process.wait_with_output().unwrap()
    };
    let stderr = failed(&session(&["--audit", "audit"]), 2);
    assert!(
        stderr.contains("RTAUTH_FINGERPRINT_KEY: a fingerprint key is 64 hexadecimal digits"),
        "{stderr}"
    );
    assert!(!desk.path("audit").exists(), "nothing is begun with a wrong key");
    assert_eq!(session(&[]).status.code(), Some(0), "without a log it is not used");
}

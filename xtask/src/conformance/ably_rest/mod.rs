//! Ably's own libraries, as they come from their registries, against `rtauth gateway` on loopback.
//!
//! A script for each library runs the cases of [`expected`] and tells what came of each, without knowing what should. Then
//! it runs once more with a wrong secret in its key: whatever stands on the key must come out otherwise then, or the
//! comparison finds nothing.
//!
//! The libraries are told to use JSON. ably-python refuses Basic without TLS, so its cases go by tokens.

mod expected;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::expected::cases;
use super::ably::{Server, answers, in_order};
use super::peers::{self, Script};
use super::{Absent, Outcome, Report};
use crate::shell::{Done, Failed, cargo};

/// The key that most cases use.
const KEY: &str = "appid1.keyid1:SecretSecretSecret";

/// The key whose tokens can be revoked.
const REVOCABLE_KEY: &str = "appid1.keyid2:RevocableRevocable";

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"

[[ably_key]]
key_file = "key.txt"
capability = '{"chat:*":["*"],"news":["subscribe"]}'

[[ably_key]]
key_file = "revocable.txt"
revocable = true
"#;

pub(super) fn run() -> Done<Vec<Outcome>> {
    let scripts =
        [("ably-js", peers::ably_js("ably_rest.mjs")?), ("ably-python", peers::ably_python("ably_rest.py")?)];
    let files = [("key.txt", KEY), ("revocable.txt", REVOCABLE_KEY)];
    let mut served = None;
    let mut outcomes = Vec::new();
    for (peer, script) in scripts {
        outcomes.push(match script {
            Err(Absent(reason)) => Outcome::Absent { peer, reason },
            Ok(script) => {
                let (server, jwts) = match served.take() {
                    Some(served) => served,
                    None => (Server::start(CONFIGURATION, &files)?, jwts()?),
                };
                let report = report(peer, script, &server, &jwts)?;
                served = Some((server, jwts));
                Outcome::Ran(report)
            }
        });
    }
    Ok(outcomes)
}

/// JWTs of ours, under the names that the scripts know them by.
fn jwts() -> Done<Value> {
    let narrow = r#"{"chat:*":["subscribe"]}"#;
    let wanted = [
        ("jwt", json!({ "key": KEY, "lifetime": 3_600, "clientId": "alice" })),
        ("narrowJwt", json!({ "key": KEY, "lifetime": 3_600, "capability": narrow })),
        ("expiredJwt", json!({ "key": KEY, "age": 100, "lifetime": 50 })),
        ("forgedJwt", json!({ "key": "appid1.keyid1:wrong", "lifetime": 3_600 })),
        ("foreignJwt", json!({ "key": "unknown.keyid1:wrong", "lifetime": 3_600 })),
        // Issued in an earlier second than it is revoked in: a JWT knows no finer time.
        ("ivyJwt", json!({ "key": REVOCABLE_KEY, "age": 5, "lifetime": 3_000, "clientId": "ivy" })),
    ];
    let program = ["run", "--quiet", "--locked", "-p", "realtime-auth-tests", "--bin", "ably-jwts"];
    let lines: String = wanted.iter().map(|(_, wanted)| format!("{wanted}\n")).collect();
    let minted = answers(&mut cargo(&program), &lines)?;
    let named = wanted.iter().zip(&minted).map(|((name, _), line)| (*name, line["jwt"].clone()));
    Ok(json!(named.collect::<BTreeMap<_, _>>()))
}

/// Runs the cases twice: with the key, and with a wrong secret.
fn report(peer: &'static str, script: Script, server: &Server, jwts: &Value) -> Done<Report> {
    let Script { version, mut command } = script;
    let cases = cases(peer);
    let names: Vec<_> = cases.iter().map(|case| case.name).collect();
    let mut run = |key: &str| -> Done<Vec<Value>> {
        let mut setup = jwts.clone();
        setup["host"] = json!("127.0.0.1");
        setup["port"] = json!(server.port);
        setup["key"] = json!(key);
        setup["revocable"] = json!(REVOCABLE_KEY);
        in_order(peer, &names, answers(&mut command, &setup.to_string())?)
    };
    eprintln!("{peer} runs {} cases, and runs them again with a wrong secret", cases.len());
    let came = run(KEY)?;
    let mut passed = 0;
    for (case, came) in cases.iter().zip(&came) {
        if case.expected.matches(came) {
            passed += 1;
        } else {
            eprintln!("{peer}: {}: {came}, where {:?} was expected", case.name, case.expected);
        }
    }
    let came = run(&KEY.replace("Secret", "Wrong"))?;
    let standing = cases.iter().zip(&came).filter(|(case, _)| case.stands_on_the_key);
    let (unnoticed, noticed): (Vec<_>, Vec<_>) =
        standing.partition(|(case, came)| case.expected.matches(came));
    if let Some((case, _)) = unnoticed.first() {
        return Err(Failed(format!("{peer}: {} comes out the same with a wrong secret", case.name)));
    }
    let counts = vec![("refused with a wrong secret", noticed.len() as u64)];
    Ok(Report { peer, version, cases: cases.len(), passed, counts })
}

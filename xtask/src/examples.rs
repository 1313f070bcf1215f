//! Each example runs: those that need a server against `rtauth gateway`, as a user would start it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::shell::{Done, Failed, cargo, root, run as run_command};

/// Each example, and what it must print.
const EXAMPLES: [(&str, &str); 12] = [
    ("ably", r#"allowed Some("{\"news\":[\"subscribe\"]}"): Some(Text("{\"action\":11,"#),
    ("audit_trail", " of them under a signature"),
    ("blocking_session", r#"Some(Text("hello from a thread"))"#),
    ("bring_your_own_http_client", "a token over ureq, good for "),
    ("genesys", r#"Some(Text("{\"type\":\"subscribe\",\"topic\":\"v2.conversations\"}"))"#),
    ("optave", r#"connection 2: Some(Text("hello"))"#),
    ("renew_blocking", "renewed without an executor: token 2"),
    ("renew_on_smol", "renewed on smol: token 2"),
    ("renew_without_a_runtime", "a day of tokens that live for an hour took "),
    ("session_on_smol", r#"Some(Text("hello from smol"))"#),
    ("spatium", "404 Not Found, asked with a permission token"),
    ("watch_a_session", "authenticated after "),
];

pub(crate) fn run() -> Done {
    run_command(&mut cargo(&["build", "--locked", "-p", "realtime-auth-examples", "-p", "rtauth"]))?;
    let binaries = root().canonicalize()?.join("target").join("debug");
    let folder = tempfile::tempdir()?;
    let gateway = Gateway::start(&binaries, folder.path())?;
    for (example, expected) in EXAMPLES {
        let output = Command::new(binaries.join(example))
            .current_dir(folder.path())
            .env("ABLY_ENDPOINT", &gateway.url)
            .env("ABLY_KEY", KEY)
            .env("GENESYS_REGION", &gateway.url)
            .env("GENESYS_CLIENT_ID", "example")
            .env("GENESYS_CLIENT_SECRET", SECRET)
            .env("OPTAVE_WEBSOCKET_URL", gateway.url.replace("http", "ws"))
            .env("OPTAVE_AUTHENTICATION_URL", format!("{}/auth/oauth2", gateway.url))
            .env("OPTAVE_CLIENT_ID", "example")
            .env("OPTAVE_CLIENT_SECRET", SECRET)
            .env("SPATIUM_URL", format!("{}/authorization/v1", gateway.url))
            .env("SPATIUM_USERNAME", "example")
            .env("SPATIUM_PASSWORD", SECRET)
            .output()?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || !stdout.contains(expected) {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(Failed(format!("example {example} did not print {expected:?}:\n{stdout}{stderr}")));
        }
        println!("example {example}: {}", stdout.lines().next().unwrap_or_default());
    }
    let trail = folder.path().join("genesys-audit").join("00000000000000000001.jsonl");
    if fs::read_to_string(trail)?.lines().count() < 4 {
        return Err(Failed("example genesys left no audit trail".to_owned()));
    }
    Ok(())
}

const SECRET: &str = "for the examples only";
const KEY: &str = "example.key:ForTheExamplesOnly";

const CONFIG: &str = r#"
[[client]]
id = "example"
secret_file = "secret.txt"
scope = "conversation:read"

[[ably_key]]
key_file = "key.txt"

[[optave.client]]
id = "example"
secret_file = "secret.txt"

[[spatium.account]]
username = "example"
password_file = "secret.txt"
permissions = ["read"]
"#;

/// A gateway that ends with this.
struct Gateway {
    process: Child,
    url: String,
}

impl Gateway {
    fn start(binaries: &Path, folder: &Path) -> Done<Self> {
        fs::write(folder.join("secret.txt"), SECRET)?;
        fs::write(folder.join("key.txt"), KEY)?;
        let config = folder.join("gateway.toml");
        fs::write(&config, CONFIG)?;
        let mut process = Command::new(binaries.join("rtauth"))
            .args(["gateway", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = &mut process.stdout {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let listening: Value = serde_json::from_str(&line)?;
        let url = listening["http"].as_str().unwrap_or_default().to_owned();
        Ok(Self { process, url })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A process that is gone already is what this is for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

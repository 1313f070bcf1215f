//! The gateway as a user runs it: the binary, with a configuration file.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::shell::{Done, Failed, cargo, quietly, root};

/// The key that most cases use.
pub(super) const KEY: &str = "appid1.keyid1:SecretSecretSecret";

/// The key whose tokens can be revoked.
pub(super) const REVOCABLE_KEY: &str = "appid1.keyid2:RevocableRevocable";

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"

[[ably_key]]
key_file = "key.txt"
capability = '{"chat:*":["*"],"news":["subscribe"]}'

[[ably_key]]
key_file = "revocable.txt"
revocable = true
"#;

/// A gateway that serves; it is stopped with this, whatever happened.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
    _configuration: TempDir,
}

impl Server {
    pub(super) fn start() -> Done<Self> {
        let target = root().canonicalize()?.join("target");
        let build = ["build", "--quiet", "--locked", "--package", "rtauth", "--target-dir"];
        quietly(cargo(&build).arg(&target))?;
        let folder = tempfile::tempdir()?;
        for (file, text) in
            [("key.txt", KEY), ("revocable.txt", REVOCABLE_KEY), ("gateway.toml", CONFIGURATION)]
        {
            fs::write(folder.path().join(file), text)?;
        }
        let binary = target.join("debug").join("rtauth").with_extension(std::env::consts::EXE_EXTENSION);
        let mut child = Command::new(binary)
            .args(["gateway", "--config"])
            .arg(folder.path().join("gateway.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take();
        // From here on it is stopped when this fails.
        let mut server = Self { child, port: 0, _configuration: folder };
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let listening: Value = serde_json::from_str(&line).unwrap_or_default();
        let port = listening["http"].as_str().and_then(|url| url.rsplit(':').next()?.parse().ok());
        server.port = port.ok_or_else(|| Failed(format!("rtauth gateway says {line:?}")))?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

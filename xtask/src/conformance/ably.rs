//! What the jobs with Ably's libraries share: the gateway as a user runs it, and what a script tells of its cases.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::shell::{Done, Failed, cargo, quietly, root};

/// A gateway that serves; it is stopped with this, whatever happened.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
    _configuration: TempDir,
}

impl Server {
    /// Builds the binary, and starts it with this configuration, which names these files.
    pub(super) fn start(configuration: &str, files: &[(&str, &str)]) -> Done<Self> {
        let target = root().canonicalize()?.join("target");
        let build = ["build", "--quiet", "--locked", "--package", "rtauth", "--target-dir"];
        quietly(cargo(&build).arg(&target))?;
        let folder = tempfile::tempdir()?;
        for (file, text) in files.iter().chain([&("gateway.toml", configuration)]) {
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

/// What came of each case, in our order; each must be there once, and no other.
pub(super) fn in_order(peer: &str, cases: &[&str], lines: Vec<Value>) -> Done<Vec<Value>> {
    let count = lines.len();
    let mut came: BTreeMap<_, _> = lines
        .into_iter()
        .map(|mut line| (line["case"].as_str().unwrap_or_default().to_owned(), line["came"].take()))
        .collect();
    let in_order: Vec<_> = cases.iter().filter_map(|case| came.remove(*case)).collect();
    if in_order.len() == cases.len() && count == cases.len() {
        return Ok(in_order);
    }
    let unknown: Vec<_> = came.keys().collect();
    Err(Failed(format!("{peer} ran {count} cases, not the {} expected; unknown: {unknown:?}", cases.len())))
}

/// What a command answers to what it is given: a JSON object a line.
pub(super) fn answers(command: &mut Command, asked: &str) -> Done<Vec<Value>> {
    // Nothing that goes to loopback takes a proxy.
    command.env("NO_PROXY", "*").env("no_proxy", "*");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // Dropped here, which ends its input.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output()?;
    written?;
    if !output.status.success() {
        let program = command.get_program().to_string_lossy();
        return Err(Failed(format!("{program} failed ({})", output.status)));
    }
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

//! `rtauth demo`: the whole road, end to end, against a gateway in the same process.
//!
//! Every line of the timeline is there because the thing was observed: by the client's own observer, by the gateway, or
//! by a message that came back.

mod scene;
mod story;
mod timeline;
mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use audit::Trail;
use auth_core::Secret;
use gateway::{Client, Config, Gateway, RateLimit};

use self::story::Story;
use self::timeline::Timeline;
pub use crate::args::DemoOptions;
use crate::exit::{self, Failure};
use crate::signals::Signals;
use crate::source::Secrets;
use crate::trail;

/// The OAuth client of the demo. Its secret guards a gateway that only this process can know of, and that ends with it.
const CLIENT_ID: &str = "demo-client";
const CLIENT_SECRET: &str = "a secret that never leaves this process";

/// The scopes that the gateway grants to the demo's client.
const GRANTED: &str = "conversation:read user:read";

/// How long the demo's tokens live: short, so that an expiry fits into it.
const TOKEN_LIFETIME: Duration = Duration::from_secs(4);

/// The counterpart that the demo plays against: tokens that live for four seconds, and a rate limit that turns the first
/// request away.
#[must_use]
pub fn gateway_config(listen: SocketAddr) -> Config {
    let scope = GRANTED.parse().unwrap_or_default();
    Config::new(listen)
        .with_client(Client::new(CLIENT_ID, Secret::from(CLIENT_SECRET), scope))
        .with_token_lifetime(TOKEN_LIFETIME)
        .with_rate_limit(RateLimit::new(Duration::from_secs(1), 5).starting_empty())
}

/// Plays the demo against a gateway with this configuration.
#[must_use]
pub fn command(options: &DemoOptions, config: Config) -> ExitCode {
    exit::run("demo", async {
        let signals = Signals::listen();
        let mut signals =
            signals.map_err(|error| Failure::Operation(format!("no signal handler: {error}")))?;
        tokio::select! {
            played = play(options, config) => played,
            () = signals.next() => Err(Failure::Interrupted),
        }
    })
}

async fn play(options: &DemoOptions, config: Config) -> Result<(), Failure> {
    if !options.listen.ip().is_loopback() {
        let text = format!("{} is open to other machines; the demo is for this one", options.listen);
        return Err(Failure::Usage(text));
    }
    let folder = AuditFolder::at(options.audit.clone())?;
    let key = trail::key(options.audit_key_file.as_deref(), &mut Secrets::default())?;
    let audit = trail::open(&folder.path, key)?.named("demo");
    let _closes = Closes(audit.clone());
    let gateway = Gateway::bind(config).await.map_err(|error| Failure::bind(options.listen, &error))?;
    let mut timeline = if options.json { Timeline::json() } else { Timeline::for_people() };
    timeline.title();
    let played = Story::new(gateway.spawn(), &audit, &folder.path, &mut timeline).play().await;
    if let Err(broken) = &played {
        timeline.broken(broken);
    }
    played.map_err(|broken| Failure::Operation(broken.to_string()))?;
    timeline
        .written()
        .map_err(|error| Failure::Operation(format!("standard output can't be written: {error}")))
}

/// Closes the log before its folder is removed, whoever else still holds the trail: a log that is gone is begun anew elsewhere.
struct Closes(Trail);

impl Drop for Closes {
    fn drop(&mut self) {
        let _ = self.0.close();
    }
}

/// The demo's audit log: where the user wants it, or in a folder that is removed.
struct AuditFolder {
    path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl AuditFolder {
    fn at(path: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(path) = path {
            if path.exists() {
                let text = format!("{} exists; the demo begins a log of its own", path.display());
                return Err(Failure::Usage(text));
            }
            return Ok(Self { path, _folder: None });
        }
        let folder = tempfile::Builder::new().prefix("rtauth-demo-").tempdir();
        let folder = folder.map_err(|error| {
            Failure::Operation(format!("no folder for the audit log, see TMPDIR: {error}"))
        })?;
        Ok(Self { path: folder.path().join("audit"), _folder: Some(folder) })
    }
}

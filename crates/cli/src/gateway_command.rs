//! `rtauth gateway`: the gateway by a configuration file.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use audit::Trail;
use auth_core::ably::ApiKey;
use auth_core::observe::Unrecorded;
use gateway::{
    Client, Config, Gateway, LONGEST_LIFETIME, LONGEST_REFRESH_GRACE, SHORTEST_LIFETIME, ServedKey,
};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::args::GatewayOptions;
use crate::exit::{self, Failure, complain};
use crate::files::{self, secret};
use crate::gateway_audit::{self, AuditTable};
use crate::gateway_metrics::MetricsTable;
use crate::gateway_systems::{OptaveTable, SpatiumTable};
use crate::signals::{Asked, Signals};

pub(crate) fn command(options: &GatewayOptions) -> ExitCode {
    exit::run("gateway", serve(options))
}

async fn serve(options: &GatewayOptions) -> Result<(), Failure> {
    let (file, folder) = match &options.config {
        Some(path) => (File::read(path)?, path.parent().map(Path::to_owned).unwrap_or_default()),
        None => (File::default(), PathBuf::new()),
    };
    let listen = options.listen.or(file.listen).unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    for listen in [Some(listen), file.metrics.as_ref().map(MetricsTable::listen)].into_iter().flatten() {
        if !listen.ip().is_loopback() && !options.insecure {
            return Err(Failure::Usage(format!(
                "{listen} is open to other machines, and this gateway speaks plain http; \
                 put TLS in front of it and say --insecure, or listen on 127.0.0.1"
            )));
        }
    }
    let mut config = Config::new(listen);
    if let Some(seconds) = file.token_lifetime_seconds {
        let lifetime = Duration::from_secs(seconds);
        if !(SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime) {
            let (shortest, longest) = (SHORTEST_LIFETIME.as_secs(), LONGEST_LIFETIME.as_secs());
            return Err(Failure::Usage(format!(
                "token_lifetime_seconds is {seconds}; it must be from {shortest} to {longest}"
            )));
        }
        config = config.with_token_lifetime(lifetime);
    }
    if let Some(seconds) = file.refresh_grace_seconds {
        let grace = Duration::from_secs(seconds);
        if grace > LONGEST_REFRESH_GRACE {
            let longest = LONGEST_REFRESH_GRACE.as_secs();
            return Err(Failure::Usage(format!(
                "refresh_grace_seconds is {seconds}; it must be from 0 to {longest}"
            )));
        }
        config = config.with_refresh_grace(grace);
    }
    let other_systems = !file.ably_key.is_empty() || file.optave.is_some() || file.spatium.is_some();
    if let Some(optave) = file.optave {
        config = config.with_optave(optave.read(&folder)?);
    }
    if let Some(spatium) = file.spatium {
        config = config.with_spatium(spatium.read(&folder)?);
    }
    if file.client.is_empty() && !other_systems {
        complain(
            "gateway",
            "neither a client nor another system is configured, so nobody can get a token; see rtauth gateway --help",
        );
    }
    let mut known = BTreeSet::new();
    for client in file.client {
        if client.id.is_empty() || !known.insert(client.id.clone()) {
            let text = format!("the client id {:?} is empty, or stands twice; each needs its own", client.id);
            return Err(Failure::Usage(text));
        }
        config = config.with_client(client.read(&folder)?);
    }
    let mut known = BTreeSet::new();
    for key in file.ably_key {
        let key = key.read(&folder)?;
        if !known.insert(key.name().to_owned()) {
            return Err(Failure::Usage(format!("the Ably key {:?} stands twice", key.name())));
        }
        config = config.with_ably_key(key);
    }
    let mut trail = None;
    if let Some(audit) = file.audit {
        let (opened, key) = audit.open(&folder, options.insecure)?;
        config = config.with_recorder(Arc::new(opened.clone()));
        if let Some(key) = key {
            config = config.with_fingerprint_key(key);
        }
        trail = Some(opened);
    }
    if let Some(metrics) = file.metrics {
        config = metrics.serve(config, trail.as_ref());
    }
    let gateway = Gateway::bind(config).await.map_err(|error| match error.get_ref() {
        // What the gateway says itself says which address it is.
        Some(said) => Failure::Usage(said.to_string()),
        None => Failure::bind(listen, &error),
    })?;
    let mut signals =
        Signals::listen().map_err(|error| Failure::Operation(format!("no signal handler: {error}")))?;
    let mut listening = serde_json::json!({
        "event": "listening", "http": gateway.http_url(), "ws": gateway.ws_url(),
    });
    if let Some(url) = gateway.metrics_url() {
        listening["metrics"] = url.into();
    }
    exit::print(listening)?;
    let served = until_asked(gateway, &mut signals, trail.as_ref()).await;
    if let Some(trail) = trail {
        gateway_audit::close(&trail);
    }
    served
}

/// A new file of the log on its way.
type Reopening<'a> = Pin<Box<dyn Future<Output = Result<(), Unrecorded>> + 'a>>;

/// Serves until somebody asks for the end, and has the trail begin a new file whenever somebody asks for that.
async fn until_asked(gateway: Gateway, signals: &mut Signals, trail: Option<&Trail>) -> Result<(), Failure> {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = pin!(gateway.serve(async {
        // A dropped sender says the same as a sent word.
        let _ = stopped.await;
    }));
    let mut stop = Some(stop);
    let mut reopening: Option<Reopening<'_>> = None;
    loop {
        tokio::select! {
            () = &mut serving => return Ok(()),
            reopened = optional(&mut reopening) => {
                reopening = None;
                if let Err(error) = reopened {
                    complain("gateway", error.to_string());
                }
            }
            asked = signals.asked(trail.is_some()) => match (asked, stop.take()) {
                (Asked::ToReopen, kept) => {
                    stop = kept;
                    reopening = trail.map(|trail| Box::pin(trail.reopen()) as _);
                }
                (Asked::ToEnd, Some(stop)) => drop(stop),
                // Asked twice: no more patience with those who are still connected.
                (Asked::ToEnd, None) => return Err(Failure::Interrupted),
            },
        }
    }
}

/// The result of a future, if there is one.
async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    token_lifetime_seconds: Option<u64>,
    refresh_grace_seconds: Option<u64>,
    #[serde(default)]
    client: Vec<ClientEntry>,
    #[serde(default)]
    ably_key: Vec<AblyKeyEntry>,
    optave: Option<OptaveTable>,
    spatium: Option<SpatiumTable>,
    audit: Option<AuditTable>,
    metrics: Option<MetricsTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    id: String,
    secret_file: PathBuf,
    scope: String,
    refresh_token_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AblyKeyEntry {
    key_file: PathBuf,
    capability: Option<String>,
    #[serde(default)]
    revocable: bool,
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::text(path)?;
        // The place and the reason, without the text itself: a secret may stand there that belongs into a file.
        toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
            let line = before.matches('\n').count() + 1;
            Failure::Usage(format!("{} is wrong in line {line}: {}", path.display(), error.message()))
        })
    }
}

impl ClientEntry {
    fn read(self, folder: &Path) -> Result<Client, Failure> {
        let scope = self.scope.parse().map_err(|error| {
            Failure::Usage(format!("the scope of client {:?} is wrong: {error}", self.id))
        })?;
        let client = Client::new(self.id, secret(&folder.join(self.secret_file))?, scope);
        Ok(match self.refresh_token_file {
            Some(path) => client.with_refresh_token(secret(&folder.join(path))?),
            None => client,
        })
    }
}

impl AblyKeyEntry {
    fn read(self, folder: &Path) -> Result<ServedKey, Failure> {
        let path = folder.join(self.key_file);
        let key = ApiKey::parse(secret(&path)?.expose())
            .map_err(|error| Failure::Usage(format!("{} has no API key: {error}", path.display())))?;
        let name = key.name().to_owned();
        let mut served = ServedKey::new(key);
        if let Some(text) = self.capability {
            let capability = text.parse().map_err(|error| {
                Failure::Usage(format!("the capability of the Ably key {name:?} is wrong: {error}"))
            })?;
            served = served.with_capability(capability);
        }
        Ok(if self.revocable { served.with_revocable_tokens() } else { served })
    }
}

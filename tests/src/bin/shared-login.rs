//! One of several processes that share a login through a file: refreshes at each line of its standard input.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth_core::fingerprint::FingerprintKey;
use auth_core::renewal::{Policy, Record};
use auth_core::{Demand, ErrorKind, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use auth_http::grant::RefreshToken;
use auth_http::manager::TokenManager;
use auth_http::store::FileStore;
use auth_http::wire::{TokenEndpoint, TokenForm};
use clap::Parser;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[derive(Debug, Parser)]
struct Arguments {
    /// The URL of the token endpoint.
    endpoint: String,

    /// What is shared: client-secret.txt, refresh-token.txt (the login's), and store.json.
    folder: PathBuf,

    /// The control: read the file, send, write the file in place; no lock, no note of what is under way.
    #[arg(long)]
    naive: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { endpoint, folder, naive } = Arguments::parse();
    let secret = |name: &str| std::fs::read_to_string(folder.join(name)).map(Secret::from);
    let endpoint = TokenEndpoint::new(&endpoint, "shared", secret("client-secret.txt")?)?;
    let path = folder.join("store.json");
    let client = if naive {
        Client::Naive(Box::new(Naive { endpoint, path }))
    } else {
        let login = secret("refresh-token.txt")?;
        let grant = RefreshToken::new(endpoint, Arc::new(HyperClient::plaintext()), login);
        let manager = TokenManager::builder(grant)
            .with_policy(Policy::new().with_spacing(Duration::ZERO))
            .with_store(Arc::new(FileStore::open(path)?))
            // The same in all processes, so that the test can tell whether two hold the same token.
            .with_fingerprint_key(FingerprintKey::new([0; 32]));
        Client::Managed(manager.spawn())
    };
    let mut turn = 0;
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    while commands.next_line().await?.is_some() {
        turn += 1;
        let answer = client.refresh(turn).await.unwrap_or_else(|failed| json!({ "failed": failed }));
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

enum Client {
    Managed(TokenManager),
    Naive(Box<Naive>),
}

impl Client {
    async fn refresh(&self, turn: u64) -> Result<Value, String> {
        match self {
            Self::Managed(manager) => refresh(manager, turn).await,
            Self::Naive(naive) => naive.refresh().await.map_err(|error| format!("{error:?}")),
        }
    }
}

/// Has the manager put another token in the place of its current one.
async fn refresh(manager: &TokenManager, turn: u64) -> Result<Value, String> {
    let failed = |error: auth_core::Error| format!("{:?}: {error}", error.kind());
    let held = manager.token(Demand::Current).await.map_err(failed)?.generation();
    // In turn: a replacement that is refused as soon as it is there would rightly be a reason to pause.
    let demand = if turn % 2 == 1 { Demand::InsteadOf(held) } else { Demand::NewerThan(held) };
    let token = manager.token(demand).await.map_err(failed)?;
    if token.generation() <= held {
        return Err("the old token, where a newer one was demanded".to_owned());
    }
    Ok(json!({ "generation": token.generation(), "token": token.fingerprint() }))
}

/// What a program does that thinks it is alone.
struct Naive {
    endpoint: TokenEndpoint,
    path: PathBuf,
}

impl Naive {
    async fn refresh(&self) -> Result<Value, ErrorKind> {
        let text = std::fs::read(&self.path).map_err(|_| ErrorKind::StoreFailed)?;
        let mut record = Record::parse(&text).map_err(|_| ErrorKind::StoreFailed)?;
        let refresh_token = record.refresh_token.ok_or(ErrorKind::StoreFailed)?;
        let form = TokenForm::refresh_token(&refresh_token);
        let request = self.endpoint.request(&form, None).map_err(|error| error.kind())?;
        let reply = HyperClient::plaintext().exchange(request).await.map_err(|error| error.kind())?;
        record.refresh_token = self.endpoint.read(&reply).map_err(|error| error.kind())?.refresh_token;
        record.revision += 1;
        std::fs::write(&self.path, record.to_json().expose()).map_err(|_| ErrorKind::StoreFailed)?;
        Ok(json!({ "generation": record.revision }))
    }
}

//! Signs or verifies token requests line by line: our side of `cargo xtask conformance token-request`.

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use auth_core::ably::{ApiKey, Nonce, TokenClientId, TokenParams, TokenRequest};
use auth_core::capability::Capability;
use auth_core::time::{Moment, Now, Timestamp};
use clap::{Parser, ValueEnum};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

#[derive(Debug, Parser)]
struct Arguments {
    mode: Mode,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Reads the parameter sets that the peers' scripts read, and writes what we would send.
    Sign,
    /// Reads what a peer would send, and writes what we make of it.
    Verify,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    key: String,
    ttl: Option<u64>,
    /// An object, or a string that holds one.
    capability: Option<Box<RawValue>>,
    client_id: Option<String>,
    timestamp: u64,
    nonce: String,
}

#[derive(Deserialize)]
struct Received {
    key: String,
    now: u64,
    sent: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { mode } = Arguments::parse();
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        let answer = match mode {
            Mode::Sign => sign(serde_json::from_slice(&line)?)?,
            Mode::Verify => verify(&serde_json::from_slice(&line)?)?,
        };
        writeln!(stdout, "{answer}")?;
    }
    Ok(())
}

fn sign(set: Set) -> Result<Value, Box<dyn Error>> {
    let mut params = TokenParams::new();
    if let Some(ttl) = set.ttl {
        params = params.with_ttl(Duration::from_millis(ttl));
    }
    if let Some(capability) = set.capability {
        params = params.with_capability(read_capability(capability.get())?);
    }
    if let Some(client_id) = set.client_id {
        match TokenClientId::new(&client_id) {
            Ok(client_id) => params = params.with_client_id(client_id),
            Err(invalid) => return Ok(json!({ "refused": format!("{invalid:?}") })),
        }
    }
    let request =
        TokenRequest::sign(&ApiKey::parse(&set.key)?, &params, at(set.timestamp), Nonce::new(set.nonce)?);
    Ok(json!({ "sent": request.to_json().expose() }))
}

fn read_capability(json: &str) -> Result<Capability, Box<dyn Error>> {
    let text: String = if json.starts_with('"') { serde_json::from_str(json)? } else { json.to_owned() };
    Ok(text.parse()?)
}

fn verify(received: &Received) -> Result<Value, Box<dyn Error>> {
    let key = ApiKey::parse(&received.key)?;
    let verified = TokenRequest::parse(received.sent.as_bytes())
        .and_then(|request| request.verify(&key, at(received.now)));
    Ok(match verified {
        Ok(verified) => {
            let mut meant = Map::new();
            meant.extend(verified.ttl.map(|ttl| ("ttl".to_owned(), json!(ttl.as_millis() as u64))));
            let capability = verified.capability.as_ref().map(Capability::canonical_text);
            meant.extend(capability.map(|text| ("capability".to_owned(), json!(text))));
            let client_id = verified.client_id.as_ref().map(TokenClientId::as_str);
            meant.extend(client_id.map(|text| ("clientId".to_owned(), json!(text))));
            json!({ "verified": meant })
        }
        Err(refused) => json!({ "refused": format!("{refused:?}") }),
    })
}

const fn at(millis: u64) -> Now {
    Now { wall: Timestamp::from_millis(millis), mono: Moment::ORIGIN }
}

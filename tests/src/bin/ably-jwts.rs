//! Mints Ably JWTs line by line, for `cargo xtask conformance ably-rest` to hand to Ably's libraries.

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::time::{Duration, SystemTime};

use auth_core::ably::{ApiKey, ClientId, TokenParams, mint_jwt};
use auth_core::time::{Moment, Now, Timestamp};
use serde::Deserialize;
use serde_json::json;

/// What a JWT shall say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    key: String,
    /// How long ago it was issued, in seconds.
    #[serde(default)]
    age: u64,
    /// How long it lives from then on, in seconds.
    lifetime: u64,
    client_id: Option<String>,
    capability: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let wanted: Wanted = serde_json::from_str(&line?)?;
        writeln!(stdout, "{}", json!({ "jwt": mint(wanted)? }))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program's clock")]
fn mint(wanted: Wanted) -> Result<String, Box<dyn Error>> {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let issued = wall.saturating_sub(Duration::from_secs(wanted.age));
    let mut params = TokenParams::new().with_ttl(Duration::from_secs(wanted.lifetime));
    if let Some(client_id) = wanted.client_id {
        params = params.with_client_id(ClientId::new(&client_id)?);
    }
    if let Some(capability) = wanted.capability {
        params = params.with_capability(capability.parse()?);
    }
    let now = Now { wall: Timestamp::since_epoch(issued), mono: Moment::ORIGIN };
    Ok(mint_jwt(&ApiKey::parse(&wanted.key)?, &params, now).expose().to_owned())
}

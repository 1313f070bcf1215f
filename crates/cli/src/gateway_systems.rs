//! The tables `[optave]` and `[spatium]` of the gateway's configuration file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::{Asymmetric, KeySet, SignJws as _, SigningKey};
use gateway::endpoint::optave::{Browsers, LONGEST_LIFETIME, TokenServer};
use gateway::endpoint::spatium::{Account, AuthorizationServer, Merchant};
use serde::Deserialize;

use crate::exit::Failure;
use crate::files::{lines_or_stdin, secret};

/// Optave's token endpoint.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptaveTable {
    token_lifetime_seconds: Option<u64>,
    #[serde(default)]
    browsers: bool,
    #[serde(default)]
    origins: Vec<String>,
    publishable_key: Option<String>,
    #[serde(default)]
    client: Vec<OptaveClient>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OptaveClient {
    id: String,
    secret_file: PathBuf,
}

impl OptaveTable {
    pub(crate) fn read(self, folder: &Path) -> Result<TokenServer, Failure> {
        let mut server = TokenServer::hs256(rand::random());
        if let Some(seconds) = self.token_lifetime_seconds {
            server =
                server.with_lifetime(lifetime("optave.token_lifetime_seconds", seconds, LONGEST_LIFETIME)?);
        }
        if self.browsers {
            let mut browsers = Browsers::new();
            for origin in self.origins {
                browsers = browsers.with_origin(origin);
            }
            if let Some(key) = self.publishable_key {
                browsers = browsers.with_publishable_key(key);
            }
            server = server.with_browsers(browsers);
        } else if !self.origins.is_empty() || self.publishable_key.is_some() {
            let text = "optave.origins and optave.publishable_key are for browsers; say browsers = true, or leave them out";
            return Err(Failure::Usage(text.to_owned()));
        }
        let mut known = BTreeSet::new();
        for client in self.client {
            name("optave.client id", &client.id, &mut known)?;
            server = server.with_client(client.id, secret(&folder.join(client.secret_file))?);
        }
        Ok(server)
    }
}

/// Spatium's authorization service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpatiumTable {
    permission_lifetime_seconds: Option<u64>,
    refresh_lifetime_seconds: Option<u64>,
    signing_key_file: Option<PathBuf>,
    #[serde(default)]
    account: Vec<SpatiumAccount>,
    #[serde(default)]
    merchant: Vec<SpatiumMerchant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpatiumAccount {
    username: String,
    password_file: PathBuf,
    permissions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpatiumMerchant {
    id: String,
    key_file: PathBuf,
    permissions: Vec<String>,
}

/// The longest lifetime of a permission token: a day. What has it can be refused no earlier.
const LONGEST_PERMISSION: Duration = Duration::from_secs(86_400);
/// The longest lifetime of a refresh token: a year.
const LONGEST_REFRESH: Duration = Duration::from_secs(365 * 86_400);

impl SpatiumTable {
    pub(crate) fn read(self, folder: &Path) -> Result<AuthorizationServer, Failure> {
        let mut server = match self.signing_key_file {
            Some(path) => signed_by(&folder.join(path))?,
            None => AuthorizationServer::hs256(rand::random()),
        };
        if let Some(seconds) = self.permission_lifetime_seconds {
            let lifetime = lifetime("spatium.permission_lifetime_seconds", seconds, LONGEST_PERMISSION)?;
            server = server.with_permission_lifetime(lifetime);
        }
        if let Some(seconds) = self.refresh_lifetime_seconds {
            let lifetime = lifetime("spatium.refresh_lifetime_seconds", seconds, LONGEST_REFRESH)?;
            server = server.with_refresh_lifetime(lifetime);
        }
        let mut known = BTreeSet::new();
        for account in self.account {
            name("spatium.account username", &account.username, &mut known)?;
            let password = secret(&folder.join(account.password_file))?;
            server = server.with_account(Account::new(account.username, password, account.permissions));
        }
        let mut known = BTreeSet::new();
        for merchant in self.merchant {
            name("spatium.merchant id", &merchant.id, &mut known)?;
            let key = secret(&folder.join(merchant.key_file))?;
            server = server.with_merchant(Merchant::new(merchant.id, key, merchant.permissions));
        }
        Ok(server)
    }
}

/// A service that signs by the private key in a file.
fn signed_by(path: &Path) -> Result<AuthorizationServer, Failure> {
    let unusable = |what: &str| Failure::Usage(format!("{} is no key to sign with: {what}", path.display()));
    let key = SigningKey::from_pem(&lines_or_stdin(path)?).map_err(|error| unusable(&error.to_string()))?;
    let public = key.public_key().ok_or_else(|| unusable("it has no public half"))?;
    let keys =
        KeySet::parse_public(&public.to_jwk(), &Asymmetric).map_err(|error| unusable(&error.to_string()))?;
    Ok(AuthorizationServer::new(Arc::new(key), keys))
}

fn lifetime(member: &str, seconds: u64, longest: Duration) -> Result<Duration, Failure> {
    let lifetime = Duration::from_secs(seconds);
    if lifetime.is_zero() || lifetime > longest {
        let longest = longest.as_secs();
        return Err(Failure::Usage(format!("{member} is {seconds}; it must be from 1 to {longest}")));
    }
    Ok(lifetime)
}

fn name(member: &str, name: &str, known: &mut BTreeSet<String>) -> Result<(), Failure> {
    if name.is_empty() || !known.insert(name.to_owned()) {
        return Err(Failure::Usage(format!(
            "the {member} {name:?} is empty, or stands twice; each needs its own"
        )));
    }
    Ok(())
}

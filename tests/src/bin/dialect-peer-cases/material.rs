//! The credentials of one run: the servers' scripts are given them, and so are the cases.

use auth_core::Secret;
use auth_http::freshness::{Freshness as _, SystemFreshness};
use serde::{Deserialize, Serialize};

use crate::nkey;

/// What the servers let in, all drawn anew. It lives as long as the servers do, and only they know it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Material {
    /// Every server lets it in.
    token: String,
    /// And this one too.
    second: String,
    /// At this one the hook of graphql-ws throws.
    throws: String,
    /// Of a user of nats-server.
    password: String,
    /// The seed of a key for NATS; the cases sign with it.
    seed: String,
    /// Its public half.
    nkey: String,
}

impl Material {
    pub(crate) fn draw() -> Result<Self, nkey::Invalid> {
        let [token, second, throws, password] = std::array::from_fn(|_| text());
        let seed = nkey::seed();
        let nkey = nkey::Key::of_seed(&seed)?.public();
        Ok(Self { token, second, throws, password, seed: seed.expose().to_owned(), nkey })
    }

    pub(crate) fn token(&self) -> Secret {
        Secret::from(self.token.as_str())
    }

    pub(crate) fn second(&self) -> Secret {
        Secret::from(self.second.as_str())
    }

    pub(crate) fn throws(&self) -> Secret {
        Secret::from(self.throws.as_str())
    }

    pub(crate) fn password(&self) -> Secret {
        Secret::from(self.password.as_str())
    }

    pub(crate) fn seed(&self) -> Secret {
        Secret::from(self.seed.as_str())
    }
}

/// A credential that no server lets in.
pub(crate) fn unknown() -> Secret {
    Secret::from(text())
}

fn text() -> String {
    SystemFreshness.random().iter().map(|byte| format!("{byte:02x}")).collect()
}

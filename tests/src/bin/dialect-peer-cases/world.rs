//! What the cases at one server share.

use auth_core::Secret;
use realtime_auth_tests::verdict::Wrong;
use serde_json::Value;
use ws_session::dialect::{Dialect, Rule};

use crate::material::Material;
use crate::peer::Peer;
use crate::play::Play;

/// A server, and what is known of it.
pub(crate) struct World {
    pub(crate) peer: Peer,
    /// Where sessions go, without a query.
    pub(crate) url: String,
    pub(crate) dialect: Dialect,
    pub(crate) material: Material,
}

impl World {
    /// The server that told of itself, with its WebSockets at this path.
    pub(crate) fn new(material: Material, told: &Value, path: &str, dialect: Dialect) -> Self {
        let url = format!("ws://{}{path}", told["address"].as_str().unwrap_or_default());
        Self { peer: Peer::new(told), url, dialect, material }
    }

    /// A session whose tokens are these.
    pub(crate) fn begin(&self, tokens: impl IntoIterator<Item = Secret>) -> Result<Play, Wrong> {
        Play::begin(&self.url, &self.dialect, tokens)
    }

    /// A session with the token that is let in.
    pub(crate) fn welcome(&self) -> Result<Play, Wrong> {
        self.begin([self.material.token()])
    }

    /// The same, in another dialect.
    pub(crate) fn welcome_in(&self, dialect: &Dialect) -> Result<Play, Wrong> {
        Play::begin(&self.url, dialect, [self.material.token()])
    }

    /// The dialect, with this rule before all others.
    pub(crate) fn with_rule(&self, rule: Rule) -> Dialect {
        self.changed(|dialect| dialect.rules.insert(0, rule))
    }

    /// The dialect with something else about it.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Dialect)) -> Dialect {
        let mut dialect = self.dialect.clone();
        change(&mut dialect);
        dialect
    }
}

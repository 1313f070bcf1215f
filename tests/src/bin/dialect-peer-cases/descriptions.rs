//! The dialects of the servers: each by its description alone, but for keys that sign.

use std::sync::Arc;

use serde_json::json;
use ws_session::dialect::description::InvalidDescription;
use ws_session::dialect::{Dialect, Template};

use crate::nkey;

type Described = Result<Dialect, InvalidDescription>;

pub(crate) fn graphql() -> Described {
    Dialect::from_toml(include_str!("../../../peers/dialects/graphql.toml"))
}

pub(crate) fn async_graphql() -> Described {
    Dialect::from_toml(include_str!("../../../peers/dialects/async_graphql.toml"))
}

pub(crate) fn socket_io() -> Described {
    Dialect::from_toml(include_str!("../../../peers/dialects/socket_io.toml"))
}

pub(crate) fn nats_user() -> Described {
    Dialect::from_toml(include_str!("../../../peers/dialects/nats_user.toml"))
}

/// The built-in dialect, which captures the nonce, with another login and whoever signs.
pub(crate) fn nats_nkey() -> Dialect {
    let mut dialect = Dialect::nats();
    let connect = json!({ "nkey": "${nkey}", "sig": "${signature}", "verbose": false });
    dialect.login[0].send = Template::json(json!({ "verb": "CONNECT", "data": connect }));
    dialect.authenticator = Some(Arc::new(nkey::Signer));
    dialect
}

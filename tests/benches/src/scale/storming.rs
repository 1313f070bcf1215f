//! The process whose sessions the storm hits: it holds them under the process-wide budget, or under none, and says how many are connected.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use ws_session::dialect::{CredentialUse, Dialect};
use ws_session::driver::tokio::{ConnectBudget, Session, Target};
use ws_session::machine::State;

use super::child::say;
use super::ends::runtime;
use super::server::Addresses;
use super::source;

/// How many sessions, where to, and how fast they may come back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(super) at: Addresses,
    pub(super) sessions: u32,
    /// Connections in a second, of the whole process; none has to wait for another without it.
    pub(super) rate: Option<u32>,
}

/// How fast they connect before the storm, in a second: what they do then is not measured.
const AT_FIRST: u32 = 2_000;

#[expect(clippy::expect_used, reason = "a bench without its sessions measures nothing")]
pub(super) fn run(settings: &Settings) {
    let Settings { at, sessions, rate } = settings;
    let budget = match rate {
        Some(_) => ConnectBudget::process().with_rate(AT_FIRST),
        None => ConnectBudget::new(usize::MAX),
    };
    let target = Target::new(&at.sessions).expect("it is on loopback");
    let mut dialect = Dialect::genesys();
    dialect.credential_use = CredentialUse::Once;
    let (dialect, source) = (Arc::new(dialect), source::endpoint(&at.tokens));
    runtime().block_on(async {
        let spawn = |_| {
            let (target, dialect, source) = (target.clone(), Arc::clone(&dialect), Arc::clone(&source));
            Session::builder(target, dialect, source).with_connect_budget(budget.clone()).spawn()
        };
        let mut held: Vec<_> = (0..*sessions).map(spawn).collect();
        for session in &mut held {
            let patience = Duration::from_secs(120);
            session.authenticated_within(patience).await.expect("the server takes each token once");
        }
        if let Some(rate) = rate {
            let _ = budget.clone().with_rate(*rate);
        }
        say(&held.len());
        let mut orders = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(_)) = orders.next_line().await {
            say(&held.iter().filter(|session| session.state() == State::Connected).count());
        }
    });
}

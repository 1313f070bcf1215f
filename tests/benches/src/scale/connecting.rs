//! What connecting and logging in by a first message costs, beside a bare connection that logs in nowhere.
//!
//! Both sides connect to the same server by turns, in batches; processor time of the client's process only, in user and kernel mode. The
//! server runs on the same processor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stats_alloc::Region;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Runtime, Target};
use ws_session::driver::{polled, tokio as handled};

use super::child::Part;
use super::ends::{next, processor_time, runtime};
use super::server::Addresses;
use super::{Server, source};
use crate::ALLOCATOR;
use crate::case::{Bar, Case, Work};
use crate::measure::Measured;

/// What connects, and where to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    kind: Kind,
    at: Addresses,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Kind {
    /// Connects, logs in, and drops the session; beside it, the connection is dropped as soon as it is open.
    Dropped,
    /// The same by a handle and its driver, with the close that both agree on.
    Closed,
}

pub(super) fn cases() -> Vec<Case> {
    let server = Server::begin(false, false, true);
    let case = |subject, kind, baseline_name| {
        eprintln!("connecting again and again: {kind:?}");
        let measured = Part::Connecting(Settings { kind, at: server.at.clone() }).play(true).hear();
        let work = Work::Measured { unit: "ns", measured, chart: None };
        Case { subject, size: None, work, baseline_name, bar: Bar::Ratio(1.5) }
    };
    vec![
        case("connecting_polled", Kind::Dropped, "tokio-tungstenite's connect_async, and drop"),
        case("connecting_handle_and_closing", Kind::Closed, "tokio-tungstenite's connect_async, and close"),
    ]
}

/// Connections of a batch: some milliseconds of them.
const BATCH: u32 = 100;

const ROUNDS: usize = 101;

#[expect(clippy::expect_used, reason = "a bench without its connections measures nothing")]
pub(super) fn run(settings: &Settings) -> Measured {
    let url = settings.at.sessions.as_str();
    let (target, dialect) = (Target::new(url).expect("it is on loopback"), Arc::new(Dialect::genesys()));
    let (source, reactor) = (source::fixed(), Arc::new(Runtime::default()));
    let given = || (target.clone(), Arc::clone(&dialect), Arc::clone(&source));
    let ours = async || {
        let (target, dialect, source) = given();
        match settings.kind {
            Kind::Dropped => {
                let builder = polled::Session::builder(target, dialect, source);
                let mut session = builder.build(Arc::clone(&reactor) as _);
                session.authenticated().await.expect("the server takes any token");
            }
            Kind::Closed => {
                let mut session = handled::Session::builder(target, dialect, source).spawn();
                session.authenticated().await.expect("the server takes any token");
                session.close().await.expect("nothing is wrong with it");
            }
        }
    };
    let bare = async || {
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024);
        let connected = connect_async_with_config(url, Some(config), true).await;
        let (mut socket, _) = connected.expect("the server upgrades");
        if let Kind::Closed = settings.kind {
            socket.close(None).await.expect("the connection stands");
            while next(&mut socket).await.is_some() {}
        }
    };
    let runtime = runtime();
    runtime.block_on(async {
        let (mut rounds, mut allocations) = (Vec::with_capacity(ROUNDS), (0.0, 0.0));
        for round in 0..=ROUNDS {
            let (ours, bare) = if round % 2 == 0 {
                let ours = batch(&ours).await;
                (ours, batch(&bare).await)
            } else {
                let bare = batch(&bare).await;
                (batch(&ours).await, bare)
            };
            // The first warms up.
            if round > 0 {
                rounds.push((ours.0, bare.0));
                allocations = (ours.1, bare.1);
            }
        }
        Measured::of_rounds(&rounds, allocations)
    })
}

/// What one costs, in nanoseconds and in allocations.
async fn batch(connect: &impl AsyncFn()) -> (f64, f64) {
    let (before, region) = (processor_time(), Region::new(ALLOCATOR));
    for _ in 0..BATCH {
        connect().await;
    }
    let (after, change) = (processor_time(), region.change());
    let each = |count: f64| count / f64::from(BATCH);
    (each(after - before), each((change.allocations + change.reallocations) as f64))
}

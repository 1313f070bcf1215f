//! Worlds for the session machine: [`SIMULATION`] lets the one of a seed pass, and says what it found.
//!
//! A world is a session with its driver and its user, a source of tokens, a network, and a service whose connections are server
//! halves of the same dialect. Its time is a number: the next event is always at hand, and hours take a millisecond. Every
//! choice comes from the seed, so the same seed gives the same trace, byte by byte.

mod chaos;
mod client;
mod dialects;
mod driver;
mod judge;
mod link;
mod observed;
mod outcome;
mod peer;
mod plan;
mod presented;
mod properties;
mod source;
mod spread;
mod standing;
mod user;
mod wishes;
mod world;

use self::world::World;
use crate::runner::{Outcome, Simulation};

/// What the runner needs to know.
pub(crate) const SIMULATION: Simulation =
    Simulation { name: "session", run, together: || spread::check().map(Into::into), essential: &ESSENTIAL };

/// Lets the world of `seed` pass; `keep` keeps the lines of its trace.
fn run(seed: u64, keep: bool) -> Outcome {
    let mut world = World::new(seed, keep);
    world.run();
    Outcome {
        seed,
        hash: world.trace.hash(),
        span: world.clocks.at.min(world.plan.span),
        most: vec![
            ("most failures in a minute", world.seen.most_in_a_minute),
            ("most failures in ten minutes", world.seen.most_in_ten),
            ("most renewals in an hour before their time", world.seen.most_early_renewals),
        ],
        violation: world.violation.map(Into::into),
        coverage: world.coverage,
        inputs: world.inputs,
        lines: world.trace.lines(),
    }
}

/// What no run of many seeds may lack.
const ESSENTIAL: [&str; 97] = [
    "clock: suspend",
    "clock: wall set back",
    "clock: wall set forward",
    "dialect: genesys",
    "dialect: header, one connection at a time",
    "dialect: header, overlapping connections",
    "dialect: own ping, captured expiry",
    "dialect: query, never renewed",
    "dialect: single use, in band",
    "dialect: single use, never renewed",
    "dialect: single use, overlapping connections",
    "dialect: the server asks for a connection",
    "dialect: the server asks for a renewal",
    "dialect: the server speaks first",
    "end: closed",
    "end: connected",
    "end: failed",
    "machine: a renewal failed",
    "machine: a renewal is refused",
    "machine: attempts",
    "machine: authenticated",
    "machine: bids farewell",
    "machine: closed",
    "machine: delayed for want of a token",
    "machine: failed",
    "machine: lost a connection",
    "machine: pings",
    "machine: presents",
    "machine: puts off a renewal",
    "machine: renewed by another connection",
    "machine: renewed in band",
    "machine: suspended",
    "message: arrived",
    "message: given back",
    "message: got",
    "message: perhaps sent",
    "message: sent",
    "network: black hole",
    "network: no WebSocket there",
    "network: nothing reaches anybody",
    "network: nothing reaches the client",
    "network: nothing reaches the server",
    "network: refused",
    "network: reset",
    "server: 401 or 403",
    "server: 429",
    "server: 5xx",
    "server: Retry-After",
    "server: accepts a login",
    "server: accepts a renewal",
    "server: accepts and then closes",
    "server: asks again and again",
    "server: closes by its rules",
    "server: closes with a reason",
    "server: closes without a reason",
    "server: final close",
    "server: final status",
    "server: never answers a login",
    "server: never answers a renewal",
    "server: refuses a good token",
    "server: refuses a login",
    "server: refuses a renewal",
    "server: restarts",
    "server: revokes",
    "server: saw an expired token",
    "server: sends",
    "server: understates a lifetime",
    "server: verifies",
    "server: verifies a renewal",
    "source: answered",
    "source: answered too late",
    "source: away",
    "source: expired token",
    "source: final error",
    "source: from its cache",
    "source: from its cache, for want of a newer one",
    "source: nearly expired token",
    "source: never answers",
    "source: rate limited with advice",
    "source: same token again",
    "source: token that lives for more than 24 days",
    "stale: ended",
    "stale: message",
    "stale: opened",
    "user: asks for a renewal",
    "user: closes",
    "user: sends",
    "user: the network changed",
    "user: the queue is full",
    "verdict: authentication timeout",
    "verdict: expired",
    "verdict: forbidden",
    "verdict: misuse",
    "verdict: rate limited",
    "verdict: reconnect now",
    "verdict: rejected",
    "verdict: transient",
];

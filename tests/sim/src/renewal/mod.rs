//! Worlds for the renewal machine: [`run`] lets the one of a seed pass, and says what it found.
//!
//! A world is a token endpoint, sometimes a store, the clocks of a host, and one to four processes with callers. Its time
//! is a number: the next event is always at hand, and hours take a millisecond. Every choice comes from the seed, so the same
//! seed gives the same trace, byte by byte.

mod answers;
mod callers;
mod endpoint;
mod judge;
mod jwt;
mod plan;
mod process;
mod properties;
mod requests;
mod spread;
mod store;
mod world;

use self::plan::Profile;
use self::properties::Property;
use self::world::{Twin, World};
use crate::runner::{Outcome, Simulation};

/// What the runner needs to know.
pub(crate) const SIMULATION: Simulation =
    Simulation { name: "renewal", run, together: || spread::check().map(Into::into), essential: &ESSENTIAL };

/// Lets the world of `seed` pass; `keep` keeps the lines of its trace.
fn run(seed: u64, keep: bool) -> Outcome {
    let mut world = World::new(seed, Twin::Itself, keep);
    world.run();
    if world.plan.profile == Profile::Twins && world.violation.is_none() {
        let mut crowded = World::new(seed, Twin::Crowded, keep);
        crowded.run();
        let upstream = |world: &World| -> Vec<_> {
            world.requests.iter().map(|request| (request.sent, request.refresh_token.clone())).collect()
        };
        if let Some(violation) = crowded.violation {
            world.violation = Some(violation);
            world.trace = crowded.trace;
        } else if upstream(&world) != upstream(&crowded) {
            world.coverage.saw("twins: compared");
            let (alone, crowd) = (world.requests.len(), crowded.requests.len());
            let what = format!(
                "callers that left at once changed the requests, {alone} without them and {crowd} with"
            );
            world.violate(Property::P3, what);
        } else {
            world.coverage.saw("twins: compared");
        }
        world.inputs += crowded.inputs;
    }
    let most = |of: fn(&process::Known) -> usize| {
        world.processes.iter().map(|process| of(&process.known)).max().unwrap_or_default()
    };
    Outcome {
        seed,
        hash: world.trace.hash(),
        span: world.clocks.at.min(world.plan.span),
        most: vec![
            ("most requests of one machine in a minute", most(|known| known.most_in_a_minute)),
            ("most in ten minutes without a success", most(|known| known.most_in_an_outage)),
        ],
        violation: world.violation.map(Into::into),
        coverage: world.coverage,
        inputs: world.inputs,
        lines: world.trace.lines(),
    }
}

/// What no run of many seeds may lack.
const ESSENTIAL: [&str; 50] = [
    "profile: client credentials",
    "profile: rotating, no store",
    "profile: rotating, store and peers",
    "profile: single use",
    "profile: outage",
    "profile: clock chaos",
    "profile: store chaos",
    "profile: rejection storm",
    "profile: one crash or lost answers",
    "profile: twins",
    "request: answered",
    "request: not sent",
    "request: lost before it took effect",
    "request: answer lost after it took effect",
    "request: 429",
    "request: 429 with Retry-After",
    "request: 503",
    "request: 500 without effect",
    "request: 500 after it took effect",
    "request: malformed answer",
    "request: session ended by the server",
    "request: invalid_client",
    "request: same token again",
    "store: load failed",
    "store: lock failed",
    "store: lock held by a peer",
    "store: save failed before it took effect",
    "store: save failed after it took effect",
    "store: operation given up",
    "process: crashed while a request was under way",
    "process: crashed while the store was at work",
    "process: finished",
    "session: a person logged in again",
    "clock: suspend",
    "clock: wall set back",
    "clock: wall set forward",
    "caller: any token",
    "caller: a newer token",
    "caller: a token instead of a refused one",
    "caller: withdrew",
    "caller: refusal",
    "caller: late refusal",
    "reader: served",
    "reader: served, renewal due",
    "machine: gave up on a request",
    "machine: published a peer's token",
    "machine: replay within the window",
    "machine: late replay",
    "answer: failed, Timeout",
    "twins: compared",
];

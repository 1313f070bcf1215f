//! Capabilities: a check must stay cheap however many resources a token has, and reading one near what JSON costs.

use std::collections::{BTreeMap, BTreeSet};

use auth_core::capability::{Capability, Operation, Operations};

use crate::case::{Bar, Case, Work, routine};

/// As many resources as a token for one channel has, one for a busy user, and one at the limit of the text.
const SIZES: [u32; 3] = [1, 100, 10_000];

pub(crate) fn cases() -> Vec<Case> {
    let sized = SIZES.into_iter().flat_map(|size| [check(size), parse(size), canonical(size)]);
    let mut cases: Vec<_> = sized.collect();
    cases.sort_by_key(|case| case.subject);
    cases
}

/// Whether a channel may be published on, for channels that are granted by name, by wildcard, and not at all.
fn check(size: u32) -> Case {
    let grants = grants(size);
    let capability = built(&grants);
    // A room, a chat, what all teams have, and what none has; the first two in the middle of the grants.
    let (room, chat) = (size / 4 * 2, size / 4 * 2 + 1);
    let channels = [
        format!("t{room}:room"),
        format!("t{chat}:chat:lobby"),
        "everyone:announcements".to_owned(),
        format!("t{room}:other"),
    ];
    let (ours, baseline) = (channels.clone(), channels);
    Case {
        subject: "capability_check",
        size: Some(size),
        work: Work::Timed {
            ours: routine(in_turn(ours, move |channel| capability.permits(channel, Operation::Publish))),
            baseline: routine(in_turn(baseline, move |channel| {
                let granting = |(resource, operations): &(String, Operations)| {
                    operations.contains(Operation::Publish) && matches(resource, channel)
                };
                grants.iter().any(granting)
            })),
        },
        baseline_name: "each resource in turn",
        bar: Bar::Most(1_000.0),
    }
}

/// From the text of a request to a capability, its canonical text included.
fn parse(size: u32) -> Case {
    let text = built(&grants(size)).canonical_text().to_owned();
    let same = text.clone();
    Case {
        subject: "capability_parse",
        size: Some(size),
        work: Work::Timed {
            ours: routine(move || Capability::parse(&text)),
            baseline: routine(move || {
                let sorted: serde_json::Result<BTreeMap<String, BTreeSet<String>>> =
                    serde_json::from_str(&same);
                sorted.map(|sorted| (serde_json::to_string(&sorted), sorted))
            }),
        },
        baseline_name: "serde_json to sorted maps, and back to text",
        bar: Bar::Ratio(2.0),
    }
}

/// From grants in code to the text that is signed.
fn canonical(size: u32) -> Case {
    let grants = grants(size);
    let same = grants.clone();
    Case {
        subject: "capability_canonical",
        size: Some(size),
        work: Work::Timed {
            ours: routine(move || built(&grants).canonical_text().len()),
            baseline: routine(move || {
                let named = |operations: Operations| operations.iter().map(Operation::as_str).collect();
                let sorted: BTreeMap<&str, BTreeSet<&str>> =
                    same.iter().map(|(resource, operations)| (&**resource, named(*operations))).collect();
                serde_json::to_string(&sorted).map(|text| text.len())
            }),
        },
        baseline_name: "serde_json from sorted maps",
        bar: Bar::Ratio(2.0),
    }
}

/// Rooms by name and chats by wildcard, of as many teams as it takes, and one resource for all teams. The names are
/// short, so that ten thousand fit in a text.
fn grants(size: u32) -> Vec<(String, Operations)> {
    let rooms_and_chats = (0..size - 1)
        .map(|team| if team % 2 == 0 { format!("t{team}:room") } else { format!("t{team}:chat:*") });
    let resources = rooms_and_chats.chain(["*:announcements".to_owned()]);
    resources.map(|resource| (resource, Operation::Publish.into())).collect()
}

#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn built(grants: &[(String, Operations)]) -> Capability {
    Capability::of(grants.iter().map(|(resource, operations)| (&**resource, *operations)))
        .expect("the grants of this bench are valid")
}

/// What one writes at first: segment by segment, without qualifiers.
fn matches(resource: &str, channel: &str) -> bool {
    let mut segments = channel.split(':');
    let mut patterns = resource.split(':').peekable();
    while let Some(pattern) = patterns.next() {
        match segments.next() {
            Some(_) if pattern == "*" && patterns.peek().is_none() => return true,
            Some(segment) if pattern == "*" || pattern == segment => {}
            Some(_) | None => return false,
        }
    }
    segments.next().is_none()
}

/// Work on one channel after the other, round and round.
fn in_turn<T>(channels: [String; 4], mut work: impl FnMut(&str) -> T) -> impl FnMut() -> T {
    let mut turn = 0;
    move || {
        turn = (turn + 1) % channels.len();
        work(&channels[turn])
    }
}

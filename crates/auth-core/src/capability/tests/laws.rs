//! Laws over generated capabilities, against a reference that reads the JSON itself and compares one by one.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::{Capability, NoIntersection, Operation, Operations};

/// What a capability's text says, without any of our own reading.
fn written(capability: &Capability) -> BTreeMap<String, Vec<String>> {
    serde_json::from_str(capability.canonical_text()).unwrap()
}

/// The qualifier, if any, and the rest.
fn halves(text: &str) -> (Option<&str>, &str) {
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((qualifier, name)) => (Some(qualifier), name),
        None => (None, text),
    }
}

/// The rules of the documentation, word for word.
fn matches(resource: &str, channel: &str) -> bool {
    let ((resource_kind, resource), (channel_kind, channel)) = (halves(resource), halves(channel));
    if resource_kind != Some("*") && resource_kind != channel_kind {
        return false;
    }
    let (resource, channel): (Vec<_>, Vec<_>) = (resource.split(':').collect(), channel.split(':').collect());
    let ends_open = resource.last() == Some(&"*") && channel.len() > resource.len();
    (ends_open || channel.len() == resource.len())
        && resource.iter().zip(&channel).all(|(pattern, segment)| *pattern == "*" || pattern == segment)
}

fn permits(written: &BTreeMap<String, Vec<String>>, channel: &str, operation: &str) -> bool {
    written.iter().any(|(resource, operations)| {
        let listed = operations.iter().any(|listed| listed == "*" || listed == operation);
        let counts = operation != "stats" || resource == "*" || resource == "[*]*";
        listed && counts && matches(resource, channel)
    })
}

/// Segments are few, so that resources overlap, cross and cover each other often.
fn name(segment: &'static [&'static str]) -> impl Strategy<Value = String> {
    let qualifier = prop::sample::select(&["", "", "", "[*]", "[meta]", "[queue]"][..]);
    (qualifier, prop::collection::vec(prop::sample::select(segment), 1..5))
        .prop_map(|(qualifier, segments)| std::format!("{qualifier}{}", segments.join(":")))
        .prop_filter("a resource has a name", |name| !name.is_empty() && !name.ends_with(']'))
}

fn operations() -> impl Strategy<Value = Operations> {
    let few = std::vec![Operation::Publish, Operation::Subscribe, Operation::Stats];
    prop_oneof![
        1 => Just(Operations::ALL),
        6 => prop::sample::subsequence(few, 1..=3).prop_map(Operations::from_iter),
    ]
}

fn capability() -> impl Strategy<Value = Capability> {
    let resource = name(&["a", "a", "b", "*", "*", "*", "a*", "", "é"]);
    prop::collection::btree_map(resource, operations(), 1..12)
        .prop_map(|grants| Capability::of(grants).unwrap())
}

/// Channels with segments that resources name, `*` as a literal, and one that no resource names.
fn channels() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(name(&["a", "a", "b", "*", "c", "a*", "", "é"]), 1..40)
}

/// Channels that tell the capability from others: `*` replaced by a segment that no resource names, also with a
/// segment more, and `[*]` by a qualifier that none names.
fn witnesses(written: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let fresh = |resource: &String| {
        let (qualifier, name) =
            resource.strip_prefix("[*]").map_or(("", &**resource), |name| ("[fresh]", name));
        let (kept, name) = name.split_at(name.find(']').map_or(0, |end| end + 1));
        let segments: Vec<_> = name.split(':').map(|one| if one == "*" { "fresh" } else { one }).collect();
        std::format!("{qualifier}{kept}{}", segments.join(":"))
    };
    written.keys().flat_map(|resource| [fresh(resource), fresh(resource) + ":fresh"]).collect()
}

const SOME: [&str; 4] = ["publish", "subscribe", "stats", "history"];

proptest! {
    #[test]
    fn a_check_agrees_with_the_reference(capability in capability(), channels in channels()) {
        let written = written(&capability);
        for channel in channels.into_iter().chain(witnesses(&written)) {
            let expected: Operations = Operation::EVERY
                .into_iter()
                .filter(|operation| permits(&written, &channel, operation.as_str()))
                .collect();
            let found = capability.operations_on(&channel);
            prop_assert!(expected.is_subset_of(found), "{capability} on {channel}");
            for operation in Operation::EVERY {
                prop_assert_eq!(found.contains(operation), expected.contains(operation), "{} on {}", capability, channel);
            }
        }
    }

    #[test]
    fn an_intersection_allows_what_both_allow(one in capability(), other in capability(), channels in channels()) {
        let both = one.intersection(&other);
        prop_assert_ne!(&both, &Err(NoIntersection::TooLarge));
        let both = both.as_ref().map(written).unwrap_or_default();
        let (one, other) = (written(&one), written(&other));
        let witnesses = [&one, &other, &both].map(witnesses).concat();
        for channel in channels.into_iter().chain(witnesses) {
            for operation in SOME {
                let expected = permits(&one, &channel, operation) && permits(&other, &channel, operation);
                prop_assert_eq!(permits(&both, &channel, operation), expected, "{} on {}", operation, channel);
            }
        }
    }

    #[test]
    fn an_intersection_is_commutative_and_associative(a in capability(), b in capability(), c in capability()) {
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        let left = a.intersection(&b).and_then(|both| both.intersection(&c));
        let right = b.intersection(&c).and_then(|both| a.intersection(&both));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn to_intersect_again_changes_nothing(a in capability(), b in capability()) {
        let same = a.intersection(&a).unwrap();
        prop_assert!(same.is_subset_of(&a) && a.is_subset_of(&same));
        if let Ok(both) = a.intersection(&b) {
            let again = both.intersection(&b).unwrap();
            prop_assert!(again.is_subset_of(&both) && both.is_subset_of(&again));
        }
    }

    #[test]
    fn without_crossing_resources_it_changes_nothing_in_the_text(
        prefixes in prop::collection::btree_map("[ab](:[ab]){0,3}(:\\*)?|\\*", operations(), 1..12),
    ) {
        let nested = Capability::of(prefixes).unwrap();
        prop_assert_eq!(nested.intersection(&nested), Ok(nested));
    }

    #[test]
    fn a_subset_allows_no_more(one in capability(), other in capability()) {
        let (written_one, written_other) = (written(&one), written(&other));
        // `object-publish` is in no list here, so it stands for the operations to come.
        let allows_no_more = witnesses(&written_one).iter().all(|channel| {
            SOME.into_iter().chain(["object-publish"]).all(|operation| {
                !permits(&written_one, channel, operation) || permits(&written_other, channel, operation)
            })
        });
        prop_assert_eq!(one.is_subset_of(&other), allows_no_more);
        if let Ok(both) = one.intersection(&other) {
            prop_assert!(both.is_subset_of(&one) && both.is_subset_of(&other));
            prop_assert_eq!(one.is_subset_of(&other), one.is_subset_of(&both));
        }
    }

    #[test]
    fn canonical_text_is_a_fixed_point(names in prop::collection::btree_map("[a:\u{e000}-\u{10ffff}]{1,3}|.{1,8}", operations(), 1..12)) {
        let Ok(capability) = Capability::of(names) else { return Ok(()) };
        let again = Capability::parse(capability.canonical_text()).unwrap();
        prop_assert_eq!(&again, &capability);
        prop_assert_eq!(again.canonical_text(), capability.canonical_text());
        // Written anew by serde_json, which writes strings as JSON.stringify does, in the order that was asked for.
        let mut sorted: Vec<_> = written(&capability).into_iter().collect();
        sorted.sort_by_key(|(resource, _)| resource.encode_utf16().collect::<Vec<_>>());
        let members = sorted.iter().map(|(resource, operations)| {
            serde_json::to_string(resource).unwrap() + ":" + &serde_json::to_string(operations).unwrap()
        });
        let expected = members.collect::<Vec<_>>().join(",");
        prop_assert_eq!(capability.canonical_text(), ["{", &expected, "}"].concat());
    }

    #[test]
    fn no_text_and_no_channel_is_too_strange(text in ".{0,40}", json in "[\\[\\]{}\":,*a\\\\]{0,40}", channel in ".{0,20}") {
        for text in [text, json] {
            if let Ok(capability) = text.parse::<Capability>() {
                prop_assert_eq!(Capability::parse(&capability.to_string()), Ok(capability));
            }
        }
        prop_assert!(Capability::all().permits(&channel, Operation::Stats));
    }
}

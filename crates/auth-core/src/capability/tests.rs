//! The tables of what Ably documents, each refusal, and the limits; the laws are in [`laws`].

mod laws;

use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use super::*;

fn capability(text: &str) -> Capability {
    Capability::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A capability of numbered resources, each with the operation to publish.
fn numbered(resources: impl IntoIterator<Item = String>) -> Capability {
    Capability::of(resources.into_iter().map(|resource| (resource, Operation::Publish))).unwrap()
}

#[test]
fn a_resource_matches_the_channels_that_the_documentation_says() {
    let table = [
        ("*", "foo", true),
        ("*", "foo:bar", true),
        ("*", "[meta]foo", false),
        ("foo", "foo", true),
        ("foo", "foo:bar", false),
        ("foo:*", "foo:bar", true),
        ("foo:*", "foo:bar:baz", true),
        ("foo:*", "foobar", false),
        // Our choice: the documentation does not say, and this grants less.
        ("foo:*", "foo", false),
        ("foo:*:baz", "foo:bar:baz", true),
        ("foo:*:baz", "foo:bar:bam:baz", false),
        ("foo:*:baz", "foo:baz", false),
        ("foo*", "foobar", false),
        ("foo*", "foo*", true),
        ("[*]*", "foo", true),
        ("[*]*", "[meta]foo", true),
        ("[*]chat:*", "chat:room", true),
        ("[meta]*", "foo", false),
        ("[meta]*", "[meta]foo", true),
        ("[queue]*", "[meta]foo", false),
        // What the table leaves open.
        ("[*]chat:*", "[meta]chat:room", true),
        ("[meta]foo", "[*]foo", false),
        ("[*]foo", "[*]foo", true),
        ("foo", "foo:", false),
        ("foo:*", "foo:", true),
        ("foo::bar", "foo:bar", false),
        ("*:bar", "foo:bar", true),
        ("*:bar", ":bar", true),
        ("*:bar", "foo:foo:bar", false),
        ("*:bar:*", "foo:bar", false),
        ("foo:bar", "foo:*", false),
        ("foo:*", "foo:*", true),
        ("foo", "FOO", false),
        ("*", "[foo", true),
        ("*", "", true),
        ("é:*", "é:☃", true),
    ];
    for (resource, channel, expected) in table {
        let capability = numbered([resource.into()]);
        assert_eq!(capability.permits(channel, Operation::Publish), expected, "{resource} on {channel}");
        assert!(!capability.permits(channel, Operation::History), "{resource} on {channel}");
    }
}

#[test]
fn a_channel_may_do_what_any_matching_resource_allows() {
    let capability = capability(
        r#"{"[*]*":["stats","history"],"a:*":["publish"],"*:b":["subscribe"],"a:b":["presence"]}"#,
    );
    let operations = Operations::from([
        Operation::Stats,
        Operation::History,
        Operation::Publish,
        Operation::Subscribe,
        Operation::Presence,
    ]);
    assert_eq!(capability.operations_on("a:b"), operations);
    assert_eq!(
        capability.operations_on("a:b:c"),
        [Operation::Stats, Operation::History, Operation::Publish].into()
    );
}

#[test]
fn statistics_are_granted_for_the_app_only() {
    for (resource, counts) in
        [("*", true), ("[*]*", true), ("foo", false), ("foo:*", false), ("*:*", false), ("[meta]*", false)]
    {
        for operations in [Operations::from(Operation::Stats), Operations::ALL] {
            let capability = Capability::of([(resource, operations)]).unwrap();
            for channel in ["foo", "foo:bar", "[meta]foo", "*"] {
                let counts = counts && (resource == "[*]*" || !channel.starts_with('['));
                assert_eq!(capability.permits(channel, Operation::Stats), counts, "{resource} on {channel}");
            }
        }
    }
    let without_stats = capability(r#"{"foo":["*"]}"#).operations_on("foo");
    assert_eq!(without_stats, Operation::EVERY.into_iter().filter(|one| *one != Operation::Stats).collect());
    assert_eq!(capability(r#"{"*":["*"]}"#).operations_on("foo"), Operations::ALL);
    assert!(capability(r#"{"foo":["stats"]}"#).is_subset_of(&capability(r#"{"bar":["publish"]}"#)));
}

const K1: &str = r#"{"cansubscribe:*":["subscribe"],"canpublish:*":["publish"],"canpublish:andpresence":["presence","publish"],"pushenabled:*":["publish","subscribe","push-subscribe"],"pushenabled:admin:*":["publish","subscribe","push-admin"]}"#;
const K2: &str = r#"{"channel0":["publish"],"channel1":["publish"],"channel2":["publish","subscribe"],"channel3":["subscribe"],"channel4":["presence","publish","subscribe"],"channel5":["presence"],"channel6":["*"]}"#;
const K3: &str = r#"{"*":["subscribe"]}"#;
const NAMESPACES: &str = r#"{"ns:*":["presence","publish","subscribe"],"notifications":["history","subscribe"],"alerts":["subscribe"]}"#;

#[test]
fn a_request_is_granted_what_the_documentation_says() {
    // Key, requested, granted.
    let table = [
        (
            r#"{"a:*:c":["publish","subscribe"]}"#,
            r#"{"a:b:c":["publish"]}"#,
            Some(r#"{"a:b:c":["publish"]}"#),
        ),
        (
            r#"{"a":["publish","subscribe"]}"#,
            r#"{"a":["history","subscribe"]}"#,
            Some(r#"{"a":["subscribe"]}"#),
        ),
        (r#"{"*:c":["*"]}"#, r#"{"a:b:c":["*"]}"#, None),
        (r#"{"[meta]*":["*"]}"#, r#"{"[queue]*":["*"]}"#, None),
        (r#"{"[*]*":["*"]}"#, r#"{"chat:*":["publish"]}"#, Some(r#"{"chat:*":["publish"]}"#)),
        (r#"{"*":["*"]}"#, r#"{"[*]*":["*"]}"#, Some(r#"{"*":["*"]}"#)),
        (
            NAMESPACES,
            r#"{"ns:user-123":["subscribe"],"notifications":["*"],"private":["publish","subscribe"]}"#,
            Some(r#"{"notifications":["history","subscribe"],"ns:user-123":["subscribe"]}"#),
        ),
        (K2, r#"{"channel2":["presence","subscribe"]}"#, Some(r#"{"channel2":["subscribe"]}"#)),
        (K2, r#"{"channel2":["*"]}"#, Some(r#"{"channel2":["publish","subscribe"]}"#)),
        (K2, r#"{"channel6":["publish","subscribe"]}"#, Some(r#"{"channel6":["publish","subscribe"]}"#)),
        (K2, K2, Some(K2)),
        (
            K2,
            r#"{"channel2":["presence","subscribe"],"channelx":["presence","subscribe"]}"#,
            Some(r#"{"channel2":["subscribe"]}"#),
        ),
        (K2, r#"{"channelx":["publish"]}"#, None),
        (K1, r#"{"canpublish:test":["subscribe"]}"#, None),
        (K1, r#"{"canpublish:check":["publish"]}"#, Some(r#"{"canpublish:check":["publish"]}"#)),
        (K1, r#"{"cansubscribe:*":["subscribe"]}"#, Some(r#"{"cansubscribe:*":["subscribe"]}"#)),
        (K3, r#"{"cansubscribe:*":["subscribe"]}"#, Some(r#"{"cansubscribe:*":["subscribe"]}"#)),
        // What the table leaves open.
        (r#"{"a:*":["publish"]}"#, r#"{"*:b":["publish"]}"#, Some(r#"{"a:b":["publish"]}"#)),
        (r#"{"a:*":["publish"]}"#, r#"{"*:b:*":["publish"]}"#, Some(r#"{"a:b:*":["publish"]}"#)),
        (r#"{"a:*":["publish"]}"#, r#"{"a":["publish"]}"#, None),
        (r#"{"*:*":["publish"]}"#, r#"{"*":["publish"]}"#, Some(r#"{"*:*":["publish"]}"#)),
        (
            r#"{"[*]a":["*"]}"#,
            r#"{"[meta]*":["history"],"*":["*"]}"#,
            Some(r#"{"[meta]a":["history"],"a":["*"]}"#),
        ),
        (r#"{":a":["publish"]}"#, r#"{"*:a":["publish"]}"#, Some(r#"{":a":["publish"]}"#)),
        (
            r#"{"*":["publish"],"a":["publish","subscribe"]}"#,
            r#"{"*":["publish"],"a":["*"]}"#,
            Some(r#"{"*":["publish"],"a":["publish","subscribe"]}"#),
        ),
    ];
    for (key, requested, granted) in table {
        let intersection = capability(requested).intersection(&capability(key));
        let text = intersection.map(|granted| granted.to_string());
        let granted = granted.map(str::to_owned).ok_or(NoIntersection::Empty);
        assert_eq!(text, granted, "{requested} of {key}");
    }
    assert_eq!((NoIntersection::Empty.code().number(), NoIntersection::Empty.code().status()), (40_160, 401));
}

#[test]
fn whoever_asks_for_nothing_gets_all_that_the_key_has() {
    assert_eq!(Capability::all(), capability(r#"{"[*]*":["*"]}"#));
    for key in [K1, K2, K3, NAMESPACES, r#"{"[*]*":["*"]}"#] {
        let key = capability(key);
        assert_eq!(Capability::all().intersection(&key).as_ref(), Ok(&key));
    }
}

#[test]
fn the_canonical_text_is_what_ably_js_signs() {
    let table = [
        (r#"{"b:*":["subscribe","publish"],"a":["*"]}"#, r#"{"a":["*"],"b:*":["publish","subscribe"]}"#),
        (
            r#" { "chat" : [ "subscribe", "publish", "history" ] } "#,
            r#"{"chat":["history","publish","subscribe"]}"#,
        ),
        (
            r#"{"é":["publish"],"a":["publish"],"[meta]x":["subscribe"],"Z":["publish"],"*":["subscribe"]}"#,
            r#"{"*":["subscribe"],"Z":["publish"],"[meta]x":["subscribe"],"a":["publish"],"é":["publish"]}"#,
        ),
        // U+1F600 is D83D DE00 in UTF-16, so it comes before U+FF5E; in UTF-8 it comes after.
        ("{\"～\":[\"*\"],\"😀\":[\"*\"]}", "{\"😀\":[\"*\"],\"～\":[\"*\"]}"),
        (r#"{"\"\\\/\n\u001f\u007f\u00e9":["*"]}"#, "{\"\\\"\\\\/\\n\\u001f\u{7f}é\":[\"*\"]}"),
        (r#"{"a":["publish","publish"]}"#, r#"{"a":["publish"]}"#),
    ];
    for (text, canonical) in table {
        assert_eq!(capability(text).canonical_text(), canonical);
    }
}

#[test]
fn the_wire_has_a_string() {
    let capability = capability(r#"{"a":["*"]}"#);
    let json = r#""{\"a\":[\"*\"]}""#;
    assert_eq!(serde_json::to_string(&capability).unwrap(), json);
    assert_eq!(serde_json::from_str::<Capability>(json).unwrap(), capability);
    for other in [r#"{"a":["*"]}"#, "null", r#""""#, r#""{}""#] {
        assert!(serde_json::from_str::<Capability>(other).is_err(), "{other}");
    }
    assert_eq!(format!("{capability}"), capability.canonical_text());
}

#[test]
fn what_is_no_capability_is_refused_by_its_own_name() {
    use InvalidCapability::*;
    let table = [
        (Syntax, ""),
        (Syntax, "{"),
        (Syntax, r#"{"a":["*"]"#),
        (Syntax, r#"{"a":["*",]}"#),
        (Syntax, r#"{"\ud800":["*"]}"#),
        (Syntax, "{\"a\n\":[\"*\"]}"),
        (Shape, "null"),
        (Shape, "[]"),
        (Shape, r#""{}""#),
        (Shape, r#"{"a":"*"}"#),
        (Shape, r#"{"a":null}"#),
        (Shape, r#"{"a":[["*"]]}"#),
        (Shape, r#"{"a":[1]}"#),
        (Shape, r#"{"a":{"b":["*"]}}"#),
        (TrailingText, r#"{"a":["*"]}x"#),
        (TrailingText, r#"{"a":["*"]}{}"#),
        (NoResources, "{}"),
        (EmptyResource, r#"{"":["*"]}"#),
        (EmptyResource, r#"{"[meta]":["*"]}"#),
        (UnclosedQualifier, r#"{"[meta":["*"]}"#),
        (DuplicateResource, r#"{"a":["publish"],"b":["*"],"\u0061":["subscribe"]}"#),
        (NoOperations, r#"{"c":[]}"#),
        (UnknownOperation, r#"{"c":["publish_"]}"#),
        (UnknownOperation, r#"{"c":["*","publish_"]}"#),
        (UnknownOperation, r#"{"c":["Publish"]}"#),
        (WildcardNotAlone, r#"{"c":["*","publish"]}"#),
        (WildcardNotAlone, r#"{"c":["publish","*"]}"#),
    ];
    for (refusal, text) in table {
        assert_eq!(text.parse::<Capability>(), Err(refusal), "{text}");
        assert_eq!((refusal.code().number(), refusal.code().status()), (40_000, 400));
    }
    assert_eq!(Capability::of([("a", [])]), Err(NoOperations));
    assert_eq!(Capability::of([("a", Operations::ALL), ("a", Operations::ALL)]), Err(DuplicateResource));
    assert_eq!(Capability::of::<&str, Operations>([]), Err(NoResources));
}

#[test]
fn depth_and_length_are_bounded_before_anything_is_built() {
    for (opening, refusal) in [("[", InvalidCapability::Shape), ("{\"a\":[", InvalidCapability::Shape)] {
        assert_eq!(Capability::parse(&opening.repeat(10_000)), Err(refusal));
    }
    let padded = |length: usize| format!("{{\"a\":[\"*\"]}}{}", " ".repeat(length - r#"{"a":["*"]}"#.len()));
    assert!(Capability::parse(&padded(LONGEST_TEXT)).is_ok());
    assert_eq!(Capability::parse(&padded(LONGEST_TEXT + 1)), Err(InvalidCapability::TooLong));
    let built = |length: usize| Capability::of([("a".repeat(length), Operations::ALL)]);
    assert!(built(LONGEST_TEXT - 10).is_ok());
    assert_eq!(built(LONGEST_TEXT), Err(InvalidCapability::TooLong));
}

#[test]
fn names_of_many_segments_need_no_stack() {
    let segments = 60_000;
    let deep = |segment: &str, last: &str| format!("{}{last}", segment.repeat(segments));
    let one = numbered([deep("a:", "x"), deep("a:", "y")]);
    let other = numbered([deep("a:", "y"), deep("*:", "z")]);
    assert!(one.permits(&deep("a:", "x"), Operation::Publish));
    assert!(!one.permits(&deep("a:", "z"), Operation::Publish));
    // As a literal of the channel and as a wildcard alike, `*` is looked for once; twice would be 2 to the 60 000.
    assert!(other.permits(&deep("*:", "z"), Operation::Publish));
    assert_eq!(one.intersection(&other).unwrap(), numbered([deep("a:", "y")]));
    assert!(one.intersection(&one).unwrap().is_subset_of(&one));
}

#[test]
fn large_capabilities_intersect_and_crossing_floods_are_refused() {
    let names = |range: core::ops::Range<usize>| range.map(|number| format!("chat:{number}"));
    let (one, other) = (numbered(names(0..9_000)), numbered(names(5_000..14_000)));
    assert_eq!(one.intersection(&other).unwrap(), numbered(names(5_000..9_000)));
    assert_eq!(one.intersection(&one).as_ref(), Ok(&one));

    let crossing = |count: usize, pattern: fn(usize) -> String| numbered((0..count).map(pattern));
    let few =
        crossing(50, |number| format!("a{number}:*")).intersection(&crossing(50, |n| format!("*:b{n}")));
    assert_eq!(few.unwrap().canonical_text().matches("publish").count(), 2_500);
    // As text it would be too long; and without any result it would take too long.
    for (left, right) in [
        (
            (|number| format!("a{number}:*")) as fn(usize) -> String,
            (|n| format!("*:b{n}")) as fn(usize) -> String,
        ),
        (|number| format!("a{number}:*:x"), |number| format!("*:b{number}:y")),
    ] {
        let flood = crossing(9_000, left).intersection(&crossing(9_000, right));
        assert_eq!(flood, Err(NoIntersection::TooLarge));
    }
    assert_eq!(
        (NoIntersection::TooLarge.code().number(), NoIntersection::TooLarge.code().status()),
        (40_000, 400)
    );
}

#[test]
fn a_subset_is_told_by_what_is_allowed_and_not_by_the_text() {
    let table = [
        (r#"{"a:b":["publish"]}"#, r#"{"a:*":["publish","history"]}"#, true),
        (r#"{"a:*":["publish"]}"#, r#"{"a:b":["publish"]}"#, false),
        (r#"{"a":["publish","history"]}"#, r#"{"a":["publish"],"*":["history"]}"#, true),
        (r#"{"a:*":["publish"]}"#, r#"{"*:*":["publish"]}"#, true),
        (r#"{"*":["publish"]}"#, r#"{"*:*":["publish"],"a":["publish"]}"#, false),
        (r#"{"a":["publish"]}"#, r#"{"[*]a":["publish"]}"#, true),
        (r#"{"[*]a":["publish"]}"#, r#"{"a":["publish"],"[meta]a":["publish"]}"#, false),
        (r#"{"a":["*"]}"#, r#"{"a":["stats","publish"],"*":["history"]}"#, false),
        (r#"{"a":["*"]}"#, r#"{"*":["*"]}"#, true),
    ];
    for (one, other, expected) in table {
        assert_eq!(capability(one).is_subset_of(&capability(other)), expected, "{one} in {other}");
    }
}

#[test]
fn a_capability_crosses_threads_and_is_one_pointer_wide() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Capability>();
    assert_eq!(size_of::<Capability>(), size_of::<usize>());
    let all: Vec<_> = [Capability::all(), Capability::all()].into();
    assert_eq!(all[0], all[1].clone());
}

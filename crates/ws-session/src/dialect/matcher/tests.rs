//! That the cheap test never passes over a match, and that the smallest message is one.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn of(conditions: &[(&str, Condition)]) -> Matcher {
    conditions.iter().fold(Matcher::default(), |matcher, (at, condition)| matcher.and(*at, condition.clone()))
}

#[test]
fn a_message_without_what_is_looked_for_is_passed_over_unparsed() {
    let matcher = Matcher::of([("/type", json!("auth")), ("/status", json!("ok"))]);
    assert!(matcher.may_match(r#"{"type":"auth","status":"ok"}"#));
    assert!(matcher.may_match(r#"{"type":"\u0061uth","status":"ok"}"#), "an escape may hide it");
    for other in [r#"{"type":"auth"}"#, r#"{"type":"message","text":"hello"}"#, "", r#"{"a":"\n"}"#] {
        assert!(!matcher.may_match(other), "{other}");
    }
}

#[test]
fn what_could_stand_there_otherwise_is_not_looked_for() {
    for vague in [
        Matcher::default(),
        Matcher::of([("/action", json!(4))]),
        Matcher::of([("/text", json!("a/b"))]),
        Matcher::of([("/text", json!("é"))]),
        of(&[("/error", Condition::Exists(true))]),
        of(&[("/code", Condition::Between(1, 2))]),
        of(&[("/reason", Condition::Contains("a b".to_owned()))]),
        of(&[("/reason", Condition::OneOf(vec![json!("certain"), json!(1)]))]),
    ] {
        assert!(vague.may_match("{}"), "{vague:?}");
    }
    let one_of = of(&[("/reason", Condition::OneOf(vec![json!("refresh_requested"), json!("warning")]))]);
    assert!(one_of.may_match(r#"{"reason":"warning"}"#) && !one_of.may_match(r#"{"reason":"other"}"#));
    let contains = of(&[("/reason", Condition::Contains("expired".to_owned()))]);
    assert!(
        contains.may_match(r#"{"reason":"JWT expired"}"#) && !contains.may_match(r#"{"reason":"other"}"#)
    );
}

#[test]
fn the_smallest_message_has_what_the_conditions_want_and_no_more() {
    let cases = [
        (of(&[]), json!(null)),
        (
            Matcher::of([("/type", json!("auth")), ("/status", json!("ok"))]),
            json!({"type": "auth", "status": "ok"}),
        ),
        (
            Matcher::of([("/packet", json!("40")), ("/data/sid", json!("s"))]),
            json!({"packet": "40", "data": {"sid": "s"}}),
        ),
        (Matcher::of([("/4/status", json!("ok"))]), json!([null, null, null, null, {"status": "ok"}])),
        (Matcher::of([("", json!([1]))]), json!([1])),
        (Matcher::of([("/a~1b/~0", json!(1))]), json!({"a/b": {"~": 1}})),
        (Matcher::of([("/64", json!(1)), ("/x", json!(2))]), json!({"64": 1, "x": 2})),
        (Matcher::of([("/01", json!(1))]), json!({"01": 1})),
        (of(&[("/code", Condition::Between(40_140, 40_149))]), json!({"code": 40_140})),
        (of(&[("/code", Condition::OneOf(vec![json!(109), json!(101)]))]), json!({"code": 109})),
        (of(&[("/text", Condition::Contains("late".to_owned()))]), json!({"text": "late"})),
        (of(&[("/sid", Condition::Exists(true))]), json!({"sid": null})),
        (of(&[("/error", Condition::Exists(false))]), json!(null)),
        (
            of(&[
                ("/error", Condition::Exists(true)),
                ("/error/code", Condition::Between(1, 5)),
                ("/error", Condition::Equals(json!({"code": 3, "text": "x"}))),
            ]),
            json!({"error": {"code": 3, "text": "x"}}),
        ),
    ];
    for (matcher, expected) in cases {
        assert_eq!(matcher.message(), expected, "{matcher:?}");
        assert!(matcher.matches(&matcher.message()), "{matcher:?}");
    }
}

#[test]
fn what_can_not_be_met_ends_in_some_message() {
    for matcher in [
        Matcher::of([("/a", json!(1)), ("/a", json!(2))]),
        Matcher::of([("/a", json!(1)), ("/a/b", json!(2))]),
        Matcher::of([("/0", json!(1)), ("/a", json!(2))]),
        Matcher::of([("no pointer", json!(1))]),
        of(&[("/a", Condition::OneOf(Vec::new()))]),
        of(&[("/a", Condition::Between(2, 1))]),
        of(&[("", Condition::Exists(false))]),
        of(&[("/a", Condition::Exists(false)), ("/a", Condition::Equals(json!(1)))]),
    ] {
        assert!(!matcher.matches(&matcher.message()), "{matcher:?}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-z_.:-]{0,3}", "[a-c/ é\\\\]{1,2}"];
    prop_oneof![
        text.prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from)
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        value().prop_map(Condition::Equals),
        proptest::collection::vec(value(), 1..3).prop_map(Condition::OneOf),
        any::<i8>().prop_map(|low| Condition::Between(low.into(), i64::from(low) + 5)),
        "[a-c ]{0,2}".prop_map(Condition::Contains),
        any::<bool>().prop_map(Condition::Exists),
    ]
}

/// A text of this message in which every character of its strings that may be escaped is.
fn escaped(value: &Value) -> String {
    let plain = value.to_string();
    plain
        .chars()
        .map(|character| {
            if character.is_ascii_lowercase() {
                format!("\\u{:04x}", u32::from(character))
            } else {
                character.to_string()
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn the_smallest_message_matches_and_is_never_passed_over(
        conditions in proptest::collection::btree_map("(/[a-c]x){1,2}|/[0-2]/y", condition(), 0..4)
    ) {
        // Where one place lies in another, or a number and a name in one, conditions may contradict each other.
        let places: Vec<_> = conditions.keys().cloned().collect();
        let clash = |one: &String, two: &String| one != two && two.starts_with(one.as_str());
        prop_assume!(!places.iter().any(|one| places.iter().any(|two| clash(one, two))));
        prop_assume!(places.iter().all(|at| at.ends_with('y')) || places.iter().all(|at| at.ends_with('x')));
        let matcher = conditions.into_iter().fold(Matcher::default(), |matcher, (at, condition)| matcher.and(at, condition));
        let message = matcher.message();
        prop_assert!(matcher.matches(&message), "{message}");
        prop_assert!(matcher.may_match(&message.to_string()), "{message}");
    }

    #[test]
    fn a_match_is_never_passed_over_however_it_is_written(
        condition in condition(), found in value(), escape in any::<bool>()
    ) {
        let message = json!({"XX": found});
        let text = if escape { escaped(&json!({"XX": found})) } else { message.to_string() };
        // `true` and `false` are no strings, and can't be escaped.
        prop_assume!(serde_json::from_str::<Value>(&text).is_ok_and(|read| read == message));
        let matcher = Matcher::default().and("/XX", condition);
        prop_assert!(!matcher.matches(&message) || matcher.may_match(&text));
    }
}

#[test]
fn a_place_is_what_its_pointer_says() {
    let message = json!({"a": {"b/c": {"d~": 1}, "": [2, {"e": 3}]}, "": {"f": 4}, "0": 5});
    for place in [
        "",
        "/",
        "//f",
        "/a",
        "/a/",
        "/a//0",
        "/a//1/e",
        "/a//01",
        "/a//2",
        "/a/b~1c/d~0",
        "/a/b~1c/d~",
        "/a/b",
        "/0",
        "/0/",
        "/0/x",
        "a",
        "~",
        "/~",
        "/a/b~1c",
    ] {
        assert_eq!(value_at(&message, place), message.pointer(place), "{place}");
    }
    assert_eq!(value_at(&message, "/a//1/e"), Some(&json!(3)));
}

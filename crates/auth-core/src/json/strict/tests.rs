//! The strict reader beside serde_json: what that refuses is refused, and what it lets pass in silence too.

use std::format;
use std::string::String;

use super::*;

fn parse(text: &str) -> Result<Document, Malformed> {
    Document::parse(text.as_bytes().to_vec())
}

#[test]
fn members_are_handed_out_as_they_stand() {
    let document =
        parse(r#" { "a" : "x" , "b":[1, {"c":2}],"d":{"e":null}, "f":-1.5e3,"g":true,"h":null } "#).unwrap();
    assert_eq!(document.get("a"), Some(Value::Text("x")));
    assert_eq!(document.get("b"), Some(Value::Array(r#"[1, {"c":2}]"#)));
    assert_eq!(document.get("d"), Some(Value::Object(r#"{"e":null}"#)));
    assert_eq!(document.get("f"), Some(Value::Number("-1.5e3")));
    assert_eq!(document.get("g"), Some(Value::Boolean(true)));
    assert_eq!(document.get("h"), Some(Value::Null));
    assert_eq!(document.get("e"), None);
    assert_eq!(document.members().count(), 6);
}

#[test]
fn escapes_are_resolved_in_names_and_texts() {
    let document = parse(r#"{"\u0061":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"}"#).unwrap();
    assert_eq!(document.get("a"), Some(Value::Text("\"\\/\u{8}\u{c}\n\r\té😀é")));
}

#[test]
fn equal_names_are_refused_at_every_level_and_however_they_are_written() {
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"x":{"a":1,"a":1}}"#,
        r#"{"x":[[{"a":1,"a":1}]]}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert_eq!(parse(text).unwrap_err(), Malformed::Duplicate, "{text}");
    }
    assert!(
        parse(r#"{"a":{"a":{"b":1},"b":1},"b":{"a":1}}"#).is_ok(),
        "equal names in different objects are none"
    );
    let many = |last: &str| {
        let members: String = (0..1_000).map(|number| format!("\"m{number}\":0,")).collect();
        parse(&format!("{{{members}\"{last}\":0}}"))
    };
    assert!(many("m1000").is_ok());
    assert_eq!(many("m500").unwrap_err(), Malformed::Duplicate);
}

#[test]
fn depth_is_bounded_exactly() {
    let nested = |depth: usize| parse(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
    assert!(nested(DEEPEST).is_ok());
    assert_eq!(nested(DEEPEST + 1).unwrap_err(), Malformed::TooDeep);
    assert_eq!(parse(&"[".repeat(100_000)).unwrap_err(), Malformed::TooDeep);
    assert_eq!(parse(&"{\"a\":[".repeat(100_000)).unwrap_err(), Malformed::TooDeep);
}

#[test]
fn what_json_does_not_allow_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "{}x",
        "{} {}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":.5}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":tru}"#,
        r#"{"a":"x}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u12G4"}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\",
        "{\"a\":\"\\u",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":[}",
        "\u{feff}{}",
        "{/**/}",
        "{\"a\":\"\\\n\"}",
    ] {
        assert_eq!(parse(text).unwrap_err(), Malformed::Syntax, "{text:?}");
    }
    for text in ["[]", "5", "null", r#""a""#, "true", r#"["{}"]"#] {
        assert_eq!(parse(text).unwrap_err(), Malformed::NotAnObject, "{text}");
    }
    for text in [r#"{"a":"\ud800"}"#, r#"{"a":"\ud800x"}"#, r#"{"a":"\udc00"}"#, r#"{"a":"\ud800\u0041"}"#] {
        assert_eq!(parse(text).unwrap_err(), Malformed::LoneSurrogate, "{text}");
    }
    assert_eq!(parse(r#"{"a":1e400}"#).unwrap_err(), Malformed::NumberRange);
    assert_eq!(parse(&format!("{{\"a\":{}}}", "9".repeat(400))).unwrap_err(), Malformed::NumberRange);
    assert_eq!(Document::parse(b"{\"a\":\"\xff\"}".to_vec()).unwrap_err(), Malformed::NotUtf8);
}

#[test]
fn the_elements_of_an_array_are_its_texts() {
    assert_eq!(elements(r#"[ 1, {"a":[2]} ,"x" ]"#).unwrap(), ["1", r#"{"a":[2]}"#, r#""x""#]);
    assert_eq!(strings(r#"["a","\u0062"]"#).unwrap(), ["a", "b"]);
    assert_eq!(strings(r#"["a",5]"#), None);
}

/// A generator of texts that are nearly JSON, from a seed.
fn nearly_json(seed: u64) -> String {
    let mut jitter = crate::backoff::Jitter::seeded(seed);
    let mut below = |limit: u64| {
        jitter.between(core::time::Duration::ZERO, core::time::Duration::from_nanos(limit - 1)).as_nanos()
            as usize
    };
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "1",
        "-0",
        "1.5",
        "1e2",
        "true",
        "null",
        " ",
        "\"\\n\"",
        "{\"a\":1}",
        "[1]",
        "{\"a\":{\"b\":[]}}",
        "1,\"a\":",
        "{\"b\":2,\"\\u0061\":",
        "1}",
    ];
    let length = 1 + below(8);
    let inner: String = (0..length).map(|_| pieces[below(pieces.len() as u64)]).collect();
    if below(2) == 0 { format!("{{\"a\":{inner}}}") } else { inner }
}

#[test]
fn it_agrees_with_serde_json_except_for_duplicates() {
    let (mut accepted, mut duplicates) = (0, 0);
    for seed in 0..200_000 {
        let text = nearly_json(seed);
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        match parse(&text) {
            Ok(document) => {
                accepted += 1;
                let theirs = theirs.unwrap_or_else(|error| panic!("{text}: {error}"));
                assert_eq!(theirs.len(), document.members().count(), "{text}");
                for (name, value) in document.members() {
                    let value = match value {
                        Value::Null => serde_json::Value::Null,
                        Value::Boolean(boolean) => boolean.into(),
                        Value::Text(text) => text.into(),
                        Value::Number(text) | Value::Array(text) | Value::Object(text) => {
                            serde_json::from_str(text).unwrap()
                        }
                    };
                    assert_eq!(theirs[name], value, "{text}");
                }
            }
            // Told before a mistake that comes later in the text.
            Err(Malformed::Duplicate) => duplicates += u32::from(theirs.is_ok()),
            Err(_) => assert!(theirs.is_err(), "{text}"),
        }
    }
    assert!(accepted > 1_000 && duplicates > 20, "{accepted} accepted, {duplicates} with duplicates");
}

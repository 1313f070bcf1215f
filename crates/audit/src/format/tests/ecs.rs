//! A strict reader of ECS documents, over the official list of fields, and every event before it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use auth_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::samples::{self, for_each_rendering};
use crate::format::Format;

#[derive(Deserialize)]
struct Schema {
    fields: BTreeMap<String, Field>,
}

#[derive(Deserialize)]
struct Field {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    array: bool,
    #[serde(default)]
    required: bool,
    longest: Option<usize>,
    allowed: Option<BTreeMap<String, Option<Vec<String>>>>,
}

/// Where fields go that ECS does not know.
const OURS: &str = "rtauth";

impl Schema {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../../../tests/vectors/ecs/fields.json")).unwrap()
    }

    /// What is wrong with a document.
    fn complaints(&self, document: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut found = BTreeMap::new();
        flatten("", document, &mut found);
        found.retain(|name, _| name != OURS && !name.starts_with("rtauth."));
        for (name, field) in &self.fields {
            if field.required && !found.contains_key(name) {
                complaints.push(format!("{name} is missing"));
            }
        }
        for (name, value) in &found {
            match self.fields.get(name) {
                None => complaints.push(format!("{name} is no field")),
                Some(field) => field.check(name, value, &mut complaints),
            }
        }
        self.check_types(document, &mut complaints);
        complaints
    }

    /// Each type is expected by a category, and each category expects a type.
    fn check_types(&self, document: &Value, complaints: &mut Vec<String>) {
        let texts = |name: &str| -> Vec<String> {
            let values = document["event"][name].as_array().cloned().unwrap_or_default();
            values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
        };
        let (categories, types) = (texts("category"), texts("type"));
        let expects = |category: &String, kind: &String| {
            let allowed = self.fields["event.category"].allowed.as_ref().unwrap();
            allowed.get(category).and_then(Option::as_ref).is_some_and(|expected| expected.contains(kind))
        };
        if categories.is_empty() || types.is_empty() {
            complaints.push("event.category and event.type say nothing".to_owned());
        }
        for kind in &types {
            if !categories.iter().any(|category| expects(category, kind)) {
                complaints.push(format!("no category expects event.type {kind}"));
            }
        }
        for category in &categories {
            if !types.iter().any(|kind| expects(category, kind)) {
                complaints.push(format!("event.category {category} expects no such type"));
            }
        }
    }
}

impl Field {
    fn check(&self, name: &str, value: &Value, complaints: &mut Vec<String>) {
        let values = match value {
            Value::Array(values) if self.array => values.clone(),
            _ if self.array || value.is_array() => {
                complaints.push(format!("{name} is an array, or must be one"));
                return;
            }
            value => vec![value.clone()],
        };
        for value in values {
            let fits = match self.kind.as_str() {
                "keyword" | "constant_keyword" | "wildcard" | "match_only_text" => {
                    value.as_str().is_some_and(|text| text.len() <= self.longest.unwrap_or(usize::MAX))
                }
                "long" => value.as_i64().is_some(),
                "date" => value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()),
                "ip" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
                other => {
                    complaints.push(format!("{name} is of the type {other}, which this does not check"));
                    continue;
                }
            };
            if !fits {
                complaints.push(format!("{name} can't be {value}"));
            }
            if let (Some(allowed), Some(text)) = (&self.allowed, value.as_str())
                && !allowed.contains_key(text)
            {
                complaints.push(format!("{name} allows no {text}"));
            }
        }
    }
}

/// The fields of a document under their dotted names.
fn flatten(prefix: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, found);
            }
        }
        value => {
            found.insert(prefix.to_owned(), value.clone());
        }
    }
}

#[test]
fn every_event_is_a_valid_document_whatever_it_holds() {
    let schema = Schema::read();
    for_each_rendering(Format::Ecs, |_, text| {
        let document: Value = serde_json::from_str(text).unwrap();
        assert_eq!(schema.complaints(&document), Vec::<String>::new(), "{text}");
    });
}

#[test]
fn a_field_of_ours_has_one_type_in_all_events() {
    let mut types: BTreeMap<String, &str> = BTreeMap::new();
    for_each_rendering(Format::Ecs, |_, text| {
        let document: Value = serde_json::from_str(text).unwrap();
        for (name, value) in document[OURS].as_object().into_iter().flatten() {
            let scalar = value.as_array().map_or(Some(value), |values| values.first());
            let kind = match scalar {
                Some(Value::String(_)) => "text",
                Some(Value::Bool(_)) => "boolean",
                Some(Value::Number(_)) => "number",
                Some(_) => panic!("{name} is {value}"),
                None => continue,
            };
            assert_eq!(*types.entry(name.clone()).or_insert(kind), kind, "{name} has two types");
        }
    });
    assert!(types.len() > 20, "{types:?}");
}

/// A document that is valid, for [`broken`].
fn good() -> Value {
    let entries = samples::entries("x");
    let entry = entries.iter().find(|entry| entry.event.name() == "client_authenticated").unwrap();
    serde_json::from_str(&samples::renderer(Format::Ecs).render(entry)).unwrap()
}

#[test]
fn the_reader_refuses_what_is_broken() {
    let schema = Schema::read();
    assert_eq!(schema.complaints(&good()), Vec::<String>::new(), "the control");
    let broken: &[(&str, Value)] = &[
        ("/event/outcome", json!("failed")),
        ("/event/category", json!("authentication")),
        ("/event/category", json!(["login"])),
        ("/event/category", json!([])),
        ("/event/type", json!(["creation"])),
        ("/event/kind", json!("audit")),
        ("/event/duration", json!("12000000")),
        ("/event/sequence", json!(u64::MAX)),
        ("/event/latency_ms", json!(12)),
        ("/client/ip", json!("192.0.2.7:50000")),
        ("/client/port", json!("50000")),
        ("/related/ip", json!("192.0.2.7")),
        ("/@timestamp", json!(1_795_323_600_123_u64)),
        ("/@timestamp", Value::Null),
        ("/ecs", Value::Null),
        ("/session", json!({"id": "s-1"})),
        ("/authentication", json!({"method": "token"})),
        ("/user/id", json!("x".repeat(1_025))),
    ];
    for (place, value) in broken {
        let document = broken_at(good(), place, value);
        assert!(!schema.complaints(&document).is_empty(), "{place} = {value} was accepted");
    }
}

/// The same with one value in place of another, or with none for `null`.
pub(super) fn broken_at(mut document: Value, place: &str, value: &Value) -> Value {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), value.clone());
    }
    document
}

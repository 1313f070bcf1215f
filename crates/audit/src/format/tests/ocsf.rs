//! A strict reader of OCSF events, over the official schema, and every event before it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ecs::broken_at;
use super::samples::{self, for_each_rendering};
use crate::format::Format;

#[derive(Deserialize)]
struct Schema {
    version: String,
    types: BTreeMap<String, Type>,
    classes: BTreeMap<String, Class>,
    objects: BTreeMap<String, Item>,
}

#[derive(Deserialize)]
struct Type {
    #[serde(rename = "type")]
    base: Option<String>,
    max_len: Option<usize>,
    range: Option<[i64; 2]>,
}

#[derive(Deserialize)]
struct Class {
    uid: u64,
    caption: String,
    category_uid: u64,
    category: String,
    #[serde(flatten)]
    item: Item,
}

#[derive(Deserialize)]
struct Item {
    attributes: BTreeMap<String, Attribute>,
    constraints: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    array: bool,
    #[serde(default)]
    required: bool,
    #[serde(rename = "enum")]
    captions: Option<BTreeMap<String, String>>,
    sibling: Option<String>,
}

impl Schema {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../../../tests/vectors/ocsf/schema.json")).unwrap()
    }

    /// What is wrong with an event.
    fn complaints(&self, event: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        let class = self.classes.values().find(|class| event["class_uid"] == class.uid);
        let (Some(class), Some(members)) = (class, event.as_object()) else {
            return vec![format!("there is no class {}", event["class_uid"])];
        };
        self.check_item("", &class.item, members, &mut complaints);
        let activity = event["activity_id"].as_u64().unwrap_or(u64::MAX);
        let caption = class.item.attributes["activity_id"]
            .captions
            .as_ref()
            .and_then(|captions| captions.get(&activity.to_string()));
        let type_name = format!("{}: {}", class.caption, caption.map_or("", String::as_str));
        let equal = [
            ("category_uid", json!(class.category_uid)),
            ("category_name", json!(class.category)),
            ("class_name", json!(class.caption)),
            ("type_uid", json!((class.uid * 100).saturating_add(activity))),
            ("type_name", json!(type_name)),
        ];
        for (name, expected) in equal {
            let optional = name.ends_with("_name") && members.get(name).is_none();
            if !optional && event[name] != expected {
                complaints.push(format!("{name} is {}, not {expected}", event[name]));
            }
        }
        if activity == 99 && members.get("activity_name").and_then(Value::as_str).is_none_or(str::is_empty) {
            complaints.push("activity_id 99 needs activity_name".to_owned());
        }
        if event["metadata"]["version"] != self.version.as_str() {
            complaints.push("metadata.version is of another schema".to_owned());
        }
        complaints
    }

    fn check_item(&self, at: &str, item: &Item, members: &Map<String, Value>, complaints: &mut Vec<String>) {
        for (name, attribute) in &item.attributes {
            if attribute.required && !members.contains_key(name) {
                complaints.push(format!("{at}{name} is missing"));
            }
        }
        for (rule, names) in &item.constraints {
            let present = names.iter().filter(|name| members.contains_key(*name)).count();
            let kept = match rule.as_str() {
                "at_least_one" => present >= 1,
                "just_one" => present == 1,
                _ => false,
            };
            if !kept {
                complaints.push(format!("{at} has {present} of {names:?}, against {rule}"));
            }
        }
        for (name, value) in members {
            let Some(attribute) = item.attributes.get(name) else {
                complaints.push(format!("{at}{name} is no attribute"));
                continue;
            };
            let place = format!("{at}{name}");
            match (attribute.array, value) {
                (true, Value::Array(values)) => {
                    values.iter().for_each(|value| self.check(&place, attribute, value, complaints));
                }
                (false, value) if !value.is_array() => self.check(&place, attribute, value, complaints),
                _ => complaints.push(format!("{place} is an array, or must be one")),
            }
            let caption = attribute.captions.as_ref().and_then(|captions| captions.get(&value.to_string()));
            let told = attribute.sibling.as_ref().and_then(|sibling| members.get(sibling));
            if let (Some(caption), Some(told)) = (caption, told)
                && value != 99
                && told != caption.as_str()
            {
                complaints.push(format!("{place} {value} is {caption:?}, not {told}"));
            }
        }
    }

    fn check(&self, place: &str, attribute: &Attribute, value: &Value, complaints: &mut Vec<String>) {
        if attribute.captions.as_ref().is_some_and(|known| !known.contains_key(&value.to_string())) {
            complaints.push(format!("{place} has no value {value}"));
        }
        if let (Some(item), Value::Object(members)) = (self.objects.get(&attribute.kind), value) {
            return self.check_item(&format!("{place}."), item, members, complaints);
        }
        let Some(kind) = self.types.get(&attribute.kind) else {
            if attribute.kind != "object" || !value.is_object() {
                complaints
                    .push(format!("{place} is of the type {}, which this does not check", attribute.kind));
            }
            return;
        };
        let base = kind.base.as_deref().unwrap_or(&attribute.kind);
        let fits = match base {
            "string_t" => value.as_str().is_some_and(|text| text.len() <= kind.max_len.unwrap_or(usize::MAX)),
            "integer_t" | "long_t" => {
                let in_range =
                    |number| kind.range.is_none_or(|[least, most]| (least..=most).contains(&number));
                value.as_i64().is_some_and(in_range)
            }
            "boolean_t" => value.is_boolean(),
            _ => false,
        };
        let is_address = value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok());
        if !fits || (attribute.kind == "ip_t" && !is_address) {
            complaints.push(format!("{place} can't be {value}"));
        }
    }
}

#[test]
fn every_event_is_valid_whatever_it_holds() {
    let schema = Schema::read();
    for_each_rendering(Format::Ocsf, |_, text| {
        let event: Value = serde_json::from_str(text).unwrap();
        assert_eq!(schema.complaints(&event), Vec::<String>::new(), "{text}");
    });
}

fn good(name: &str) -> Value {
    let entries = samples::entries("x");
    let entry = entries.iter().find(|entry| entry.event.name() == name).unwrap();
    serde_json::from_str(&samples::renderer(Format::Ocsf).render(entry)).unwrap()
}

#[test]
fn the_reader_refuses_what_is_broken() {
    let schema = Schema::read();
    let broken: &[(&str, &str, Value)] = &[
        ("client_authenticated", "/user", Value::Null),
        ("client_authenticated", "/user", json!({"credential_uid": "x"})),
        ("client_authenticated", "/service", Value::Null),
        ("client_authenticated", "/type_uid", json!(300_299)),
        ("client_authenticated", "/class_uid", json!(3_999)),
        ("client_authenticated", "/category_uid", json!(4)),
        ("client_authenticated", "/severity_id", json!(9)),
        ("client_authenticated", "/severity", json!("Info")),
        ("client_authenticated", "/status", json!("Succeeded")),
        ("client_authenticated", "/activity_name", json!("Login")),
        ("client_authenticated", "/time", json!("2026-11-22T05:00:00.123Z")),
        ("client_authenticated", "/time", json!(1_795_323_600.123)),
        ("client_authenticated", "/token", json!("00112233445566aa")),
        ("client_authenticated", "/session/connection", json!(9)),
        ("client_authenticated", "/src_endpoint/port", json!(65_536)),
        ("client_authenticated", "/src_endpoint/ip", json!("gw-1")),
        ("client_authenticated", "/src_endpoint", json!({"port": 1})),
        ("client_authenticated", "/metadata", Value::Null),
        ("client_authenticated", "/metadata/product", Value::Null),
        ("client_authenticated", "/metadata/version", json!("1.7.0")),
        ("client_authenticated", "/device", json!({"type_id": 0})),
        ("token_issued", "/activity_name", Value::Null),
        ("scopes_checked", "/privileges", Value::Null),
        ("scopes_checked", "/privileges", json!("a c")),
        ("scopes_checked", "/group", json!({"name": "x"})),
        ("records_dropped", "/type_name", json!("Event Log Activity: Clear")),
        ("trail_opened", "/app", Value::Null),
        ("trail_opened", "/app/name", Value::Null),
        ("trail_closed", "/activity_id", json!(3)),
    ];
    for (name, place, value) in broken {
        assert_eq!(schema.complaints(&good(name)), Vec::<String>::new(), "the control");
        let event = broken_at(good(name), place, value);
        assert!(!schema.complaints(&event).is_empty(), "{name} with {place} = {value} was accepted");
    }
}

//! The Open Cybersecurity Schema Framework, version 1.8.0: what a class has no attribute for goes to `unmapped`.

use serde_json::{Value, json};

use super::Origin;
use super::fields::{Fields, LARGEST, Object};
use super::meaning::{Meaning, Outcome, Weight};
use crate::entry::{Entry, Event, TrailEvent};

const VERSION: &str = "1.8.0";

/// A class of events, and what happens in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Activity {
    class: Class,
    number: u32,
    /// The caption of the number; of 99, which is whatever the source says, there is none.
    name: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Base,
    EventLogActivity,
    Authentication,
    AuthorizeSession,
    NetworkActivity,
    ApplicationLifecycle,
}

impl Activity {
    /// Tickets are Kerberos' in OCSF, so what happens to tokens has names of its own.
    pub(super) const AUTHENTICATION: Self = Self::other(Class::Authentication);
    pub(super) const LOGON: Self = Self::new(Class::Authentication, 1, "Logon");
    pub(super) const LOGOFF: Self = Self::new(Class::Authentication, 2, "Logoff");
    pub(super) const AUTHORIZE_SESSION: Self = Self::new(Class::AuthorizeSession, 1, "Assign Privileges");
    pub(super) const NETWORK: Self = Self::other(Class::NetworkActivity);
    pub(super) const NETWORK_OPEN: Self = Self::new(Class::NetworkActivity, 1, "Open");
    pub(super) const NETWORK_CLOSE: Self = Self::new(Class::NetworkActivity, 2, "Close");
    pub(super) const NETWORK_FAIL: Self = Self::new(Class::NetworkActivity, 4, "Fail");
    pub(super) const LOG: Self = Self::other(Class::EventLogActivity);
    pub(super) const LOG_ROTATE: Self = Self::new(Class::EventLogActivity, 5, "Rotate");
    pub(super) const LOG_START: Self = Self::new(Class::EventLogActivity, 6, "Start");
    pub(super) const PROGRAM_START: Self = Self::new(Class::ApplicationLifecycle, 3, "Start");
    pub(super) const PROGRAM_STOP: Self = Self::new(Class::ApplicationLifecycle, 4, "Stop");
    pub(super) const OTHER: Self = Self::other(Class::Base);

    const fn new(class: Class, number: u32, name: &'static str) -> Self {
        Self { class, number, name: Some(name) }
    }

    const fn other(class: Class) -> Self {
        Self { class, number: 99, name: None }
    }
}

impl Class {
    /// Its number and name, and those of its category.
    const fn names(self) -> (u32, &'static str, u32, &'static str) {
        match self {
            Self::Base => (0, "Base Event", 0, "Uncategorized"),
            Self::EventLogActivity => (1_008, "Event Log Activity", 1, "System Activity"),
            Self::Authentication => (3_002, "Authentication", 3, "Identity & Access Management"),
            Self::AuthorizeSession => (3_003, "Authorize Session", 3, "Identity & Access Management"),
            Self::NetworkActivity => (4_001, "Network Activity", 4, "Network Activity"),
            Self::ApplicationLifecycle => (6_002, "Application Lifecycle", 6, "Application Activity"),
        }
    }
}

/// One event.
pub(super) fn render(entry: &Entry, origin: &Origin, id: &str) -> String {
    let meaning = Meaning::of(&entry.event);
    let mut fields = Fields::of(&entry.event);
    let Activity { class, number, name } = meaning.activity;
    let (class_uid, class_name, category_uid, category_name) = class.names();
    // What is no activity of the class has the event's own name; `type_name` is the name of 99 then.
    let activity_name = name.unwrap_or(meaning.caption);
    let (severity_id, severity) = severity(meaning.weight);
    let (status_id, status) = status(meaning.outcome);
    let product = Object::new()
        .with("name", origin.application())
        .with("vendor_name", "realtime-auth")
        .with("version", origin.version());
    let metadata = Object::new()
        .with("version", VERSION)
        .with_object("product", product)
        .with_object("reporter", Object::new().with("name", origin.host()))
        .with("uid", id)
        .with("sequence", entry.sequence.min(LARGEST))
        .with("event_code", entry.event.name());
    let reason = fields.take_text("reason").or_else(|| fields.take_text("kind"));
    let event = Object::new()
        .with("activity_id", number)
        .with("activity_name", activity_name)
        .with("category_uid", category_uid)
        .with("category_name", category_name)
        .with("class_uid", class_uid)
        .with("class_name", class_name)
        .with("type_uid", class_uid * 100 + number)
        .with("type_name", format!("{class_name}: {}", name.unwrap_or("Other")))
        .with("time", entry.at.as_millis().min(LARGEST))
        .with("severity_id", severity_id)
        .with("severity", severity)
        .with("status_id", status_id)
        .with("status", status)
        .with_some("status_code", fields.take_text("code"))
        .with_some("status_detail", reason.clone())
        .with_some("duration", fields.take_duration())
        .with("message", meaning.caption)
        .with_object("metadata", metadata);
    let event = match class {
        Class::Base => event,
        Class::EventLogActivity => event
            .with("log_name", log_name(entry, origin))
            .with("log_type_id", 2)
            .with("log_type", "Application"),
        Class::Authentication => {
            let expired = reason.filter(|_| meaning.activity == Activity::LOGOFF);
            event
                .with_object("user", user(&mut fields))
                .with_object("service", Object::new().with("name", origin.service()))
                .with_object("session", session(&mut fields).with_some("expiration_reason", expired))
                .with_object("src_endpoint", peer(&mut fields))
        }
        Class::AuthorizeSession => event
            .with_object("user", user(&mut fields))
            .with("privileges", fields.take("required").unwrap_or_else(|| json!([]))),
        Class::NetworkActivity => event
            .with_object("src_endpoint", Object::new().with("name", origin.host()))
            .with_object("dst_endpoint", Object::new().with("svc_name", origin.service())),
        Class::ApplicationLifecycle => event.with_object("app", program(&mut fields, origin)),
    };
    if !matches!(class, Class::Authentication | Class::NetworkActivity) {
        fields.add("service", origin.service());
    }
    if let Some(session) = &entry.session {
        fields.add("session", session.as_str());
    }
    let process = fields.take("process_id").or_else(|| origin.process().map(Value::from));
    if let Some(process) = process {
        fields.add("process_id", process);
    }
    event.with_object("unmapped", Object::from(fields.rest())).to_string()
}

/// Whose the credential is: OCSF wants a name, and the Genesys document has one for somebody who is not known.
fn user(fields: &mut Fields) -> Object {
    let user = match fields.take_text("client_id") {
        Some(client) => Object::new().with("uid", client),
        None => Object::new().with("name", "unknown"),
    };
    user.with_some("credential_uid", fields.take_text("key_name"))
}

fn session(fields: &mut Fields) -> Object {
    Object::new()
        .with_some("uid", fields.take_text("session_id"))
        .with_some("credential_uid", fields.take_text("token"))
}

fn peer(fields: &mut Fields) -> Object {
    match fields.take_peer() {
        Some(peer) => Object::new().with("ip", peer.ip().to_string()).with("port", peer.port()),
        None => Object::new(),
    }
}

/// The program that begins or ends: by its own word, else whoever speaks.
fn program(fields: &mut Fields, origin: &Origin) -> Object {
    let name = fields.take_text("application").unwrap_or_else(|| origin.application().to_owned());
    let version = fields.take_text("version").unwrap_or_else(|| origin.version().to_owned());
    Object::new().with("name", name).with("version", version)
}

fn log_name(entry: &Entry, origin: &Origin) -> Value {
    match &entry.event {
        Event::Trail(TrailEvent::SegmentOpened { origin, .. }) => origin.as_str().into(),
        Event::Trail(_) | Event::Auth(_) => origin.application().into(),
    }
}

const fn severity(weight: Weight) -> (u32, &'static str) {
    match weight {
        Weight::Routine | Weight::Normal => (1, "Informational"),
        Weight::Notable => (2, "Low"),
        Weight::Warning => (3, "Medium"),
        Weight::Alarm => (4, "High"),
    }
}

const fn status(outcome: Outcome) -> (u32, &'static str) {
    match outcome {
        Outcome::Unknown => (0, "Unknown"),
        Outcome::Success => (1, "Success"),
        Outcome::Failure => (2, "Failure"),
    }
}

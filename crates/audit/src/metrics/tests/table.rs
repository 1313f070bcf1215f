//! The metrics that were asked for, those that there are, and what exporters show: all three are compared.

use std::collections::{BTreeMap, BTreeSet};

use ::opentelemetry::metrics::Meter;

use super::opentelemetry::Kept;
use super::prometheus::{labels, read};
use super::*;
use crate::Trail;

/// What was asked for: names, types and labels. Of the four of hooks, what is dropped alone can have a reason.
const ASKED: [(&str, &str, &[&str]); 17] = [
    ("rtauth_token_requests_total", "counter", &["grant", "outcome", "error_type"]),
    ("rtauth_token_request_duration_seconds", "histogram", &["grant", "outcome"]),
    ("rtauth_ws_handshake_duration_seconds", "histogram", &["transport", "outcome"]),
    ("rtauth_ws_connections", "gauge", &["state"]),
    ("rtauth_ws_closed_total", "counter", &["code"]),
    ("rtauth_ws_connection_duration_seconds", "histogram", &[]),
    ("rtauth_replay_rejected_total", "counter", &["kind"]),
    ("rtauth_revocation_propagation_seconds", "histogram", &["path"]),
    ("rtauth_store_errors_total", "counter", &["op"]),
    ("rtauth_store_duration_seconds", "histogram", &["op"]),
    ("rtauth_audit_records_total", "counter", &[]),
    ("rtauth_audit_sync_duration_seconds", "histogram", &[]),
    ("rtauth_audit_batch_records", "histogram", &[]),
    ("rtauth_audit_hook_dropped_total", "counter", &["hook", "reason"]),
    ("rtauth_audit_hook_retries_total", "counter", &["hook"]),
    ("rtauth_audit_hook_dead_letter_total", "counter", &["hook"]),
    ("rtauth_audit_hook_queue_records", "gauge", &["hook"]),
];

/// A metric that there is: its name and type in Prometheus, its labels, its name and unit in OpenTelemetry, and of each metric and
/// label that was asked for or is there, but not both, why.
type Row = (&'static str, &'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const TABLE: [Row; 21] = [
    (
        "rtauth_events_total",
        "counter",
        &["class"],
        "events",
        "{events}",
        "`rtauth_events_total`: what the records are compared with",
    ),
    (
        "rtauth_token_requests_total",
        "counter",
        &["end", "grant", "outcome", "error_type"],
        "token_requests",
        "{requests}",
        "`end`: one process can be both",
    ),
    (
        "rtauth_token_request_duration_seconds",
        "histogram",
        &["outcome"],
        "token_request_duration",
        "s",
        "`grant`: it is a client that tells how long it waited, and its events name no grant",
    ),
    ("rtauth_replay_rejected_total", "counter", &["kind"], "replay_rejected", "{rejections}", ""),
    ("rtauth_store_errors_total", "counter", &["op"], "store_errors", "{errors}", ""),
    ("rtauth_store_duration_seconds", "histogram", &["op"], "store_duration", "s", ""),
    (
        "rtauth_ws_handshakes_total",
        "counter",
        &["end", "outcome"],
        "ws_handshakes",
        "{handshakes}",
        "`rtauth_ws_handshakes_total`: refusals that tell no duration count too",
    ),
    (
        "rtauth_ws_handshake_duration_seconds",
        "histogram",
        &["end", "outcome"],
        "ws_handshake_duration",
        "s",
        "`end`: one process can be both; `transport`: no event tells how a credential travelled",
    ),
    (
        "rtauth_ws_connections",
        "gauge",
        &["end", "state"],
        "ws_connections",
        "{connections}",
        "`end`: one process can be both",
    ),
    (
        "rtauth_ws_closed_total",
        "counter",
        &["end", "code"],
        "ws_closed",
        "{connections}",
        "`end`: one process can be both",
    ),
    (
        "rtauth_ws_connection_duration_seconds",
        "histogram",
        &["end"],
        "ws_connection_duration",
        "s",
        "`end`: one process can be both",
    ),
    ("rtauth_revocation_propagation_seconds", "histogram", &["path"], "revocation_propagation", "s", ""),
    ("rtauth_audit_records_total", "counter", &[], "audit_records", "{records}", ""),
    ("rtauth_audit_sync_duration_seconds", "histogram", &[], "audit_sync_duration", "s", ""),
    ("rtauth_audit_batch_records", "histogram", &[], "audit_batch", "{records}", ""),
    (
        "rtauth_audit_events_dropped_total",
        "counter",
        &["reason"],
        "audit_events_dropped",
        "{events}",
        "`rtauth_audit_events_dropped_total`: observed = recorded + dropped + queued",
    ),
    (
        "rtauth_audit_queue_records",
        "gauge",
        &[],
        "audit_queue",
        "{records}",
        "`rtauth_audit_queue_records`: observed = recorded + dropped + queued",
    ),
    (
        "rtauth_audit_hook_dropped_total",
        "counter",
        &["hook"],
        "audit_hook_dropped",
        "{entries}",
        "`reason`: what is lost to a hook is one count, as in accepted = delivered + queued + dropped + dead letters",
    ),
    ("rtauth_audit_hook_retries_total", "counter", &["hook"], "audit_hook_retries", "{calls}", ""),
    ("rtauth_audit_hook_dead_letter_total", "counter", &["hook"], "audit_hook_dead_letter", "{entries}", ""),
    ("rtauth_audit_hook_queue_records", "gauge", &["hook"], "audit_hook_queue", "{records}", ""),
];

/// The closed set of each label; the names of hooks are the program's own.
const VALUES: [(&str, &[&str]); 12] = [
    ("class", &["issuing", "consuming", "revoking", "deciding", "progress"]),
    ("end", &["client", "server"]),
    ("outcome", &["success", "failure"]),
    ("state", &["authenticated"]),
    ("grant", &GRANTS),
    ("error_type", &ERRORS),
    ("code", &CODES),
    ("kind", &REPLAYED),
    ("op", &OPS),
    ("path", &PATHS),
    ("reason", &["queue_full", "closed", "disk_full", "disk_failed"]),
    ("hook", &["on_siem"]),
];

/// Metrics of which each has a series with all of its labels.
fn all() -> Arc<Metrics> {
    let trail = Trail::builder().on_siem(|_| ()).open().unwrap();
    for event in [
        let_in(),
        lost(Some(SECOND), Some(1_006)),
        client_let_in("a"),
        client_rejected("r"),
        client_revoked(SECOND, Some(RevocationPath::Local)),
        failed(ErrorKind::Timeout),
        denied("password", "invalid_grant"),
        replayed(Replayed::Nonce),
        store_failed(StoreStep::Load),
    ] {
        trail.observe(&event);
    }
    trail.close();
    Arc::clone(trail.metrics())
}

/// What there is of it, by name: the type, and each label with its values.
type Shown = BTreeMap<String, (String, BTreeMap<String, BTreeSet<String>>)>;

/// What a text for Prometheus shows.
fn shown(text: &str) -> Shown {
    read(text);
    let mut shown = Shown::new();
    let mut last = String::new();
    for line in text.lines().filter(|line| !line.starts_with("# HELP ")) {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            last = name.to_owned();
            shown.insert(last.clone(), (kind.to_owned(), BTreeMap::new()));
            continue;
        }
        let (series, _) = line.rsplit_once(' ').unwrap();
        let seen = &mut shown.get_mut(&last).unwrap().1;
        for (label, value) in labels(series).1.into_iter().filter(|(label, _)| label != "le") {
            seen.entry(label).or_default().insert(value);
        }
    }
    shown
}

#[test]
fn what_prometheus_is_shown_is_the_table_and_its_labels_have_closed_sets() {
    let shown = shown(&all().prometheus());
    let names = |labels: &[&'static str]| labels.iter().copied().collect::<BTreeSet<_>>();
    let table: BTreeMap<_, _> =
        TABLE.iter().map(|(name, kind, labels, ..)| (*name, (*kind, names(labels)))).collect();
    let seen = shown.iter().map(|(name, (kind, labels))| {
        (&**name, (&**kind, labels.keys().map(String::as_str).collect::<BTreeSet<_>>()))
    });
    assert_eq!(seen.collect::<BTreeMap<_, _>>(), table);
    for (label, values) in shown.values().flat_map(|(_, labels)| labels) {
        let (_, closed) = VALUES.iter().find(|(name, _)| name == label).expect(label);
        for value in values {
            assert!(closed.contains(&&**value), "{label}={value}");
        }
    }
}

#[test]
fn what_was_asked_for_is_there_and_each_difference_has_a_reason() {
    for (name, kind, asked) in ASKED {
        let (_, ours, labels, .., why) = TABLE.iter().find(|row| row.0 == name).expect(name);
        assert_eq!(*ours, kind, "{name}");
        for label in asked.iter().chain(*labels) {
            let both = asked.contains(label) && labels.contains(label);
            assert_eq!(why.contains(&format!("`{label}`: ")), !both, "{name}: {label}: {why:?}");
        }
    }
    for (name, .., why) in TABLE {
        let asked = ASKED.iter().any(|row| row.0 == name);
        assert_eq!(why.contains(&format!("`{name}`: ")), !asked, "{name}: {why:?}");
    }
}

#[test]
fn the_documentation_has_the_table() {
    let documentation = include_str!("../mod.rs");
    let rows = documentation.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rows: Vec<_> = rows.map(|row| format!("| `{row}")).collect();
    let expected = TABLE.map(|(name, kind, labels, ..)| {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{} ", labels.join(", ")) };
        format!("| `{name}` | {kind} | {labels}|")
    });
    assert_eq!(rows, expected);
}

#[test]
fn what_a_meter_is_shown_is_the_table() {
    let kept = Arc::new(Kept::default());
    all().opentelemetry(&Meter::new(Arc::clone(&kept) as _));
    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    for series in kept.collect().into_keys() {
        // The name, the unit, and the attributes.
        let (instrument, attributes) = series.rsplit_once(' ').unwrap();
        let names =
            attributes.split(',').filter_map(|attribute| Some(attribute.split_once('=')?.0.to_owned()));
        seen.entry(instrument.to_owned()).or_default().extend(names);
    }
    let mut expected = BTreeMap::new();
    for (_, kind, labels, name, unit, _) in TABLE {
        let attributes = |more: &[&str]| -> BTreeSet<_> {
            labels.iter().chain(more).map(|label| (*label).to_owned()).collect()
        };
        if kind == "histogram" {
            expected.insert(format!("rtauth.{name}.bucket "), attributes(&["le"]));
            expected.insert(format!("rtauth.{name}.sum {unit}"), attributes(&[]));
            expected.insert(format!("rtauth.{name}.count "), attributes(&[]));
        } else {
            expected.insert(format!("rtauth.{name} {unit}"), attributes(&[]));
        }
    }
    assert_eq!(seen, expected);
}

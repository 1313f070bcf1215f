//! The text for Prometheus, read by a strict reader.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The samples of a text, by name and labels; panics where Prometheus would refuse the text, or should.
pub(super) fn read(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line has an end");
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let mut family = (String::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(is_name(name) && help.ends_with('.'), "{line}");
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned()), "{name} is there twice");
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = labels(series);
        let ending = name.strip_prefix(&family.0).unwrap_or_else(|| panic!("{name} is not of {family:?}"));
        match &*family.1 {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&ending), "{line}"),
            "counter" => assert!(ending.is_empty() && name.ends_with("_total"), "{line}"),
            _ => assert!(ending.is_empty() && !name.ends_with("_total"), "{line}"),
        }
        assert_eq!(labels.iter().any(|(name, _)| name == "le"), ending == "_bucket", "{line}");
        assert!(
            samples.insert(series.to_owned(), value.parse().unwrap()).is_none(),
            "{series} is there twice"
        );
    }
    check_histograms(&samples);
    samples
}

/// The buckets of a histogram only grow, and the last has all.
fn check_histograms(samples: &BTreeMap<String, f64>) {
    let mut histograms = BTreeMap::<String, Vec<(f64, f64)>>::new();
    for (series, value) in samples {
        let (name, mut labels) = labels(series);
        let Some(name) = name.strip_suffix("_bucket") else { continue };
        let bound = labels.pop().unwrap().1;
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        histograms.entry(format!("{name}_count{labels}")).or_default().push((bound, *value));
    }
    for (count, mut buckets) in histograms {
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(
            buckets.is_sorted_by(|one, other| one.0 < other.0 && one.1 <= other.1),
            "{count}: {buckets:?}"
        );
        assert_eq!(*buckets.last().unwrap(), (f64::INFINITY, samples[&count]), "{count}");
        assert!(samples.contains_key(&count.replace("_count", "_sum")), "{count}");
    }
}

fn is_name(name: &str) -> bool {
    let good = |character: char| character.is_ascii_alphanumeric() || character == '_';
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// The name and the labels of a series, unescaped.
pub(super) fn labels(series: &str) -> (&str, Vec<(String, String)>) {
    let Some((name, rest)) = series.split_once('{') else {
        assert!(is_name(series), "{series}");
        return (series, Vec::new());
    };
    assert!(is_name(name), "{series}");
    let mut labels = Vec::new();
    let mut rest = rest.strip_suffix('}').unwrap();
    loop {
        let (label, quoted) = rest.split_once("=\"").unwrap();
        assert!(is_name(label), "{series}");
        let (mut value, mut characters) = (String::new(), quoted.char_indices());
        let end = loop {
            match characters.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    character @ ('\\' | '"') => character,
                    other => panic!("{other} is not escaped in {series}"),
                }),
                (_, character) => value.push(character),
            }
        };
        labels.push((label.to_owned(), value));
        match quoted[end + 1..].strip_prefix(',') {
            Some(more) => rest = more,
            None => {
                assert!(quoted[end + 1..].is_empty(), "{series}");
                return (name, labels);
            }
        }
    }
}

#[test]
fn the_text_is_what_prometheus_reads() {
    let metrics = observed(&[
        let_in(),
        lost(Some(SECOND * 90), Some(1_006)),
        failed(ErrorKind::Transport),
        denied("password", "invalid_grant"),
        replayed(Replayed::Nonce),
        store_failed(StoreStep::Lock),
    ]);
    metrics.batch_written(5, Duration::from_micros(60));
    let samples = read(&metrics.prometheus());
    for (series, value) in [
        ("rtauth_ws_connections{end=\"client\",state=\"authenticated\"}", 0.0),
        ("rtauth_ws_closed_total{end=\"client\",code=\"1006\"}", 1.0),
        ("rtauth_ws_connection_duration_seconds_bucket{end=\"client\",le=\"60\"}", 0.0),
        ("rtauth_ws_connection_duration_seconds_bucket{end=\"client\",le=\"120\"}", 1.0),
        ("rtauth_ws_connection_duration_seconds_sum{end=\"client\"}", 90.0),
        ("rtauth_ws_handshake_duration_seconds_bucket{end=\"client\",outcome=\"success\",le=\"0.25\"}", 1.0),
        ("rtauth_token_requests_total{end=\"client\",outcome=\"failure\",error_type=\"transport\"}", 1.0),
        ("rtauth_replay_rejected_total{kind=\"nonce\"}", 1.0),
        ("rtauth_store_errors_total{op=\"lock\"}", 1.0),
        ("rtauth_events_total{class=\"deciding\"}", 2.0),
        ("rtauth_audit_records_total", 5.0),
        ("rtauth_audit_batch_records_bucket{le=\"8\"}", 1.0),
        ("rtauth_audit_batch_records_sum", 5.0),
        ("rtauth_audit_sync_duration_seconds_bucket{le=\"0.00005\"}", 0.0),
        ("rtauth_audit_sync_duration_seconds_bucket{le=\"0.0001\"}", 1.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}");
    }
}

#[test]
fn a_hooks_name_can_hold_anything() {
    let name = "a\"b\\c} 1 # \u{2603}";
    let metrics = Metrics::new();
    let running = Outlet::closure(name, |_| {}).start().unwrap();
    metrics.hook(Arc::clone(running.hook()));
    let samples = read(&metrics.prometheus());
    for metric in ["dropped_total", "retries_total", "dead_letter_total", "queue_records"] {
        let metric = format!("rtauth_audit_hook_{metric}");
        let named = samples.keys().map(|series| labels(series)).find(|(name, _)| *name == metric);
        assert_eq!(named.unwrap().1, [("hook".to_owned(), name.to_owned())]);
    }
}

#[test]
fn the_reader_refuses_what_prometheus_refuses() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
    read(good);
    for bad in [
        good.replace("counter", "count"),
        good.replace("a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} 1\na_total{b=\"c\"} 1\n"),
        good.replace("\"c\"", "\"c\\d\""),
        good.replace("} 1", "} one"),
        good.replace("a_total{", "other_total{"),
        good.replace("{b=", "{0b="),
        good.trim_end().to_owned(),
    ] {
        assert!(std::panic::catch_unwind(|| read(&bad)).is_err(), "{bad}");
    }
}

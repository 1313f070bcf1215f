//! All metrics at one moment, in a form that every exporter reads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::cells::{Counter, Histogram, Spread};
use super::labels::{CODES, ERRORS, GRANTS, REPLAYED, STEPS};
use super::{Answers, Metrics};
use crate::deliver::HookCounts;

/// The series of one metric.
#[derive(Debug)]
pub(super) struct Family {
    /// Without `rtauth_`, and without what says the unit and the kind.
    pub(super) name: &'static str,
    /// One sentence.
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    /// What the values are of: `seconds` or things that are counted.
    pub(super) unit: &'static str,
    pub(super) series: Vec<(Labels, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
pub(super) enum Value {
    Number(u64),
    Spread(Spread),
}

pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

impl Metrics {
    /// All metrics, those without a series too.
    pub(super) fn families(&self) -> Vec<Family> {
        let mut families = self.of_tokens();
        families.extend(self.of_connections());
        families.extend(self.of_trail());
        families
    }

    fn of_tokens(&self) -> Vec<Family> {
        let classes = ["issuing", "consuming", "revoking", "deciding", "progress"];
        let mut requests = answers(&[("end", "client")], &self.requests);
        for (grant, given) in GRANTS.into_iter().zip(&self.grants) {
            requests.extend(answers(&[("end", "server"), ("grant", grant)], given));
        }
        let outcomes = [("success", &self.issued_after), ("failure", &self.failed_after)];
        vec![
            counter("events", "Events that were observed.", "events", each("class", classes, &self.events)),
            counter(
                "token_requests",
                "Requests for tokens that were answered, or failed.",
                "requests",
                requests,
            ),
            histogram(
                "token_request_duration",
                "How long a token endpoint took.",
                "seconds",
                outcomes.map(|(outcome, took)| (labels(&[("outcome", outcome)]), took)).into(),
            ),
            counter(
                "replay_rejected",
                "What was presented again and refused.",
                "rejections",
                each("kind", REPLAYED, &self.replayed),
            ),
            counter(
                "store_errors",
                "Failures of the store of tokens.",
                "errors",
                each("op", STEPS, &self.store_errors),
            ),
        ]
    }

    fn of_connections(&self) -> Vec<Family> {
        let ends = [("client", &self.client), ("server", &self.server)];
        let of_end = |end, more: &[(&'static str, &'static str)]| labels(&[&[("end", end)], more].concat());
        let handshakes = ends.iter().flat_map(|(end, of)| {
            let outcomes = [("success", of.authenticated.read()), ("failure", of.rejected.read())];
            outcomes.map(|(outcome, count)| (of_end(end, &[("outcome", outcome)]), Value::Number(count)))
        });
        let open = ends
            .iter()
            .map(|(end, of)| (of_end(end, &[("state", "authenticated")]), Value::Number(of.connections())));
        let closed = ends.iter().flat_map(|(end, of)| {
            nonzero(CODES.into_iter().zip(&of.closed))
                .map(|(code, count)| (of_end(end, &[("code", code)]), count))
        });
        let let_in_after = ends.iter().map(|(end, of)| (of_end(end, &[]), &of.let_in_after));
        let lasted = ends.iter().map(|(end, of)| (of_end(end, &[]), &of.lasted));
        vec![
            counter(
                "ws_handshakes",
                "Connections that were let in, or were not.",
                "handshakes",
                handshakes.collect(),
            ),
            histogram(
                "ws_handshake_duration",
                "How long it took until a connection was authenticated.",
                "seconds",
                let_in_after.collect(),
            ),
            Family {
                name: "ws_connections",
                help: "Connections that are open.",
                kind: Kind::Gauge,
                unit: "connections",
                series: open.collect(),
            },
            counter("ws_closed", "Authenticated connections that ended.", "connections", closed.collect()),
            histogram(
                "ws_connection_duration",
                "How long connections had been authenticated when they ended.",
                "seconds",
                lasted.collect(),
            ),
        ]
    }

    fn of_trail(&self) -> Vec<Family> {
        let mut hooks = BTreeMap::<String, HookCounts>::new();
        for hook in &*self.hooks() {
            let (sum, counts) = (hooks.entry(hook.name().to_string()).or_default(), hook.counts());
            sum.dropped += counts.dropped;
            sum.retries += counts.retries;
            sum.dead_lettered += counts.dead_lettered;
            sum.queued += counts.queued;
        }
        let of_hooks = |count: fn(&HookCounts) -> u64| {
            hooks
                .iter()
                .map(|(name, counts)| (vec![("hook", name.clone().into())], Value::Number(count(counts))))
                .collect()
        };
        let records = vec![(Vec::new(), Value::Number(self.records.read()))];
        let trail = self.trail.get();
        let lost = trail.map(|accounts| accounts.lost()).into_iter().flatten();
        let lost = lost.map(|(reason, count)| (labels(&[("reason", reason)]), Value::Number(count)));
        let queued = trail.map(|accounts| (Vec::new(), Value::Number(accounts.summary().queued)));
        vec![
            counter(
                "audit_records",
                "Records that are on the disk, with those of the log itself.",
                "records",
                records,
            ),
            histogram(
                "audit_sync_duration",
                "How long the disk took to sync a batch.",
                "seconds",
                vec![(Vec::new(), &self.syncs)],
            ),
            histogram(
                "audit_batch",
                "Records that were written at once.",
                "records",
                vec![(Vec::new(), &self.batches)],
            ),
            counter("audit_events_dropped", "Events that are in no record.", "events", lost.collect()),
            Family {
                name: "audit_queue",
                help: "Events that wait for the disk.",
                kind: Kind::Gauge,
                unit: "records",
                series: queued.into_iter().collect(),
            },
            counter(
                "audit_hook_dropped",
                "Entries lost to a hook.",
                "entries",
                of_hooks(|counts| counts.dropped),
            ),
            counter(
                "audit_hook_retries",
                "Calls of a hook that were repeated.",
                "calls",
                of_hooks(|counts| counts.retries),
            ),
            counter(
                "audit_hook_dead_letter",
                "Entries of a hook that went to its dead letters.",
                "entries",
                of_hooks(|counts| counts.dead_lettered),
            ),
            Family {
                name: "audit_hook_queue",
                help: "Entries that wait for a hook.",
                kind: Kind::Gauge,
                unit: "records",
                series: of_hooks(|counts| counts.queued),
            },
        ]
    }
}

fn counter(
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    series: Vec<(Labels, Value)>,
) -> Family {
    Family { name, help, kind: Kind::Counter, unit, series }
}

fn histogram(
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    series: Vec<(Labels, &Histogram)>,
) -> Family {
    let series = series.into_iter().map(|(labels, spread)| (labels, Value::Spread(spread.read()))).collect();
    Family { name, help, kind: Kind::Histogram, unit, series }
}

fn labels(pairs: &[(&'static str, &'static str)]) -> Labels {
    pairs.iter().map(|(name, value)| (*name, Cow::Borrowed(*value))).collect()
}

/// A counter for each value of one label.
fn each<const N: usize>(
    label: &'static str,
    values: [&'static str; N],
    counters: &[Counter; N],
) -> Vec<(Labels, Value)> {
    let counted = values.into_iter().zip(counters);
    counted.map(|(value, count)| (labels(&[(label, value)]), Value::Number(count.read()))).collect()
}

fn answers(of: &[(&'static str, &'static str)], answers: &Answers) -> Vec<(Labels, Value)> {
    let labels = |more: &[(&'static str, &'static str)]| labels(&[of, more].concat());
    let success = nonzero([((), &answers.tokens)].into_iter())
        .map(|((), count)| (labels(&[("outcome", "success")]), count));
    let failures = nonzero(ERRORS.into_iter().zip(&answers.errors))
        .map(|(error, count)| (labels(&[("outcome", "failure"), ("error_type", error)]), count));
    success.chain(failures).collect()
}

/// Only what happened: most of several hundred combinations never do.
fn nonzero<'a, T>(counters: impl Iterator<Item = (T, &'a Counter)>) -> impl Iterator<Item = (T, Value)> {
    counters
        .map(|(label, counter)| (label, counter.read()))
        .filter(|(_, count)| *count > 0)
        .map(|(label, count)| (label, Value::Number(count)))
}

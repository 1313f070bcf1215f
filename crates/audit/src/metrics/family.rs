//! All metrics at one moment, in a form that every exporter reads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::cells::{Counter, Histogram, Spread};
use super::labels::{CODES, ERRORS, GRANTS, OPS, PATHS, REPLAYED, STEPS};
use super::{Answers, End, Metrics};
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

/// What reads one metric, and leaves the others alone.
pub(super) type Reading = fn(&Metrics) -> Family;

/// What reads each metric, one by one.
pub(super) const READINGS: &[Reading] = &[
    |of| counter("events", "Events that were observed.", "events", each("class", CLASSES, &of.events)),
    |of| {
        let help = "Requests for tokens that were answered, or failed.";
        counter("token_requests", help, "requests", of.token_requests())
    },
    |of| {
        let took = [("success", &of.issued_after), ("failure", &of.failed_after)];
        let took = took.map(|(outcome, took)| (labels(&[("outcome", outcome)]), took));
        histogram("token_request_duration", "How long a token endpoint took.", "seconds", took)
    },
    |of| {
        let help = "What was presented again and refused.";
        counter("replay_rejected", help, "rejections", each("kind", REPLAYED, &of.replayed))
    },
    |of| {
        let help = "Failures of the store of tokens.";
        counter("store_errors", help, "errors", each("op", STEPS, &of.store_errors))
    },
    |of| {
        let help = "How long stores took: of tokens, and of which tokens are spent.";
        let took = OPS.into_iter().zip(&of.store_took);
        histogram("store_duration", help, "seconds", took.map(|(op, took)| (labels(&[("op", op)]), took)))
    },
    |of| {
        let help = "Connections that were let in, or were not.";
        counter("ws_handshakes", help, "handshakes", of.handshakes())
    },
    |of| {
        let took = [
            ("client", "success", &of.client.let_in_after),
            ("server", "success", &of.server.let_in_after),
            ("server", "failure", &of.server.rejected_after),
        ];
        let took = took.map(|(end, outcome, took)| (labels(&[("end", end), ("outcome", outcome)]), took));
        histogram(
            "ws_handshake_duration",
            "How long it took until a connection was authenticated, or refused.",
            "seconds",
            took,
        )
    },
    |of| {
        let open = of.ends().map(|(end, of)| {
            (labels(&[("end", end), ("state", "authenticated")]), Value::Number(of.connections()))
        });
        gauge("ws_connections", "Connections that are open.", "connections", open)
    },
    |of| {
        let closed = of.ends().into_iter().flat_map(|(end, of)| {
            nonzero(CODES.into_iter().zip(&of.closed))
                .map(move |(code, count)| (labels(&[("end", end), ("code", code)]), count))
        });
        counter("ws_closed", "Authenticated connections that ended.", "connections", closed)
    },
    |of| {
        let help = "How long connections had been authenticated when they ended.";
        let lasted = of.ends().map(|(end, of)| (labels(&[("end", end)]), &of.lasted));
        histogram("ws_connection_duration", help, "seconds", lasted)
    },
    |of| {
        let help = "How long after a revocation the connections that it was about were closed.";
        let after = PATHS.into_iter().zip(&of.revoked_after);
        let after = after.map(|(path, after)| (labels(&[("path", path)]), after));
        histogram("revocation_propagation", help, "seconds", after)
    },
    |of| {
        let help = "Records that are on the disk, with those of the log itself.";
        counter("audit_records", help, "records", [(Vec::new(), Value::Number(of.records.read()))])
    },
    |of| {
        let help = "How long the disk took to sync a batch.";
        histogram("audit_sync_duration", help, "seconds", [(Vec::new(), &of.syncs)])
    },
    |of| {
        let help = "Records that were written at once.";
        histogram("audit_batch", help, "records", [(Vec::new(), &of.batches)])
    },
    |of| {
        let lost = of.trail.get().map(|accounts| accounts.lost()).into_iter().flatten();
        let lost = lost.map(|(reason, count)| (labels(&[("reason", reason)]), Value::Number(count)));
        counter("audit_events_dropped", "Events that are in no record.", "events", lost)
    },
    |of| {
        let queued = of.trail.get().map(|accounts| (Vec::new(), Value::Number(accounts.summary().queued)));
        gauge("audit_queue", "Events that wait for the disk.", "records", queued)
    },
    |of| {
        let dropped = of.of_hooks(|counts| counts.dropped);
        counter("audit_hook_dropped", "Entries lost to a hook.", "entries", dropped)
    },
    |of| {
        let retries = of.of_hooks(|counts| counts.retries);
        counter("audit_hook_retries", "Calls of a hook that were repeated.", "calls", retries)
    },
    |of| {
        let help = "Entries of a hook that went to its dead letters.";
        counter("audit_hook_dead_letter", help, "entries", of.of_hooks(|counts| counts.dead_lettered))
    },
    |of| {
        let queued = of.of_hooks(|counts| counts.queued);
        gauge("audit_hook_queue", "Entries that wait for a hook.", "records", queued)
    },
];

const CLASSES: [&str; 5] = ["issuing", "consuming", "revoking", "deciding", "progress"];

impl Metrics {
    /// All metrics, those without a series too.
    #[cfg(any(test, feature = "prometheus"))]
    pub(super) fn families(&self) -> impl Iterator<Item = Family> {
        READINGS.iter().map(|read| read(self))
    }

    const fn ends(&self) -> [(&'static str, &End); 2] {
        [("client", &self.client), ("server", &self.server)]
    }

    fn token_requests(&self) -> Vec<(Labels, Value)> {
        let mut requests = answers(&[("end", "client")], &self.requests);
        for (grant, given) in GRANTS.into_iter().zip(&self.grants) {
            requests.extend(answers(&[("end", "server"), ("grant", grant)], given));
        }
        requests
    }

    fn handshakes(&self) -> impl Iterator<Item = (Labels, Value)> {
        self.ends().into_iter().flat_map(|(end, of)| {
            let outcomes = [("success", of.authenticated.read()), ("failure", of.rejected.read())];
            outcomes
                .map(|(outcome, count)| (labels(&[("end", end), ("outcome", outcome)]), Value::Number(count)))
        })
    }

    /// One figure of each hook; those of the same name are one.
    fn of_hooks(&self, count: fn(&HookCounts) -> u64) -> impl Iterator<Item = (Labels, Value)> {
        let mut hooks = BTreeMap::<String, u64>::new();
        for hook in &*self.hooks() {
            *hooks.entry(hook.name().to_string()).or_default() += count(&hook.counts());
        }
        hooks.into_iter().map(|(name, count)| (vec![("hook", name.into())], Value::Number(count)))
    }
}

fn counter(
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    series: impl IntoIterator<Item = (Labels, Value)>,
) -> Family {
    Family { name, help, kind: Kind::Counter, unit, series: series.into_iter().collect() }
}

fn gauge(
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    series: impl IntoIterator<Item = (Labels, Value)>,
) -> Family {
    Family { kind: Kind::Gauge, ..counter(name, help, unit, series) }
}

fn histogram<'a>(
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    series: impl IntoIterator<Item = (Labels, &'a Histogram)>,
) -> Family {
    let series = series.into_iter().map(|(labels, spread)| (labels, Value::Spread(spread.read())));
    Family { kind: Kind::Histogram, ..counter(name, help, unit, series) }
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

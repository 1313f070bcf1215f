//! The same metrics as observable instruments of OpenTelemetry.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::Metrics;
use super::cells::Spread;
use super::family::{Family, Kind, Labels, READINGS, Reading, Value};

impl Metrics {
    /// Makes an observable instrument of `meter` for each metric. Call it once for a meter.
    ///
    /// Names are as in Prometheus, with a point after `rtauth` and without the unit and `_total`, which an exporter adds:
    /// `rtauth.token_requests`. OpenTelemetry knows no histogram that is observed, so each is three counters, of which the
    /// names end in `.bucket` (with the attribute `le`, as in Prometheus), `.sum` and `.count`.
    ///
    /// A collection reads each instrument's metric, and no other.
    pub fn opentelemetry(self: &Arc<Self>, meter: &Meter) {
        for &read in READINGS {
            let Family { name, help, kind, unit, .. } = read(self);
            let unit = if unit == "seconds" { "s".to_owned() } else { format!("{{{unit}}}") };
            let full = format!("rtauth.{name}");
            match kind {
                Kind::Counter => {
                    let builder = meter.u64_observable_counter(full).with_unit(unit).with_description(help);
                    builder.with_callback(self.observed(read, number)).build();
                }
                Kind::Gauge => {
                    let builder = meter.u64_observable_gauge(full).with_unit(unit).with_description(help);
                    builder.with_callback(self.observed(read, number)).build();
                }
                Kind::Histogram => {
                    let buckets = meter.u64_observable_counter(format!("{full}.bucket"));
                    buckets.with_description(help).with_callback(self.observed(read, bucket)).build();
                    let sum = meter.f64_observable_counter(format!("{full}.sum")).with_unit(unit);
                    sum.with_description(help).with_callback(self.observed(read, sum_of)).build();
                    let count = meter.u64_observable_counter(format!("{full}.count"));
                    count.with_description(help).with_callback(self.observed(read, count_of)).build();
                }
            }
        }
    }

    /// What observes each series of a metric.
    fn observed<T: 'static>(
        self: &Arc<Self>,
        read: Reading,
        observe: fn(&dyn AsyncInstrument<T>, Vec<KeyValue>, &Value),
    ) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
        let metrics = Arc::clone(self);
        move |instrument| {
            for (labels, value) in &read(&metrics).series {
                observe(instrument, attributes(labels), value);
            }
        }
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect()
}

fn number(instrument: &dyn AsyncInstrument<u64>, attributes: Vec<KeyValue>, value: &Value) {
    if let Value::Number(number) = value {
        instrument.observe(*number, &attributes);
    }
}

fn bucket(instrument: &dyn AsyncInstrument<u64>, mut attributes: Vec<KeyValue>, value: &Value) {
    if let Value::Spread(Spread { buckets, count, .. }) = value {
        let bounds = buckets.iter().map(|(bound, count)| (bound.to_string(), *count));
        for (bound, count) in bounds.chain([("+Inf".to_owned(), *count)]) {
            attributes.push(KeyValue::new("le", bound));
            instrument.observe(count, &attributes);
            attributes.pop();
        }
    }
}

fn sum_of(instrument: &dyn AsyncInstrument<f64>, attributes: Vec<KeyValue>, value: &Value) {
    if let Value::Spread(spread) = value {
        instrument.observe(spread.sum, &attributes);
    }
}

fn count_of(instrument: &dyn AsyncInstrument<u64>, attributes: Vec<KeyValue>, value: &Value) {
    if let Value::Spread(spread) = value {
        instrument.observe(spread.count, &attributes);
    }
}

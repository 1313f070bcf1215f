//! The instruments of OpenTelemetry, observed by a meter of our own.

use std::collections::BTreeMap;
use std::mem;

use ::opentelemetry::KeyValue;
use ::opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, Callback, InstrumentProvider, Meter, ObservableCounter,
    ObservableGauge,
};

use super::*;

/// Keeps what observes its instruments.
#[derive(Default)]
pub(super) struct Kept {
    whole: Mutex<Vec<(String, Callback<u64>)>>,
    fractions: Mutex<Vec<(String, Callback<f64>)>>,
}

impl Kept {
    fn keep<I, M>(kept: &Mutex<Vec<(String, Callback<M>)>>, builder: AsyncInstrumentBuilder<'_, I, M>) {
        let unit = builder.unit.unwrap_or_default();
        let name = format!("{} {unit}", builder.name);
        assert!(builder.description.is_some_and(|help| help.ends_with('.')), "{name}");
        kept.lock().unwrap().extend(builder.callbacks.into_iter().map(|callback| (name.clone(), callback)));
    }

    pub(super) fn collect(&self) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        for (name, callback) in &*self.whole.lock().unwrap() {
            let seen = Seen::default();
            callback(&seen);
            seen.into(name, &mut all);
        }
        for (name, callback) in &*self.fractions.lock().unwrap() {
            let seen = Seen::default();
            callback(&seen);
            seen.into(name, &mut all);
        }
        all
    }
}

impl InstrumentProvider for Kept {
    fn u64_observable_counter(
        &self,
        builder: AsyncInstrumentBuilder<'_, ObservableCounter<u64>, u64>,
    ) -> ObservableCounter<u64> {
        Self::keep(&self.whole, builder);
        ObservableCounter::new()
    }

    fn u64_observable_gauge(
        &self,
        builder: AsyncInstrumentBuilder<'_, ObservableGauge<u64>, u64>,
    ) -> ObservableGauge<u64> {
        Self::keep(&self.whole, builder);
        ObservableGauge::new()
    }

    fn f64_observable_counter(
        &self,
        builder: AsyncInstrumentBuilder<'_, ObservableCounter<f64>, f64>,
    ) -> ObservableCounter<f64> {
        Self::keep(&self.fractions, builder);
        ObservableCounter::new()
    }
}

/// What one instrument was observed to have.
#[derive(Default)]
struct Seen(Mutex<Vec<(String, f64)>>);

impl Seen {
    fn see(&self, value: f64, attributes: &[KeyValue]) {
        let attributes: Vec<_> =
            attributes.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
        self.0.lock().unwrap().push((attributes.join(","), value));
    }

    fn into(self, name: &str, all: &mut BTreeMap<String, f64>) {
        for (attributes, value) in mem::take(&mut *self.0.lock().unwrap()) {
            assert!(
                all.insert(format!("{name} {attributes}"), value).is_none(),
                "{name} {attributes} is there twice"
            );
        }
    }
}

impl AsyncInstrument<u64> for Seen {
    fn observe(&self, value: u64, attributes: &[KeyValue]) {
        self.see(value as f64, attributes);
    }
}

impl AsyncInstrument<f64> for Seen {
    fn observe(&self, value: f64, attributes: &[KeyValue]) {
        self.see(value, attributes);
    }
}

#[test]
fn a_meter_observes_what_is_counted_when_it_looks() {
    let (metrics, kept) = (Arc::new(Metrics::new()), Arc::new(Kept::default()));
    metrics.opentelemetry(&Meter::new(Arc::clone(&kept) as Arc<dyn InstrumentProvider + Send + Sync>));
    assert_eq!(kept.collect()["rtauth.ws_connections {connections} end=client,state=authenticated"], 0.0);
    metrics.observe(&let_in());
    metrics.observe(&replayed(Replayed::Nonce));
    let seen = kept.collect();
    for (series, value) in [
        ("rtauth.ws_connections {connections} end=client,state=authenticated", 1.0),
        ("rtauth.replay_rejected {rejections} kind=nonce", 1.0),
        ("rtauth.ws_handshake_duration.bucket  end=client,outcome=success,le=0.1", 0.0),
        ("rtauth.ws_handshake_duration.bucket  end=client,outcome=success,le=0.25", 1.0),
        ("rtauth.ws_handshake_duration.bucket  end=client,outcome=success,le=+Inf", 1.0),
        ("rtauth.ws_handshake_duration.sum s end=client,outcome=success", 0.25),
        ("rtauth.ws_handshake_duration.count  end=client,outcome=success", 1.0),
        ("rtauth.audit_records {records} ", 0.0),
    ] {
        assert_eq!(seen.get(series), Some(&value), "{series}: {seen:#?}");
    }
}

#[test]
fn each_metric_has_its_instruments() {
    let (metrics, kept) = (Arc::new(Metrics::new()), Arc::new(Kept::default()));
    metrics.opentelemetry(&Meter::new(Arc::clone(&kept) as Arc<dyn InstrumentProvider + Send + Sync>));
    let expected = |kind: family::Kind| if kind == family::Kind::Histogram { 3 } else { 1 };
    let expected = metrics.families().map(|family| expected(family.kind)).sum::<usize>();
    assert_eq!(kept.whole.lock().unwrap().len() + kept.fractions.lock().unwrap().len(), expected);
}

//! How often each thing happened, so that a reader sees that the worlds are not empty.

use std::collections::BTreeMap;

/// Counters by name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(what, count)| (*what, *count))
    }

    /// What of `essential` never happened.
    pub(crate) fn missing(&self, essential: &[&'static str]) -> Vec<&'static str> {
        essential.iter().copied().filter(|what| !self.0.contains_key(what)).collect()
    }
}

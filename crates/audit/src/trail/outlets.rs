//! Those who are given each entry once it is on record.

use std::sync::Arc;

use crate::entry::Entry;

/// The outlets of a trail.
#[derive(Default)]
pub(super) struct Outlets(Vec<Box<dyn Fn(&Arc<Entry>) + Send>>);

impl Outlets {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives an entry to each of them; none of them can hold it up.
    pub(super) fn offer(&self, entry: Entry) {
        if !self.is_empty() {
            let entry = Arc::new(entry);
            self.0.iter().for_each(|outlet| outlet(&entry));
        }
    }

    pub(super) fn close(&self) {}
}

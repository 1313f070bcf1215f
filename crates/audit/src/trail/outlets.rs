//! Those who are given each entry once it is on record.

use std::sync::Arc;
use std::time::Duration;

use crate::deliver::{Running, close_all};
use crate::entry::Entry;

/// The outlets of a trail.
pub(super) struct Outlets {
    pub(super) running: Vec<Running>,
    /// How long they have at the close, together.
    pub(super) patience: Duration,
}

impl Outlets {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Gives an entry to each of them; none of them can hold it up.
    pub(super) fn offer(&self, entry: Entry) {
        if !self.is_empty() {
            let entry = Arc::new(entry);
            self.running.iter().for_each(|outlet| outlet.offer(&entry));
        }
    }

    /// Lets them deliver what they have. They do so at the same time, each on its own thread.
    pub(super) fn close(&self) {
        close_all(&self.running, self.patience);
    }
}

//! Requests that wait for their replies: each until it is answered, or its connection is gone.

use serde_json::Value;

use crate::machine::Epoch;

/// The requests of a session that wait for replies. `T` is whoever waits.
#[derive(Debug)]
pub struct Pending<T> {
    entries: Vec<Entry<T>>,
    most: usize,
}

/// How many there is room for when none waits.
const KEPT: usize = 32;

#[derive(Debug)]
struct Entry<T> {
    number: u64,
    id: Value,
    /// On which connection the request went out, once it has.
    epoch: Option<Epoch>,
    waiter: T,
}

/// Why a request can't wait for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotPending {
    /// As many wait as may.
    TooMany,
    /// Another with the same identifier waits, or its reply may still come.
    SameId,
}

impl<T> Pending<T> {
    /// None yet, and so many at most.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { entries: Vec::new(), most }
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Gives back the room that many took, when none waits.
    pub fn rest(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            self.entries = Vec::new();
        }
    }

    /// Has a request wait, under a number that no other has.
    ///
    /// Those that nobody waits for any more, as `is_over` says, still take the replies that come for them, and leave when there must be room.
    /// Until then, one that has gone out keeps its identifier: its reply would be taken for another's.
    ///
    /// # Errors
    ///
    /// Whoever waits, and why it can't.
    pub fn push(
        &mut self,
        number: u64,
        id: Value,
        waiter: T,
        is_over: impl Fn(&T) -> bool,
    ) -> Result<(), (T, NotPending)> {
        self.entries.retain(|entry| entry.id != id || entry.epoch.is_some() || !is_over(&entry.waiter));
        if self.entries.iter().any(|entry| entry.id == id) {
            return Err((waiter, NotPending::SameId));
        }
        if self.entries.len() >= self.most {
            self.entries.retain(|entry| !is_over(&entry.waiter));
        }
        if self.entries.len() >= self.most {
            return Err((waiter, NotPending::TooMany));
        }
        self.entries.push(Entry { number, id, epoch: None, waiter });
        Ok(())
    }

    /// The request with this number goes out on a connection.
    pub fn goes_out(&mut self, number: u64, epoch: Epoch) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            entry.epoch = Some(epoch);
        }
    }

    /// Whoever waits for the request with this identifier: it is answered. One that has not gone out can't be.
    pub fn answered(&mut self, id: &Value) -> Option<T> {
        self.take(|entry| entry.epoch.is_some() && entry.id == *id)
    }

    /// Whoever waits for the request with this number: it can't be sent.
    pub fn returned(&mut self, number: u64) -> Option<T> {
        self.take(|entry| entry.number == number)
    }

    /// A connection is gone: whoever waits for what went out on it.
    pub fn lost(&mut self, epoch: Epoch) -> impl Iterator<Item = T> + '_ {
        self.entries.extract_if(.., move |entry| entry.epoch == Some(epoch)).map(|entry| entry.waiter)
    }

    fn take(&mut self, wanted: impl Fn(&Entry<T>) -> bool) -> Option<T> {
        let index = self.entries.iter().position(wanted)?;
        Some(self.entries.swap_remove(index).waiter)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn those_that_nobody_waits_for_make_room_only_when_there_must_be() {
        let over = |waiter: &&str| *waiter == "over";
        let mut pending = Pending::new(2);
        pending.push(1, json!("a"), "over", over).unwrap();
        pending.push(2, json!("b"), "waits", over).unwrap();
        assert_eq!(pending.push(3, json!("b"), "twin", over), Err(("twin", NotPending::SameId)));
        pending.push(4, json!("c"), "waits too", over).unwrap();
        assert_eq!(pending.push(5, json!("d"), "late", over), Err(("late", NotPending::TooMany)));
        pending.goes_out(2, Epoch::default());
        assert_eq!((pending.answered(&json!("a")), pending.answered(&json!("b"))), (None, Some("waits")));
        assert_eq!(pending.returned(4), Some("waits too"));
        assert!(pending.is_empty());
    }

    #[test]
    fn an_identifier_is_its_requests_for_as_long_as_a_reply_may_come() {
        let over = |waiter: &&str| waiter.starts_with("over");
        let mut pending = Pending::new(8);
        pending.push(1, json!(7), "over before it went out", over).unwrap();
        pending.push(2, json!(7), "over", over).unwrap();
        assert_eq!(pending.answered(&json!(7)), None, "nobody has asked yet");
        let epoch = Epoch::default();
        pending.goes_out(2, epoch);
        assert_eq!(pending.push(3, json!(7), "another", over), Err(("another", NotPending::SameId)));
        assert_eq!(pending.answered(&json!(7)), Some("over"), "the late reply");
        pending.push(4, json!(7), "over again", over).unwrap();
        pending.goes_out(4, epoch);
        assert_eq!(pending.lost(epoch).count(), 1);
        pending.push(5, json!(7), "no reply can come", over).unwrap();
    }

    #[test]
    fn a_connection_takes_with_it_what_went_out_on_it_and_nothing_else() {
        let mut pending = Pending::new(8);
        for number in 1..=3 {
            pending.push(number, json!(number), number, |_| false).unwrap();
        }
        let (one, two) = (Epoch::default(), Epoch::from_number(2));
        pending.goes_out(1, one);
        pending.goes_out(2, two);
        assert_eq!(pending.lost(one).collect::<Vec<_>>(), [1]);
        pending.goes_out(3, two);
        assert_eq!((pending.answered(&json!(2)), pending.answered(&json!(3))), (Some(2), Some(3)));
    }
}

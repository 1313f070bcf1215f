//! The user's messages on their way: each until it is with the operating system, or back with its sender.

use std::collections::VecDeque;

/// A queue with two halves: what waits for a connection, and what a connection was given and has not passed on yet.
///
/// `T` is a message with whoever waits for it; the queue looks at its length only. Nothing leaves it but by the methods below, so
/// that nothing is lost in silence.
#[derive(Debug)]
pub struct Outbox<T> {
    limit: Limit,
    waiting: VecDeque<(T, usize)>,
    waiting_bytes: usize,
    unflushed: Vec<T>,
    unflushed_bytes: usize,
    /// Nothing was put in since it was last at rest.
    at_rest: bool,
}

/// How many messages there is room for at rest.
const KEPT: usize = 32;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a queue is bounded by these two")]
pub struct Limit {
    /// How many messages.
    pub messages: usize,
    /// How many bytes they have together. A single message may be larger, if nothing else waits.
    pub bytes: usize,
}

impl Limit {
    /// 256 messages, or a mebibyte: some flushes of messages of a usual size, and no more memory than one of the largest takes.
    pub const USUAL: Self = Self { messages: 256, bytes: 1024 * 1024 };
}

impl Default for Limit {
    fn default() -> Self {
        Self::USUAL
    }
}

/// What becomes of a message when as much waits already as may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Its sender waits, until there is room or the session has ended.
    #[default]
    Wait,
    /// It comes back to its sender.
    Refuse,
    /// It is taken, and the oldest that wait come back to theirs: for what is of no use once there is newer. What is on its way already is
    /// not among them: that may be as much again.
    DropOldest,
}

impl<T> Outbox<T> {
    /// An empty queue.
    #[must_use]
    pub const fn new(limit: Limit) -> Self {
        Self {
            limit,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            unflushed: Vec::new(),
            unflushed_bytes: 0,
            at_rest: false,
        }
    }

    /// Takes a message of `length` bytes.
    ///
    /// # Errors
    ///
    /// The message, when the queue is full.
    pub fn push(&mut self, message: T, length: usize) -> Result<(), T> {
        if !self.has_room(length) {
            return Err(message);
        }
        self.push_regardless(message, length);
        Ok(())
    }

    /// Takes a message of `length` bytes, full or not: for whoever has asked for room before it knew the length.
    pub fn push_regardless(&mut self, message: T, length: usize) {
        self.at_rest = false;
        self.waiting_bytes = self.waiting_bytes.saturating_add(length);
        self.waiting.push_back((message, length));
    }

    /// Whether a message of `length` bytes would be taken: what a connection was given, and has not passed on, has its room still.
    #[must_use]
    pub fn has_room(&self, length: usize) -> bool {
        let bytes = self.waiting_bytes.saturating_add(self.unflushed_bytes).saturating_add(length);
        self.is_settled()
            || (self.waiting.len() + self.unflushed.len() < self.limit.messages && bytes <= self.limit.bytes)
    }

    /// Whether a connection was given as much as may wait, and is to pass that on before it is given more.
    #[must_use]
    pub const fn is_handed_over(&self) -> bool {
        self.unflushed.len() >= self.limit.messages || self.unflushed_bytes >= self.limit.bytes
    }

    /// Takes a message of `length` bytes in the place of the oldest that wait, as many of them as it takes.
    pub fn push_instead(&mut self, message: T, length: usize) -> impl Iterator<Item = T> + '_ {
        let mut leaving = 0;
        let (mut messages, mut bytes) = (self.waiting.len(), self.waiting_bytes);
        for (_, oldest) in &self.waiting {
            if messages < self.limit.messages && bytes.saturating_add(length) <= self.limit.bytes {
                break;
            }
            (leaving, messages, bytes) = (leaving + 1, messages - 1, bytes.saturating_sub(*oldest));
        }
        self.waiting_bytes = bytes;
        self.push_regardless(message, length);
        self.waiting.drain(..leaving).map(|(message, _)| message)
    }

    /// Whether nothing waits for a connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nothing waits for a connection, and none has anything to pass on.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.unflushed.is_empty()
    }

    /// There is nothing to do for now. Says whether that was so the last time too, with nothing put in since: then what a burst took is given
    /// back.
    pub fn rest(&mut self) -> bool {
        if !self.is_settled() || !std::mem::replace(&mut self.at_rest, true) {
            return false;
        }
        if self.waiting.capacity() > KEPT {
            self.waiting = VecDeque::new();
        }
        if self.unflushed.capacity() > KEPT {
            self.unflushed = Vec::new();
        }
        true
    }

    /// The next message, which is about to be handed to the live connection.
    pub fn hand_over(&mut self) -> Option<&T> {
        let (message, length) = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(length);
        self.unflushed_bytes = self.unflushed_bytes.saturating_add(length);
        self.unflushed.push(message);
        self.unflushed.last()
    }

    /// The message that would be handed over next.
    #[must_use]
    pub fn next(&self) -> Option<&T> {
        self.waiting.front().map(|(message, _)| message)
    }

    /// Takes it out: nobody wants it sent any more.
    pub fn withdraw(&mut self) -> Option<T> {
        let (message, length) = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(length);
        Some(message)
    }

    /// Takes out all that wait and that nobody wants sent any more.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(&T) -> bool) {
        let bytes = &mut self.waiting_bytes;
        self.waiting.retain(|(message, length)| {
            let stays = is_wanted(message);
            *bytes = if stays { *bytes } else { bytes.saturating_sub(*length) };
            stays
        });
    }

    /// The connection has passed on all that it was given: these have been sent.
    pub fn flushed(&mut self) -> impl Iterator<Item = T> + '_ {
        self.unflushed_bytes = 0;
        self.unflushed.drain(..)
    }

    /// The connection is gone: these may have arrived or not. What waits goes on waiting.
    pub fn connection_lost(&mut self) -> impl Iterator<Item = T> + '_ {
        self.unflushed_bytes = 0;
        self.unflushed.drain(..)
    }

    /// The session is gone: these were never sent.
    pub fn session_ended(&mut self) -> impl Iterator<Item = T> + '_ {
        self.waiting_bytes = 0;
        self.waiting.drain(..).map(|(message, _)| message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_takes_the_place_of_as_many_of_the_oldest_as_it_needs() {
        let mut outbox = Outbox::new(Limit { messages: 3, bytes: 100 });
        for (name, length) in [("a", 10), ("b", 40), ("c", 40)] {
            assert_eq!(outbox.push_instead(name, length).count(), 0);
        }
        assert_eq!(outbox.push_instead("d", 5).collect::<Vec<_>>(), ["a"], "by their number");
        assert_eq!(outbox.push_instead("e", 60).collect::<Vec<_>>(), ["b", "c"], "by their bytes");
        assert_eq!((outbox.waiting_bytes, outbox.waiting.len()), (65, 2));
        assert_eq!(outbox.push_instead("f", 500).collect::<Vec<_>>(), ["d", "e"], "alone, it may be larger");
        assert_eq!(outbox.waiting_bytes, 500);
        outbox.push_regardless("g", 7);
        outbox.retain(|message| *message != "g");
        assert_eq!((outbox.waiting_bytes, outbox.waiting.len()), (500, 1), "nobody wants it any more");
        assert_eq!(outbox.withdraw(), Some("f"));
        assert_eq!((outbox.waiting_bytes, outbox.withdraw()), (0, None));
    }
    #[test]
    fn a_burst_leaves_no_memory_behind_and_those_that_follow_each_other_share_it() {
        let mut outbox = Outbox::new(Limit::USUAL);
        for again in [false, true] {
            for number in 0..256 {
                outbox.push(number, 1).unwrap();
            }
            assert!(!outbox.rest(), "there is something to do");
            while outbox.hand_over().is_some() {}
            assert!(!outbox.rest(), "it is not flushed");
            assert_eq!(outbox.flushed().count(), 256);
            assert!(!outbox.rest(), "{again}: more may come");
            assert!(outbox.waiting.capacity() >= 256 && outbox.unflushed.capacity() >= 256);
        }
        assert!(outbox.rest());
        assert_eq!((outbox.waiting.capacity(), outbox.unflushed.capacity()), (0, 0));
    }
}

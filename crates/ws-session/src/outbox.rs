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
}

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a queue is bounded by these two")]
pub struct Limit {
    /// How many messages.
    pub messages: usize,
    /// How many bytes they have together. A single message may be larger, if nothing else waits.
    pub bytes: usize,
}

impl<T> Outbox<T> {
    /// An empty queue.
    #[must_use]
    pub const fn new(limit: Limit) -> Self {
        Self { limit, waiting: VecDeque::new(), waiting_bytes: 0, unflushed: Vec::new() }
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
        self.waiting_bytes = self.waiting_bytes.saturating_add(length);
        self.waiting.push_back((message, length));
    }

    /// Whether a message of `length` bytes would be taken.
    #[must_use]
    pub fn has_room(&self, length: usize) -> bool {
        self.waiting.is_empty()
            || (self.waiting.len() < self.limit.messages
                && self.waiting_bytes.saturating_add(length) <= self.limit.bytes)
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

    /// The next message, which is about to be handed to the live connection.
    pub fn hand_over(&mut self) -> Option<&T> {
        let (message, length) = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(length);
        self.unflushed.push(message);
        self.unflushed.last()
    }

    /// The connection has passed on all that it was given: these have been sent.
    pub fn flushed(&mut self) -> impl Iterator<Item = T> + '_ {
        self.unflushed.drain(..)
    }

    /// The connection is gone: these may have arrived or not. What waits goes on waiting.
    pub fn connection_lost(&mut self) -> impl Iterator<Item = T> + '_ {
        self.unflushed.drain(..)
    }

    /// The session is gone: these were never sent.
    pub fn session_ended(&mut self) -> impl Iterator<Item = T> + '_ {
        self.waiting_bytes = 0;
        self.waiting.drain(..).map(|(message, _)| message)
    }
}

//! What was read and waits for its reader.

use std::collections::VecDeque;

use super::{Message, wire};

/// Messages that wait for their reader: so many, and no more memory than one of the largest takes, the last message not counted.
pub(super) struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
    most: usize,
}

impl Inbox {
    pub(super) const fn new(most: usize) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, most }
    }

    #[cfg(feature = "polled")]
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= self.most || self.bytes >= wire::LARGEST_MESSAGE
    }

    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    #[cfg(feature = "tokio")]
    pub(super) fn put_back(&mut self, message: Message) {
        self.bytes += message.len();
        self.messages.push_front(message);
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }
}

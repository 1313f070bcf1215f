//! What was read and waits for its reader.

use std::collections::VecDeque;

use super::Message;

/// Messages that wait for their reader: so many, and so many bytes of them, the last message not counted.
pub(super) struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl Inbox {
    pub(super) const fn new(most: usize, most_bytes: usize) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, most, most_bytes }
    }

    #[cfg(feature = "polled")]
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= self.most || self.bytes >= self.most_bytes
    }

    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }
}

//! Messages that wait for their reader.

use std::collections::VecDeque;

use crate::driver::{Message, wire};

/// Messages that wait for their reader.
#[derive(Default)]
pub(super) struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
}

/// How many messages wait for a connection, how many for their reader, and how many that came back for whoever wants them.
pub(super) const QUEUE: usize = 256;

/// How many bytes wait for a connection, and how many for their reader, the last message not counted.
pub(super) const QUEUE_BYTES: usize = wire::LARGEST_MESSAGE;

impl Inbox {
    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }

    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= QUEUE || self.bytes >= QUEUE_BYTES
    }
}

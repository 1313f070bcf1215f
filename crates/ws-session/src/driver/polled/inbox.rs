//! What was read and waits for its reader.

use std::collections::VecDeque;

use super::looking::FRAMES_AT_A_TIME;
use crate::driver::{Message, wire};

/// Messages that wait for their reader: as many as are read at a time, and no more memory than one of the largest takes.
#[derive(Default)]
pub(super) struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
    /// Reading stopped because it was full.
    pub(super) stalled: bool,
}

impl Inbox {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= FRAMES_AT_A_TIME || self.bytes >= wire::LARGEST_MESSAGE
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

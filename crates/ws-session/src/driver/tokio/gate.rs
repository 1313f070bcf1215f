//! Room for messages that wait: as many, and as many bytes of them, as may.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::driver::Unsent;
use crate::outbox::{Limit, Overflow};

/// Who may put a message down, in the order in which they came.
#[derive(Debug)]
pub(super) struct Gate {
    messages: Semaphore,
    bytes: Semaphore,
    most_bytes: u32,
    overflow: Overflow,
}

/// The room of one message, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    gate: Arc<Gate>,
    bytes: u32,
}

impl Gate {
    pub(super) fn new(limit: Limit, overflow: Overflow) -> Self {
        let most_bytes = u32::try_from(limit.bytes).unwrap_or(u32::MAX);
        Self {
            messages: Semaphore::new(limit.messages.clamp(1, Semaphore::MAX_PERMITS)),
            bytes: Semaphore::new(most_bytes as usize),
            most_bytes,
            overflow,
        }
    }

    /// Waits for room, if that is what is wanted; `None` where whoever takes the message makes room.
    pub(super) async fn enter(self: &Arc<Self>, length: usize) -> Result<Option<Room>, Unsent> {
        // One that is larger than all that may wait takes all of it.
        let bytes = u32::try_from(length).unwrap_or(u32::MAX).min(self.most_bytes);
        match self.overflow {
            Overflow::DropOldest if self.messages.is_closed() => return Err(Unsent::Ended),
            Overflow::DropOldest => return Ok(None),
            Overflow::Wait => {
                let message = self.messages.acquire().await.map_err(|_| Unsent::Ended)?;
                self.bytes.acquire_many(bytes).await.map_err(|_| Unsent::Ended)?.forget();
                message.forget();
            }
            Overflow::Refuse => {
                let full = |_| if self.messages.is_closed() { Unsent::Ended } else { Unsent::QueueFull };
                let message = self.messages.try_acquire().map_err(full)?;
                self.bytes.try_acquire_many(bytes).map_err(full)?.forget();
                message.forget();
            }
        }
        Ok(Some(Room { gate: Arc::clone(self), bytes }))
    }

    /// Nobody may enter any more, whoever waits neither.
    pub(super) fn close(&self) {
        self.messages.close();
        self.bytes.close();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.gate.bytes.add_permits(self.bytes as usize);
        self.gate.messages.add_permits(1);
    }
}

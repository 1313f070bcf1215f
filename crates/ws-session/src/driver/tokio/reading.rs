//! Between the task of a session and its reader: messages, handed over many at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Message;

/// How many messages wait here before no more come; as many again may be with the reader already.
const MOST: usize = 128;

/// How many bytes of them, the last one not counted.
const MOST_BYTES: usize = 64 * 1024;

/// The driver's end: without it, the reader has had the last message.
#[derive(Debug)]
pub(super) struct Deliver(Arc<Shared>);

/// The reader's end.
pub(super) struct Incoming {
    shared: Arc<Shared>,
    /// Taken together, to be read one by one.
    taken: VecDeque<Message>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    bytes: usize,
    reader: Option<Waker>,
    driver: Option<Waker>,
    /// There will be no more.
    ended: bool,
    /// Nobody reads any more.
    gone: bool,
}

pub(super) fn channel() -> (Deliver, Incoming) {
    let shared = Arc::<Shared>::default();
    (Deliver(Arc::clone(&shared)), Incoming { shared, taken: VecDeque::new() })
}

impl Deliver {
    /// Hands over what `next` has, until there is no room; pending where more may be had then. What nobody reads is dropped.
    pub(super) fn poll(&self, cx: &Context<'_>, mut next: impl FnMut() -> Option<Message>) -> Poll<()> {
        loop {
            let (mut messages, waiting) = {
                let mut state = self.0.state();
                if !state.gone && (state.messages.len() >= MOST || state.bytes >= MOST_BYTES) {
                    state.driver = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                (state.messages.len(), state.bytes)
            };
            // Gathered without the lock. Only the reader takes some away, so that there is no less room afterwards.
            let (mut batch, mut bytes) = (VecDeque::new(), 0);
            let mut is_last = false;
            while messages < MOST && waiting + bytes < MOST_BYTES {
                let Some(message) = next() else {
                    is_last = true;
                    break;
                };
                messages += 1;
                bytes += message.len();
                batch.push_back(message);
            }
            self.put(batch, bytes);
            if is_last {
                return Poll::Ready(());
            }
        }
    }

    fn put(&self, mut batch: VecDeque<Message>, bytes: usize) {
        if batch.is_empty() {
            return;
        }
        let mut state = self.0.state();
        if state.gone {
            return;
        }
        state.bytes += bytes;
        if state.messages.is_empty() {
            state.messages = batch;
        } else {
            state.messages.append(&mut batch);
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Deliver {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Incoming {
    /// The next message; `None` when there will be no more.
    pub(super) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Message>> {
        if let Some(message) = self.taken.pop_front() {
            return Poll::Ready(Some(message));
        }
        let mut state = self.shared.state();
        if state.messages.is_empty() {
            if state.ended || state.gone {
                return Poll::Ready(None);
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut state.messages, &mut self.taken);
        state.bytes = 0;
        let driver = state.driver.take();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        Poll::Ready(self.taken.pop_front())
    }

    /// Reads no more: what comes is dropped.
    pub(super) fn close(&mut self) {
        self.taken.clear();
        let mut state = self.shared.state();
        (state.gone, state.bytes) = (true, 0);
        let (left, driver) = (std::mem::take(&mut state.messages), state.driver.take());
        drop(state);
        drop(left);
        driver.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Incoming").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delivers as much as there is room for; says how much was not, and whether more may be had.
    fn deliver(to: &Deliver, lengths: &[usize]) -> (usize, bool) {
        let mut left = lengths.iter();
        let next = || left.next().map(|length| Message::Text("x".repeat(*length)));
        let all = to.poll(&Context::from_waker(Waker::noop()), next).is_ready();
        (left.len(), all)
    }

    fn read(incoming: &mut Incoming) -> Poll<Option<usize>> {
        let next = incoming.poll_next(&Context::from_waker(Waker::noop()));
        next.map(|message| message.map(|message| message.len()))
    }

    #[test]
    fn a_slow_reader_has_so_many_messages_wait_and_so_many_bytes_and_loses_none() {
        let (to, mut incoming) = channel();
        assert_eq!(deliver(&to, &[1; MOST]), (0, false), "full, before it is known that there are no more");
        assert_eq!(deliver(&to, &[2]), (1, false));
        assert_eq!(read(&mut incoming), Poll::Ready(Some(1)));
        assert_eq!(deliver(&to, &[MOST_BYTES - 1, 3, 4]), (1, false), "the last is not counted");
        for expected in [vec![1; MOST - 1], vec![MOST_BYTES - 1, 3]].concat() {
            assert_eq!(read(&mut incoming), Poll::Ready(Some(expected)));
        }
        assert_eq!(read(&mut incoming), Poll::Pending);
        assert_eq!(deliver(&to, &[4]), (0, true));
        drop(to);
        assert_eq!(read(&mut incoming), Poll::Ready(Some(4)), "what had arrived is read");
        assert_eq!(read(&mut incoming), Poll::Ready(None));
    }

    #[test]
    fn what_nobody_reads_any_more_is_taken_and_dropped() {
        for (fits, length) in [(MOST, 1), (1, MOST_BYTES)] {
            let (to, mut incoming) = channel();
            let lengths = vec![length; 2 * MOST];
            assert_eq!(deliver(&to, &lengths), (2 * MOST - fits, false), "as long as somebody may read");
            incoming.close();
            assert_eq!(deliver(&to, &lengths), (0, true));
            assert_eq!(read(&mut incoming), Poll::Ready(None));
        }
    }
}

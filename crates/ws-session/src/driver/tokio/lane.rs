//! A queue from the handle to the driver of one session: next to nothing while it is empty, as it is in most sessions most of the time.
//!
//! A channel of tokio's has room for 32 messages from the start, and each of its ends a cache line of its own: two kilobytes for each
//! of ten thousand sessions that say nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::task::coop;

/// The ends of a queue without a limit: whoever puts something in sees to that.
pub(super) fn lane<T>() -> (Sender<T>, Receiver<T>) {
    let lane = Lane { waiting: VecDeque::new(), waker: None, left: false, closed: false };
    let lane = Arc::new(Mutex::new(lane));
    (Sender(Arc::clone(&lane)), Receiver(lane))
}

#[derive(Debug)]
pub(super) struct Sender<T>(Arc<Mutex<Lane<T>>>);

/// Puts in as well, for as long as there is the sender.
#[derive(Debug)]
pub(super) struct WeakSender<T>(Arc<Mutex<Lane<T>>>);

#[derive(Debug)]
pub(super) struct Receiver<T>(Arc<Mutex<Lane<T>>>);

#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<T>,
    waker: Option<Waker>,
    /// The sender is gone.
    left: bool,
    /// The receiver is.
    closed: bool,
}

/// How much room is kept for what comes next.
const KEPT: usize = 32;

impl<T> Sender<T> {
    /// Puts it in; gives it back when nobody will take it out.
    pub(super) fn send(&self, item: T) -> Result<(), T> {
        put(lock(&self.0), item)
    }

    /// The same, unless one such waits already.
    pub(super) fn send_unless(&self, is_such: impl FnMut(&T) -> bool, item: T) -> Result<(), T> {
        let lane = lock(&self.0);
        if lane.waiting.iter().any(is_such) { Err(item) } else { put(lane, item) }
    }

    pub(super) fn downgrade(&self) -> WeakSender<T> {
        WeakSender(Arc::clone(&self.0))
    }
}

impl<T> WeakSender<T> {
    /// As [`Sender::send`].
    pub(super) fn send(&self, item: T) -> Result<(), T> {
        put(lock(&self.0), item)
    }

    /// Whether nothing can be put in any more.
    pub(super) fn is_closed(&self) -> bool {
        let lane = lock(&self.0);
        lane.left || lane.closed
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

fn put<T>(mut lane: MutexGuard<'_, Lane<T>>, item: T) -> Result<(), T> {
    if lane.left || lane.closed {
        return Err(item);
    }
    lane.waiting.push_back(item);
    wake(lane);
    Ok(())
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut lane = lock(&self.0);
        lane.left = true;
        wake(lane);
    }
}

impl<T> Receiver<T> {
    /// Takes out the next. `None` when nothing is left, and nothing can come.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // Others may put in as fast as this takes out: at some time, it is another task's turn.
        let turn = ready!(coop::poll_proceed(cx));
        let mut lane = lock(&self.0);
        let item = lane.waiting.pop_front();
        if item.is_none() {
            if lane.waiting.capacity() > KEPT {
                lane.waiting = VecDeque::new();
            }
            if !lane.closed && !lane.left {
                lane.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        turn.made_progress();
        Poll::Ready(item)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut lane = lock(&self.0);
        lane.closed = true;
        let left = std::mem::take(&mut lane.waiting);
        drop(lane);
        // Outside of the lock: whoever waits for what is in it may be woken.
        drop(left);
    }
}

/// Wakes the driver, outside of the lock: a waker may run anything.
fn wake<T>(mut lane: MutexGuard<'_, Lane<T>>) {
    let waker = lane.waker.take();
    drop(lane);
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn lock<T>(lane: &Mutex<Lane<T>>) -> MutexGuard<'_, Lane<T>> {
    // Nothing can panic while it is held.
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next<T>(receiver: &Receiver<T>) -> Option<T> {
        poll_fn(|cx| receiver.poll_recv(cx)).await
    }

    #[tokio::test]
    async fn what_was_put_in_before_the_sender_left_comes_out_and_nothing_can_be_put_in_after_it() {
        let (sender, receiver) = lane();
        let other = sender.downgrade();
        sender.send(1).unwrap();
        other.send(2).unwrap();
        assert!(!other.is_closed());
        drop(sender);
        assert_eq!((other.send(3), other.is_closed()), (Err(3), true));
        assert_eq!(
            (next(&receiver).await, next(&receiver).await, next(&receiver).await),
            (Some(1), Some(2), None)
        );
    }

    #[tokio::test]
    async fn the_sender_that_goes_wakes_who_waits_and_others_do_not_keep_it_open() {
        let (sender, receiver) = lane::<u8>();
        let _other = sender.downgrade();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(receiver.poll_recv(&mut cx).is_pending());
        let ending = async {
            tokio::task::yield_now().await;
            drop(sender);
        };
        assert_eq!(tokio::join!(next(&receiver), ending).0, None);
    }

    #[tokio::test]
    async fn a_burst_leaves_no_memory_behind_and_what_waits_already_comes_back() {
        let (sender, receiver) = lane();
        for number in 0..1_000 {
            sender.send_unless(|waits| *waits == number, number).unwrap();
        }
        assert_eq!(sender.send_unless(|waits| *waits == 7, 7), Err(7));
        for number in 0..1_000 {
            assert_eq!(next(&receiver).await, Some(number));
        }
        let mut cx = Context::from_waker(Waker::noop());
        assert!(receiver.poll_recv(&mut cx).is_pending());
        assert_eq!(lock(&receiver.0).waiting.capacity(), 0);
    }

    #[test]
    fn whoever_waits_for_what_is_in_it_learns_that_the_receiver_is_gone() {
        let (sender, receiver) = lane();
        let waits = Arc::new(());
        sender.send(Arc::clone(&waits)).unwrap();
        let other = sender.downgrade();
        assert!(!other.is_closed());
        drop(receiver);
        assert!(other.is_closed());
        assert_eq!(Arc::strong_count(&waits), 1);
        assert!(sender.send(waits).is_err());
    }
}

//! The connections that are authenticated now.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_core::time::Moment;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::clock::Clock;

/// A view of the live connections; clones see the same.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    live: Mutex<HashMap<String, Entry>>,
    upgrades: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    renewals: u32,
    orders: mpsc::Sender<Order>,
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// It is dropped.
    Disconnect,
    /// Its credential was revoked at this moment.
    Revoke(Moment),
}

/// How many orders a connection may be behind.
const ORDERS: usize = 4;

/// One authenticated connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveSession {
    /// Its name, as its client was told.
    pub session_id: String,
    /// How often its credential was renewed in band.
    pub renewals: u32,
}

impl Sessions {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, live: Mutex::default(), upgrades: AtomicU64::new(0) }))
    }

    /// The live connections, in no order.
    #[must_use]
    pub fn live(&self) -> Vec<LiveSession> {
        let session =
            |(id, entry): (&String, &Entry)| LiveSession { session_id: id.clone(), renewals: entry.renewals };
        self.lock().iter().map(session).collect()
    }

    /// How many WebSockets were opened since the gateway began, authenticated or not.
    #[must_use]
    pub fn upgrades(&self) -> u64 {
        self.0.upgrades.load(Ordering::Relaxed)
    }

    /// Drops a connection without a close frame, as a failing network would. False when there is no such one.
    #[must_use]
    pub fn disconnect(&self, session_id: &str) -> bool {
        self.order(session_id, Order::Disconnect)
    }

    /// Takes the credential of a connection back: its client is asked for another where the dialect has words for that, and
    /// has [as long](crate::Config::with_patience) as for its first; elsewhere the connection is closed. False when
    /// there is no such one.
    #[must_use]
    pub fn revoke(&self, session_id: &str) -> bool {
        self.order(session_id, Order::Revoke(self.0.clock.now().mono))
    }

    fn order(&self, session_id: &str, order: Order) -> bool {
        let live = self.lock();
        let Some(entry) = live.get(session_id) else { return false };
        // Who is behind already has such an order to come; the last place is kept for the stronger one.
        if matches!(order, Order::Revoke(_)) && entry.orders.capacity() <= 1 {
            return true;
        }
        !matches!(entry.orders.try_send(order), Err(TrySendError::Closed(_)))
    }

    pub(crate) fn upgraded(&self) {
        self.0.upgrades.fetch_add(1, Ordering::Relaxed);
    }

    /// Registers a connection; it is removed when what is returned is dropped.
    pub(crate) fn register(&self, session_id: &str) -> (Registration, mpsc::Receiver<Order>) {
        let (orders, ordered) = mpsc::channel(ORDERS);
        self.lock().insert(session_id.to_owned(), Entry { renewals: 0, orders });
        (Registration { sessions: self.clone(), session_id: session_id.to_owned() }, ordered)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the registry.
pub(crate) struct Registration {
    sessions: Sessions,
    session_id: String,
}

impl Registration {
    pub(crate) fn renewed(&self) {
        if let Some(entry) = self.sessions.lock().get_mut(&self.session_id) {
            entry.renewals += 1;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.session_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_behind_misses_no_order() {
        let sessions = Sessions::new(Clock::start());
        let (registration, mut ordered) = sessions.register("a");
        assert!((0..10).all(|_| sessions.revoke("a")));
        assert!((0..10).all(|_| sessions.disconnect("a")) && sessions.revoke("a"));
        let mut orders = Vec::new();
        while let Ok(order) = ordered.try_recv() {
            orders.push(order);
        }
        assert!(matches!(orders[..], [Order::Revoke(_), .., Order::Disconnect]), "{orders:?}");
        assert!(orders.len() <= ORDERS);
        assert!(!sessions.revoke("b"), "there is no such one");
        drop(registration);
        assert!(!sessions.revoke("a") && !sessions.disconnect("a"));
    }
}

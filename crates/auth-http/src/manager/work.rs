//! The one piece of work under way: a request or an access to the store, as a future that ends in the machine's input.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use auth_core::renewal::{Attempt, Input, Record, Ticket};
use auth_core::{Error, ErrorKind};

use crate::grant::Grant;
use crate::store::{LockedStore, TokenStore};

/// Work that was begun and not yet answered. Dropping it gives it up.
pub(super) struct Work {
    ticket: Ticket,
    future: Pin<Box<dyn Future<Output = Input> + Send>>,
    /// What a panic of the future amounts to.
    panicked: fn(Ticket) -> Input,
}

impl Work {
    /// A request of the grant.
    pub(super) fn fetch(ticket: Ticket, grant: Arc<dyn Grant>, attempt: Attempt) -> Self {
        #[cfg(feature = "tracing")]
        let redeems = attempt.refresh_token.is_some();
        let future = async move {
            match grant.obtain(&attempt).await {
                Ok(response) => Input::Issued { ticket, response },
                Err(error) => Input::Failed { ticket, error },
            }
        };
        #[cfg(feature = "tracing")]
        let future = tracing::Instrument::instrument(
            future,
            tracing::debug_span!(target: "realtime_auth", "token_request", redeems),
        );
        // Transport is the kind of what may have been sent and got no answer: a refresh token in it is in doubt, and a
        // pause bounds how often a grant that always panics is called.
        let panicked = |ticket| {
            let text =
                "the grant panicked, and its request may have been sent; fix what its panic message says";
            Input::Failed { ticket, error: Error::new(ErrorKind::Transport, text) }
        };
        Self { ticket, future: Box::pin(future), panicked }
    }

    /// A read of the store.
    pub(super) fn load(ticket: Ticket, store: Store) -> Self {
        let future = async move { Input::Loaded { ticket, result: store.load().await } };
        let panicked = |ticket| Input::Loaded { ticket, result: Err(store_panicked()) };
        Self { ticket, future: Box::pin(future), panicked }
    }

    /// An attempt to take the store's lock.
    pub(super) fn lock(ticket: Ticket, store: Store) -> Self {
        let future = async move { Input::Locked { ticket, result: store.lock().await } };
        let panicked = |ticket| Input::Locked { ticket, result: Err(store_panicked()) };
        Self { ticket, future: Box::pin(future), panicked }
    }

    /// A write to the store.
    pub(super) fn save(ticket: Ticket, store: Store, record: Record) -> Self {
        let future = async move { Input::Saved { ticket, result: store.save(&record).await } };
        let panicked = |ticket| Input::Saved { ticket, result: Err(store_panicked()) };
        Self { ticket, future: Box::pin(future), panicked }
    }

    /// Drops it. A future that panics at that takes nobody with it either.
    pub(super) fn give_up(work: Option<Self>) {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
    }

    pub(super) const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Gets on with it. After it is ready it must be dropped.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Input> {
        // What a panic left half done is dropped and never looked at again.
        catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready((self.panicked)(self.ticket)))
    }
}

/// The store, if there is one, and its lock while it is held.
#[derive(Clone)]
pub(super) struct Store {
    store: Option<Arc<dyn TokenStore>>,
    lock: Arc<Mutex<Option<Box<dyn LockedStore>>>>,
}

impl Store {
    pub(super) fn new(store: Option<Arc<dyn TokenStore>>) -> Self {
        Self { store, lock: Arc::default() }
    }

    pub(super) const fn exists(&self) -> bool {
        self.store.is_some()
    }

    async fn load(&self) -> Result<Option<Record>, Error> {
        let mut borrowed = self.borrow();
        match (&mut borrowed.lock, &self.store) {
            (Some(lock), _) => lock.load().await,
            (None, Some(store)) => store.load().await,
            (None, None) => Ok(None),
        }
    }

    async fn lock(&self) -> Result<bool, Error> {
        let Some(store) = &self.store else { return Ok(false) };
        let lock = store.try_lock().await?;
        let locked = lock.is_some();
        self.replace(lock);
        Ok(locked)
    }

    async fn save(&self, record: &Record) -> Result<(), Error> {
        match &mut self.borrow().lock {
            Some(lock) => lock.save(record).await,
            None => Err(Error::new(
                ErrorKind::StoreFailed,
                "the store's lock is not held; take it and save again",
            )),
        }
    }

    /// Lets go of the lock.
    pub(super) fn unlock(&self) {
        self.replace(None);
    }

    fn borrow(&self) -> Borrowed<'_> {
        Borrowed { lock: self.replace(None), store: self }
    }

    fn replace(&self, lock: Option<Box<dyn LockedStore>>) -> Option<Box<dyn LockedStore>> {
        std::mem::replace(&mut *self.lock.lock().unwrap_or_else(PoisonError::into_inner), lock)
    }
}

/// The lock in use by a future, which gives it back however it ends: only `Output::Unlock` lets go of it.
struct Borrowed<'a> {
    store: &'a Store,
    lock: Option<Box<dyn LockedStore>>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            self.store.replace(Some(lock));
        }
    }
}

fn store_panicked() -> Error {
    Error::new(ErrorKind::StoreFailed, "the token store panicked; fix what its panic message says")
}

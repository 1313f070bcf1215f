//! A store that remembers how it failed last: the events of a token manager say only of what kind that was.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::Error;
use auth_core::renewal::Record;
use auth_http::store::{LockedStore, TokenStore};

use crate::exit::Failure;

/// A store under watch.
pub(crate) struct Watched {
    store: Arc<dyn TokenStore>,
    fault: Fault,
}

/// The last failure, with its advice and cause.
#[derive(Clone, Default)]
struct Fault(Arc<Mutex<Option<String>>>);

impl Fault {
    fn noted<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &outcome {
            let text = Failure::from(error.clone()).to_string();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
        outcome
    }
}

impl Watched {
    pub(super) fn new(store: Arc<dyn TokenStore>) -> Self {
        Self { store, fault: Fault::default() }
    }

    /// How the store failed last, if it ever did.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl TokenStore for Watched {
    async fn load(&self) -> Result<Option<Record>, Error> {
        self.fault.noted(self.store.load().await)
    }

    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error> {
        let fault = self.fault.clone();
        let locked = self.fault.noted(self.store.try_lock().await)?;
        Ok(locked.map(|store| Box::new(LockedWatched { store, fault }) as Box<dyn LockedStore>))
    }
}

struct LockedWatched {
    store: Box<dyn LockedStore>,
    fault: Fault,
}

#[async_trait]
impl LockedStore for LockedWatched {
    async fn load(&mut self) -> Result<Option<Record>, Error> {
        self.fault.noted(self.store.load().await)
    }

    async fn save(&mut self, record: &Record) -> Result<(), Error> {
        self.fault.noted(self.store.save(record).await)
    }
}

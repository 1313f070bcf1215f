//! What a person does to a store that managers share: waiting for its lock, and putting another login in.

use std::time::Duration;

use auth_core::renewal::Record;
use auth_core::{Error, ErrorKind, Retry};

use super::{LockedStore, TokenStore};
use crate::grant::Delay;
use crate::within::within;

/// How long a store has for each call, as [`TokenStore::load`] says.
const CALL: Duration = Duration::from_secs(5);

/// How often the lock is tried for.
const PAUSE: Duration = Duration::from_millis(50);

/// How long it is tried for: whoever redeems a refresh token holds it for a flight, which takes half a minute by default.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the lock of a store, for a minute at most.
///
/// # Errors
///
/// [`StoreFailed`](ErrorKind::StoreFailed) when somebody else holds it all that time, or the store does not answer within the
/// five seconds that it has; and those of [`TokenStore::try_lock`].
pub async fn lock(store: &dyn TokenStore, delay: &dyn Delay) -> Result<Box<dyn LockedStore>, Error> {
    let taking = async {
        loop {
            if let Some(locked) = answer(delay, store.try_lock()).await? {
                return Ok(locked);
            }
            delay.sleep(PAUSE).await;
        }
    };
    within(delay, PATIENCE, taking, || {
        let text = "another process keeps the lock of the token store; see what it waits for, or end it";
        Error::new(ErrorKind::StoreFailed, text)
    })
    .await
}

/// Puts `record` into a store in place of what it holds, under its lock: a new login, or, without tokens, none. The
/// old one's refresh token is not redeemed. The record gets the revision after the old one's, so that managers which share the
/// store adopt it, and the old one's origin, so that a refresh token which is still configured somewhere does not take its
/// place at the next start. Whatever it says of a refresh that is under way is kept out.
///
/// A record that can't be read is moved aside, where the store does that.
///
/// # Errors
///
/// Those of [`lock`] and of the store, which holds what it held; after one of [saving](LockedStore::save), that or `record`.
pub async fn replace(store: &dyn TokenStore, delay: &dyn Delay, record: Record) -> Result<(), Error> {
    let mut locked = lock(store, delay).await?;
    let old = displaced(&mut *locked, delay).await?;
    let revision = old.revision.saturating_add(1);
    let origin = record.origin.clone().or(old.origin);
    answer(delay, locked.save(&Record { revision, origin, intent: None, ..record })).await
}

/// What a call of a store answers, within the time that it has.
async fn answer<T>(delay: &dyn Delay, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    within(delay, CALL, call, || {
        let text = format!(
            "the token store did not answer within {CALL:?}; see what its disk or its server waits for"
        );
        Error::new(ErrorKind::StoreFailed, text)
    })
    .await
}

/// The record that a new login takes the place of; one without tokens where there is none.
pub(crate) async fn displaced(locked: &mut dyn LockedStore, delay: &dyn Delay) -> Result<Record, Error> {
    match answer(delay, locked.load()).await {
        Ok(old) => Ok(old.unwrap_or_default()),
        // What is there is damaged: a person who logs in anew misses nothing of it.
        Err(error) if error.kind() == ErrorKind::StoreFailed && error.retry() == Retry::Never => {
            Ok(Record::default())
        }
        Err(error) => Err(error),
    }
}

/// Writes what a store holds once more, or an empty record: whatever would keep a new login from being saved shows, before
/// anybody is asked to log in.
///
/// # Errors
///
/// Those of [`replace`].
pub async fn rehearse(store: &dyn TokenStore, delay: &dyn Delay) -> Result<(), Error> {
    let mut locked = lock(store, delay).await?;
    let old = displaced(&mut *locked, delay).await?;
    answer(delay, locked.save(&old)).await
}

#[cfg(all(test, feature = "tokio"))]
mod tests;

//! What keeps tokens between runs, so that a rotated refresh token survives its process and no two processes redeem one.
//!
//! A store holds one [`Record`] and one lock. Whoever is about to redeem the refresh token holds the lock from before it
//! reads the record until after it has written the new one; whoever only wants to know whether there is a newer token
//! reads without it. [`MemoryStore`] shares tokens among the managers of one process;
#![cfg_attr(feature = "file-store", doc = "[`FileStore`]")]
#![cfg_attr(not(feature = "file-store"), doc = "`FileStore`")]
//! (feature `file-store`) keeps them in a file, for all processes of one user. For a keychain or a database, implement
//! [`TokenStore`]: [`Record::to_json`] and [`Record::parse`] are the text to keep.
//!
//! A person who logs in or out changes the record, too: [`replace`] does so while managers share the store.

mod bound;
mod credential;
#[cfg(feature = "file-store")]
mod disk;
#[cfg(feature = "file-store")]
mod file;
mod memory;
mod taking;

use async_trait::async_trait;
use auth_core::Error;
use auth_core::renewal::Record;

pub use self::bound::Bound;
pub use self::credential::CredentialKey;
#[cfg(feature = "file-store")]
pub use self::disk::{Disk, StdDisk};
#[cfg(feature = "file-store")]
pub use self::file::FileStore;
pub use self::memory::MemoryStore;
#[cfg(feature = "manager")]
pub(crate) use self::taking::displaced;
pub use self::taking::{lock, rehearse, replace};

/// Keeps one [`Record`], and the lock of whoever changes it.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Reads the record without the lock; `None` if there is none yet.
    ///
    /// A store has five seconds for each call; then its future is dropped, and the call counts as failed.
    ///
    /// What it answers is whole, and may be old: a write under way shows entirely or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](auth_core::ErrorKind::StoreFailed) when it can't be read, and
    /// [`Misconfigured`](auth_core::ErrorKind::Misconfigured) when it must not be: a person has to act first.
    async fn load(&self) -> Result<Option<Record>, Error>;

    /// Tries to take the lock that keeps other processes, and other managers of this one, from redeeming the refresh token;
    /// `None` if another holds it. Never waits for it.
    ///
    /// The lock of a process that ends, however it ends, must become free by itself.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), when there is no telling whether another holds it.
    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error>;
}

/// A store while its lock is held; dropping it lets go of the lock, once work that was given up on has ended.
#[async_trait]
pub trait LockedStore: Send {
    /// Reads the record; nobody else changes it meanwhile.
    ///
    /// # Errors
    ///
    /// As for [`TokenStore::load`]. One that is [never to be retried](auth_core::Retry::Never) says that there is, or was, a
    /// record for a person to look at: a configured refresh token, which is likely older, is not sent in its place.
    async fn load(&mut self) -> Result<Option<Record>, Error>;

    /// Replaces the record; once this has returned `Ok`, it survives a crash of the process and of the machine, as far as
    /// this store promises. After an error the old record or the new one is there, whole, and saving may be tried again.
    ///
    /// A future that is dropped may have saved or not, but never does so after a later call on this store has begun.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](auth_core::ErrorKind::StoreFailed) when it can't be written, and
    /// [`Misconfigured`](auth_core::ErrorKind::Misconfigured) when it must not be: a person has to act first.
    async fn save(&mut self, record: &Record) -> Result<(), Error>;
}

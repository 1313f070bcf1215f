//! A token that stays fresh: the renewal machine of `auth-core`, driven on any runtime or on a thread.
//!
//! | You have | Build with | Run |
//! | --- | --- | --- |
//! | tokio | [`Builder::spawn`] | nothing: it is spawned |
//! | tokio, and spawn yourself | [`Builder::build`] | [`Driver::run`] as a task |
//! | another runtime | [`Builder::build_on`] with a [`Timer`] of it | [`Driver::run`] as a task |
//! | none | [`Builder::build_blocking`] | [`BlockingDriver::run`] on a thread |
//!
//! A program that lives on refresh tokens ends with [`TokenManager::shut_down`]: it waits until the last of them is saved.

mod blocking;
mod builder;
mod cached;
mod changes;
mod driver;
mod shared;
mod timer;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_trait::async_trait;
use auth_core::token::Generation;
use auth_core::{Demand, Error, ErrorKind, Token, TokenSource};
use event_listener::Listener as _;

pub use self::blocking::BlockingDriver;
pub use self::builder::Builder;
pub use self::cached::Cached;
pub use self::changes::Changes;
pub use self::driver::Driver;
use self::driver::{Answer, Call};
use self::shared::{Shared, Signal};
#[cfg(feature = "tokio")]
pub use self::timer::TokioTimer;
pub(crate) use self::timer::wall;
pub use self::timer::{Sleep, StdClock, Timer};
use crate::grant::Grant;

/// A cached token, shared by all clones; renewed before it expires, by one request however many ask.
///
/// A cached read takes no lock. The request in flight belongs to the [`Driver`]: a caller that is dropped
/// changes nothing. The driver ends when the last clone is dropped, or with [`shut_down`](Self::shut_down); from then on
/// every call fails with [`Closed`](ErrorKind::Closed).
#[derive(Clone)]
pub struct TokenManager {
    calls: Sender<Call>,
    shared: Arc<Shared>,
    timer: Arc<dyn Timer>,
}

impl TokenManager {
    /// Begins with a manager over `grant`.
    pub fn builder(grant: impl Grant + 'static) -> Builder {
        Self::over(Arc::new(grant))
    }

    /// The same over a grant that its owner looks into.
    pub(crate) fn over(grant: Arc<dyn Grant>) -> Builder {
        Builder::new(grant)
    }

    fn new(calls: Sender<Call>, shared: Arc<Shared>, timer: Arc<dyn Timer>) -> Self {
        Self { calls, shared, timer }
    }

    /// The cached token, if it can be served without asking: never waits, and neither locks nor allocates. A token whose
    /// renewal is due is still served, and renewed in the background for being used.
    ///
    /// `None` while there is no token, when it is about to expire or was refused, of a single-use source always, and once
    /// the driver has ended: then ask by [`token`](TokenSource::token).
    #[must_use]
    pub fn current(&self) -> Option<Cached> {
        let now = self.timer.now();
        let published = self.shared.published();
        let usage = published.as_ref()?.note_use(now)?;
        if usage.is_news && self.shared.signal(Signal::Used) {
            self.wake();
        }
        Some(Cached::new(published, now))
    }

    /// The same as [`token`](TokenSource::token), within `patience`: then a token that is still alive will do, though a
    /// newer one was demanded.
    ///
    /// # Errors
    ///
    /// As for [`token`](TokenSource::token), and [`Timeout`](ErrorKind::Timeout) when `patience` is over.
    pub async fn token_within(&self, demand: Demand, patience: Duration) -> Result<Token, Error> {
        self.obtain(demand, Some(patience)).await
    }

    /// The same as [`token`](TokenSource::token) on a plain thread, which is parked meanwhile. Never call it where a
    /// runtime polls futures: the driver may need that very thread.
    ///
    /// # Errors
    ///
    /// As for [`token`](TokenSource::token).
    pub fn token_blocking(&self, demand: Demand) -> Result<Token, Error> {
        if let Some(token) = self.cached(demand) {
            return Ok(token);
        }
        let (call, waiting) = self.call(demand, None);
        self.calls.send_blocking(call).map_err(|_| closed())?;
        waiting.answered.recv_blocking().map_err(|_| closed())?
    }

    /// Sees to it that there is a token soon, without waiting for it. With a token there it does nothing; of a single-use
    /// source it uses one up.
    pub fn demand(&self) {
        if self.current().is_none() && self.shared.signal(Signal::Wanted) {
            self.wake();
        }
    }

    /// Waits until there is a token. Of a single-use source it uses one up.
    ///
    /// # Errors
    ///
    /// Why there is none: as for [`token`](TokenSource::token).
    pub async fn ready(&self) -> Result<(), Error> {
        self.obtain(Demand::Current, None).await.map(drop)
    }

    /// Reports that a server refused the token of this generation, which is not served again; another is obtained in the
    /// background. To wait for that one, demand it [`InsteadOf`](Demand::InsteadOf) this.
    pub fn rejected(&self, generation: Generation) {
        if self.shared.reject(generation) {
            self.wake();
        }
    }

    /// Watches for new tokens, beginning with the one after the current.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(Arc::clone(&self.shared))
    }

    /// Ends the driver for all clones and waits until it has ended: callers that wait fail with
    /// [`Closed`](ErrorKind::Closed), and a refresh token that was sent or is not yet saved is seen through, which takes what is
    /// left of a flight and half a minute for saving, a minute at most by default. Dropping the future does not stop that; a driver that isn't running never ends.
    pub async fn shut_down(&self) {
        self.calls.close();
        while let Some(listener) = self.shared.until_ended() {
            listener.await;
        }
    }

    /// The same as [`shut_down`](Self::shut_down) on a plain thread, which is parked meanwhile.
    pub fn shut_down_blocking(&self) {
        self.calls.close();
        while let Some(listener) = self.shared.until_ended() {
            listener.wait();
        }
    }

    async fn obtain(&self, demand: Demand, patience: Option<Duration>) -> Result<Token, Error> {
        if let Some(token) = self.cached(demand) {
            return Ok(token);
        }
        let (call, waiting) = self.call(demand, patience);
        self.calls.send(call).await.map_err(|_| closed())?;
        waiting.answered.recv().await.map_err(|_| closed())?
    }

    fn cached(&self, demand: Demand) -> Option<Token> {
        self.current().filter(|cached| demand.accepts(cached.generation())).map(|cached| cached.token())
    }

    fn call(&self, demand: Demand, patience: Option<Duration>) -> (Call, Waiting<'_>) {
        let (answer, answered): (Answer, _) = async_channel::bounded(1);
        (Call::Demand { demand, patience, answer }, Waiting { answered, shared: &self.shared })
    }

    /// Wakes the driver for a signal. A full queue wakes it as well, and a closed one has nobody to wake.
    fn wake(&self) {
        let _ = self.calls.try_send(Call::Signal);
    }
}

#[async_trait]
impl TokenSource for TokenManager {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        self.obtain(demand, None).await
    }
}

impl fmt::Debug for TokenManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenManager").finish_non_exhaustive()
    }
}

/// A caller's end of its answer; dropping it before the answer tells the driver that it has gone.
struct Waiting<'a> {
    answered: Receiver<Result<Token, Error>>,
    shared: &'a Shared,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Closing fails where the driver has closed its end, which it does with the answer. Nobody is woken: a caller
        // that waits no more changes nothing before the driver's next input.
        if self.answered.close() {
            self.shared.signal(Signal::Gone);
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the token manager's driver has ended; keep it running")
}

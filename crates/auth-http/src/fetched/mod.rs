//! Documents that servers publish, kept while they serve: fetched by one request however many ask, and old ones used while
//! a server is down.

mod flight;
mod metadata;
mod timing;

pub mod jwks;

use std::sync::Arc;
use std::time::Duration;

use auth_core::Error;
use auth_core::time::Now;

use self::flight::Flight;
pub use self::jwks::JwksCache;
pub use self::metadata::MetadataCache;
use self::timing::Step;

/// Both clocks, read together: with the feature `manager`, [`StdClock`](crate::manager::StdClock) reads them.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// How long a document serves.
#[derive(Debug, Clone, Copy)]
struct Terms {
    /// After this it is fetched anew.
    fresh_for: Duration,
    /// While its server fails, it serves this long.
    usable_for: Duration,
    /// A newer one is asked for no sooner than this after the last attempt.
    spacing: Duration,
    /// After a failure nothing is fetched for this long.
    pause: Duration,
}

/// A document, and how it is fetched.
struct Fetched<T> {
    clock: Clock,
    terms: Terms,
    flight: Flight<T>,
}

impl Terms {
    /// Fresh for so long, used for a day while the server fails, asked for anew once a minute and, after a failure, twice.
    const fn fresh_for(fresh_for: Duration) -> Self {
        Self {
            fresh_for,
            usable_for: Duration::from_secs(24 * 60 * 60),
            spacing: Duration::from_secs(60),
            pause: Duration::from_secs(30),
        }
    }
}

impl<T: Send + Sync + 'static> Fetched<T> {
    fn new(
        clock: Clock,
        terms: Terms,
        fetch: impl Fn() -> flight::Fetching<T> + Send + Sync + 'static,
    ) -> Self {
        Self { clock, terms, flight: Flight::new(Box::new(fetch)) }
    }

    /// The document as it is at hand, fetched where it is not.
    async fn current(&self) -> Result<Arc<T>, Error> {
        self.obtain(None).await
    }

    /// A document other than this one, if there is one to be had.
    async fn instead_of(&self, seen: &Arc<T>) -> Result<Arc<T>, Error> {
        self.obtain(Some(seen)).await
    }

    async fn obtain(&self, seen: Option<&Arc<T>>) -> Result<Arc<T>, Error> {
        let number = match self.flight.step((self.clock)(), seen) {
            Step::Serve(document) => return Ok(document),
            Step::Fail(error) => return Err(error),
            Step::Fetch(number) => number,
        };
        self.flight.landed(number, &self.clock, &self.terms).await
    }
}

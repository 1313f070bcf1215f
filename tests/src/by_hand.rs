//! Running a token manager by hand: a clock that a test turns, and futures that it polls one step at a time.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};
use auth_http::manager::{Builder, Sleep, Timer, TokenManager};

use crate::scripted_grant::ScriptedGrant;

/// A clock that stands still until it is turned. Its sleeps wake nobody: poll again after turning it.
#[derive(Debug, Clone, Default)]
pub struct HandClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    mono: AtomicU64,
    suspended: AtomicU64,
    sleeps: AtomicUsize,
}

impl HandClock {
    /// Turns both clocks.
    pub fn advance(&self, duration: Duration) {
        self.0.mono.fetch_add(millis(duration), Ordering::SeqCst);
    }

    /// Turns the wall clock alone, as if the computer had slept.
    pub fn suspend(&self, duration: Duration) {
        self.0.suspended.fetch_add(millis(duration), Ordering::SeqCst);
    }

    /// How many sleeps were begun so far.
    #[must_use]
    pub fn sleeps(&self) -> usize {
        self.0.sleeps.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.mono.load(Ordering::SeqCst))
    }
}

impl Timer for HandClock {
    fn now(&self) -> Now {
        let suspended = Duration::from_millis(self.0.suspended.load(Ordering::SeqCst));
        let wall = Timestamp::from_millis(1_700_000_000_000).saturating_add(self.elapsed() + suspended);
        Now { wall, mono: Moment::since_origin(self.elapsed()) }
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleeps.fetch_add(1, Ordering::SeqCst);
        let (clock, end) = (self.clone(), self.elapsed().saturating_add(duration));
        Box::pin(poll_fn(move |_| if clock.elapsed() >= end { Poll::Ready(()) } else { Poll::Pending }))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A future that is polled when the test says so, and counts how often it was woken.
pub struct ByHand<'a, T> {
    future: Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
    wakes: Arc<Wakes>,
}

impl<'a, T> ByHand<'a, T> {
    /// A future that was not polled yet.
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self { future: Some(Box::pin(future)), wakes: Arc::default() }
    }

    /// Polls once; `None` while it waits, and after it was ready.
    pub fn poll(&mut self) -> Option<T> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match self.future.as_mut()?.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => {
                self.future = None;
                Some(output)
            }
            Poll::Pending => None,
        }
    }

    /// Polls until it waits for something other than being polled again.
    pub fn settle(&mut self) -> Option<T> {
        loop {
            let before = self.wakes();
            let output = self.poll();
            if output.is_some() || self.wakes() == before {
                return output;
            }
        }
    }

    /// How often it was woken so far.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }
}

impl<T> fmt::Debug for ByHand<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ByHand").field("wakes", &self.wakes()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A token manager whose driver is run by hand.
#[derive(Debug)]
pub struct World {
    /// A handle.
    pub manager: TokenManager,
    /// The driver; `None` once it was dropped.
    pub driver: Option<ByHand<'static, ()>>,
    /// Its clock.
    pub clock: HandClock,
    /// What it asks.
    pub grant: ScriptedGrant,
}

impl World {
    /// A manager over `grant` and nothing else.
    #[must_use]
    pub fn new(grant: ScriptedGrant) -> Self {
        Self::with(grant, |builder| builder)
    }

    /// A manager over `grant` with further settings.
    pub fn with(grant: ScriptedGrant, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = HandClock::default();
        let builder = settings(TokenManager::builder(grant.clone()).with_seed(1));
        let (manager, driver) = builder.build_on(Arc::new(clock.clone()));
        Self { manager, driver: Some(ByHand::new(driver.run())), clock, grant }
    }

    /// Runs the driver until it waits; `true` when it has ended.
    pub fn settle(&mut self) -> bool {
        self.driver.as_mut().is_none_or(|driver| driver.settle().is_some())
    }

    /// Runs the driver for `duration`, in steps of 50 ms.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.clock.elapsed() + duration;
        self.settle();
        while self.clock.elapsed() < end {
            self.clock.advance(STEP.min(end - self.clock.elapsed()));
            self.settle();
        }
    }

    /// Runs the driver, and turns the clock while nothing happens, until `future` is ready.
    ///
    /// # Panics
    ///
    /// When that takes more than two minutes by the clock.
    #[expect(clippy::panic, reason = "a test that waits in vain has failed")]
    pub fn run_until<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = ByHand::new(future);
        for _ in 0..2_400 {
            if let Some(output) = future.settle() {
                return output;
            }
            let before = future.wakes();
            self.settle();
            if future.wakes() == before {
                self.clock.advance(STEP);
            }
        }
        panic!("waited in vain for two minutes by the clock");
    }
}

const STEP: Duration = Duration::from_millis(50);

//! How many sessions of a process connect at once, and how fast one follows another.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::polled::{Runtime, Task};

/// How many sessions connect at once, and how fast one follows another; clones are the same budget.
///
/// An attempt takes a permit before it asks its source for a token, and gives it back when it is authenticated, or has failed: what a
/// lost server costs the token endpoint, the network and this process is bounded by it. Renewals need none, in band or by a connection in the
/// place of one that lives: that must not expire in a queue. Sessions get their permits in the order in which they wanted them; one that waits
/// is [`Connecting`](crate::machine::State::Connecting), can be closed, and none of its timeouts runs meanwhile. It is
/// [suspended](crate::machine::Config::with_suspended_after) in time all the same, and forgets what there was to be taken up.
///
/// All sessions of the tokio driver and of the polled one share [`process`](Self::process), unless they are given another; blocking ones, each
/// with a thread of its caller's, take no turns. One that is polled by its owner, and is not, holds what it has.
#[derive(Clone)]
pub struct ConnectBudget(Arc<Mutex<Account>>);

struct Account {
    /// How many more may connect.
    free: usize,
    /// How far permits are apart.
    interval: Duration,
    /// When the next may be had, if there is an interval.
    next: Option<Instant>,
    /// Those who wait, by their numbers, which leave none out.
    waiting: VecDeque<Arc<Mutex<Waiter>>>,
    numbered: u64,
}

struct Waiter {
    number: u64,
    stage: Stage,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waits,
    /// The permit is its own, to be used from then on.
    Granted(Instant),
    /// Nobody waits any more, or has taken what was granted.
    Over,
}

/// The leave to connect, until it is dropped.
pub(super) struct Permit(ConnectBudget);

/// A place among those who wait for a permit, until it is dropped.
pub(super) struct Turn {
    budget: ConnectBudget,
    waiter: Arc<Mutex<Waiter>>,
    timer: Option<Task<()>>,
}

/// More than one machine's ephemeral ports and name servers like, and less than what a fleet that lost its server would do by itself.
const AT_ONCE: usize = 1_000;

/// Timers are not exact to less: what was missed meanwhile is made up for. One who comes later than that has missed its time: those who
/// were granted theirs one after the other, and were held up together, must not connect together.
const MADE_UP: Duration = Duration::from_millis(50);

/// What a runtime is asked to sleep at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl ConnectBudget {
    /// So many connect at once (at least one), and as fast as they can.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(Account {
            free: at_once.max(1),
            interval: Duration::ZERO,
            next: None,
            waiting: VecDeque::new(),
            numbered: 0,
        })))
    }

    /// No more than so many in any second (at least one), evenly: a twentieth less in the long run, which is kept for those that are late.
    ///
    /// A property of the budget, and so of all its clones: on [`process`](Self::process) it slows every session of the program that was given no
    /// other.
    #[must_use]
    pub fn with_rate(self, per_second: u32) -> Self {
        lock(&self.0).interval = (Duration::from_secs(1) + MADE_UP) / per_second.max(1);
        self
    }

    /// The budget of all sessions that are given no other: 1,000 at once, at any rate.
    #[must_use]
    pub fn process() -> Self {
        static PROCESS: LazyLock<ConnectBudget> = LazyLock::new(|| ConnectBudget::new(AT_ONCE));
        PROCESS.clone()
    }

    /// A permit, or a place among those who wait for one.
    pub(super) fn take(&self) -> Result<Permit, Turn> {
        let mut account = lock(&self.0);
        if account.free > 0 && account.interval.is_zero() && account.waiting.is_empty() {
            // As a rule nobody waits, and no clock says when.
            account.free -= 1;
            return Ok(Permit(self.clone()));
        }
        account.numbered += 1;
        let waiter = Waiter { number: account.numbered, stage: Stage::Waits, waker: None };
        let waiter = Arc::new(Mutex::new(waiter));
        account.waiting.push_back(Arc::clone(&waiter));
        let woken = account.grant(now());
        drop(account);
        wake(woken);
        let turn = Turn { budget: self.clone(), waiter, timer: None };
        match turn.granted() {
            Some(Duration::ZERO) => Ok(Permit(self.clone())),
            _ => Err(turn),
        }
    }
}

impl Account {
    /// Gives permits to those whose turn it is. Answers whom to wake once nothing is locked any more.
    fn grant(&mut self, now: Instant) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some(front) = self.waiting.front().cloned() {
            let mut waiter = lock(&front);
            if waiter.stage == Stage::Waits {
                let due = self.next.is_none_or(|next| next <= now);
                if self.free == 0 || !due {
                    // Its turn comes next: it looks at the clock itself.
                    woken.extend(waiter.waker.take());
                    break;
                }
                self.free -= 1;
                waiter.stage = Stage::Granted(self.time(now));
                woken.extend(waiter.waker.take());
            }
            drop(waiter);
            self.waiting.pop_front();
        }
        woken
    }

    /// The next time at which somebody may connect, which is nobody else's.
    fn time(&mut self, now: Instant) -> Instant {
        if self.interval.is_zero() {
            return now;
        }
        let earliest = now.checked_sub(MADE_UP).unwrap_or(now);
        let time = self.next.unwrap_or(now).max(earliest);
        self.next = Some(time + self.interval);
        time
    }

    /// How long this one waits at least, if by the clock at all.
    fn wait(&self, number: u64, now: Instant) -> Option<Duration> {
        let first = lock(self.waiting.front()?).number;
        let before = u32::try_from(number.saturating_sub(first)).unwrap_or(u32::MAX);
        let next = self.next?.saturating_duration_since(now);
        (self.free > 0).then(|| next.saturating_add(self.interval.saturating_mul(before)))
    }
}

impl Turn {
    /// Ready with the permit when it is this one's turn.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, runtime: &dyn Runtime) -> Poll<Permit> {
        loop {
            let granted = self.granted();
            if granted == Some(Duration::ZERO) {
                return Poll::Ready(Permit(self.budget.clone()));
            }
            if let Some(timer) = &mut self.timer
                && timer.as_mut().poll(cx).is_ready()
            {
                self.timer = None;
            }
            let now = now();
            let mut account = lock(&self.budget.0);
            let woken = account.grant(now);
            let mut waiter = lock(&self.waiter);
            let is_due = granted.is_none() && waiter.stage != Stage::Waits;
            waiter.waker = Some(cx.waker().clone());
            let number = waiter.number;
            drop(waiter);
            let wait = account.wait(number, now);
            drop(account);
            // Not this one: it is looking already.
            wake(woken.into_iter().filter(|waker| !waker.will_wake(cx.waker())));
            if is_due {
                continue;
            }
            let Some(wait) = granted.or(wait) else { return Poll::Pending };
            // A new one each time: the turn may have come nearer.
            let mut timer = runtime.sleep(wait.clamp(Duration::from_millis(1), LONGEST_SLEEP));
            let over = timer.as_mut().poll(cx).is_ready();
            self.timer = Some(timer);
            if !over {
                return Poll::Pending;
            }
        }
    }

    /// How long it is until what was granted may be used, if it was granted. It is taken when it may be.
    fn granted(&self) -> Option<Duration> {
        let mut account = lock(&self.budget.0);
        let mut waiter = lock(&self.waiter);
        let Stage::Granted(mut time) = waiter.stage else { return None };
        let now = now();
        if !account.interval.is_zero() && now.saturating_duration_since(time) > MADE_UP {
            time = account.time(now);
        }
        let wait = time.saturating_duration_since(now);
        waiter.stage = if wait.is_zero() { Stage::Over } else { Stage::Granted(time) };
        Some(wait)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let stage = std::mem::replace(&mut lock(&self.waiter).stage, Stage::Over);
        match stage {
            Stage::Granted(_) => drop(Permit(self.budget.clone())),
            // Those behind are nearer to their turn.
            Stage::Waits => self.budget.advance(|_| {}),
            Stage::Over => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.advance(|account| account.free += 1);
    }
}

impl ConnectBudget {
    fn advance(&self, change: impl FnOnce(&mut Account)) {
        let mut account = lock(&self.0);
        change(&mut account);
        if account.waiting.is_empty() {
            return;
        }
        let woken = account.grant(now());
        drop(account);
        wake(woken);
    }
}

impl fmt::Debug for ConnectBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = lock(&self.0);
        formatter
            .debug_struct("ConnectBudget")
            .field("free", &account.free)
            .field("interval", &account.interval)
            .field("waiting", &account.waiting.len())
            .finish()
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing can panic while it is held.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One clock for all sessions of a process, each of whose runtimes has an origin of its own. Tokio's, where it may be paused.
#[expect(clippy::disallowed_methods, reason = "this is a driver's clock")]
fn now() -> Instant {
    #[cfg(feature = "tokio")]
    return ::tokio::time::Instant::now().into_std();
    #[cfg(not(feature = "tokio"))]
    Instant::now()
}

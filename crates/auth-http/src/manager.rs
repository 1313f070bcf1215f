//! A token that stays fresh: the renewal machine of `auth-core`, driven on tokio.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use auth_core::fingerprint::FingerprintKey;
use auth_core::oauth::TokenResponse;
use auth_core::observe::Unobserved;
use auth_core::renewal::{Answer, Credential, Input, Output, Policy, Renewal, Ticket};
use auth_core::time::Deadline;
use auth_core::{Demand, Error, ErrorKind, Observer, Token, TokenSource};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::grant::Grant;

/// A cached token, shared by all clones; renewed before it expires, by one request however many ask.
///
/// A cached read takes no lock. The request in flight belongs to the [`Driver`]: a caller that is dropped
/// changes nothing. The driver ends when the last clone is dropped.
#[derive(Clone)]
pub struct TokenManager {
    calls: mpsc::Sender<Call>,
    current: Arc<ArcSwapOption<Credential>>,
    clock: Clock,
}

/// A caller that waits for the driver.
struct Call {
    demand: Demand,
    answer: oneshot::Sender<Result<Token, Error>>,
}

impl TokenManager {
    /// Begins with a manager over `grant`.
    pub fn builder(grant: impl Grant + 'static) -> Builder {
        Builder {
            grant: Arc::new(grant),
            policy: Policy::new(),
            observer: Arc::new(Unobserved),
            names: FingerprintKey::new(rand::random()),
        }
    }
}

#[async_trait]
impl TokenSource for TokenManager {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let now = self.clock.now();
        if let Some(credential) = &*self.current.load()
            && credential.fresh(now)
            && demand.accepts(credential.generation())
        {
            return Ok(credential.token(now));
        }
        let closed =
            || Error::new(ErrorKind::Closed, "the token manager's driver has ended; keep it running");
        let (answer, answered) = oneshot::channel();
        self.calls.send(Call { demand, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

impl fmt::Debug for TokenManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenManager").finish_non_exhaustive()
    }
}

/// The settings of a [`TokenManager`].
#[must_use]
pub struct Builder {
    grant: Arc<dyn Grant>,
    policy: Policy,
    observer: Arc<dyn Observer>,
    names: FingerprintKey,
}

impl Builder {
    /// How early to renew and how hard to try.
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Who is told about every decision; nobody by default.
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// The key under which events name tokens; random by default, so that names mean nothing elsewhere.
    pub fn with_fingerprint_key(self, names: FingerprintKey) -> Self {
        Self { names, ..self }
    }

    /// The manager, and the future that must run for it to work.
    pub fn build(self) -> (TokenManager, Driver) {
        let (calls, received) = mpsc::channel(64);
        let current = Arc::new(ArcSwapOption::empty());
        let clock = Clock::start();
        let driver = Driver {
            machine: Renewal::new(self.policy, self.names, rand::random()),
            grant: self.grant,
            observer: self.observer,
            clock,
            calls: received,
            waiting: Vec::new(),
            flight: None,
            current: Arc::clone(&current),
        };
        (TokenManager { calls, current, clock }, driver)
    }

    /// The manager, its driver spawned on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the caller asked for it by name")]
    pub fn spawn(self) -> TokenManager {
        let (manager, driver) = self.build();
        tokio::spawn(driver.run());
        manager
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What makes a [`TokenManager`] work: a future that owns the request in flight.
#[must_use = "the manager's callers wait until its driver runs"]
pub struct Driver {
    machine: Renewal,
    grant: Arc<dyn Grant>,
    observer: Arc<dyn Observer>,
    clock: Clock,
    calls: mpsc::Receiver<Call>,
    waiting: Vec<Call>,
    flight: Option<Flight>,
    current: Arc<ArcSwapOption<Credential>>,
}

type Flight = Pin<Box<dyn Future<Output = (Ticket, Result<TokenResponse, Error>)> + Send>>;

impl Driver {
    /// Runs until the last [`TokenManager`] is dropped.
    pub async fn run(mut self) {
        let mut wait = None;
        loop {
            let clock = self.clock;
            let input = tokio::select! {
                biased;
                Some((ticket, result)) = optional(&mut self.flight) => {
                    self.flight = None;
                    match result {
                        Ok(response) => Input::Issued { ticket, response },
                        Err(error) => Input::Failed { ticket, error },
                    }
                }
                call = self.calls.recv() => match call {
                    Some(call) => {
                        let demand = call.demand;
                        self.waiting.push(call);
                        Input::Demanded(demand)
                    }
                    None => return,
                },
                () = until(wait, clock) => Input::Tick,
            };
            let Ok(deadline) = self.step(input) else { return };
            wait = deadline;
        }
    }

    /// Feeds one input, acts on the outputs, and answers whoever has an answer.
    fn step(&mut self, input: Input) -> Result<Option<Deadline>, auth_core::ApiMisuse> {
        let now = self.clock.now();
        self.machine.handle(now, input)?;
        let wait = loop {
            match self.machine.poll() {
                Output::Fetch { ticket } => {
                    let grant = Arc::clone(&self.grant);
                    self.flight = Some(Box::pin(async move { (ticket, grant.obtain().await) }));
                }
                Output::Event(event) => self.observer.observe(&event),
                Output::Changed => self.current.store(self.machine.current().cloned().map(Arc::new)),
                Output::Wait(deadline) => break deadline,
            }
        };
        for call in std::mem::take(&mut self.waiting) {
            // A failed send is a caller that gave up; nobody else is touched by that.
            match self.machine.answer(now, call.demand) {
                Answer::Serve(token) => drop(call.answer.send(Ok(token))),
                Answer::Fail(error) => drop(call.answer.send(Err(error))),
                Answer::Wait => self.waiting.push(call),
            }
        }
        Ok(wait)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Driver").field("machine", &self.machine).finish_non_exhaustive()
    }
}

/// The result of a future that may not exist.
async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => None,
    }
}

/// Waits for a deadline, in steps of at most 30 s: a timer stands still while the machine sleeps, so a wall
/// clock that went on is noticed half a minute later at the latest.
async fn until(deadline: Option<Deadline>, clock: Clock) {
    match deadline {
        Some(deadline) => {
            let longest = std::time::Duration::from_secs(30);
            tokio::time::sleep(deadline.remaining(clock.now()).min(longest)).await;
        }
        None => std::future::pending().await,
    }
}

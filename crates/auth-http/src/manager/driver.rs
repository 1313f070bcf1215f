//! The driver's one loop: inputs from callers, work and time go into the machine, and its outputs are acted upon.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use auth_core::renewal::{Caller, Input, Output, Renewal};
use auth_core::time::{Deadline, Now};
use auth_core::{AuthEvent, Demand, Error, Observer, Token};
use futures_core::Stream as _;

use super::shared::{Shared, Signal};
use super::timer::{Sleep, Timer};
use super::work::{Store, Work};
use crate::grant::Grant;

/// What makes a [`TokenManager`](super::TokenManager) work: a future that owns the request in flight.
///
/// It ends when the last handle is dropped or one of them shuts it down, and finishes before that what would be lost: a
/// refresh token that was sent, and one that is not saved yet. Dropping it ends it at once.
#[must_use = "the manager's callers wait until its driver runs"]
pub struct Driver {
    machine: Renewal,
    grant: Arc<dyn Grant>,
    store: Store,
    observer: Arc<dyn Observer>,
    pub(super) timer: Arc<dyn Timer>,
    shared: Arc<Shared>,
    calls: Pin<Box<Receiver<Call>>>,
    /// Inputs that are known already, and come first.
    inputs: VecDeque<Input>,
    waiting: BTreeMap<Caller, Answer>,
    callers: u64,
    work: Option<Work>,
    pub(super) alarm: Option<Alarm>,
    closing: bool,
}

/// What a handle sends to the driver.
pub(super) enum Call {
    /// A caller waits for an answer.
    Demand { demand: Demand, patience: Option<Duration>, answer: Answer },
    /// There are signals; without this, the driver would sleep on.
    Signal,
}

/// Where a caller waits: a channel of capacity one, so that it can wait on any runtime or on none.
pub(super) type Answer = Sender<Result<Token, Error>>;

/// When the machine wants to hear of time again.
#[derive(Clone, Copy)]
pub(super) struct Alarm {
    deadline: Deadline,
    /// The deadline, or half a minute after it was set: a timer stands still while the computer sleeps, so a wall clock
    /// that went on is noticed that much later at the latest.
    pub(super) wakes: Deadline,
}

impl Driver {
    pub(super) fn new(
        machine: Renewal,
        grant: Arc<dyn Grant>,
        store: Store,
        observer: Arc<dyn Observer>,
        timer: Arc<dyn Timer>,
        shared: Arc<Shared>,
        calls: Receiver<Call>,
    ) -> Self {
        Self {
            machine,
            grant,
            store,
            observer,
            timer,
            shared,
            calls: Box::pin(calls),
            // The first, since a policy may want a token before anybody asks.
            inputs: VecDeque::from([Input::Tick]),
            waiting: BTreeMap::new(),
            callers: 0,
            work: None,
            alarm: None,
            closing: false,
        }
    }

    /// Runs until the last [`TokenManager`](super::TokenManager) is dropped, or one is shut down.
    pub async fn run(mut self) {
        let mut sleeping = None;
        loop {
            let input = poll_fn(|context| self.poll_until_alarm(&mut sleeping, context)).await;
            if self.step(input).is_break() {
                return;
            }
        }
    }

    /// The next input, the machine's alarm included.
    fn poll_until_alarm(&mut self, sleeping: &mut Sleeping, context: &mut Context<'_>) -> Poll<Input> {
        loop {
            if let Poll::Ready(input) = self.poll_input(context) {
                return Poll::Ready(input);
            }
            let Some(Alarm { wakes, .. }) = self.alarm else { return Poll::Pending };
            let sleep = match sleeping {
                Some((deadline, sleep)) if *deadline == wakes => sleep,
                _ => {
                    let sleep = self.timer.sleep(wakes.remaining(self.timer.now()));
                    &mut sleeping.insert((wakes, sleep)).1
                }
            };
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            *sleeping = None;
        }
    }

    /// The next input that is there. A driver that finds none waits for its waker and for [`Self::alarm`].
    pub(super) fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Input> {
        loop {
            self.hear_signals();
            if let Some(input) = self.inputs.pop_front() {
                return Poll::Ready(input);
            }
            if let Some(work) = &mut self.work
                && let Poll::Ready(input) = work.poll(context)
            {
                Work::give_up(self.work.take());
                return Poll::Ready(input);
            }
            if self.alarm.is_some_and(|alarm| alarm.wakes.passed(self.timer.now())) {
                self.alarm = None;
                if self.shared.take_used() {
                    self.inputs.push_back(Input::Tick);
                    return Poll::Ready(Input::Used);
                }
                return Poll::Ready(Input::Tick);
            }
            if self.closing {
                return Poll::Pending;
            }
            match self.calls.as_mut().poll_next(context) {
                Poll::Ready(Some(Call::Demand { demand, patience, answer })) if !answer.is_closed() => {
                    return Poll::Ready(self.demanded(demand, patience, Some(answer)));
                }
                // A caller that left before it was heard never came; signals are heard at the top.
                Poll::Ready(Some(Call::Demand { .. } | Call::Signal)) => {}
                Poll::Ready(None) => {
                    self.closing = true;
                    return Poll::Ready(Input::ShutDown);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Turns the signals of handles into inputs.
    fn hear_signals(&mut self) {
        let signals = self.shared.take_signals();
        if signals.has(Signal::Gone) {
            let inputs = &mut self.inputs;
            self.waiting.retain(|&caller, answer| {
                if answer.is_closed() {
                    inputs.push_back(Input::Withdrawn { caller });
                }
                !answer.is_closed()
            });
        }
        if signals.has(Signal::Rejected) {
            self.inputs.push_back(Input::Rejected { generation: self.shared.take_rejected() });
        }
        if signals.has(Signal::Used) {
            self.inputs.push_back(Input::Used);
        }
        if signals.has(Signal::Wanted) {
            let input = self.demanded(Demand::Current, None, None);
            self.inputs.push_back(input);
        }
    }

    fn demanded(&mut self, demand: Demand, patience: Option<Duration>, answer: Option<Answer>) -> Input {
        self.callers += 1;
        let caller = Caller::new(self.callers);
        if let Some(answer) = answer {
            self.waiting.insert(caller, answer);
        }
        Input::Demanded { caller, demand, patience }
    }

    /// Feeds one input and acts on the outputs; breaks when there is nothing left to do.
    pub(super) fn step(&mut self, input: Input) -> ControlFlow<()> {
        let now = self.timer.now();
        if self.machine.handle(now, input).is_err() {
            // Outputs are pending, which the loop below leaves none: nothing sensible can follow.
            return ControlFlow::Break(());
        }
        loop {
            match self.machine.poll() {
                Output::Fetch { ticket, attempt } => {
                    self.work = Some(Work::fetch(ticket, Arc::clone(&self.grant), attempt));
                }
                Output::Load { ticket } => self.work = Some(Work::load(ticket, self.store.clone())),
                Output::Lock { ticket } => self.work = Some(Work::lock(ticket, self.store.clone())),
                Output::Save { ticket, record } => {
                    self.work = Some(Work::save(ticket, self.store.clone(), record));
                }
                Output::Cancel { ticket } => Work::give_up(self.work.take_if(|work| work.ticket() == ticket)),
                Output::Unlock => self.store.unlock(),
                Output::Serve { caller, token } => self.answer(caller, Ok(token)),
                Output::Fail { caller, error } => self.answer(caller, Err(error)),
                Output::Event(event) => self.observe(&event),
                Output::Changed => self.shared.publish(self.machine.current().cloned()),
                Output::Wait(deadline) => {
                    self.set_alarm(deadline, now);
                    return ControlFlow::Continue(());
                }
                Output::Done => return ControlFlow::Break(()),
            }
        }
    }

    fn answer(&mut self, caller: Caller, result: Result<Token, Error>) {
        if let Some(answer) = self.waiting.remove(&caller) {
            // A failed send is a caller that has gone just now; nobody else is touched by that.
            let _ = answer.try_send(result);
        }
    }

    fn observe(&self, event: &AuthEvent) {
        // An observer that breaks its promise not to panic loses this event, and takes nobody with it.
        let _ = catch_unwind(AssertUnwindSafe(|| self.observer.observe(event)));
    }

    /// Leaves an alarm for the same deadline as it is: each caller would cost a new sleep otherwise, and put off the ticks.
    fn set_alarm(&mut self, deadline: Option<Deadline>, now: Now) {
        if self.alarm.map(|alarm| alarm.deadline) != deadline {
            let cap = now.timer(LONGEST_SLEEP);
            self.alarm = deadline.map(|deadline| Alarm { deadline, wakes: deadline.earlier(cap, now) });
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Calls that nobody will answer are dropped with their answers, which tells their callers.
        self.calls.close();
        while self.calls.try_recv().is_ok() {}
        self.waiting.clear();
        // Before the end is told of: whoever waits for it may open the store next.
        Work::give_up(self.work.take());
        self.store.unlock();
        self.shared.end();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Driver").field("machine", &self.machine).finish_non_exhaustive()
    }
}

/// The sleep of the runtime that is under way, and until when.
type Sleeping = Option<(Deadline, Sleep)>;

/// The machine wants to be told of time this often, whatever its deadline.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

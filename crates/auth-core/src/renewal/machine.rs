//! The machine itself: one credential, at most one flight, and whoever waits for it.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use super::callers::{Callers, Waiting};
use super::credential::{Credential, Held, Noted};
use super::ending::{Life, closed};
use super::flight::Flight;
use super::policy::{FRESH, STEP, USUAL_PATIENCE, Use};
use super::rotation::Rotation;
use super::server_clock::ServerClock;
use super::{Caller, Input, Output, Policy, Refresh, Ticket};
use crate::backoff::Jitter;
use crate::fingerprint::{Fingerprint, FingerprintKey};
use crate::oauth::TokenType;
use crate::observe::RenewalReason;
use crate::time::{Deadline, Now};
use crate::token::Generation;
use crate::{ApiMisuse, AuthEvent, Demand, Error, ErrorKind, Secret};

/// Decides when to fetch a token and whom to serve. See the [module](super) for the contract.
#[derive(Debug)]
pub struct Renewal {
    pub(super) policy: Policy,
    pub(super) names: FingerprintKey,
    pub(super) jitter: Jitter,
    pub(super) token_type: TokenType,
    pub(super) stored: bool,
    pub(super) held: Option<Held>,
    pub(super) generation: Generation,
    /// A token of the store that whoever set the machine up has told of.
    pub(super) told: Option<Fingerprint>,
    /// The lifetime of the last token, for the next if nobody states it.
    pub(super) last_life: Option<Duration>,
    pub(super) rotation: Rotation,
    pub(super) server: Option<ServerClock>,
    pub(super) flight: Flight,
    pub(super) callers: Callers,
    /// Whether more than the deadlines of callers has changed since they were looked at.
    pub(super) changed: bool,
    /// Failed flights since the last success; decides how long to pause.
    pub(super) failed_flights: u32,
    /// Replacements of refused tokens that were refused at once, in a row.
    pub(super) fresh_refusals: u32,
    /// No request before this: the last token has only just arrived.
    pub(super) spaced: Option<Deadline>,
    /// Until here the credential counts as used.
    used_until: Option<Deadline>,
    /// The token for one use was handed out, and the next is to be fetched ahead.
    restock: bool,
    pub(super) life: Life,
    /// The time of the last input.
    last: Option<Now>,
    next_ticket: u64,
    pub(super) outputs: VecDeque<Output>,
}

impl Renewal {
    /// A machine without a token. `names` is the key under which events name tokens; `seed` decides all jitter
    /// and should differ between processes.
    #[must_use]
    pub fn new(policy: Policy, names: FingerprintKey, seed: u64) -> Self {
        Self {
            policy,
            names,
            jitter: Jitter::seeded(seed),
            token_type: TokenType::Bearer,
            stored: false,
            held: None,
            generation: Generation::NONE,
            told: None,
            last_life: None,
            rotation: Rotation::new(Refresh::Never, None, false),
            server: None,
            flight: Flight::Idle,
            callers: Callers::default(),
            changed: false,
            failed_flights: 0,
            fresh_refusals: 0,
            spaced: None,
            used_until: None,
            restock: false,
            life: Life::Open,
            last: None,
            next_ticket: 0,
            outputs: VecDeque::new(),
        }
    }

    /// What the grant does with refresh tokens, and the one that is configured, if any.
    #[must_use]
    pub fn with_refresh(self, refresh: Refresh, configured: Option<Secret>) -> Self {
        Self { rotation: Rotation::new(refresh, configured, self.stored), ..self }
    }

    /// Says how its tokens are presented: as bearer tokens by default. A grant gives tokens of one type only.
    #[must_use]
    pub fn with_token_type(self, token_type: TokenType) -> Self {
        Self { token_type, ..self }
    }

    /// Numbers its tokens from here on: for a machine that goes on where another ended, whose tokens are still in use.
    #[must_use]
    pub fn with_generations_after(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    /// Knows that the issue of the token of this name was told of: that it is then found in the store is no news, and it is not told as
    /// [adopted](AuthEvent::TokenAdopted).
    #[must_use]
    pub fn with_told(self, token: Fingerprint) -> Self {
        Self { told: Some(token), ..self }
    }

    /// With a store, for tokens to outlive the program and to be shared with others: [`Output::Load`], [`Output::Lock`],
    /// [`Output::Save`] and [`Output::Unlock`] come only then.
    #[must_use]
    pub fn with_store(self) -> Self {
        let rotation = Rotation::new(self.rotation.refresh(), self.rotation.configured(), true);
        Self { stored: true, rotation, ..self }
    }

    /// Takes an input.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), ApiMisuse> {
        if !self.outputs.is_empty() {
            return Err(ApiMisuse::OutputsPending);
        }
        if matches!(self.life, Life::Over) {
            return Ok(());
        }
        self.look_at_clocks(now);
        match input {
            Input::Tick => {}
            Input::Demanded { caller, demand, patience } => self.demanded(now, caller, demand, patience),
            Input::Withdrawn { caller } => drop(self.callers.remove(caller)),
            Input::Used => self.used(now),
            Input::Rejected { generation } => self.rejected(now, generation),
            Input::Issued { ticket, response } => self.issued(now, ticket, response),
            Input::Failed { ticket, error } => self.failed(now, ticket, error),
            Input::Loaded { ticket, result } => self.loaded(now, ticket, result),
            Input::Locked { ticket, result } => self.locked(now, ticket, result),
            Input::Saved { ticket, result } => self.saved(now, ticket, result),
            Input::ShutDown => self.shut_down(now),
        }
        self.advance(now);
        Ok(())
    }

    /// The next output; [`Output::Wait`] when there is nothing left to do for now, [`Output::Done`] when there never will be.
    pub fn poll(&mut self) -> Output {
        match self.outputs.pop_front() {
            Some(output) => output,
            None if matches!(self.life, Life::Over) => Output::Done,
            None => {
                // An idle machine should cost what it holds: there may be a million of them.
                self.outputs = VecDeque::new();
                Output::Wait(self.deadline())
            }
        }
    }

    /// The credential that readers may serve without asking while [`Credential::serves`] says so. There is none where each
    /// token serves once.
    #[must_use]
    pub fn current(&self) -> Option<&Arc<Credential>> {
        let held = self.held.as_ref().filter(|held| !held.refused && !self.policy.is_single_use())?;
        Some(&held.shared)
    }

    /// Notices a wall clock that was set back since the last input. Without that, a suspend as long as the step back would
    /// hide itself: neither clock would say that time has passed.
    fn look_at_clocks(&mut self, now: Now) {
        let last = self.last.replace(now).unwrap_or(now);
        let passed = now.mono.elapsed().saturating_sub(last.mono.elapsed());
        let expected = last.wall.saturating_add(passed);
        let (behind, ahead) = (expected.saturating_since(now.wall), now.wall.saturating_since(expected));
        if behind.max(ahead) > STEP {
            // Which of the two is right now is anybody's guess; the next answer tells the server's time again.
            self.server = None;
        }
        if behind <= STEP {
            return;
        }
        self.tell(AuthEvent::ClockSetBack { behind });
        let expected = Now { wall: expected, ..now };
        self.rotation.clock_set(expected, now);
        self.flight.clock_set(behind, expected, now);
        if let Some(held) = &mut self.held {
            held.clock_set(expected, now);
            self.outputs.push_back(Output::Changed);
        }
    }

    fn demanded(&mut self, now: Now, caller: Caller, demand: Demand, patience: Option<Duration>) {
        // What time has made due comes first: a pause that is over fails nobody.
        self.fly(now);
        if let Demand::InsteadOf(refused) = demand {
            self.rejected(now, refused);
        }
        let error = match (&self.life, demand) {
            (Life::ShuttingDown { .. } | Life::Over, _) => Some(closed()),
            (Life::Open, Demand::InsteadOf(refused)) if refused > self.generation => Some(Error::new(
                ErrorKind::InvalidToken,
                "the refused token is newer than any of this source; the refusal names another source's token",
            )),
            // One that is from another source is no reason to ask for more than there is.
            (Life::Open, _) => None,
        };
        if let Some(error) = error {
            return self.outputs.push_back(Output::Fail { caller, error });
        }
        let demand = match demand {
            Demand::NewerThan(seen) if seen > self.generation => Demand::Current,
            demand => demand,
        };
        let there = self.living(now).filter(|held| demand.accepts(held.shared.generation));
        let settles = there.map(|held| now.timer(held.shared.expires.remaining(now) / 2));
        let patient = Waiting { demand, patience: now.timer(USUAL_PATIENCE), settles };
        if !self.answer(now, caller, patient) {
            let patience = now.timer(patience.unwrap_or(USUAL_PATIENCE));
            self.callers.add(caller, Waiting { patience, ..patient });
            // Even for a caller that has no patience at all: the next one finds a token then.
            self.begin_if_wanted(now);
        }
    }

    fn used(&mut self, now: Now) {
        if let Some(held) = &self.held {
            // A moment is over with the next input.
            let counts = if self.policy.background { held.life } else { Duration::from_nanos(1) };
            self.used_until = Some(now.timer(counts));
        }
    }

    fn rejected(&mut self, now: Now, refused: Generation) {
        let Some(held) = &mut self.held else { return };
        if held.shared.generation != refused || held.refused {
            return;
        }
        held.refused = true;
        let at_once =
            held.replaces_refused && now.mono.elapsed().saturating_sub(held.arrived.mono.elapsed()) < FRESH;
        let valid_for = Some(held.shared.expires.remaining(now)).filter(|left| !left.is_zero());
        let event =
            AuthEvent::TokenRejected { token: held.shared.fingerprint, generation: refused, valid_for };
        self.rotation.forget_access_token();
        self.used(now);
        self.changed = true;
        self.outputs.extend([Output::Event(event), Output::Changed]);
        if self.rotation.is_in_doubt() && matches!(self.flight, Flight::Paused { .. }) {
            // It was spared for the sake of this token.
            self.flight = Flight::Idle;
        }
        if at_once {
            self.fresh_refusals = self.fresh_refusals.saturating_add(1);
            self.refused_at_once(now);
        } else {
            self.fresh_refusals = 0;
        }
    }

    /// Does what has become due, answers whoever can be answered, and begins what is wanted.
    fn advance(&mut self, now: Now) {
        self.fly(now);
        self.tell_of_deadlines(now);
        loop {
            self.answer_callers(now);
            if !self.begin_if_wanted(now) {
                break;
            }
        }
        self.end_if_settled(now);
    }

    fn begin_if_wanted(&mut self, now: Now) -> bool {
        if !matches!((&self.flight, &self.life), (Flight::Idle, Life::Open)) {
            return false;
        }
        let Some(reason) = self.wanted(now) else { return false };
        self.restock = false;
        self.begin(now, reason);
        true
    }

    /// Why a flight is wanted, if one is.
    fn wanted(&self, now: Now) -> Option<RenewalReason> {
        if self.policy.is_single_use() {
            return (!self.callers.is_empty() || self.restock).then_some(RenewalReason::SingleUse);
        }
        let asked = !self.callers.is_empty();
        let in_use = self.in_use(now);
        match &self.held {
            None if asked || self.policy.keep_warm => Some(RenewalReason::First),
            Some(held) if held.refused && (asked || in_use) => Some(RenewalReason::Rejected),
            Some(held) if held.shared.expires.passed(now) && (asked || in_use) => {
                Some(RenewalReason::Expired)
            }
            Some(held) if held.shared.due(now) && (asked || in_use) => Some(RenewalReason::Due),
            Some(_) if asked => Some(RenewalReason::Asked),
            Some(_) | None => None,
        }
    }

    /// Whether the credential is to be renewed although nobody waits for it.
    fn in_use(&self, now: Now) -> bool {
        self.policy.keep_warm || self.used_until.is_some_and(|until| !until.passed(now))
    }

    fn answer_callers(&mut self, now: Now) {
        let waiting = if core::mem::take(&mut self.changed) {
            self.callers.take()
        } else {
            self.callers.take_impatient(now)
        };
        for (caller, waiting) in waiting {
            if !self.answer(now, caller, waiting) {
                // A deadline that has passed for nothing must not wake the driver again and again.
                let settles = waiting.settles.filter(|settles| !settles.passed(now));
                self.callers.add(caller, Waiting { settles, ..waiting });
            }
        }
    }

    /// Answers one caller, if there is an answer yet.
    fn answer(&mut self, now: Now, caller: Caller, waiting: Waiting) -> bool {
        let impatient = waiting.patience.passed(now);
        let settles = waiting.settles.is_some_and(|settles| settles.passed(now));
        let stalled = self.stalled(now);
        let living = self.living(now).filter(|held| !self.policy.is_single_use() || held.shared.serves(now));
        let wanted = living.filter(|held| waiting.demand.accepts(held.shared.generation));
        let waits_no_longer = stalled.is_some() || impatient;
        let serve = match (wanted, living) {
            (Some(held), _) => held.shared.serves(now) || waits_no_longer || settles,
            // Better the old token, which is still alive, than none.
            (None, Some(_)) => waits_no_longer && matches!(waiting.demand, Demand::NewerThan(_)),
            (None, None) => false,
        };
        if serve && let Some(held) = &self.held {
            let token = held.shared.token(now);
            self.outputs.push_back(Output::Serve { caller, token });
            self.used(now);
            if let Use::Once { prefetch } = self.policy.uses {
                self.held = None;
                self.restock = prefetch;
            }
            return true;
        }
        let error = match stalled {
            Some(error) => error,
            None if impatient => Error::new(
                ErrorKind::Timeout,
                "no token came within the caller's patience; it is still on its way",
            ),
            None => return false,
        };
        self.outputs.push_back(Output::Fail { caller, error });
        true
    }

    /// The credential, if it may be handed out at all.
    pub(super) fn living(&self, now: Now) -> Option<&Held> {
        self.held.as_ref().filter(|held| held.lives(now))
    }

    /// Whether there is a credential that is not even due.
    pub(super) fn fresh(&self, now: Now) -> bool {
        self.living(now).is_some_and(|held| !held.shared.due(now))
    }

    pub(super) fn valid_for(&self, now: Now) -> Option<Duration> {
        self.living(now).map(|held| held.shared.expires.remaining(now))
    }

    fn tell_of_deadlines(&mut self, now: Now) {
        let in_use = self.in_use(now);
        let valid_for = self.valid_for(now);
        let Some(held) = self.held.as_mut().filter(|held| !held.refused) else { return };
        let (token, generation) = (held.shared.fingerprint, held.shared.generation);
        let event = if held.shared.expires.passed(now) {
            (held.noted < Noted::Expired)
                .then_some((Noted::Expired, AuthEvent::TokenExpired { token, generation }))
        } else if held.shared.due(now) && !in_use && !self.policy.is_single_use() {
            let unused = AuthEvent::TokenUnused { token, generation, valid_for };
            (held.noted < Noted::Unused).then_some((Noted::Unused, unused))
        } else {
            None
        };
        if let Some((noted, event)) = event {
            held.noted = noted;
            self.changed = true;
            self.outputs.push_back(Output::Event(event));
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        let of_token = self.held.as_ref().filter(|held| !held.refused).and_then(|held| match held.noted {
            Noted::Nothing if matches!(self.flight, Flight::Idle) && !self.policy.is_single_use() => {
                Some(held.shared.renew_at)
            }
            Noted::Nothing | Noted::Unused => Some(held.shared.expires),
            Noted::Expired => None,
        });
        let of_life = match (&self.life, &self.flight) {
            (Life::ShuttingDown { until }, Flight::Settling(_)) => Some(*until),
            _ => None,
        };
        [of_token, of_life, self.callers.deadline(), self.flight.deadline()]
            .into_iter()
            .flatten()
            .reduce(Deadline::or)
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    pub(super) fn tell(&mut self, event: AuthEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

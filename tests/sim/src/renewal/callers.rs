//! Who wants tokens: callers with and without patience, readers, and those who report refusals, late ones too.

use std::time::Duration;

use auth_core::Demand;
use auth_core::renewal::Input;

use super::world::{Event, Twin, Waits, World, caller};
use crate::clock::{At, HOUR, MILLI, MINUTE, SECOND};

impl World {
    /// Callers come, one or a burst of them, and the next are arranged for.
    pub(crate) fn call(&mut self, process: usize, once: bool) {
        let (at, calm) = (self.clocks.at, self.plan.calm);
        let next = if at > calm {
            // In the end somebody asks all the time, to see that everything works again.
            at + self.calling.between(SECOND, MINUTE)
        } else {
            let mean = self.plan.span / self.plan.calls;
            // A few in a row, then a long silence.
            let gap = match self.calling.below(4) {
                0 => self.calling.spread(MILLI, SECOND),
                1 => self.calling.spread(SECOND, MINUTE.min(mean)),
                _ => self.calling.between(mean / 2, 2 * mean),
            };
            // In the end nobody stays away.
            (at + gap).min(calm.max(at) + SECOND)
        };
        if !once {
            self.schedule(next, Event::Call { process, once });
        }
        if !self.processes[process].is_open() {
            return;
        }
        let burst = match self.calling.below(30) {
            0 => self.calling.between(5, 25),
            1..=4 => self.calling.between(2, 4),
            _ => 1,
        };
        for _ in 0..burst {
            if !self.processes[process].is_open() || self.violation.is_some() {
                return;
            }
            self.come(process);
        }
    }

    fn come(&mut self, process: usize) {
        let (rejections, newer_wanted, calm) = (self.plan.rejections, self.plan.newer, self.plan.calm);
        // Drawn in any case, so that whether somebody was served does not change what others do.
        let (instead, newer) = (self.calling.per_mille(rejections / 3), self.calling.per_mille(newer_wanted));
        let back = self.calling.pick([0, 0, 0, 1, 2]);
        let newest = self.processes[process].known.served.back().map(|(number, _)| *number);
        let demand = match newest.filter(|_| self.clocks.at < calm) {
            Some(newest) if instead => Demand::InsteadOf(self.generation(newest.saturating_sub(back))),
            Some(newest) if newer => Demand::NewerThan(self.generation(newest.saturating_sub(back))),
            Some(_) | None => Demand::Current,
        };
        let patience = self.calling.pick([
            None,
            None,
            None,
            Some(0),
            Some(10),
            Some(1_000),
            Some(5_000),
            Some(30_000),
            Some(120_000),
        ]);
        let patience = patience.map(Duration::from_millis);
        let leaves = self
            .calling
            .per_mille(if self.plan.crash_step.is_some() { 0 } else { 100 })
            .then(|| self.calling.spread(MILLI, 20 * SECOND));
        let refuses = self.calling.per_mille(rejections).then(|| self.calling.spread(MILLI, 10 * SECOND));
        let late = self.calling.per_mille(rejections / 12);
        let number = self.demand(process, demand, patience);
        if self.twin == Twin::Crowded {
            let crowd: Vec<_> = (0..5).map(|_| self.demand(process, Demand::Current, None)).collect();
            for ghost in crowd.into_iter().chain([number]) {
                self.withdraw(process, self.processes[process].incarnation, ghost);
            }
            return;
        }
        let incarnation = self.processes[process].incarnation;
        if let Some(leaves) = leaves {
            self.schedule(self.clocks.at + leaves, Event::Withdraw { process, incarnation, caller: number });
        }
        let Some(generation) = self.processes[process].known.served.back().map(|(number, _)| *number) else {
            return;
        };
        if let (Some(after), true) = (refuses, self.clocks.at < calm) {
            self.refusals(process, generation, after, late);
        }
    }

    /// Somebody was refused; sometimes twenty were, and some find out much later.
    fn refusals(&mut self, process: usize, generation: u64, after: At, late: bool) {
        let incarnation = self.processes[process].incarnation;
        let at = (self.clocks.at + after).min(self.plan.calm);
        self.schedule(at, Event::Refuse { process, incarnation, generation });
        if late {
            for _ in 0..20 {
                let later = (at + self.calling.spread(SECOND, HOUR)).min(self.plan.calm);
                self.schedule(later, Event::Refuse { process, incarnation, generation });
            }
        }
    }

    /// One caller demands a token: its number.
    fn demand(&mut self, process: usize, demand: Demand, patience: Option<Duration>) -> u64 {
        let (since, since_at) = (self.clocks.now(process), self.clocks.at);
        let explains = self.plan.explains();
        let state = &mut self.processes[process];
        let number = state.next_caller;
        state.next_caller += 1;
        state.waiting.insert(number, Waits { demand, since, patience, since_at });
        state.known.attend(since, explains);
        if self.plan.single_use() {
            state.known.demands.push_back(since_at);
        }
        if let Demand::InsteadOf(generation) = demand {
            let generation = self.number(generation);
            self.mark_refused(process, generation);
        }
        if demand != Demand::Current {
            self.processes[process].known.disturbed = true;
        }
        self.coverage.saw(match demand {
            Demand::Current => "caller: any token",
            Demand::NewerThan(_) => "caller: a newer token",
            Demand::InsteadOf(_) => "caller: a token instead of a refused one",
        });
        self.apply(process, Input::Demanded { caller: caller(number), demand, patience });
        number
    }

    pub(crate) fn withdraw(&mut self, process: usize, incarnation: u32, number: u64) {
        let state = &mut self.processes[process];
        if state.incarnation == incarnation && state.waiting.remove(&number).is_some() {
            self.coverage.saw("caller: withdrew");
            let now = self.clocks.now(process);
            self.processes[process].known.attend(now, self.plan.explains());
            self.apply(process, Input::Withdrawn { caller: caller(number) });
        }
    }

    pub(crate) fn refuse(&mut self, process: usize, generation: u64) {
        if !self.processes[process].is_open() {
            return;
        }
        let state = &self.processes[process].known;
        self.coverage.saw(if generation < state.newest || state.refused_generations.contains(&generation) {
            "caller: late refusal"
        } else {
            "caller: refusal"
        });
        let generation = self.generation(generation);
        self.apply(process, Input::Rejected { generation });
    }

    /// A reader serves itself, if it may.
    pub(crate) fn read(&mut self, process: usize) {
        let mean = self.plan.span / self.plan.calls;
        let next = self.clocks.at + self.calling.between(1, 2 * mean);
        self.schedule(next, Event::Read { process });
        let state = &self.processes[process];
        if !state.is_open() {
            return;
        }
        let now = self.clocks.now(process);
        let Some(credential) = state.machine().and_then(|machine| machine.current()) else { return };
        if !credential.serves(now) {
            return;
        }
        let (text, due) = (credential.secret().expose().to_owned(), credential.due(now));
        self.coverage.saw(if due { "reader: served, renewal due" } else { "reader: served" });
        self.check_token(process, now, &text, "a reader");
        self.in_use(process, now);
        self.apply(process, Input::Used);
    }
}

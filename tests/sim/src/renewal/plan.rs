//! What kind of world a seed makes: who fetches, from what endpoint, over what store, and what goes wrong.

use std::time::Duration;

use auth_core::renewal::{Policy, Refresh};

use crate::chance::Chance;
use crate::clock::{At, DAY, HOUR, MILLI, MINUTE, SECOND};

/// The kinds of worlds. A seed picks one by its remainder, so that each has its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Client credentials, sometimes with a store.
    ClientCredentials,
    /// Rotating refresh tokens, kept in memory only.
    Rotating,
    /// Rotating refresh tokens in a store that several processes share.
    Peers,
    /// Tokens that serve once.
    SingleUse,
    /// The endpoint is away for hours.
    Outage,
    /// The wall clock is set and the host sleeps.
    Clocks,
    /// The store fails, and processes crash.
    StoreChaos,
    /// Tokens are refused all the time, and old refusals arrive late.
    Rejections,
    /// One crash at one step, or one lost answer for each rotation: no session may be lost.
    Grace,
    /// Run twice, once with a crowd of callers that leave at once: the endpoint must see the same.
    Twins,
}

impl Profile {
    pub(crate) const ALL: [Self; 10] = [
        Self::ClientCredentials,
        Self::Rotating,
        Self::Peers,
        Self::SingleUse,
        Self::Outage,
        Self::Clocks,
        Self::StoreChaos,
        Self::Rejections,
        Self::Grace,
        Self::Twins,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "profile: client credentials",
            Self::Rotating => "profile: rotating, no store",
            Self::Peers => "profile: rotating, store and peers",
            Self::SingleUse => "profile: single use",
            Self::Outage => "profile: outage",
            Self::Clocks => "profile: clock chaos",
            Self::StoreChaos => "profile: store chaos",
            Self::Rejections => "profile: rejection storm",
            Self::Grace => "profile: one crash or lost answers",
            Self::Twins => "profile: twins",
        }
    }
}

/// How often, of a thousand requests, each thing goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost_before: u64,
    pub(crate) lost_after: u64,
    pub(crate) slow: u64,
    pub(crate) too_many: u64,
    pub(crate) failed: u64,
    pub(crate) malformed: u64,
    pub(crate) invalid_grant: u64,
    pub(crate) invalid_client: u64,
    pub(crate) same_again: u64,
    /// Lifetimes that are zero, missing or huge.
    pub(crate) odd_life: u64,
}

/// How often, of a thousand operations, the store fails.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StoreFaults {
    pub(crate) failed: u64,
    /// Of what fails, how much took effect all the same.
    pub(crate) effective: u64,
    pub(crate) slow: u64,
    pub(crate) crash: u64,
}

/// Everything that a seed decides before its world begins.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) span: At,
    /// From here on nothing goes wrong any more.
    pub(crate) calm: At,
    pub(crate) processes: usize,
    pub(crate) refresh: Refresh,
    pub(crate) store: bool,
    pub(crate) rotates: bool,
    pub(crate) grace: Option<At>,
    pub(crate) life: At,
    pub(crate) jwt: bool,
    pub(crate) server_time: bool,
    pub(crate) server_offset: i64,
    pub(crate) faults: Faults,
    pub(crate) store_faults: StoreFaults,
    /// How long the driver waits for an answer; `None` leaves it to the machine.
    pub(crate) timeout: Option<At>,
    pub(crate) outages: Vec<(At, At)>,
    pub(crate) suspends: u64,
    pub(crate) steps: u64,
    pub(crate) shut_downs: u64,
    pub(crate) calls: u64,
    /// Of a thousand calls, how many refuse what they were served.
    pub(crate) rejections: u64,
    pub(crate) newer: u64,
    pub(crate) keep_warm: bool,
    /// Settings of the machines.
    lead: Duration,
    longest: Duration,
    pub(crate) flight: Duration,
    pub(crate) spacing: Duration,
    attempts: u32,
    on_demand: bool,
    pub(crate) late_replay: bool,
    /// The driver's heartbeat, which most worlds skip where nothing can have happened.
    pub(crate) heartbeat: bool,
    /// The step at which a process crashes, in worlds that crash once.
    pub(crate) crash_step: Option<u64>,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed, 0);
        let profile = Profile::ALL[(seed % Profile::ALL.len() as u64) as usize];
        let life = SECOND
            * chance
                .pick([1, 2, 5, 20, 60, 300, 600, 900, 1_800, 3_600, 3_600, 7_200, 28_800, 86_400, 604_800]);
        let span = chance.between(2 * HOUR, 8 * HOUR).max(life.saturating_mul(6)).min(3 * DAY);
        let mut plan = Self {
            profile,
            span,
            calm: span - 20 * MINUTE,
            processes: 1,
            refresh: Refresh::Never,
            store: false,
            rotates: false,
            grace: None,
            life,
            // Its end has whole seconds: of a life of a few, nothing may be left.
            jwt: life >= 20 * SECOND && chance.per_mille(250),
            server_time: chance.per_mille(600),
            server_offset: chance.pick([0, 0, 1_500, -1_500, 60_000, -60_000, 300_000, -300_000]),
            faults: Faults::of(&mut chance),
            store_faults: StoreFaults::default(),
            timeout: chance.pick([None, Some(5 * SECOND), Some(10 * SECOND)]),
            outages: Vec::new(),
            suspends: 0,
            steps: 0,
            shut_downs: 0,
            calls: chance.between(20, 60),
            rejections: chance.pick([0, 0, 20, 100]),
            newer: chance.pick([0, 0, 30]),
            keep_warm: life >= 5 * MINUTE && chance.per_mille(250),
            late_replay: chance.per_mille(800),
            heartbeat: chance.per_mille(10),
            crash_step: None,
            lead: Duration::from_secs(chance.pick([120, 120, 0, 20, 900])),
            longest: Duration::from_secs(chance.pick([86_400, 86_400, 86_400, 3_600, 600])),
            flight: Duration::from_secs(chance.pick([30, 30, 30, 10, 120])),
            spacing: Duration::from_secs(chance.pick([1, 1, 1, 5])),
            attempts: chance.pick([3, 3, 3, 1, 5]),
            on_demand: chance.per_mille(300),
        };
        plan.specialise(&mut chance);
        if plan.heartbeat || plan.keep_warm {
            // These are busy although nobody comes.
            plan.span = plan.span.min(10 * HOUR);
            plan.calm = plan.span - 20 * MINUTE;
        }
        plan
    }

    fn specialise(&mut self, chance: &mut Chance) {
        match self.profile {
            Profile::ClientCredentials => {
                self.store = chance.per_mille(300);
                self.processes = chance.pick([1, 1, 2, 3]);
            }
            Profile::Rotating => self.rotating(chance),
            Profile::Peers => {
                self.rotating(chance);
                self.share(chance, 4);
            }
            Profile::SingleUse => {
                self.jwt = false;
                self.keep_warm = false;
                self.faults.same_again = 0;
            }
            Profile::Outage => {
                self.any_grant(chance);
                for _ in 0..chance.between(1, 3) {
                    let from = chance.between(MINUTE, self.calm - MINUTE);
                    let until = from + chance.spread(MINUTE, 4 * HOUR);
                    self.outages.push((from, until.min(self.calm)));
                }
            }
            Profile::Clocks => {
                self.any_grant(chance);
                self.suspends = chance.between(1, 8);
                self.steps = chance.between(0, 6);
            }
            Profile::StoreChaos => {
                self.any_grant(chance);
                self.share(chance, 3);
                let much = chance.pick([5, 30, 120]);
                self.store_faults =
                    StoreFaults { failed: much, effective: 500, slow: 50, crash: chance.pick([0, 5, 20]) };
                self.shut_downs = chance.between(0, 4);
            }
            Profile::Rejections => {
                self.any_grant(chance);
                self.rejections = chance.pick([300, 600, 900]);
                self.newer = 100;
                self.calls *= 2;
            }
            Profile::Grace => self.graceful(chance),
            Profile::Twins => {
                self.any_grant(chance);
                self.processes = 1;
                self.life = self.life.max(5 * MINUTE);
                self.keep_warm = true;
                self.rejections = 0;
                self.newer = 0;
                self.calls = 150;
            }
        }
        // Outside of the worlds that say more, a shared host still sleeps now and then.
        if self.suspends == 0
            && !matches!(self.profile, Profile::Twins | Profile::Grace)
            && chance.per_mille(200)
        {
            self.suspends = 1;
        }
    }

    fn rotating(&mut self, chance: &mut Chance) {
        self.refresh = chance.pick([Refresh::Only, Refresh::Only, Refresh::Preferred]);
        self.rotates = chance.per_mille(850);
        self.grace = chance.pick([None, Some(10 * SECOND), Some(30 * SECOND), Some(MINUTE)]);
    }

    fn share(&mut self, chance: &mut Chance, most: u64) {
        self.store = true;
        self.processes = chance.between(1, most) as usize;
        self.calls = self.calls / self.processes as u64 + 10;
        self.store_faults.slow = 20;
    }

    fn any_grant(&mut self, chance: &mut Chance) {
        if chance.per_mille(600) {
            self.rotating(chance);
            if chance.per_mille(600) {
                self.share(chance, 2);
            }
        }
    }

    /// A server with a window of grace, and so little harm that it must be enough.
    fn graceful(&mut self, chance: &mut Chance) {
        self.rotating(chance);
        self.refresh = Refresh::Only;
        self.rotates = true;
        self.grace = Some(30 * SECOND);
        self.faults = Faults::default();
        self.late_replay = true;
        (self.flight, self.attempts) = (Duration::from_secs(30), 3);
        self.timeout = Some(2 * SECOND);
        // Each life ends, so that somebody has to refresh within the run.
        self.life = self.life.min(HOUR);
        if chance.per_mille(700) {
            self.share(chance, 2);
            self.store_faults.slow = 0;
            self.crash_step = Some(chance.between(1, 60));
        } else {
            // Each first answer of a flight is lost: `Endpoint` sees to it.
            self.faults.lost_after = 1_000;
        }
    }

    /// The settings of the machines.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::new()
            .with_lead(self.lead)
            .with_longest_lifetime(self.longest)
            .with_flight(self.flight)
            .with_spacing(self.spacing)
            .with_attempts(self.attempts);
        if self.keep_warm {
            policy = policy.with_keep_warm();
        }
        if !self.late_replay {
            policy = policy.without_late_replay();
        }
        match (self.single_use(), self.on_demand) {
            (true, true) => policy.single_use_on_demand(),
            (true, false) => policy.single_use(),
            (false, _) => policy,
        }
    }

    /// The longest lifetime that a machine may believe.
    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }

    /// How long after a wish a request may still be explained by it: a flight, and the wait before it.
    pub(crate) fn explains(&self) -> Duration {
        self.flight + self.spacing + Duration::from_secs(1)
    }

    pub(crate) fn single_use(&self) -> bool {
        self.profile == Profile::SingleUse
    }

    /// Whether the endpoint can't be reached.
    pub(crate) fn away(&self, at: At) -> bool {
        self.outages.iter().any(|(from, until)| (*from..*until).contains(&at))
    }

    /// How long a healthy request takes on its way to the server.
    pub(crate) fn latency(chance: &mut Chance) -> At {
        chance.spread(MILLI, 400 * MILLI)
    }
}

impl Faults {
    fn of(chance: &mut Chance) -> Self {
        let much = chance.pick([0, 2, 10, 40]);
        Self {
            lost_before: much,
            lost_after: much,
            slow: much,
            too_many: much,
            failed: much,
            malformed: much / 2,
            invalid_grant: much / 20,
            invalid_client: much / 4,
            same_again: much / 2,
            odd_life: chance.pick([0, 20, 150]),
        }
    }
}

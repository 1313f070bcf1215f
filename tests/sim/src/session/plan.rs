//! What kind of world a seed makes: which service, which settings, which lifetimes, and what goes wrong.

use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::Backoff;
use ws_session::dialect::{CredentialUse, Dialect, Ping, Renewal, RenewalTime};
use ws_session::machine::Config;

use super::dialects::Kind;
use crate::chance::Chance;
use crate::clock::{At, DAY, HOUR, MILLI, MINUTE, SECOND};

/// Everything that a seed decides before its world begins. Shares are of a thousand.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) settings: Settings,
    pub(crate) source: SourcePlan,
    pub(crate) server: ServerPlan,
    pub(crate) network: NetworkPlan,
    pub(crate) chaos: ChaosPlan,
    pub(crate) span: At,
    /// From here on nothing goes wrong any more.
    pub(crate) calm: At,
    /// Nothing goes wrong at all.
    pub(crate) quiet: bool,
    /// Messages of the user, and as many of the server.
    pub(crate) messages: u64,
    pub(crate) closes: Option<At>,
    /// How wrong the wall clock goes, in millionths.
    pub(crate) drift: i64,
}

/// The settings of the session, as numbers that can be checked against.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) fetch: Duration,
    pub(crate) open: Duration,
    pub(crate) answer: Option<Duration>,
    pub(crate) close: Duration,
    pub(crate) stable: Duration,
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    pub(crate) suspended_after: Duration,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) ping_frames: bool,
    pub(crate) overlap: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct SourcePlan {
    /// How long a token lives; for ever, if nobody knows an end.
    pub(crate) life: Option<At>,
    /// Whether the source says how long.
    pub(crate) tells: bool,
    /// Whether it says when to come again.
    pub(crate) advises: bool,
    /// Whether its tokens are numbered.
    pub(crate) numbered: bool,
    /// Whether it keeps a token for the next caller.
    pub(crate) caches: bool,
    pub(crate) slowest: At,
    pub(crate) away: u64,
    pub(crate) limited: u64,
    pub(crate) hangs: u64,
    pub(crate) fatal: u64,
    /// Hands out a token that is about to end, or has ended.
    pub(crate) late: u64,
    /// Hands out a token that it handed out before.
    pub(crate) same: u64,
    pub(crate) outages: Vec<(At, At)>,
}

#[derive(Debug, Clone)]
pub(crate) struct ServerPlan {
    pub(crate) slowest: At,
    /// Never reaches a verdict.
    pub(crate) silent: u64,
    /// Accepts, and closes soon after.
    pub(crate) fickle: u64,
    /// Refuses a token that is good.
    pub(crate) refuses: u64,
    /// Answers an upgrade with a status.
    pub(crate) status: u64,
    /// Of the statuses and close codes, how many are final.
    pub(crate) fatal: u64,
    /// The most that it grants a credential, if it is less than its life.
    pub(crate) grants: Option<At>,
    /// Says so of each credential, in milliseconds, however long it grants.
    pub(crate) understates: Option<u64>,
    /// Asks for a fresh credential, where it may ask, this often and for ever.
    pub(crate) nags: Option<At>,
    pub(crate) ask_before: At,
    pub(crate) grace: At,
    pub(crate) patience: At,
    pub(crate) outages: Vec<(At, At)>,
}

#[derive(Debug, Clone)]
pub(crate) struct NetworkPlan {
    pub(crate) slowest: At,
    pub(crate) refused: u64,
    pub(crate) black_hole: u64,
    pub(crate) garbage: u64,
    /// Late news of connections that are no more.
    pub(crate) stale: u64,
}

/// How often each thing happens on the whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChaosPlan {
    pub(crate) revocations: u64,
    pub(crate) restarts: u64,
    pub(crate) closes: u64,
    pub(crate) resets: u64,
    pub(crate) half_open: u64,
    pub(crate) suspends: u64,
    pub(crate) steps: u64,
    pub(crate) network_changes: u64,
    pub(crate) renews: u64,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed, 0);
        let kind = Kind::ALL[(seed % Kind::ALL.len() as u64) as usize];
        let dialect = Arc::new(kind.dialect());
        let quiet = chance.per_mille(80);
        let span = chance.between(40 * MINUTE, 3 * HOUR);
        let calm = span - 20 * MINUTE;
        // A quarter of the worlds is very rough, and one has no faults but those of the chaos.
        let rough = chance.pick([0, 5, 30, 120]);
        let mut plan = Self {
            kind,
            settings: Settings::of(&mut chance),
            source: SourcePlan::of(&mut chance, rough, calm),
            server: ServerPlan::of(&mut chance, rough, calm),
            network: NetworkPlan {
                slowest: chance.pick([20 * MILLI, 200 * MILLI, 200 * MILLI, 1_500 * MILLI]),
                refused: rough,
                black_hole: rough / 3,
                garbage: rough / 60,
                stale: chance.pick([0, 300, 900]),
            },
            chaos: ChaosPlan::of(&mut chance),
            span,
            calm,
            quiet,
            messages: chance.between(10, 120),
            closes: chance.per_mille(250).then(|| chance.between(0, span)),
            drift: chance.pick([0, 0, 0, 200, -200]),
            dialect,
        };
        plan.settle(&mut chance);
        if quiet {
            plan.hush();
        }
        plan
    }

    /// What does not go together.
    fn settle(&mut self, chance: &mut Chance) {
        if self.is_once() {
            // A source of tokens that serve once keeps none.
            self.source.caches = false;
        }
        if self.kind == Kind::OwnPing && chance.per_mille(600) {
            self.server.grants = Some(chance.between(MINUTE, 20 * MINUTE));
        }
        if self.renews_at_expiry() {
            // Such a service allows a grace, and the client counts on one that is long enough.
            self.server.grace = 3 * MINUTE;
        }
        if self.kind == Kind::OwnPing && chance.per_mille(300) {
            self.server.understates = Some(chance.pick([0, 1, 200, 2_000, 5_000]));
        }
        if self.kind.wish().is_some() && chance.per_mille(400) {
            self.server.nags = Some(chance.pick([SECOND, SECOND, 3 * SECOND, 20 * SECOND]));
        }
    }

    /// Nothing goes wrong: then nothing may be lost.
    fn hush(&mut self) {
        let life = self.source.life.map(|life| life.max(10 * MINUTE));
        self.source = SourcePlan {
            life,
            tells: true,
            slowest: self.source.slowest.min(2 * SECOND),
            away: 0,
            limited: 0,
            hangs: 0,
            fatal: 0,
            late: 0,
            same: 0,
            outages: Vec::new(),
            ..self.source.clone()
        };
        self.server = ServerPlan {
            slowest: self.server.slowest.min(2 * SECOND),
            silent: 0,
            fickle: 0,
            refuses: 0,
            status: 0,
            understates: None,
            nags: None,
            outages: Vec::new(),
            ..self.server.clone()
        };
        self.network =
            NetworkPlan { refused: 0, black_hole: 0, garbage: 0, stale: 0, ..self.network.clone() };
        if matches!(self.dialect.renewal, Renewal::Never) {
            // Its server ends what nobody renews.
            self.source.life = None;
        }
        self.chaos = ChaosPlan { renews: self.chaos.renews, ..ChaosPlan::default() };
        self.drift = 0;
    }

    pub(crate) fn is_once(&self) -> bool {
        self.dialect.credential_use == CredentialUse::Once
    }

    fn renews_at_expiry(&self) -> bool {
        matches!(
            self.dialect.renewal,
            Renewal::InBand { when: RenewalTime::AtExpiry, .. }
                | Renewal::Reconnect { when: RenewalTime::AtExpiry, .. }
        )
    }

    /// Whether a silent connection is asked whether it lives.
    pub(crate) fn asks(&self) -> bool {
        match self.dialect.ping {
            Ping::Frame => self.settings.ping_frames,
            Ping::Message(_) => true,
            _ => false,
        }
    }

    /// Whether a fresh credential reaches a connection by another one.
    pub(crate) fn makes_others(&self) -> bool {
        !matches!(self.dialect.renewal, Renewal::InBand { .. })
    }
}

impl Settings {
    fn of(chance: &mut Chance) -> Self {
        let seconds = Duration::from_secs;
        Self {
            fetch: seconds(chance.pick([90, 90, 20, 40])),
            open: seconds(chance.pick([30, 30, 10])),
            answer: chance.pick([None, None, Some(5), Some(20)]).map(seconds),
            close: seconds(chance.pick([5, 5, 2])),
            stable: seconds(chance.pick([30, 30, 5, 120])),
            base: Duration::from_millis(chance.pick([500, 500, 100, 2_000])),
            cap: seconds(chance.pick([30, 30, 10, 60])),
            suspended_after: seconds(chance.pick([120, 120, 30, 600])),
            keep_alive: chance.pick([Some(25), Some(25), Some(10), Some(60), None]).map(seconds),
            ping_frames: chance.per_mille(850),
            overlap: chance.per_mille(750),
        }
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new()
            .with_fetch_timeout(self.fetch)
            .with_open_timeout(self.open)
            .with_close_timeout(self.close)
            .with_stable_after(self.stable)
            .with_backoff(Backoff::new(self.base, self.cap))
            .with_suspended_after(self.suspended_after)
            .with_keep_alive(self.keep_alive);
        if let Some(answer) = self.answer {
            config = config.with_answer_timeout(answer);
        }
        if !self.ping_frames {
            config = config.without_ping_frames();
        }
        if !self.overlap {
            config = config.without_overlap();
        }
        config
    }

    pub(crate) fn floor(&self) -> Duration {
        self.base / 10
    }

    /// The longest that a wait may become after so many failures.
    pub(crate) fn longest(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

impl SourcePlan {
    fn of(chance: &mut Chance, rough: u64, calm: At) -> Self {
        let life = chance.pick([
            None,
            Some(3 * SECOND),
            Some(20 * SECOND),
            Some(MINUTE),
            Some(5 * MINUTE),
            Some(10 * MINUTE),
            Some(30 * MINUTE),
            Some(HOUR),
            Some(DAY),
            Some(40 * DAY),
        ]);
        Self {
            life,
            tells: chance.per_mille(850),
            advises: chance.per_mille(600),
            numbered: chance.per_mille(700),
            caches: chance.per_mille(600),
            slowest: chance.pick([50 * MILLI, 500 * MILLI, 4 * SECOND]),
            away: rough,
            limited: rough / 3,
            hangs: rough / 6,
            fatal: chance.pick([0, 0, 0, 0, 0, rough / 4]),
            late: chance.pick([0, rough, 200]),
            same: chance.pick([0, 0, rough]),
            outages: outages(chance, calm),
        }
    }
}

impl ServerPlan {
    fn of(chance: &mut Chance, rough: u64, calm: At) -> Self {
        Self {
            slowest: chance.pick([10 * MILLI, 300 * MILLI, 300 * MILLI, 4 * SECOND]),
            silent: rough / 4,
            fickle: chance.pick([0, rough, 300]),
            refuses: chance.pick([0, rough / 4, rough]),
            status: rough,
            fatal: chance.pick([0, 0, 0, 0, 0, 0, 60]),
            grants: None,
            understates: None,
            nags: None,
            ask_before: chance.pick([30 * SECOND, 5 * SECOND, 2 * MINUTE]),
            grace: chance.pick([0, 5 * SECOND, 30 * SECOND]),
            patience: chance.pick([10 * SECOND, 30 * SECOND]),
            outages: outages(chance, calm),
        }
    }
}

impl ChaosPlan {
    fn of(chance: &mut Chance) -> Self {
        let mut some = |most: u64| if chance.per_mille(400) { chance.between(1, most) } else { 0 };
        Self {
            revocations: some(4),
            restarts: some(3),
            closes: some(8),
            resets: some(6),
            half_open: some(4),
            suspends: some(4),
            steps: some(4),
            network_changes: some(6),
            renews: some(6),
        }
    }
}

/// Now and then something is away for a while.
fn outages(chance: &mut Chance, calm: At) -> Vec<(At, At)> {
    let count = if chance.per_mille(250) { chance.between(1, 3) } else { 0 };
    let mut outage = || {
        let from = chance.between(0, calm);
        (from, (from + chance.spread(10 * SECOND, 40 * MINUTE)).min(calm))
    };
    (0..count).map(|_| outage()).collect()
}

pub(crate) fn is_away(outages: &[(At, At)], at: At) -> bool {
    outages.iter().any(|(from, until)| (*from..*until).contains(&at))
}

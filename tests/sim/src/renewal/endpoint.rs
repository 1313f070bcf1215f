//! The token endpoint: rotating refresh tokens, detection of their reuse, and a window in which a replay is forgiven.

use std::collections::HashMap;
use std::time::Duration;

use auth_core::oauth::{ErrorResponse, TokenResponse};
use auth_core::renewal::Refresh;
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Retry, Secret};

use super::jwt;
use super::plan::Plan;
use crate::chance::Chance;
use crate::clock::{At, Clocks, MILLI, SECOND, duration};
use crate::trace::MARKER;

/// What becomes of one request; decided when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    /// The connection was never made: nothing took effect, and the client knows.
    Unreachable,
    /// The request was lost on its way; the client can't tell.
    LostBefore,
    /// The answer was lost on its way.
    LostAfter,
    /// 429, with the seconds of `Retry-After`.
    TooMany(Option<u64>),
    /// 503 from something in front of the server.
    Unavailable,
    /// A 5xx from something that may have asked the server.
    Failed {
        effective: bool,
    },
    /// The server did what it was asked, and a proxy made a page of HTML of the answer.
    Malformed,
    /// The session was ended at the server.
    Ended,
    /// Somebody broke the client's secret.
    InvalidClient,
    /// The access token that was issued before, once more.
    SameAgain,
}

/// An access token, as the server remembers it.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    /// When the request was sent to which this was first the answer.
    pub(crate) first_sent: At,
    /// When the one was sent to which it was last the answer.
    pub(crate) sent: At,
    /// When the server stops to accept it; only what it told counts.
    pub(crate) end: Option<At>,
    /// The lifetime that it told; the longest that is believed where it told none.
    pub(crate) life: Duration,
    /// The end that stands in the token itself, by the server's clock, where it told the time.
    pub(crate) own_end: Option<At>,
    /// What clients were told of it: when that began by the wall clock of the sender, in milliseconds, and how long it was to
    /// last.
    pub(crate) told: Vec<(u64, Duration)>,
}

#[derive(Debug, Clone)]
struct Spent {
    at: At,
    request: usize,
    successor: String,
    access: String,
}

#[derive(Debug)]
struct Grant {
    family: usize,
    spent: Option<Spent>,
}

/// What the server remembers.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    /// Whether each session has ended, and why.
    pub(crate) ended: Vec<Option<Ended>>,
    grants: HashMap<String, Grant>,
    issued: HashMap<String, Issued>,
    latest: Option<String>,
    serial: u64,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The server's own decision.
    Revoked,
    /// A spent refresh token came again; the answer to this request had replaced it.
    Reused { spent_by: usize },
}

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) number: usize,
    pub(crate) refresh_token: Option<&'a str>,
    pub(crate) sent: At,
    pub(crate) fate: Fate,
}

impl Fate {
    /// What becomes of request `number`, as far as the seed decides it alone.
    pub(crate) fn of(plan: &Plan, seed: u64, number: usize, first: bool, at: At) -> (Self, At, At) {
        let mut chance = Chance::of(seed, 1_000 + number as u64);
        let (there, mut back) = (Plan::latency(&mut chance), Plan::latency(&mut chance));
        if at >= plan.calm {
            return (Self::Fine, there, back);
        }
        if plan.away(at) {
            let fate = chance.pick([Self::Unreachable, Self::LostBefore, Self::Unavailable]);
            return (fate, there, back + if fate == Self::LostBefore { 5 * SECOND } else { 0 });
        }
        let faults = &plan.faults;
        if chance.per_mille(faults.slow) {
            back += chance.pick([chance.clone().spread(SECOND, 40 * SECOND), 25 * SECOND, 35 * SECOND]);
        }
        let mut left = chance.below(1_000);
        let mut falls = |share: u64| {
            let within = left < share;
            left = left.saturating_sub(share);
            within
        };
        let fate = if falls(faults.lost_after) {
            if first || faults.lost_after < 1_000 { Self::LostAfter } else { Self::Fine }
        } else if falls(faults.lost_before) {
            chance.pick([Self::LostBefore, Self::Unreachable])
        } else if falls(faults.too_many) {
            Self::TooMany(chance.pick([
                None,
                Some(0),
                Some(2),
                Some(20),
                Some(120),
                Some(900),
                Some(u64::MAX),
            ]))
        } else if falls(faults.failed) {
            chance.pick([
                Self::Unavailable,
                Self::Failed { effective: false },
                Self::Failed { effective: true },
            ])
        } else if falls(faults.malformed) {
            Self::Malformed
        } else if falls(faults.invalid_grant) {
            Self::Ended
        } else if falls(faults.invalid_client) {
            Self::InvalidClient
        } else if falls(faults.same_again) {
            Self::SameAgain
        } else {
            Self::Fine
        };
        if matches!(fate, Self::LostBefore | Self::LostAfter) {
            back += chance.pick([0, 100 * MILLI, SECOND, 4 * SECOND]);
        }
        (fate, there, back)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fine => "request: answered",
            Self::Unreachable => "request: not sent",
            Self::LostBefore => "request: lost before it took effect",
            Self::LostAfter => "request: answer lost after it took effect",
            Self::TooMany(None) => "request: 429",
            Self::TooMany(Some(_)) => "request: 429 with Retry-After",
            Self::Unavailable => "request: 503",
            Self::Failed { effective: false } => "request: 500 without effect",
            Self::Failed { effective: true } => "request: 500 after it took effect",
            Self::Malformed => "request: malformed answer",
            Self::Ended => "request: session ended by the server",
            Self::InvalidClient => "request: invalid_client",
            Self::SameAgain => "request: same token again",
        }
    }

    /// Whether the server does what it is asked.
    const fn takes_effect(self) -> bool {
        match self {
            Self::Fine
            | Self::LostAfter
            | Self::Failed { effective: true }
            | Self::Malformed
            | Self::SameAgain => true,
            Self::Unreachable
            | Self::LostBefore
            | Self::TooMany(_)
            | Self::Unavailable
            | Self::Failed { effective: false }
            | Self::Ended
            | Self::InvalidClient => false,
        }
    }

    /// What the client makes of what it sees in place of an answer.
    fn failure(self) -> Option<Error> {
        Some(match self {
            Self::Fine | Self::SameAgain => return None,
            Self::Unreachable => Error::new(ErrorKind::Transport, "no connection").without_effect(),
            Self::LostBefore | Self::LostAfter => Error::new(ErrorKind::Transport, "the connection broke"),
            Self::TooMany(seconds) => {
                let error = Error::new(ErrorKind::RateLimited, "slow down").with_code(429);
                match seconds {
                    Some(seconds) => error.with_retry(Retry::After(Duration::from_secs(seconds))),
                    None => error,
                }
            }
            Self::Unavailable => Error::new(ErrorKind::ServerFailed, "unavailable").with_code(503),
            Self::Failed { .. } => Error::new(ErrorKind::ServerFailed, "failed").with_code(500),
            Self::Malformed => Error::new(ErrorKind::MalformedResponse, "a page of HTML").with_code(200),
            Self::Ended => {
                return ErrorResponse::parse(br#"{"error":"invalid_grant"}"#).map(ErrorResponse::into_error);
            }
            Self::InvalidClient => {
                return ErrorResponse::parse(br#"{"error":"invalid_client"}"#).map(ErrorResponse::into_error);
            }
        })
    }
}

impl Endpoint {
    /// Begins a session, as a person who logs in does: its first refresh token.
    pub(crate) fn log_in(&mut self) -> Secret {
        let family = self.ended.len();
        self.ended.push(None);
        Secret::from(self.grant(family))
    }

    pub(crate) fn issued(&self, access: &str) -> Option<&Issued> {
        self.issued.get(access)
    }

    /// A client was told of this token: from when on its life counts, and how much of it was left.
    pub(crate) fn told(&mut self, access: &str, sent: At, sent_wall: u64, life: Option<Duration>) {
        let Some(issued) = self.issued.get_mut(access) else { return };
        issued.sent = sent;
        issued.life = life.unwrap_or(issued.life);
        issued.told.push((sent_wall, issued.life));
    }

    /// Whether the session of this refresh token goes on, and it is the one to redeem next.
    pub(crate) fn redeemable(&self, refresh_token: &str) -> bool {
        self.grants
            .get(refresh_token)
            .is_some_and(|grant| grant.spent.is_none() && self.ended[grant.family].is_none())
    }

    /// What the client sees of a request that reaches the server at `at`.
    pub(crate) fn answer(
        &mut self,
        plan: &Plan,
        chance: &mut Chance,
        at: At,
        asked: &Asked<'_>,
    ) -> Result<TokenResponse, Error> {
        if asked.fate == Fate::Ended
            && let Some(grant) = asked.refresh_token.and_then(|token| self.grants.get(token))
        {
            self.ended[grant.family].get_or_insert(Ended::Revoked);
        }
        let effect =
            if asked.fate.takes_effect() { Some(self.redeem(plan, chance, at, asked)) } else { None };
        match (asked.fate.failure(), effect) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => Err(Error::new(ErrorKind::ServerFailed, "nothing happened")),
        }
    }

    fn redeem(
        &mut self,
        plan: &Plan,
        chance: &mut Chance,
        at: At,
        asked: &Asked<'_>,
    ) -> Result<TokenResponse, Error> {
        let Some(token) = asked.refresh_token else {
            let refresh = (plan.refresh != Refresh::Never && plan.rotates).then(|| {
                self.ended.push(None);
                self.grant(self.ended.len() - 1)
            });
            return Ok(self.issue(plan, chance, at, asked, refresh));
        };
        let refused =
            || Error::new(ErrorKind::InvalidGrant, "the token endpoint refused the grant (invalid_grant)");
        let Some(grant) = self.grants.get(token) else { return Err(refused()) };
        let family = grant.family;
        if self.ended[family].is_some() {
            return Err(refused());
        }
        match grant.spent.clone() {
            None if !plan.rotates => Ok(self.issue(plan, chance, at, asked, None)),
            None => {
                let successor = self.grant(family);
                let response = self.issue(plan, chance, at, asked, Some(successor.clone()));
                let access = response.access_token.expose().to_owned();
                if let Some(grant) = self.grants.get_mut(token) {
                    grant.spent = Some(Spent { at, request: asked.number, successor, access });
                }
                Ok(response)
            }
            Some(spent) => {
                let unused = self.grants.get(&spent.successor).is_some_and(|grant| grant.spent.is_none());
                if unused && plan.grace.is_some_and(|grace| at - spent.at <= grace) {
                    return Ok(self
                        .again(plan, at, &spent.access)
                        .with_refresh_token(Secret::from(spent.successor)));
                }
                self.ended[family] = Some(Ended::Reused { spent_by: spent.request });
                Err(refused())
            }
        }
    }

    fn grant(&mut self, family: usize) -> String {
        self.serial += 1;
        let text = format!("{MARKER}-refresh-{}", self.serial);
        self.grants.insert(text.clone(), Grant { family, spent: None });
        text
    }

    fn issue(
        &mut self,
        plan: &Plan,
        chance: &mut Chance,
        at: At,
        asked: &Asked<'_>,
        refresh: Option<String>,
    ) -> TokenResponse {
        if asked.fate == Fate::SameAgain
            && let Some(latest) = self.latest.clone()
        {
            let response = self.again(plan, at, &latest);
            return match refresh {
                Some(refresh) => response.with_refresh_token(Secret::from(refresh)),
                None => response,
            };
        }
        self.serial += 1;
        let mut life = Some(duration(plan.life));
        if at < plan.calm && chance.per_mille(plan.faults.odd_life) {
            let odd = [
                Some(Duration::ZERO),
                None,
                Some(Duration::from_secs(u64::MAX)),
                Some(Duration::from_millis(500)),
            ];
            life = chance.pick(odd);
        }
        let clock = Clocks::server(at, plan.server_offset);
        let mut own_end = None;
        let text = if plan.jwt {
            // Sometimes the token ends before the answer says so; the token is right.
            let own = if chance.per_mille(100) { plan.life / 2 } else { plan.life };
            let expires = (clock + own / MILLI) / 1_000;
            own_end = Some(at + (expires * 1_000).saturating_sub(clock) * MILLI);
            jwt::unverified(self.serial, clock / 1_000, expires)
        } else {
            format!("{MARKER}-access-{}", self.serial)
        };
        let stated = life.map(|life| at.saturating_add(crate::clock::length(life)));
        let longest = life.unwrap_or(Duration::from_secs(86_400));
        let issued = Issued {
            first_sent: asked.sent,
            sent: asked.sent,
            end: stated,
            life: longest,
            own_end: own_end.filter(|_| plan.server_time),
            told: Vec::new(),
        };
        self.issued.insert(text.clone(), issued);
        self.latest = Some(text.clone());
        let mut response = TokenResponse::new(Secret::from(text)).with_server_time(self.date(plan, at));
        response.expires_in = life;
        response.refresh_token = refresh.map(Secret::from);
        response
    }

    /// The answer with a token that was issued before: only the rest of its life is left.
    fn again(&self, plan: &Plan, at: At, access: &str) -> TokenResponse {
        let mut response = TokenResponse::new(Secret::from(access)).with_server_time(self.date(plan, at));
        if let Some(end) = self.issued.get(access).and_then(|issued| issued.end) {
            response.expires_in = Some(duration(end.saturating_sub(at)));
        }
        response
    }

    fn date(&self, plan: &Plan, at: At) -> Option<Timestamp> {
        let millis = Clocks::server(at, plan.server_offset);
        plan.server_time.then(|| Timestamp::from_millis(millis / 1_000 * 1_000))
    }
}

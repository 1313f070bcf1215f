//! The refresh token: which one to send, whether it may be sent, and what the store should hold of it.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::time::Duration;

use super::policy::{REPLAY_DELAYS, REPLAY_WINDOW};
use super::record::age;
use super::{Policy, Record, Refresh, StoredToken};
use crate::time::{Deadline, Now, Timestamp};
use crate::{Error, ErrorKind, Retry, Secret};

/// What is known of the refresh token, and of the store's record.
#[derive(Debug)]
pub(super) struct Rotation {
    refresh: Refresh,
    /// The one from the configuration; the store may hold a successor of it.
    configured: Option<Secret>,
    /// The one to send next.
    token: Option<Secret>,
    origin: Option<String>,
    revision: u64,
    /// The access token to be saved beside it, so that other processes need not ask for one.
    access_token: Option<StoredToken>,
    /// Those that were refused, the last at the end; they are never sent again.
    refused: VecDeque<Secret>,
    /// How the last one was refused.
    refusal: Option<Error>,
    doubt: Option<Doubt>,
    /// Whether the store has been read.
    read: bool,
    /// Asking anew was refused: a person must log in, unless the refresh token still serves.
    anew_refused: bool,
    /// There was a record that nobody can read: what is configured is likely older than that.
    unreadable: Option<Error>,
}

/// The refresh token was sent, and what became of that is unknown.
#[derive(Debug)]
struct Doubt {
    /// When it was first sent, for the note on disk.
    since: Timestamp,
    /// Until here the server likely takes it once more.
    window: Deadline,
    replays: usize,
    error: Error,
}

/// What to ask the token endpoint with.
#[derive(Debug)]
pub(super) enum Next {
    Redeem(Secret),
    Anew,
    Blocked(Error),
}

impl Rotation {
    pub(super) fn new(refresh: Refresh, configured: Option<Secret>, stored: bool) -> Self {
        let origin = configured.as_ref().map(Record::origin_of);
        // Where there is a store, only that says whether the configured one has a successor.
        let token = if stored { None } else { configured.clone() };
        Self {
            refresh,
            configured,
            token,
            origin,
            revision: 0,
            access_token: None,
            refused: VecDeque::new(),
            refusal: None,
            doubt: None,
            read: false,
            unreadable: None,
            anew_refused: false,
        }
    }

    /// Whether the grant redeems refresh tokens at all.
    pub(super) fn redeems(&self) -> bool {
        self.refresh != Refresh::Never
    }

    pub(super) const fn refresh(&self) -> Refresh {
        self.refresh
    }

    pub(super) fn configured(&self) -> Option<Secret> {
        self.configured.clone()
    }

    /// A token can't be had without a person, or without the refresh token.
    pub(super) const fn anew_refused(&mut self) {
        self.anew_refused = true;
    }

    /// The store's record can't be read, and a person must look at it.
    pub(super) fn unreadable(&mut self, error: Error) {
        self.unreadable = Some(error);
    }

    /// Takes in what the store holds; the access token, where it is news. A note of an attempt counts under the lock only:
    /// before, the attempt may be under way.
    pub(super) fn read(&mut self, now: Now, record: Option<Record>, locked: bool) -> Option<StoredToken> {
        let first = !self.read;
        self.read = true;
        let Some(record) = record else {
            if first && self.unreadable.is_none() {
                self.token = self.configured.clone();
            }
            return None;
        };
        self.unreadable = None;
        if first && self.configured.is_some() && record.origin != self.origin {
            // Somebody logged in anew, and put the result into the configuration: the record is older than that.
            self.revision = record.revision.saturating_add(1);
            self.token = self.configured.clone();
            return None;
        }
        let news = first || record.revision > self.revision;
        // The same revision with another refresh token, or with none, is the work of a person who logged in or out.
        let edited = record.revision == self.revision && record.refresh_token != self.token;
        if (news || edited) && !self.is_refused(record.refresh_token.as_ref()) {
            self.token = record.refresh_token.clone();
            self.doubt = None;
        }
        if news {
            self.revision = record.revision;
            self.origin = record.origin;
            self.access_token = record.access_token.clone();
        }
        if locked
            && self.doubt.is_none()
            && self.token == record.refresh_token
            && let Some(intent) = record.intent
        {
            self.doubt = Some(Doubt::interrupted(now, intent));
        }
        if news { record.access_token } else { None }
    }

    fn is_refused(&self, token: Option<&Secret>) -> bool {
        token.is_some_and(|token| self.refused.contains(token))
    }

    /// What to ask with. While a token lives, a doubtful refresh token is not risked once its window has passed.
    pub(super) fn next(&self, now: Now, policy: &Policy, token_lives: bool) -> Next {
        let lost = match &self.doubt {
            Some(doubt) if doubt.is_over(now) => Some(doubt),
            Some(_) | None => None,
        };
        let refresh = match self.refresh {
            Refresh::Preferred if self.anew_refused && self.token.is_some() && policy.late_replay => {
                Refresh::Only
            }
            refresh => refresh,
        };
        match (refresh, &self.token, lost) {
            (Refresh::Never, _, _) | (Refresh::Preferred, None, _) | (Refresh::Preferred, Some(_), Some(_)) => {
                Next::Anew
            }
            (_, Some(token), None) => Next::Redeem(token.clone()),
            (Refresh::Only, Some(_), Some(doubt)) if token_lives => Next::Blocked(doubt.error.clone()),
            (Refresh::Only, Some(token), Some(_)) if policy.late_replay => Next::Redeem(token.clone()),
            (Refresh::Only, Some(_), Some(doubt)) => Next::Blocked(
                login("whether the refresh token was redeemed is unknown, since its answer was lost; log in again")
                    .with_source(doubt.error.clone()),
            ),
            (Refresh::Only, None, _) => Next::Blocked(match &self.refusal {
                Some(error) => error.clone(),
                None => self.unreadable.clone().unwrap_or_else(|| login("there is no refresh token; log in, or configure one")),
            }),
        }
    }

    /// The request was answered, whether the access token in the answer is of use or not. Says whether there is another
    /// refresh token now.
    pub(super) fn answered(&mut self, redeemed: bool, successor: Option<Secret>) -> bool {
        self.revision = self.revision.saturating_add(1);
        self.access_token = None;
        self.anew_refused = false;
        // Who redeems none has no use for one, and must not put it in the place of a login's.
        let successor = successor.filter(|_| self.redeems());
        // A token that was obtained without it says nothing about a doubtful one.
        if redeemed || successor.is_some() {
            self.doubt = None;
        }
        match successor {
            Some(successor) => {
                let rotated = self.token.as_ref() != Some(&successor);
                self.token = Some(successor);
                rotated
            }
            None => false,
        }
    }

    pub(super) fn keep(&mut self, access_token: StoredToken) {
        self.access_token = Some(access_token);
    }

    /// The access token was refused, or is for one use: nobody else should have it.
    pub(super) fn forget_access_token(&mut self) {
        self.access_token = None;
    }

    pub(super) fn refused(&mut self, token: Secret, error: Error) {
        if self.token.as_ref() == Some(&token) {
            self.token = None;
        }
        self.doubt = None;
        self.refusal = Some(error);
        if self.refused.len() == MOST_REFUSED {
            self.refused.pop_front();
        }
        self.refused.push_back(token);
    }

    /// The answer was lost. `Some` wait if the token is to be sent again soon.
    pub(super) fn lost(&mut self, now: Now, sent: Now, error: &Error) -> Option<Duration> {
        let doubt = self.doubt.get_or_insert_with(|| Doubt {
            since: sent.wall,
            window: sent.expiry(REPLAY_WINDOW).reset(now),
            replays: 0,
            error: error.clone(),
        });
        doubt.error = error.clone();
        let advice = if let Retry::After(advice) = error.retry() { advice } else { Duration::ZERO };
        let delay = REPLAY_DELAYS.get(doubt.replays);
        doubt.replays += 1;
        let wait = delay?.max(&advice);
        (*wait < doubt.window.remaining(now)).then_some(*wait)
    }

    /// Whether there is a refresh token that the store must not lose.
    pub(super) fn has_token(&self) -> bool {
        self.redeems() && self.token.is_some()
    }

    /// Whether the refresh token is in doubt, and the server likely takes it once more.
    pub(super) fn is_replayable(&self, now: Now) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| !doubt.is_over(now))
    }

    /// The wall clock was set back.
    pub(super) fn clock_set(&mut self, expected: Now, now: Now) {
        if let Some(doubt) = &mut self.doubt {
            doubt.window = doubt.window.moved(expected, now);
        }
    }

    pub(super) const fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// What the store should hold: with a note, before the refresh token is sent; without, once that is settled. A doubt
    /// that is not settled keeps its note, so that nobody sends the token after a restart.
    ///
    /// A refused refresh token stays in the record: the mistake may be in the configuration, and a person mends it.
    pub(super) fn record(&self, intent: Option<Timestamp>) -> Record {
        Record {
            revision: self.revision,
            refresh_token: self.token.as_ref().or_else(|| self.refused.back()).cloned(),
            origin: self.origin.clone(),
            access_token: self.access_token.clone(),
            intent: intent.or_else(|| self.doubt.as_ref().map(|doubt| doubt.since)),
            ..Record::default()
        }
    }
}

impl Doubt {
    /// Whether the token has been sent again as often as it may, or for as long.
    fn is_over(&self, now: Now) -> bool {
        self.replays > REPLAY_DELAYS.len() || self.window.passed(now)
    }

    /// Another process, or this program before it was restarted, was about to send the token.
    fn interrupted(now: Now, since: Timestamp) -> Self {
        Self {
            since,
            window: now.expiry(window_left(now, since)),
            replays: 0,
            error: Error::new(
                ErrorKind::Transport,
                "the last refresh was interrupted, and whether it was answered is unknown; it is tried again when the \
                 token in use has expired",
            ),
        }
    }
}

/// Whether a note of this time is so fresh that an answer that it waits for could still be had.
pub(super) fn is_recent(now: Now, intent: Timestamp) -> bool {
    !window_left(now, intent).is_zero()
}

/// What is left of the window after a note of this time; nothing if nobody knows how old it is.
fn window_left(now: Now, intent: Timestamp) -> Duration {
    age(now, intent).map_or(Duration::ZERO, |age| REPLAY_WINDOW.saturating_sub(age))
}

/// How many refused refresh tokens are remembered: more than a store that others write to as well will bring back.
const MOST_REFUSED: usize = 8;

fn login(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidGrant, message)
}

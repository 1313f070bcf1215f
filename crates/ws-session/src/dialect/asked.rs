//! What the session machine asks of a dialect.

use std::time::Duration;

use serde_json::Value;

use super::{Acceptance, Dialect, Matcher, On, Phase, Renewal, Step, Template, Verdict};

impl Dialect {
    /// Whether the upgrade shows the credential to the server.
    pub(crate) fn presents_in_upgrade(&self) -> bool {
        let is_filled_by_code =
            || self.authenticator.is_some() && self.placement.templates().next().is_some();
        self.placement.has_credential() || is_filled_by_code()
    }

    /// Whether this step of the login shows the credential to the server.
    pub(crate) fn step_presents(&self, index: usize) -> bool {
        self.login.get(index).is_some_and(|Step { send, .. }| self.shows(send))
    }

    /// Whether an upgrade may ask for the session of the connection before.
    pub(crate) fn takes_up_in_upgrade(&self) -> bool {
        self.authenticator.is_some() || self.placement.templates().any(Template::takes_up)
    }

    /// What an authenticator fills in may be made of the credential too.
    fn shows(&self, template: &Template) -> bool {
        template.has_credential() || self.authenticator.is_some()
    }

    /// Whether a message of the live connection may be one of the dialect's, by a test that parses nothing.
    pub(crate) fn may_concern(&self, text: &str, renewing: bool) -> bool {
        if self.authenticator.is_some() {
            return true;
        }
        let may = |matcher: &Matcher| matcher.may_match(text);
        let (asked_by, accepted) = match &self.renewal {
            Renewal::InBand { asked_by, accepted, .. } => (&asked_by[..], &accepted[..]),
            Renewal::Reconnect { asked_by, .. } => (&asked_by[..], &[][..]),
            Renewal::Never => (&[][..], &[][..]),
        };
        let phase = if renewing { Phase::Renewing } else { Phase::Live };
        self.replies.iter().any(|reply| may(&reply.on))
            || self.heartbeats.iter().any(may)
            || asked_by.iter().any(may)
            || (renewing && accepted.iter().any(may))
            || self.rules.iter().any(|rule| match &rule.on {
                On::Message(matcher) => {
                    (rule.phases.is_empty() || rule.phases.contains(&phase)) && may(matcher)
                }
                On::Status(_) | On::Close { .. } | On::Timeout | On::Transport => false,
            })
    }

    /// Whether any message of the live connection may be one of the dialect's.
    pub(crate) fn concerns_any(&self, renewing: bool) -> bool {
        // An escape may stand for anything.
        self.may_concern("\\u", renewing)
    }

    /// Whether a message that is no more answered is the dialect's rather than the user's.
    pub(crate) fn is_of_dialect(&self, message: &Value) -> bool {
        let is = |matcher: &Matcher| matcher.matches(message);
        let asked = match &self.renewal {
            Renewal::InBand { asked_by, accepted, .. } => asked_by.iter().chain(accepted).any(is),
            Renewal::Reconnect { asked_by, .. } => asked_by.iter().any(is),
            Renewal::Never => false,
        };
        asked
            || self.replies.iter().any(|reply| is(&reply.on))
            || self.heartbeats.iter().any(is)
            || self.message_verdict(Phase::Live, Duration::MAX, message).is_some()
    }

    /// Whether a message answers the farewell.
    pub(crate) fn answers_farewell(&self, message: &Value) -> bool {
        let answered = self.farewell.as_ref().map_or(&[][..], |farewell| &farewell.answered);
        answered.iter().any(|matcher| matcher.matches(message))
    }

    /// Whether a message says that a login is accepted, where it takes a message to say so.
    pub(crate) fn accepts_login(&self, message: &Value) -> bool {
        let Acceptance::Message { any_of, .. } = &self.acceptance else { return false };
        any_of.iter().any(|matcher| matcher.matches(message))
    }

    /// The verdict of the rules on a message, if one speaks of it, and whether it is one on the fresh credential alone: that of a rule for
    /// [`Phase::Renewing`] and not for [`Phase::Live`].
    pub(crate) fn message_verdict(
        &self,
        phase: Phase,
        elapsed: Duration,
        message: &Value,
    ) -> Option<(Verdict, bool)> {
        let ruled = self.rules.iter().find(|rule| match &rule.on {
            On::Message(matcher) => rule.applies(phase, elapsed) && matcher.matches(message),
            On::Status(_) | On::Close { .. } | On::Timeout | On::Transport => false,
        });
        ruled.map(|rule| {
            let of_renewal = phase == Phase::Renewing
                && rule.phases.contains(&Phase::Renewing)
                && !rule.phases.contains(&Phase::Live);
            (rule.verdict, of_renewal)
        })
    }
}

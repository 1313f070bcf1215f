//! The revocations of one key's tokens.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use auth_core::ably::{RevocationTarget, TokenClientId};
use auth_core::capability::Capability;
use auth_core::time::{Deadline, Now, Timestamp};
use serde::de::IgnoredAny;

use super::{Hash, hash};

/// What a revocation names tokens by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum Kind {
    ClientId,
    RevocationKey,
    Channel,
    Token,
}

impl Kind {
    /// The kind of a target; `None` for one that is not known.
    pub(in super::super) fn of(target: &RevocationTarget) -> Option<Self> {
        match target.kind() {
            RevocationTarget::CLIENT_ID => Some(Self::ClientId),
            RevocationTarget::REVOCATION_KEY => Some(Self::RevocationKey),
            RevocationTarget::CHANNEL => Some(Self::Channel),
            RevocationTarget::TOKEN => Some(Self::Token),
            _ => None,
        }
    }
}

/// The revocations of one key's tokens, by the hash of what they name.
#[derive(Debug, Default)]
pub(in super::super) struct Revocations {
    rules: HashMap<(Kind, Hash), Vec<Rule>>,
    count: usize,
}

/// Refuses what was issued before a time, from another time on.
#[derive(Debug, Clone, Copy)]
struct Rule {
    issued_before: Timestamp,
    applies: Deadline,
    /// When every token that it concerns has expired.
    obsolete: Timestamp,
}

/// A token, as far as revocations look at it.
pub(in super::super) struct About<'a> {
    pub(in super::super) token: &'a str,
    pub(in super::super) issued: Timestamp,
    pub(in super::super) client_id: Option<&'a TokenClientId>,
    pub(in super::super) revocation_key: Option<&'a str>,
    pub(in super::super) capability: &'a Capability,
}

impl Revocations {
    /// The most that are remembered.
    pub(in super::super) const MOST: usize = 16_384;

    /// Twice as long as a token that can be revoked lives.
    const REMEMBERED: Duration = Duration::from_secs(7_200);

    /// Revokes what was issued before a time, once `margin` has passed; false when there is no room to remember it.
    ///
    /// A single token that is named is revoked whenever it was issued: who names it has seen it.
    #[must_use]
    pub(in super::super) fn revoke(
        &mut self,
        now: Now,
        (kind, value): (Kind, &str),
        issued_before: Timestamp,
        margin: Duration,
    ) -> bool {
        let issued_before =
            if kind == Kind::Token { Timestamp::from_millis(u64::MAX) } else { issued_before };
        let rule = Rule {
            issued_before,
            applies: now.expiry(margin),
            obsolete: now.wall.saturating_add(Self::REMEMBERED),
        };
        if self.count >= Self::MOST {
            self.forget_obsolete(now);
        }
        let full = self.count >= Self::MOST;
        let rules = self.rules.entry((kind, hash(value))).or_default();
        let before = rules.len();
        // One that concerns no more, and applies no earlier, says nothing that the new one does not.
        rules.retain(|old| !rule.covers(old, now));
        // As many as before fit in any case.
        let fits = !full || rules.len() < before;
        if fits {
            rules.push(rule);
        }
        self.count = self.count + rules.len() - before;
        if rules.is_empty() {
            self.rules.remove(&(kind, hash(value)));
        }
        fits
    }

    /// Whether the token is revoked.
    pub(in super::super) fn concern(&self, now: Now, about: &About<'_>) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let revoked = |kind: Kind, value: &str| {
            self.rules.get(&(kind, hash(value))).is_some_and(|rules| {
                rules.iter().any(|rule| about.issued < rule.issued_before && rule.applies.passed(now))
            })
        };
        revoked(Kind::Token, about.token)
            || about.client_id.is_some_and(|client_id| revoked(Kind::ClientId, client_id.as_str()))
            || about.revocation_key.is_some_and(|key| revoked(Kind::RevocationKey, key))
            || self.rules.keys().any(|(kind, _)| *kind == Kind::Channel)
                && resources(about.capability).keys().any(|resource| revoked(Kind::Channel, resource))
    }

    fn forget_obsolete(&mut self, now: Now) {
        self.rules.retain(|_, rules| {
            rules.retain(|rule| rule.obsolete > now.wall);
            !rules.is_empty()
        });
        self.count = self.rules.values().map(Vec::len).sum();
    }
}

impl Rule {
    fn covers(&self, old: &Self, now: Now) -> bool {
        self.issued_before >= old.issued_before && self.applies.remaining(now) <= old.applies.remaining(now)
    }
}

/// The resources that a capability names, as it names them.
fn resources(capability: &Capability) -> BTreeMap<String, IgnoredAny> {
    serde_json::from_str(capability.canonical_text()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use auth_core::ably::ClientId;
    use auth_core::time::Moment;

    use super::*;

    fn at(seconds: u64) -> Now {
        let elapsed = Duration::from_secs(seconds);
        Now { wall: Timestamp::since_epoch(elapsed), mono: Moment::since_origin(elapsed) }
    }

    fn issued(seconds: u64, capability: &Capability) -> About<'_> {
        let issued = at(seconds).wall;
        About { token: "a.t", issued, client_id: None, revocation_key: Some("k"), capability }
    }

    #[test]
    fn each_kind_finds_its_tokens_and_no_others() {
        let capability = Capability::parse(r#"{"chat:*":["*"],"news":["subscribe"]}"#).unwrap();
        let alice = TokenClientId::from(ClientId::new("alice").unwrap());
        let about = About { client_id: Some(&alice), ..issued(5, &capability) };
        for (kind, value, concerned) in [
            (Kind::ClientId, "alice", true),
            (Kind::ClientId, "bob", false),
            (Kind::ClientId, "k", false),
            (Kind::RevocationKey, "k", true),
            (Kind::RevocationKey, "alice", false),
            (Kind::Channel, "chat:*", true),
            (Kind::Channel, "chat:lobby", false),
            (Kind::Channel, "news", true),
            (Kind::Token, "a.t", true),
            (Kind::Token, "a.u", false),
        ] {
            let mut revocations = Revocations::default();
            assert!(revocations.revoke(at(10), (kind, value), at(10).wall, Duration::ZERO));
            assert_eq!(revocations.concern(at(10), &about), concerned, "{kind:?} {value}");
        }
    }

    #[test]
    fn what_is_issued_later_is_not_revoked_and_a_margin_puts_it_off() {
        let all = Capability::all();
        let mut revocations = Revocations::default();
        let margin = Duration::from_secs(30);
        assert!(revocations.revoke(at(10), (Kind::RevocationKey, "k"), at(10).wall, margin));
        assert!(!revocations.concern(at(39), &issued(9, &all)));
        assert!(revocations.concern(at(40), &issued(9, &all)));
        assert!(!revocations.concern(at(40), &issued(10, &all)));
        // A later one takes nothing back, and needs no room of its own once it says more.
        assert!(revocations.revoke(at(50), (Kind::RevocationKey, "k"), at(20).wall, margin));
        assert!(
            revocations.concern(at(50), &issued(9, &all)) && !revocations.concern(at(50), &issued(15, &all))
        );
        assert!(revocations.revoke(at(51), (Kind::RevocationKey, "k"), at(51).wall, Duration::ZERO));
        assert_eq!(revocations.count, 1);
        assert!(revocations.concern(at(51), &issued(50, &all)));
    }

    #[test]
    fn a_full_store_refuses_the_new_and_keeps_the_old() {
        let (mut revocations, all) = (Revocations::default(), Capability::all());
        let revoke = |revocations: &mut Revocations, seconds, value: &str| {
            revocations.revoke(at(seconds), (Kind::RevocationKey, value), at(seconds).wall, Duration::ZERO)
        };
        assert!(revoke(&mut revocations, 10, "k"));
        for number in 1..Revocations::MOST {
            assert!(revoke(&mut revocations, 10, &number.to_string()));
        }
        assert!(!revoke(&mut revocations, 11, "new"));
        assert!(revoke(&mut revocations, 11, "k"), "what is there already is renewed");
        assert!(revocations.concern(at(11), &issued(10, &all)));
        assert_eq!((revocations.count, revocations.rules.len()), (Revocations::MOST, Revocations::MOST));
        assert!(revoke(&mut revocations, 7_210, "new"), "all but one are obsolete");
        assert_eq!(revocations.count, 2);
    }
}

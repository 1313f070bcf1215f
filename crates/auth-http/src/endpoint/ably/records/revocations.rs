//! The revocations of one key's tokens.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use auth_core::ably::{RevocationTarget, TokenClientId};
use auth_core::capability::Capability;
use auth_core::time::{Deadline, Moment, Now, Timestamp};
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
    rules: HashMap<Target, Vec<Rule>>,
    /// What each of them is about, the oldest first.
    by_age: BTreeMap<u64, Target>,
    next: u64,
    /// The latest time before which something was revoked.
    until: Option<Timestamp>,
    /// When the last that names a channel is obsolete: until then, the channels of a token are looked at.
    channels_until: Option<Obsolete>,
}

type Target = (Kind, Hash);

/// Refuses what was issued before a time, from another time on.
#[derive(Debug, Clone, Copy)]
struct Rule {
    number: u64,
    issued_before: Timestamp,
    applies: Deadline,
    obsolete: Obsolete,
}

/// When every token that a rule concerns has expired: on both clocks, since a wall clock that jumps may come back.
#[derive(Debug, Clone, Copy)]
struct Obsolete(Now);

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
        self.forget_obsolete(now);
        let target = (kind, hash(value));
        let issued_before = if kind == Kind::Token {
            Timestamp::from_millis(u64::MAX)
        } else {
            self.until = self.until.max(Some(issued_before));
            issued_before
        };
        let rule = Rule {
            number: self.next,
            issued_before,
            applies: now.expiry(margin),
            obsolete: Obsolete::after(now, Self::REMEMBERED),
        };
        let same = self.rules.get(&target).map_or(&[][..], Vec::as_slice);
        // What concerns no more tokens, and applies no earlier, says nothing that the other does not. Of two that are alike,
        // the newer is kept: it is obsolete later.
        if same.iter().any(|old| old.covers(&rule, now) && !rule.covers(old, now)) {
            return true;
        }
        // As many as before fit in any case.
        if self.len() >= Self::MOST && !same.iter().any(|old| rule.covers(old, now)) {
            return false;
        }
        let rules = self.rules.entry(target).or_default();
        for old in rules.extract_if(.., |old| rule.covers(old, now)) {
            self.by_age.remove(&old.number);
        }
        rules.push(rule);
        self.by_age.insert(rule.number, target);
        self.next += 1;
        if kind == Kind::Channel {
            let until = self.channels_until.map_or(rule.obsolete, |until| until.later(rule.obsolete));
            self.channels_until = Some(until);
        }
        true
    }

    /// When a token is issued that comes after all revocations: now, or the next millisecond if one was within this.
    pub(in super::super) fn time_of_issue(&self, now: Now) -> Timestamp {
        // One of further ahead is from before the clock was set back, and means nothing here.
        let next = now.wall.saturating_add(Duration::from_millis(1));
        self.until.filter(|until| *until <= next).map_or(now.wall, |until| until.max(now.wall))
    }

    /// From when on the token is revoked; `None` if it is not, as far as is known.
    pub(in super::super) fn applies(&self, now: Now, about: &About<'_>) -> Option<Deadline> {
        if self.rules.is_empty() {
            return None;
        }
        let named = |kind: Kind, value: &str| {
            let rules = self.rules.get(&(kind, hash(value))).into_iter().flatten();
            let concerning = rules.filter(|rule| about.issued < rule.issued_before);
            concerning.map(|rule| rule.applies).reduce(|one, other| one.earlier(other, now))
        };
        let mut applies = [
            named(Kind::Token, about.token),
            about.client_id.and_then(|client_id| named(Kind::ClientId, client_id.as_str())),
            about.revocation_key.and_then(|key| named(Kind::RevocationKey, key)),
            None,
        ];
        if self.channels_until.is_some_and(|obsolete| !obsolete.passed(now)) {
            let resources = resources(about.capability);
            let channels = resources.keys().filter_map(|resource| named(Kind::Channel, resource));
            applies[3] = channels.reduce(|one, other| one.earlier(other, now));
        }
        applies.into_iter().flatten().reduce(|one, other| one.earlier(other, now))
    }

    /// Whether the token is revoked now.
    #[cfg(test)]
    fn concern(&self, now: Now, about: &About<'_>) -> bool {
        self.applies(now, about).is_some_and(|applies| applies.passed(now))
    }

    fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Forgets the oldest as long as they are obsolete: what each costs, its revocation has paid for.
    fn forget_obsolete(&mut self, now: Now) {
        while let Some(oldest) = self.by_age.first_entry() {
            let (number, target) = (*oldest.key(), *oldest.get());
            let rules = self.rules.get_mut(&target);
            let rule = rules.as_ref().and_then(|rules| rules.iter().find(|rule| rule.number == number));
            if rule.is_some_and(|rule| !rule.obsolete.passed(now)) {
                return;
            }
            oldest.remove();
            if let Some(rules) = rules {
                rules.retain(|rule| rule.number != number);
                if rules.is_empty() {
                    self.rules.remove(&target);
                }
            }
        }
    }
}

impl Obsolete {
    fn after(now: Now, duration: Duration) -> Self {
        let mono = Moment::since_origin(now.mono.elapsed().saturating_add(duration));
        Self(Now { wall: now.wall.saturating_add(duration), mono })
    }

    /// When both have passed.
    fn later(self, other: Self) -> Self {
        Self(Now { wall: self.0.wall.max(other.0.wall), mono: self.0.mono.max(other.0.mono) })
    }

    fn passed(self, now: Now) -> bool {
        self.0.wall <= now.wall && self.0.mono <= now.mono
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
        assert_eq!(revocations.applies(at(10), &issued(9, &all)), Some(at(10).expiry(margin)));
        assert_eq!(revocations.applies(at(10), &issued(10, &all)), None);
        assert!(revocations.concern(at(40), &issued(9, &all)));
        assert!(!revocations.concern(at(40), &issued(10, &all)));
        // A later one takes nothing back, and needs no room of its own once it says more.
        assert!(revocations.revoke(at(50), (Kind::RevocationKey, "k"), at(20).wall, margin));
        assert!(
            revocations.concern(at(50), &issued(9, &all)) && !revocations.concern(at(50), &issued(15, &all))
        );
        assert!(revocations.revoke(at(51), (Kind::RevocationKey, "k"), at(51).wall, Duration::ZERO));
        assert_eq!(revocations.len(), 1);
        assert!(revocations.concern(at(51), &issued(50, &all)));
    }

    #[test]
    fn the_obsolete_is_forgotten_as_time_goes_and_by_both_clocks() {
        let (mut revocations, all) = (Revocations::default(), Capability::all());
        let revoke = |revocations: &mut Revocations, now: Now, target: (Kind, &str)| {
            assert!(revocations.revoke(now, target, now.wall, Duration::ZERO));
        };
        for seconds in 10..20 {
            revoke(&mut revocations, at(seconds), (Kind::ClientId, &seconds.to_string()));
        }
        revoke(&mut revocations, at(20), (Kind::RevocationKey, "k"));
        // A wall clock that jumps ahead, and may be set back, makes nothing obsolete.
        revoke(&mut revocations, Now { mono: at(21).mono, ..at(90_000) }, (Kind::ClientId, "a"));
        assert_eq!(revocations.len(), 12);
        revoke(&mut revocations, at(7_215), (Kind::ClientId, "b"));
        assert_eq!(revocations.len(), 7, "those until 15 s are obsolete");
        assert!(revocations.concern(at(7_215), &issued(5, &all)));
        // What is renewed is remembered from then on.
        revoke(&mut revocations, at(7_216), (Kind::RevocationKey, "k"));
        revoke(&mut revocations, at(14_415), (Kind::ClientId, "c"));
        assert!(revocations.concern(at(14_415), &issued(7_215, &all)));
    }

    #[test]
    fn once_no_channel_is_revoked_any_more_the_channels_of_a_token_are_not_looked_at() {
        let (mut revocations, all) = (Revocations::default(), Capability::all());
        let looked_at = |revocations: &Revocations, seconds| {
            revocations.channels_until.is_some_and(|until| !until.passed(at(seconds)))
        };
        assert!(revocations.revoke(at(10), (Kind::Channel, "[*]*"), at(10).wall, Duration::ZERO));
        assert!(looked_at(&revocations, 10) && revocations.concern(at(10), &issued(9, &all)));
        assert!(revocations.revoke(at(20), (Kind::ClientId, "a"), at(20).wall, Duration::ZERO));
        assert!(looked_at(&revocations, 7_209) && !looked_at(&revocations, 7_210));
        // A clock that is set back shortens nothing.
        let set_back = Now { wall: at(0).wall, ..at(30) };
        assert!(revocations.revoke(set_back, (Kind::Channel, "b"), set_back.wall, Duration::ZERO));
        assert!(revocations.concern(Now { wall: at(7_209).wall, ..at(7_231) }, &issued(9, &all)));
    }

    #[test]
    fn repeating_a_revocation_takes_no_room() {
        let mut revocations = Revocations::default();
        let mut revoke = |seconds, before, margin| {
            let margin = Duration::from_secs(margin);
            assert!(revocations.revoke(at(seconds), (Kind::ClientId, "a"), at(before).wall, margin));
            revocations.len()
        };
        assert_eq!(revoke(10, 10, 0), 1);
        assert_eq!(revoke(11, 5, 0), 1, "the one before says more");
        assert_eq!(revoke(12, 12, 30), 2, "it is not in force yet");
        assert_eq!(revoke(12, 11, 30), 2);
        assert_eq!(revoke(13, 13, 0), 1);
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
        assert_eq!((revocations.len(), revocations.rules.len()), (Revocations::MOST, Revocations::MOST));
        assert!(revoke(&mut revocations, 7_210, "new"), "all but one are obsolete");
        assert_eq!(revocations.len(), 2);
    }
}

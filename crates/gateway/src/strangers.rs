//! How often refusals are told: a stranger's flood is summed up, so that it can't fill the records. Pure: the time is an argument.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::time::Now;

use crate::RateLimit;
use crate::throttle::Throttle;

/// Refusals that are told one by one from each place, and how many more there were.
pub(crate) struct Strangers {
    by_place: HashMap<(Place, &'static str), Bucket>,
    total: Throttle,
}

/// Where refused requests come from. Who has one address of IPv6 has a whole network of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Host(IpAddr),
    /// All that are too many to be told apart.
    Crowd,
}

/// The refusals of one kind from one place.
struct Bucket {
    throttle: Throttle,
    /// The newest that was not told, and how many there are.
    held: Option<(AuthEvent, u64)>,
}

/// From one place: a hundred at once, as when the sockets of a page race for one token, then ten a second.
const EACH: RateLimit = RateLimit::new(Duration::from_millis(100), 100);

/// From all places together: a thousand at once are a small part of what an audit trail has room for.
const TOTAL: RateLimit = RateLimit::new(Duration::from_millis(1), 1_000);

/// How many places are told apart at once: some two megabytes.
const MOST_PLACES: usize = 4_096;

impl Strangers {
    pub(crate) fn new(now: Now) -> Self {
        Self { by_place: HashMap::new(), total: Throttle::new(TOTAL, now) }
    }

    /// The event to tell now, with those in it that were held back; `None` where it is held back itself.
    pub(crate) fn admit(&mut self, now: Now, mut event: AuthEvent) -> Option<AuthEvent> {
        let mut place = place(peer(&event));
        if self.by_place.len() >= MOST_PLACES && !self.by_place.contains_key(&(place, event.name())) {
            place = Place::Crowd;
        }
        let fresh = || Bucket { throttle: Throttle::new(EACH, now), held: None };
        let bucket = self.by_place.entry((place, event.name())).or_insert_with(fresh);
        if bucket.throttle.admit(now).is_ok() && self.total.admit(now).is_ok() {
            stands_for(&mut event, bucket.held.take().map_or(0, |(_, count)| count));
            return Some(event);
        }
        let count = bucket.held.take().map_or(0, |(_, count)| count);
        bucket.held = Some((event, count + 1));
        None
    }

    /// What was held back: one event for each place and kind. Places that have been quiet are forgotten.
    pub(crate) fn sum_up(&mut self, now: Now) -> Vec<AuthEvent> {
        let held = self.by_place.values_mut().filter_map(|bucket| bucket.held.take());
        let summed = held.map(|(mut event, count)| {
            stands_for(&mut event, count.saturating_sub(1));
            event
        });
        let summed = summed.collect();
        self.by_place.retain(|_, bucket| !bucket.throttle.is_full(now));
        summed
    }
}

fn place(peer: Option<SocketAddr>) -> Place {
    match peer.map(|peer| peer.ip().to_canonical()) {
        Some(IpAddr::V6(address)) => Place::Host(IpAddr::V6((address.to_bits() >> 64 << 64).into())),
        Some(address) => Place::Host(address),
        None => Place::Crowd,
    }
}

const fn peer(event: &AuthEvent) -> Option<SocketAddr> {
    match event {
        AuthEvent::TokenDenied { peer, .. }
        | AuthEvent::ReplayRejected { peer, .. }
        | AuthEvent::ClientRejected { peer, .. } => *peer,
        _ => None,
    }
}

const fn stands_for(event: &mut AuthEvent, more: u64) {
    if let AuthEvent::TokenDenied { repeated, .. }
    | AuthEvent::ReplayRejected { repeated, .. }
    | AuthEvent::ClientRejected { repeated, .. } = event
    {
        *repeated = more;
    }
}

#[cfg(test)]
mod tests {
    use auth_core::observe::Label;
    use auth_core::time::{Moment, Timestamp};

    use super::*;

    fn at(millis: u64) -> Now {
        Now { wall: Timestamp::from_millis(0), mono: Moment::since_origin(Duration::from_millis(millis)) }
    }

    fn denied(peer: &str) -> AuthEvent {
        AuthEvent::TokenDenied {
            grant: Label::new("client_credentials"),
            reason: Label::new("invalid_client"),
            client_id: None,
            peer: Some(peer.parse().unwrap()),
            repeated: 0,
        }
    }

    /// How many refusals an event stands for.
    fn weight(event: &AuthEvent) -> u64 {
        let AuthEvent::TokenDenied { repeated, .. } = event else { panic!("{event:?}") };
        1 + repeated
    }

    #[test]
    fn a_million_refusals_a_minute_are_a_few_hundred_records_and_all_are_counted() {
        let mut strangers = Strangers::new(at(0));
        let (mut records, mut refusals) = (0, 0);
        for number in 0..1_000_000 {
            if number % 83_333 == 0 {
                for event in strangers.sum_up(at(number * 60 / 1_000)) {
                    (records, refusals) = (records + 1, refusals + weight(&event));
                }
            }
            if let Some(event) = strangers.admit(at(number * 60 / 1_000), denied("192.0.2.1:1000")) {
                (records, refusals) = (records + 1, refusals + weight(&event));
            }
        }
        refusals += strangers.sum_up(at(60_000)).iter().map(weight).sum::<u64>();
        assert_eq!(refusals, 1_000_000);
        assert!((100..1_000).contains(&records), "{records}");
        assert_eq!(strangers.by_place.len(), 1);
    }

    #[test]
    fn a_flood_from_everywhere_takes_no_more_memory_than_there_is_for_it_and_is_counted() {
        let mut strangers = Strangers::new(at(0));
        let mut refusals = 0;
        for number in 0..200_000_u32 {
            let peer = SocketAddr::from((number.to_be_bytes(), 1_000));
            let told = strangers.admit(at(u64::from(number) / 100), denied(&peer.to_string()));
            refusals += told.as_ref().map_or(0, weight);
        }
        assert!(strangers.by_place.len() <= MOST_PLACES + 1, "{}", strangers.by_place.len());
        refusals += strangers.sum_up(at(2_000)).iter().map(weight).sum::<u64>();
        assert_eq!(refusals, 200_000);
        assert!(strangers.sum_up(at(3_600_000)).is_empty());
        assert!(strangers.by_place.is_empty(), "who is quiet is forgotten");
    }

    #[test]
    fn who_floods_takes_no_record_from_others_and_the_ports_and_addresses_of_one_host_are_one_place() {
        let mut strangers = Strangers::new(at(0));
        let told = (0..1_000).filter(|port| {
            let peer = format!("[2001:db8::{port:x}]:{}", 1_000 + port);
            strangers.admit(at(0), denied(&peer)).is_some()
        });
        assert_eq!(told.count(), 100);
        assert!(strangers.admit(at(0), denied("[2001:db8:0:1::1]:1")).is_some(), "another network");
        assert!(strangers.admit(at(0), denied("192.0.2.1:1")).is_some());
        assert_eq!(weight(&strangers.admit(at(100), denied("[2001:db8::1]:1")).unwrap()), 901);
    }
}

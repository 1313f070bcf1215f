//! Which grants match a channel: found by narrowing ranges of the sorted grants, segment by segment.
//!
//! A [`Range`] holds grants that begin alike, so the next segment starts at the same byte in each, and those with a
//! given next segment stand together. Nothing is allocated.

use core::cmp::Ordering;

use super::Operations;
use super::resource::{ANY, Grant, Path};

/// Grants of one kind whose first segments are equal, and where in each name the next segment starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range<'a> {
    pub(super) grants: &'a [Grant],
    at: usize,
}

impl<'a> Range<'a> {
    const EMPTY: Self = Self { grants: &[], at: 0 };

    /// The grants on channels of a kind, of all grants in their order.
    pub(super) fn of_kind(grants: &'a [Grant], kind: &str) -> Self {
        Self { grants: equal_range(grants, |grant| grant.kind().cmp(kind)), at: 0 }
    }

    /// The ranges of equal kind, one after the other, of all grants in their order.
    pub(super) fn by_kind(grants: &'a [Grant]) -> impl Iterator<Item = (&'a str, Self)> {
        grants
            .chunk_by(|one, next| one.kind() == next.kind())
            .filter_map(|grants| Some((grants.first()?.kind(), Self { grants, at: 0 })))
    }

    /// The grants with this next segment.
    pub(super) fn with_segment(self, segment: &str) -> Self {
        Self { grants: equal_range(self.grants, |grant| grant.compare_segment(self.at, segment)), ..self }
    }

    /// The ranges of equal next segment, one after the other.
    pub(super) fn by_segment(self) -> impl Iterator<Item = (&'a str, Self)> {
        let same = move |one: &Grant, next: &Grant| one.segment(self.at) == next.segment(self.at);
        self.grants
            .chunk_by(same)
            .filter_map(move |grants| Some((grants.first()?.segment(self.at), Self { grants, ..self })))
    }

    /// Past the next segment, which is the same in all: the grant that ends with it, and the others.
    pub(super) fn past(self, segment: &str) -> (Option<&'a Grant>, Self) {
        let end = self.at + segment.len();
        match self.grants.split_first() {
            // No two grants have the same resource, and the shortest stands first.
            Some((first, longer)) if first.ends_at(end) => {
                (Some(first), Self { grants: longer, at: end + 1 })
            }
            _ => (None, Self { at: end + 1, ..self }),
        }
    }
}

/// What the grants that match a channel give together.
///
/// A resource that is asked for as if it were a channel is matched by exactly the resources that cover it: there is
/// no end of segments, so its `*` stands for one that no other resource names, and only `*` matches that.
pub(super) fn operations_on(grants: &[Grant], channel: Path<'_>) -> Operations {
    let operations = matching(Range::of_kind(grants, channel.kind), channel.name);
    if channel.kind == ANY {
        return operations;
    }
    operations.union(matching(Range::of_kind(grants, ANY), channel.name))
}

/// At each segment the range splits in two, the grants with that segment and those with `*`, so no grant is looked at
/// twice at one depth, and an adversary gains at most a walk through all prefixes that match. Only the smaller half is
/// a call, so that the stack grows with the logarithm of the number of grants, never with the length of a name.
fn matching(mut range: Range<'_>, mut name: &str) -> Operations {
    let mut operations = Operations::NONE;
    while !range.grants.is_empty() {
        let (segment, rest) =
            name.split_once(':').map_or((name, None), |(segment, rest)| (segment, Some(rest)));
        // The channel's own `*`, if it has one, is found as a wildcard already.
        let literal = if segment == ANY { Range::EMPTY } else { range.with_segment(segment) };
        let (last_literal, literal) = literal.past(segment);
        let (last_wildcard, wildcard) = range.with_segment(ANY).past(ANY);
        // A wildcard at the end matches whatever is left, a literal only if nothing is.
        for grant in last_wildcard.into_iter().chain(last_literal.filter(|_| rest.is_none())) {
            operations = operations.union(grant.effective_operations());
        }
        let Some(rest) = rest else { break };
        let literal_is_smaller = literal.grants.len() < wildcard.grants.len();
        let (smaller, larger) = if literal_is_smaller { (literal, wildcard) } else { (wildcard, literal) };
        operations = operations.union(matching(smaller, rest));
        (range, name) = (larger, rest);
    }
    operations
}

/// The grants that compare equal, of grants in order.
///
/// The ends are looked at first, since a range often has one kind or no wildcard, and then what follows the first
/// that is equal, since often only few are.
fn equal_range(grants: &[Grant], compare: impl Fn(&Grant) -> Ordering) -> &[Grant] {
    let (Some(first), Some(last)) = (grants.first(), grants.last()) else { return grants };
    let start = match compare(first) {
        Ordering::Equal => 0,
        Ordering::Less if compare(last).is_ge() => grants.partition_point(|grant| compare(grant).is_lt()),
        Ordering::Less | Ordering::Greater => return &[],
    };
    let (_, grants) = grants.split_at(start);
    let mut end = 1;
    while grants.get(end).is_some_and(|grant| compare(grant).is_eq()) {
        end *= 2;
    }
    let (near, _) = grants.split_at(end.min(grants.len()));
    let (equal, _) = near.split_at(near.partition_point(|grant| compare(grant).is_eq()));
    equal
}

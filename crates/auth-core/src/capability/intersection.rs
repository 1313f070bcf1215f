//! What two capabilities grant together, found without looking at pairs that have nothing in common.

use alloc::vec::Vec;

use super::NoIntersection;
use super::matching::Range;
use super::resource::{ANY, Grant};

/// How much work an intersection may be, in bytes looked at; see [`Capability::intersection`] for what that means.
///
/// [`Capability::intersection`]: super::Capability::intersection
const MOST_WORK: usize = 16 * 1024 * 1024;

/// What one look costs beside the bytes.
const LOOK: usize = 32;

/// The meets of all grants that overlap, in their order, merged where their resources are equal.
pub(super) fn intersect(ours: &[Grant], theirs: &[Grant]) -> Result<Vec<Grant>, NoIntersection> {
    let mut search = Search { found: Vec::new(), open: Vec::new(), work_left: MOST_WORK };
    let their_kinds: Vec<_> = Range::by_kind(theirs).collect();
    for (kind, ours) in Range::by_kind(ours) {
        for &(other_kind, theirs) in &their_kinds {
            search.look(kind.len() + other_kind.len())?;
            if kind == other_kind || kind == ANY || other_kind == ANY {
                search.open.push((ours, theirs));
            }
        }
    }
    while let Some((ours, theirs)) = search.open.pop() {
        search.pair(ours, theirs)?;
    }
    let mut found = search.found;
    found.sort_unstable_by(Grant::order);
    found.dedup_by(|next, kept| {
        let is_same = next.resource == kept.resource;
        if is_same {
            kept.operations = kept.operations.union(next.operations);
        }
        is_same
    });
    Ok(found)
}

struct Search<'a> {
    found: Vec<Grant>,
    /// Ranges whose first segments overlap, to be compared from the next segment on. A list and no recursion: names
    /// may have more segments than a stack has room for.
    open: Vec<(Range<'a>, Range<'a>)>,
    work_left: usize,
}

impl<'a> Search<'a> {
    /// Opens the pairs of ranges that overlap in the next segment too.
    fn pair(&mut self, ours: Range<'a>, theirs: Range<'a>) -> Result<(), NoIntersection> {
        // To intersect is symmetric; the other side is searched for each segment of the one with fewer grants.
        let (fewer, more) =
            if ours.grants.len() <= theirs.grants.len() { (ours, theirs) } else { (theirs, ours) };
        for (segment, one) in fewer.by_segment() {
            self.look((segment.len() + 1) * one.grants.len())?;
            if segment == ANY {
                for (other_segment, other) in more.by_segment() {
                    self.look((other_segment.len() + 1) * other.grants.len())?;
                    self.descend((segment, one), (other_segment, other))?;
                }
            } else {
                for wanted in [segment, ANY] {
                    self.descend((segment, one), (wanted, more.with_segment(wanted)))?;
                }
            }
        }
        Ok(())
    }

    /// Takes what ends with this segment, and opens the rest.
    fn descend(&mut self, one: (&str, Range<'a>), other: (&str, Range<'a>)) -> Result<(), NoIntersection> {
        let ((segment, one), (other_segment, other)) = (one, other);
        let (last, longer) = one.past(segment);
        let (other_last, other_longer) = other.past(other_segment);
        if let (Some(last), Some(other_last)) = (last, other_last) {
            self.meet(last, other_last)?;
        }
        self.meet_longer((segment, last), other_longer)?;
        self.meet_longer((other_segment, other_last), longer)?;
        if !longer.grants.is_empty() && !other_longer.grants.is_empty() {
            self.open.push((longer, other_longer));
        }
        Ok(())
    }

    /// A wildcard at the end overlaps with all that is longer, a literal with nothing that is.
    fn meet_longer(&mut self, last: (&str, Option<&Grant>), longer: Range<'_>) -> Result<(), NoIntersection> {
        match last {
            (ANY, Some(last)) => longer.grants.iter().try_for_each(|grant| self.meet(last, grant)),
            _ => Ok(()),
        }
    }

    fn meet(&mut self, one: &Grant, other: &Grant) -> Result<(), NoIntersection> {
        self.look(one.resource.len() + other.resource.len())?;
        self.found.extend(one.meet(other));
        Ok(())
    }

    fn look(&mut self, bytes: usize) -> Result<(), NoIntersection> {
        self.work_left = self.work_left.checked_sub(LOOK + bytes).ok_or(NoIntersection::TooLarge)?;
        Ok(())
    }
}

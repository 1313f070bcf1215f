//! Spans of time along a track, of which there are never too many to draw.

use auth_core::time::Timestamp;

/// A span of time and what it was.
#[derive(Debug)]
pub(super) struct Span<K> {
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
    pub(super) kind: K,
    pub(super) note: String,
    /// Until when it could have been, at most.
    pub(super) until: Timestamp,
    /// How many it stands for: more than one where they were too short to tell apart.
    pub(super) count: u64,
}

impl<K> Span<K> {
    /// A span; one that ends before it begins, by a clock that was set back, is of no length.
    pub(super) fn new(begin: Timestamp, end: Timestamp, kind: K, note: String) -> Self {
        let end = end.max(begin);
        Self { begin, end, kind, note, until: end, count: 1 }
    }

    /// One that could have been longer.
    pub(super) fn possible_until(self, until: Timestamp) -> Self {
        Self { until: until.max(self.end), ..self }
    }
}

/// Spans in the order of time.
#[derive(Debug)]
pub(super) struct Track<K> {
    spans: Vec<Span<K>>,
    /// Below this length, in milliseconds, neighbours are drawn as one.
    quantum: u64,
}

/// The most spans of a track: more than a screen has room for.
const MOST: usize = 600;

impl<K: Copy + Ord> Track<K> {
    pub(super) const fn new() -> Self {
        Self { spans: Vec::new(), quantum: 0 }
    }

    pub(super) fn spans(&self) -> &[Span<K>] {
        &self.spans
    }

    pub(super) fn push(&mut self, span: Span<K>) {
        self.spans.push(span);
        // Twice as many may wait, so that not every push has to look at all.
        if self.spans.len() <= 2 * MOST {
            return;
        }
        let begin = self.spans.iter().map(|span| span.begin.as_millis()).min().unwrap_or(0);
        let end = self.spans.iter().map(|span| span.end.as_millis()).max().unwrap_or(0);
        self.quantum = self.quantum.max((end - begin) / MOST as u64);
        self.merge();
        while self.spans.len() > 2 * MOST {
            self.quantum = self.quantum.saturating_mul(2).max(1);
            self.merge();
        }
    }

    /// Makes one of neighbours that together are no longer than the quantum: of the worst kind among them.
    fn merge(&mut self) {
        let mut merged: Vec<Span<K>> = Vec::with_capacity(MOST);
        for span in self.spans.drain(..) {
            match merged.last_mut() {
                Some(last)
                    if span.end.saturating_since(last.begin).as_millis() <= u128::from(self.quantum) =>
                {
                    last.end = last.end.max(span.end);
                    last.until = last.until.max(span.until);
                    last.count += span.count;
                    if span.kind > last.kind {
                        (last.kind, last.note) = (span.kind, span.note);
                    }
                }
                _ => merged.push(span),
            }
        }
        self.spans = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_spans_become_few_and_the_worst_stay() {
        let mut track = Track::new();
        for number in 0..1_000_000_u64 {
            let kind = u8::from(number == 765_432);
            let [begin, end] = [number * 10, number * 10 + 9].map(Timestamp::from_millis);
            track.push(Span::new(begin, end, kind, number.to_string()));
        }
        assert!(track.spans().len() <= 2 * MOST, "{}", track.spans().len());
        assert_eq!(track.spans().iter().map(|span| span.count).sum::<u64>(), 1_000_000);
        let worst: Vec<_> = track.spans().iter().filter(|span| span.kind == 1).collect();
        assert_eq!((worst.len(), worst[0].note.as_str()), (1, "765432"));
    }

    #[test]
    fn few_spans_stay_as_they_are() {
        let mut track = Track::new();
        for number in 0..1_000 {
            track.push(Span::new(
                Timestamp::from_millis(number),
                Timestamp::from_millis(number),
                0,
                String::new(),
            ));
        }
        assert_eq!(track.spans().len(), 1_000);
    }

    #[test]
    fn spans_at_one_moment_or_against_the_clock_are_survived() {
        let mut track = Track::new();
        for number in 0..10_000 {
            let at = Timestamp::from_millis(10_000 - number);
            track.push(Span::new(at, Timestamp::from_millis(0), 0, String::new()));
        }
        assert!(track.spans().len() <= 2 * MOST);
    }
}

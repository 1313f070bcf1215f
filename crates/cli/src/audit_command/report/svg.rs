//! Shapes along an axis of time: places in percent, so that a drawing is as wide as its page and its text stays as large as it is.

use auth_core::time::Timestamp;

use super::text::{self, Escaped, percent};

/// An axis of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    begin: u64,
    length: u64,
}

/// A moment that an axis names.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) place: String,
    pub(super) label: String,
    /// Whether it may be left out where there is little room.
    pub(super) is_minor: bool,
    anchor: &'static str,
}

/// The least width of anything, in percent: what the eye can find.
const LEAST: f64 = 0.25;

/// The most ticks of an axis.
const TICKS: u64 = 8;

/// Distances between ticks, in seconds.
const STEPS: [u64; 21] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 2_592_000,
];

impl Axis {
    /// From `begin` to `end`, and at least a second long.
    pub(super) fn new(begin: Timestamp, end: Timestamp) -> Self {
        let length = end.as_millis().saturating_sub(begin.as_millis()).max(1_000);
        Self { begin: begin.as_millis(), length }
    }

    /// Where a moment is, in percent of the axis.
    fn place(self, at: Timestamp) -> f64 {
        at.as_millis().saturating_sub(self.begin).min(self.length) as f64 / self.length as f64 * 100.0
    }

    /// Where a moment is, as an attribute.
    pub(super) fn at(self, at: Timestamp) -> String {
        percent(self.place(at), 100.0)
    }

    /// A rectangle from one moment to another, wide enough to be seen, that says something when pointed at.
    pub(super) fn span(
        self,
        (begin, end): (Timestamp, Timestamp),
        (y, height): (u32, u32),
        class: &str,
        title: &str,
    ) -> String {
        let (from, to) = (self.place(begin), self.place(end));
        let width = (to - from).max(LEAST);
        let (x, width) = (percent(from.min(100.0 - width), 100.0), percent(width, 100.0));
        let title = Escaped(title);
        format!(
            r#"<rect class="{class}" x="{x}" width="{width}" y="{y}" height="{height}"><title>{title}</title></rect>"#
        )
    }

    /// The same without a least width, for columns that stand side by side; what is outside of the axis is cut off.
    pub(super) fn span_exactly(
        self,
        (begin, end): (Timestamp, Timestamp),
        (y, height): (f64, f64),
        class: &str,
        title: &str,
    ) -> String {
        let (from, to) = (self.place(begin), self.place(end));
        let (x, width) = (percent(from, 100.0), percent((to - from).max(0.1), 100.0));
        let title = Escaped(title);
        format!(
            r#"<rect class="{class}" x="{x}" width="{width}" y="{y:.1}" height="{height:.1}"><title>{title}</title></rect>"#
        )
    }

    pub(super) fn ticks(self) -> Vec<Tick> {
        let wanted = self.length / 1_000;
        let longest = STEPS[STEPS.len() - 1];
        let step = STEPS.into_iter().find(|step| wanted / step < TICKS);
        let step = step.unwrap_or_else(|| (wanted / TICKS / longest + 1) * longest).saturating_mul(1_000);
        let first = self.begin.div_ceil(step).saturating_mul(step);
        let end = self.begin.saturating_add(self.length);
        let moments = (0..=TICKS).map(|number| first.saturating_add(step.saturating_mul(number)));
        let moments = moments.take_while(|moment| *moment <= end).map(Timestamp::from_millis);
        moments.enumerate().map(|(number, at)| self.tick(at, step, number % 2 == 1)).collect()
    }

    fn tick(self, at: Timestamp, step: u64, is_minor: bool) -> Tick {
        let label = match step {
            86_400_000.. => text::day(at),
            60_000.. => text::minute(at),
            _ => text::clock(at),
        };
        let place = self.place(at);
        let anchor = if place < 3.0 {
            "start"
        } else if place > 97.0 {
            "end"
        } else {
            "middle"
        };
        Tick { place: percent(place, 100.0), label, is_minor, anchor }
    }

    /// The lines of the ticks, to stand behind something of this height.
    pub(super) fn grid(self, height: u32) -> String {
        let line = |tick: Tick| {
            format!(r#"<line class="grid" x1="{0}" x2="{0}" y1="0" y2="{height}"/>"#, tick.place)
        };
        self.ticks().into_iter().map(line).collect()
    }

    /// The names of the ticks, in a drawing of its own.
    pub(super) fn names(self) -> String {
        let name = |tick: Tick| {
            let Tick { place, label, is_minor, anchor } = tick;
            let class = if is_minor { "tick minor" } else { "tick" };
            format!(r#"<text class="{class}" x="{place}" y="13" text-anchor="{anchor}">{label}</text>"#)
        };
        let names: String = self.ticks().into_iter().map(name).collect();
        format!(r#"<svg class="axis" width="100%" height="18" aria-hidden="true">{names}</svg>"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(begin: &str, end: &str) -> Axis {
        Axis::new(begin.parse().unwrap(), end.parse().unwrap())
    }

    fn labels(begin: &str, end: &str) -> Vec<String> {
        axis(begin, end).ticks().into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn an_axis_names_round_moments() {
        let hour = labels("2026-11-22T04:58:13.000Z", "2026-11-22T06:01:00.000Z");
        assert_eq!(hour, ["05:00", "05:10", "05:20", "05:30", "05:40", "05:50", "06:00"]);
        let seconds = labels("2026-11-22T04:58:13.000Z", "2026-11-22T04:58:16.500Z");
        assert_eq!(seconds, ["04:58:13", "04:58:14", "04:58:15", "04:58:16"]);
        let days = labels("2026-11-20T04:58:13.000Z", "2026-11-24T06:01:00.000Z");
        assert_eq!(days, ["21 Nov", "22 Nov", "23 Nov", "24 Nov"]);
    }

    #[test]
    fn an_axis_of_any_length_has_few_ticks() {
        for end in [0, 1, 999, 86_400_000, 1_000_000_000_000, u64::MAX] {
            let axis = Axis::new(Timestamp::from_millis(0), Timestamp::from_millis(end));
            assert!(axis.ticks().len() <= TICKS as usize + 1, "{end}");
        }
    }

    #[test]
    fn what_is_short_or_outside_is_drawn_inside_and_wide_enough() {
        let axis = axis("2026-11-22T05:00:00.000Z", "2026-11-22T06:00:00.000Z");
        let late = "2026-11-22T07:00:00.000Z".parse().unwrap();
        let drawn = axis.span((late, late), (0, 1), "failed", "<late>");
        assert_eq!(
            drawn,
            r#"<rect class="failed" x="99.75%" width="0.25%" y="0" height="1"><title>&lt;late&gt;</title></rect>"#
        );
    }
}

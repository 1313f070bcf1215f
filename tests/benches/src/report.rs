//! What was measured, as a line of JSON a case and as a table for people.

use std::fmt::Write as _;

use serde::Serialize;

use crate::case::{Bar, Case, Work};
use crate::measure::{Measured, measure};
use crate::plot::Chart;

/// One case, measured.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    bench: &'static str,
    case: String,
    unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) baseline: f64,
    pub(crate) baseline_name: &'static str,
    ratio: f64,
    bar: f64,
    /// What the bar is for: `ours`, in the unit, or the `ratio`, which is `at least` that where it says so.
    bar_on: &'static str,
    pub(crate) holds: bool,
    allocations: f64,
    baseline_allocations: f64,
    #[serde(skip)]
    pub(crate) subject: &'static str,
    #[serde(skip)]
    pub(crate) size: Option<u32>,
    #[serde(skip)]
    pub(crate) chart: Option<Chart>,
}

impl Line {
    /// Measures a case.
    pub(crate) fn of(bench: &'static str, case: Case) -> Self {
        let name = case.name();
        let Case { subject, size, work, baseline_name, bar } = case;
        let (unit, measured, chart) = match work {
            Work::Timed { mut ours, mut baseline } => ("ns", measure(&mut ours, &mut baseline), None),
            Work::Counted { unit, ours, baseline } => (unit, Measured::counted(ours, baseline), None),
            Work::Measured { unit, measured, chart } => (unit, measured, chart),
        };
        let Measured { ours, baseline, ratio, allocations, baseline_allocations } = measured;
        let (bar, bar_on, holds) = match bar {
            Bar::Most(most) => (most, "ours", ours <= most),
            Bar::Ratio(most) => (most, "ratio", ratio <= most),
            Bar::RatioWithoutAllocation(most) => (most, "ratio", ratio <= most && allocations == 0.0),
            Bar::RatioAtLeast(least) => (least, "ratio at least", ratio >= least),
        };
        Self {
            bench,
            case: name,
            unit,
            ours: rounded(ours),
            baseline: rounded(baseline),
            baseline_name,
            ratio: rounded(ratio),
            bar: rounded(bar),
            bar_on,
            holds,
            allocations: rounded(allocations),
            baseline_allocations: rounded(baseline_allocations),
            subject,
            size,
            chart,
        }
    }

    pub(crate) fn json(&self) -> String {
        // Numbers and short texts: nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_else(|error| error.to_string())
    }
}

/// To three digits after the point: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

pub(crate) fn table(lines: &[Line]) -> String {
    let mut table = String::new();
    let width = lines.iter().map(|line| line.case.len()).max().unwrap_or_default().max("case".len());
    row(&mut table, width, ["case", "ours", "baseline", "ratio", "allocations", "bar", ""], "baseline");
    for line in lines {
        let Line { ours, baseline, ratio, bar, bar_on, unit, allocations, baseline_allocations, .. } = line;
        let bar = match *bar_on {
            "ours" => format!("{bar} {unit}"),
            "ratio" => format!("× {bar}"),
            _ => format!("≥ {bar}"),
        };
        let (ours, baseline) = (format!("{ours:.1} {unit}"), format!("{baseline:.1} {unit}"));
        let ratio = format!("{ratio:.3}");
        let allocations = format!("{allocations:.1}/{baseline_allocations:.1}");
        let verdict = if line.holds { "holds" } else { "FAILS" };
        let cells = [&line.case, &ours, &baseline, &ratio, &allocations, &bar, verdict];
        row(&mut table, width, cells, line.baseline_name);
    }
    table
}

fn row(table: &mut String, width: usize, cells: [&str; 7], baseline_name: &str) {
    let [case, ours, baseline, ratio, allocations, bar, verdict] = cells;
    // Writing to a string does not fail.
    let _ = writeln!(
        table,
        "{case:width$} {ours:>14} {baseline:>14} {ratio:>8} {allocations:>13} {bar:>9}  {verdict:5}  {baseline_name}"
    );
}

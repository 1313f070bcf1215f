//! A case: what is measured, what it is measured against, and what must hold.

use std::hint::black_box;

use crate::measure::Measured;
use crate::plot::Chart;

/// Ours and a baseline, and how they must compare.
pub(crate) struct Case {
    pub(crate) subject: &'static str,
    /// How much work it is; cases of one subject with different sizes make a plot.
    pub(crate) size: Option<u32>,
    pub(crate) work: Work,
    pub(crate) baseline_name: &'static str,
    pub(crate) bar: Bar,
}

/// What is compared.
pub(crate) enum Work {
    /// The time that two routines take.
    Timed { ours: Routine, baseline: Routine },
    /// Two quantities that are the same on any machine.
    Counted { unit: &'static str, ours: f64, baseline: f64 },
    /// What was measured elsewhere, such as in another process, and how it went over time where that says more.
    Measured { unit: &'static str, measured: Measured, chart: Option<Chart> },
}

/// Does the work as often as it is told to.
pub(crate) type Routine = Box<dyn FnMut(u64)>;

/// What must hold for a case.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// Ours is no more than this, in its unit: nanoseconds where it is timed.
    Most(f64),
    /// Ours is no more than so many times the baseline.
    Ratio(f64),
    /// The same, and allocates nothing.
    RatioWithoutAllocation(f64),
    /// Ours is no less than so many times the baseline.
    RatioAtLeast(f64),
}

impl Case {
    /// The subject, with the size if it has one.
    pub(crate) fn name(&self) -> String {
        let Self { subject, size, .. } = self;
        size.map_or_else(|| (*subject).to_owned(), |size| format!("{subject}_{size}"))
    }
}

/// A routine that hides its result from the optimizer.
pub(crate) fn routine<T>(mut work: impl FnMut() -> T + 'static) -> Routine {
    // The loop is in here, so that a call through the box is paid for a batch and not for each time.
    Box::new(move |times| {
        for _ in 0..times {
            black_box(work());
        }
    })
}

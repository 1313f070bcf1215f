//! How much happened when, what failed, and how long things took.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use auth_core::time::Timestamp;

use super::Report;
use super::latency::{COLUMNS, Histogram};
use super::rate::{Column, Rates};
use super::svg::Axis;
use super::text::{Escaped, clock, counted, grouped, lasting, percent};
use super::timeline::key;
use super::tone::Tone;

/// The height of the columns over time.
const HEIGHT: f64 = 96.0;

/// What happened when.
pub(super) fn rates(report: &Report, axis: Axis) -> String {
    let rates = &report.rates;
    let width = lasting(Duration::from_millis(rates.width()));
    let usual = [Tone::Good, Tone::Neutral];
    let trouble = [Tone::Warning, Tone::Bad];
    let legend: String = Tone::ALL.into_iter().map(|tone| key(tone.name(), tone.words())).collect();
    let mut charts = stacked(rates, axis, &usual, "Events");
    charts.push_str(&stacked(rates, axis, &trouble, "Trouble"));
    charts.push_str(&connected(rates, axis));
    format!(
        r#"<section id="rates" aria-labelledby="rates-title">
<h2 id="rates-title">Over time</h2>
<p class="lead">Events in each {width}. Each chart has a scale of its own.</p>
<ul class="legend">{legend}</ul>
<div class="lanes">{charts}
<div class="lane last"><div></div>{names}</div></div>
</section>
"#,
        names = axis.names(),
    )
}

/// Columns of the events of some tones, one upon the other; nothing where there are none.
fn stacked(rates: &Rates, axis: Axis, tones: &[Tone], name: &str) -> String {
    let sum = |column: &Column| tones.iter().map(|tone| column.events[*tone as usize]).sum::<u64>();
    let highest = rates.columns.iter().map(sum).max().unwrap_or(0);
    if highest == 0 {
        return String::new();
    }
    let mut drawn = axis.grid(HEIGHT as u32);
    for (place, column) in rates.columns.iter().enumerate() {
        let mut bottom = HEIGHT;
        let begin = rates.begin(place);
        for tone in tones {
            let count = column.events[*tone as usize];
            // What there is one of among thousands is seen all the same.
            let height =
                if count == 0 { 0.0 } else { (count as f64 / highest as f64 * (HEIGHT - 6.0)).max(1.5) };
            bottom = (bottom - height).max(0.0);
            if count > 0 {
                let title = format!("{} UTC: {}, {}", clock(begin), counted(count, "event"), tone.words());
                drawn.push_str(&bar(axis, rates, place, (bottom, height), tone.name(), &title));
            }
        }
    }
    let total: u64 = rates.columns.iter().map(sum).sum();
    let facts = format!("{}, at most {} at a time", grouped(total), grouped(highest));
    chart(name, &facts, &drawn)
}

/// How many connections a server had.
fn connected(rates: &Rates, axis: Axis) -> String {
    let counts = rates.connected();
    let highest = counts.iter().copied().max().unwrap_or(0);
    if highest == 0 {
        return String::new();
    }
    let mut drawn = axis.grid(HEIGHT as u32);
    for (place, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        let height = (count as f64 / highest as f64 * (HEIGHT - 6.0)).max(1.5);
        let title = format!("{} UTC: {}", clock(rates.begin(place)), counted(count, "connection"));
        drawn.push_str(&bar(axis, rates, place, (HEIGHT - height, height), "connected", &title));
    }
    chart("Connected clients", &format!("at most {}", grouped(highest)), &drawn)
}

fn bar(axis: Axis, rates: &Rates, place: usize, (y, height): (f64, f64), class: &str, title: &str) -> String {
    let begin = rates.begin(place).as_millis();
    // A gap between neighbours.
    let end = begin.saturating_add(rates.width() / 16 * 15);
    let [begin, end] = [begin, end].map(Timestamp::from_millis);
    axis.span_exactly((begin, end), (y, height), class, title)
}

fn chart(name: &str, facts: &str, drawn: &str) -> String {
    format!(
        r#"<div class="lane"><div class="name"><b>{name}</b><span>{facts}</span></div><svg width="100%" height="{HEIGHT}" role="img" aria-label="{name}: {facts}">{drawn}</svg></div>
"#
    )
}

/// The most kinds of failure that are listed.
const LISTED: usize = 12;

/// What failed, the most frequent first.
pub(super) fn failures(report: &Report) -> String {
    let mut kinds: Vec<_> = report.failures.iter().collect();
    kinds.sort_by_key(|(_, (count, _))| Reverse(*count));
    let most = kinds.first().map_or(1, |(_, (count, _))| *count) as f64;
    let mut rows = String::new();
    for ((what, why), (count, tone)) in kinds.iter().take(LISTED) {
        let _ = write!(
            rows,
            r#"<li><div><b>{what}</b> <span>{why}</span></div><strong>{count}</strong><svg width="100%" height="6" aria-hidden="true"><rect class="track" width="100%" height="6" rx="3"/><rect class="{tone}" width="{width}" height="6" rx="3"/></svg></li>"#,
            why = Escaped(why),
            tone = tone.name(),
            count = grouped(*count),
            width = percent(*count as f64, most),
        );
    }
    let others = kinds.iter().skip(LISTED).fold(0, |sum: u64, (_, (count, _))| sum.saturating_add(*count));
    let rest = match kinds.len().saturating_sub(LISTED) {
        0 => String::new(),
        1 => format!("<p class=\"fine\">And {} of another kind.</p>", grouped(others)),
        more => {
            format!("<p class=\"fine\">And {} of {} other kinds.</p>", grouped(others), grouped(more as u64))
        }
    };
    let lead = match report.failed {
        0 => "Nothing failed in this log.".to_owned(),
        count => format!("{} by kind, the most frequent first.", counted(count, "failure")),
    };
    format!(
        r#"<section id="failures" aria-labelledby="failures-title">
<h2 id="failures-title">What failed</h2>
<p class="lead">{lead}</p>
<ul class="bars">{rows}</ul>{rest}
</section>
"#
    )
}

/// How long things took.
pub(super) fn latencies(report: &Report) -> String {
    let drawn: String = [
        ("From the decision to connect to the acceptance", &report.connect),
        ("A request to the token endpoint", &report.obtain),
        ("From a client's arrival to its acceptance", &report.admit),
    ]
    .into_iter()
    .filter(|(_, histogram)| histogram.count > 0)
    .map(|(name, histogram)| distribution(name, histogram))
    .collect();
    let lead = if drawn.is_empty() {
        "Nothing in this log was timed."
    } else {
        "Each column stands for times about twice as long as the one before it."
    };
    format!(
        r#"<section id="latencies" aria-labelledby="latencies-title">
<h2 id="latencies-title">How long it took</h2>
<p class="lead">{lead}</p>
{drawn}</section>
"#
    )
}

fn distribution(name: &str, histogram: &Histogram) -> String {
    const BARS: f64 = 72.0;
    let most = histogram.columns.iter().copied().max().unwrap_or(1) as f64;
    let mut drawn = format!(r#"<line class="base" x1="0" x2="100%" y1="{BARS}" y2="{BARS}"/>"#);
    for (column, count) in histogram.columns.iter().enumerate() {
        let share = |place: usize| percent(place as f64, COLUMNS as f64);
        if *count > 0 {
            let height = (*count as f64 / most * (BARS - 4.0)).max(1.5);
            let _ = write!(
                drawn,
                r#"<rect class="took" x="{x}" width="6%" y="{y:.1}" height="{height:.1}"><title>{range}: {count}</title></rect>"#,
                x = share(column),
                y = BARS - height,
                range = Histogram::range(column),
                count = grouped(*count),
            );
        }
        if let Some(label) = Histogram::label(column) {
            let x = share(column);
            let _ = write!(drawn, r#"<text class="tick" x="{x}" y="{}">{label}</text>"#, BARS + 14.0);
        }
    }
    let facts: String = [("half within", 500), ("95 % within", 950), ("99 % within", 990)]
        .into_iter()
        .map(|(words, thousandths)| (words, lasting(histogram.percentile(thousandths))))
        .chain([("longest", lasting(histogram.longest))])
        .map(|(words, length)| format!("<div><dt>{words}</dt><dd>{length}</dd></div>"))
        .collect();
    format!(
        r#"<figure><figcaption><b>{name}</b> <span>{}</span></figcaption><svg width="100%" height="90" role="img" aria-label="{name}">{drawn}</svg><dl class="facts">{facts}</dl></figure>
"#,
        counted(histogram.count, "time")
    )
}

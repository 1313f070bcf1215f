//! The sessions of a log along the time: their phases, their tokens, and what happened to the log meanwhile.

use std::fmt::Write as _;

use super::lane::{Fate, Lane, Phase};
use super::lanes::{Drawn, Lanes};
use super::span::{Span, Track};
use super::svg::Axis;
use super::text::{Escaped, clock, counted, grouped, lasting};
use super::{Mark, Report};

/// The height of a lane's drawing.
const HEIGHT: u32 = 44;

/// The section, or nothing where the log has no sessions.
pub(super) fn section(report: &Report, axis: Axis) -> String {
    let lanes = &report.lanes;
    if lanes.lanes.is_empty() {
        return String::new();
    }
    let mut drawn = String::new();
    for Drawn { name, lane, .. } in &lanes.lanes {
        drawn.push_str(&row(name.as_deref(), lane, &report.marks, axis));
    }
    let mut left_out = String::new();
    if lanes.count() > lanes.lanes.len() as u64 {
        let _ = write!(
            left_out,
            r#"<p class="fine">Of {} sessions, the {} with the most trouble are drawn, the worst first.</p>"#,
            grouped(lanes.count()),
            lanes.lanes.len()
        );
    }
    if lanes.uncounted > 0 {
        let _ = write!(
            left_out,
            r#"<p class="fine">No more than {} sessions are counted; {} are of others.</p>"#,
            grouped(Lanes::MOST_COUNTED as u64),
            counted(lanes.uncounted, "event")
        );
    }
    format!(
        r#"<section id="sessions" aria-labelledby="sessions-title">
<h2 id="sessions-title">Sessions</h2>
<p class="lead">The bar is what a session did, the strip above it when its token was being renewed. Below are the tokens that it lived on, pale for the rest of the time that they had been issued for. Times are UTC; point at anything to read more.</p>
{legend}
<div class="lanes">{drawn}
<div class="lane last"><div></div>{names}</div></div>
{left_out}</section>
"#,
        legend = legend(!report.marks.is_empty()),
        names = axis.names(),
    )
}

fn legend(has_marks: bool) -> String {
    let phase = |phase: Phase| key(phase.name(), phase.words());
    let fate = |fate: Fate| key(&format!("token {}", fate.name()), fate.words());
    let mut entries: String = Phase::ALL.into_iter().map(phase).collect();
    if has_marks {
        entries.push_str(&key("mark", "gap or fault of the log"));
    }
    let fates: String = Fate::ALL.into_iter().map(fate).collect();
    format!(r#"<ul class="legend">{entries}</ul><ul class="legend"><li class="of">Tokens</li>{fates}</ul>"#)
}

/// An entry of a legend.
pub(super) fn key(class: &str, words: &str) -> String {
    format!(
        r#"<li><svg width="14" height="10" aria-hidden="true"><rect class="{class}" width="14" height="10" rx="2"/></svg>{words}</li>"#
    )
}

fn row(name: Option<&str>, lane: &Lane, marks: &[Mark], axis: Axis) -> String {
    let mut drawn = axis.grid(HEIGHT);
    // What is good is drawn first, so that nothing else disappears below it.
    for phase in [
        Phase::Connected,
        Phase::Connecting,
        Phase::BackingOff,
        Phase::Suspended,
        Phase::Unknown,
        Phase::Failed,
    ] {
        draw(
            &mut drawn,
            &lane.phases,
            axis,
            phase,
            &Shape { place: place(phase), class: phase.name(), words: phase.words() },
        );
    }
    let renewing = Phase::Renewing;
    draw(
        &mut drawn,
        &lane.renewals,
        axis,
        renewing,
        &Shape { place: place(renewing), class: renewing.name(), words: renewing.words() },
    );
    for (number, span) in lane.tokens.spans().iter().enumerate() {
        let class = format!("token {}", span.kind.name());
        // Neighbours stand on two levels, to be told apart.
        let y = if number % 2 == 0 { 30 } else { 37 };
        let title = title(span, span.kind.words());
        if span.until > span.end {
            drawn.push_str(&axis.span((span.begin, span.until), (y, 5), "rest", &title));
        }
        drawn.push_str(&axis.span((span.begin, span.end), (y, 5), &class, &title));
    }
    for mark in marks {
        let place = axis.at(mark.at);
        let text = format!("{} UTC: {}", clock(mark.at), mark.text);
        let _ = write!(
            drawn,
            r#"<line class="mark" x1="{place}" x2="{place}" y1="0" y2="{HEIGHT}"><title>{}</title></line>"#,
            Escaped(&text)
        );
    }
    let shown = name.unwrap_or("unnamed session");
    let mut facts = format!("connected {}×", grouped(lane.connections));
    if lane.lost > 0 {
        let _ = write!(facts, ", lost {}×", grouped(lane.lost));
    }
    format!(
        r#"<div class="lane"><div class="name"><b>{name}</b><span>{facts}</span></div><svg width="100%" height="{HEIGHT}" role="img" aria-label="{name}: {facts}">{drawn}</svg></div>
"#,
        name = Escaped(shown),
    )
}

struct Shape {
    place: (u32, u32),
    class: &'static str,
    words: &'static str,
}

/// The spans of one phase.
fn draw(drawn: &mut String, track: &Track<Phase>, axis: Axis, phase: Phase, shape: &Shape) {
    for span in track.spans().iter().filter(|span| span.kind == phase) {
        drawn.push_str(&axis.span(
            (span.begin, span.end),
            shape.place,
            shape.class,
            &title(span, shape.words),
        ));
    }
}

/// Where a phase is drawn and how high: what is worse to be in stands lower, for who can't tell the colours apart.
const fn place(phase: Phase) -> (u32, u32) {
    match phase {
        Phase::Renewing => (2, 4),
        Phase::Connected | Phase::Failed => (8, 16),
        Phase::Connecting => (12, 12),
        Phase::BackingOff => (16, 8),
        Phase::Suspended | Phase::Unknown => (20, 4),
    }
}

/// What is said of a span when it is pointed at.
fn title<K>(span: &Span<K>, words: &str) -> String {
    let length = lasting(span.end.saturating_since(span.begin));
    let when = format!("{} to {} UTC, {length}", clock(span.begin), clock(span.end));
    if span.count > 1 {
        return format!(
            "{} too short to tell apart, the worst: {words}\n{when}",
            counted(span.count, "span")
        );
    }
    format!("{words}\n{when}\n{}", span.note)
}

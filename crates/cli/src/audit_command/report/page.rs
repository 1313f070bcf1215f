//! The page itself: one file that fetches nothing and says so to the browser.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::svg::Axis;
use super::text::{Escaped, clock, date, grouped, lasting};
use super::{MOST_ROWS, Report, Row, Standing, Tone, charts, timeline};

/// What every page begins with, so that it is told from a file of somebody else's.
pub(in crate::audit_command) const OPENING: &str = "<!doctype html>\n<!-- Made by rtauth audit report. -->\n";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub(super) fn page(report: &Report, standing: &Standing) -> String {
    // All drawings are as long as the columns over time are together, so that what happens at one moment stands in one line.
    let columns = report.rates.columns.len();
    let axis = Axis::new(report.rates.begin(0), report.rates.begin(columns));
    let mut page = head(standing);
    page.push_str(&header(report, standing));
    page.push_str("<main>\n");
    if report.records > 0 {
        page.push_str(&tiles(report));
        page.push_str(&timeline::section(report, axis));
        page.push_str(&charts::rates(report, axis));
        page.push_str("<div class=\"pair\">\n");
        page.push_str(&charts::failures(report));
        page.push_str(&charts::latencies(report));
        page.push_str("</div>\n");
        page.push_str(&table(report));
        page.push_str(&events(report));
    }
    page.push_str(concat!(
        "</main>\n<footer><p>Made by <code>rtauth audit report</code> ",
        env!("CARGO_PKG_VERSION"),
        " from the log alone. This page fetches nothing. Tokens appear under keyed fingerprints, never as themselves.</p></footer>\n"
    ));
    let _ = write!(page, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
    page
}

/// The head, which forbids everything but the page's own style and script, by their hashes.
fn head(standing: &Standing) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    format!(
        r#"{OPENING}<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Audit report: {name}</title>
<style>{STYLE}</style>
</head>
"#,
        name = Escaped(&standing.name),
    )
}

fn header(report: &Report, standing: &Standing) -> String {
    let when = match report.first {
        None => "No records".to_owned(),
        Some(first) => {
            let last = report.last;
            let until = if date(first) == date(last) {
                clock(last)
            } else {
                format!("{} {}", date(last), clock(last))
            };
            let length = lasting(last.saturating_since(first));
            format!("{} {} to {until} UTC, {length}", date(first), clock(first))
        }
    };
    let claim = |tone: Tone, text: &str| {
        let (class, icon) = (tone.name(), icon(tone));
        format!("<li class=\"{class}\">{icon}<span>{}</span></li>\n", Escaped(text))
    };
    let claims: String = standing.claims.iter().map(|item| claim(item.tone, &item.text)).collect();
    format!(
        r#"<body data-records="{records}" data-sessions="{sessions}" data-failures="{failed}" data-missing="{missing}">
<header class="{tone}">
<p class="eyebrow">Audit report <span>{name}</span></p>
<h1>{icon}{headline}</h1>
<p class="when">{when}</p>
<ul class="claims">
{claims}</ul>
</header>
"#,
        records = report.records,
        sessions = report.lanes.count(),
        failed = report.failed,
        missing = report.missing,
        tone = standing.tone.name(),
        name = Escaped(&standing.name),
        icon = icon(standing.tone),
        headline = Escaped(&standing.headline),
    )
}

/// A sign for who can't tell the colours apart.
const fn icon(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => {
            r#"<svg class="icon" viewBox="0 0 16 16" aria-label="yes"><circle cx="8" cy="8" r="8"/><path d="M4.5 8.2l2.4 2.4 4.6-5"/></svg>"#
        }
        Tone::Neutral => {
            r#"<svg class="icon" viewBox="0 0 16 16" aria-label="note"><circle cx="8" cy="8" r="8"/><path d="M8 7.2v4.3M8 4.4v.4"/></svg>"#
        }
        Tone::Warning => {
            r#"<svg class="icon" viewBox="0 0 16 16" aria-label="not verified"><circle cx="8" cy="8" r="8"/><path d="M8 4v4.8M8 11.4v.4"/></svg>"#
        }
        Tone::Bad => {
            r#"<svg class="icon" viewBox="0 0 16 16" aria-label="no"><circle cx="8" cy="8" r="8"/><path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6"/></svg>"#
        }
    }
}

/// The numbers that a reader wants first; those that can't be said of this log are left out.
fn tiles(report: &Report) -> String {
    let count = |name| report.count(name);
    let issued = count("token_issued") + count("token_adopted");
    let tiles = [
        ("records", "records", report.records, true),
        ("sessions", "sessions", report.lanes.count(), report.lanes.count() > 0),
        ("connections", "times connected", count("authenticated"), report.lanes.count() > 0),
        ("issued", "tokens issued", issued, issued > 0),
        ("renewed", "renewed while connected", count("token_renewed"), count("token_renewed") > 0),
        ("minted", "tokens minted", count("token_minted"), count("token_minted") > 0),
        ("admitted", "clients let in", count("client_authenticated"), count("client_authenticated") > 0),
        ("rejected", "clients rejected", report.rejected, report.rejected > 0),
        ("failures", "failures", report.failed, true),
        ("missing", "events missing", report.missing, report.missing > 0),
    ];
    let tiles: String = tiles
        .into_iter()
        .filter(|(_, _, _, is_shown)| *is_shown)
        .map(|(id, words, number, _)| {
            let class = if id == "missing" { " class=\"bad\"" } else { "" };
            format!("<div{class}><dd data-count=\"{id}\">{}</dd><dt>{words}</dt></div>", grouped(number))
        })
        .collect();
    format!("<dl class=\"tiles\">{tiles}</dl>\n")
}

/// What somebody who looks for trouble wants to see.
fn table(report: &Report) -> String {
    let (rows, count) = report.rows();
    if rows.is_empty() {
        return "<section id=\"notable\"><h2>What needs a look</h2><p class=\"lead\">Nothing: no event of this log tells of trouble.</p></section>\n".to_owned();
    }
    let shown = if rows.len() as u64 == count {
        match count {
            1 => "1 event that tells of trouble.".to_owned(),
            _ => format!("{} events that tell of trouble, in the order of the log.", grouped(count)),
        }
    } else {
        format!(
            "{} of {} events that tell of trouble: the newest {MOST_ROWS} warnings, and the newest {MOST_ROWS} alarms. rtauth audit export has them all.",
            grouped(rows.len() as u64),
            grouped(count),
        )
    };
    let mut body = String::new();
    for row in rows {
        body.push_str(&table_row(row));
    }
    format!(
        r#"<section id="notable" aria-labelledby="notable-title">
<h2 id="notable-title">What needs a look</h2>
<p class="lead">{shown}</p>
<form class="filter" id="filter" hidden>
<input type="search" id="search" placeholder="Filter, such as: connection lost" aria-label="Filter the events" autocomplete="off" spellcheck="false">
<label><input type="checkbox" id="only-bad"> only alarms</label>
<output id="shown" for="search"></output>
</form>
<table>
<thead><tr><th scope="col">Record</th><th scope="col">Time (UTC)</th><th scope="col">Session</th><th scope="col">Event</th><th scope="col">What there is to know</th></tr></thead>
<tbody id="rows">
{body}</tbody>
</table>
</section>
"#
    )
}

fn table_row(row: &Row) -> String {
    format!(
        "<tr class=\"{tone}\"><td class=\"number\">{sequence}</td><td class=\"time\" title=\"{at}\">{clock}</td><td class=\"session\">{session}</td><td class=\"what\"><i></i>{what}</td><td class=\"detail\">{detail}</td></tr>\n",
        tone = row.tone.name(),
        sequence = grouped(row.sequence),
        at = row.at,
        clock = clock(row.at),
        session = Escaped(row.session.as_deref().unwrap_or("")),
        what = Escaped(&row.what),
        detail = Escaped(&row.detail),
    )
}

/// How many events there are of each name.
fn events(report: &Report) -> String {
    let counts: String = report
        .events
        .iter()
        .map(|(name, count)| {
            format!(
                "<div><dt>{}</dt><dd data-event=\"{name}\">{}</dd></div>",
                name.replace('_', " "),
                grouped(*count)
            )
        })
        .collect();
    let marks: String = report
        .marks
        .iter()
        .map(|mark| {
            format!(
                "<li><time>{} {}</time> <span>{}</span></li>",
                date(mark.at),
                clock(mark.at),
                Escaped(&mark.text)
            )
        })
        .collect();
    let unmarked = match report.unmarked {
        0 => String::new(),
        more => format!("<p class=\"fine\">And {} more.</p>", grouped(more)),
    };
    let marks = if marks.is_empty() {
        String::new()
    } else {
        format!(
            "<section id=\"marks\"><h2>What happened to the log</h2><ul class=\"marks\">{marks}</ul>{unmarked}</section>\n"
        )
    };
    format!(
        "{marks}<section id=\"events\"><details><summary>Every kind of event, counted</summary><dl class=\"counts\">{counts}</dl></details></section>\n"
    )
}

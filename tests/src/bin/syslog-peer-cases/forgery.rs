//! Values that are made to look like the end of a message and the beginning of another.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;

use audit::deliver::Outlet;
use audit::deliver::syslog::Syslog;
use audit::{Entry, Event};
use auth_core::AuthEvent;
use auth_core::observe::Label;
use auth_core::time::Timestamp;
use realtime_auth_tests::verdict::{Verdict, holds, same};
use serde_json::Value;

use crate::Settings;
use crate::ledger::BOUND;
use crate::rsyslog::{Received, Rsyslog, message};

/// What a stranger may put into a name.
const PAYLOADS: [&str; 8] = [
    "a\r\n<85>1 2026-11-22T05:00:00Z gw-1 gateway - token_minted [rtauth@32473 seq=\"9\"] forged",
    "a\n52 <85>1 - - - - token_minted [rtauth@32473 seq=\"9\"]",
    "a\"] forged [rtauth@32473 seq=\"9",
    "a\\\"] \\] \\\\",
    "a\0b\tc\u{1b}[31m",
    "]]]\"\"\"\\\\\\",
    "größer 漢字 \u{1f600}",
    "\u{2028}<85>1 - - - - - -",
];

fn entries() -> impl Iterator<Item = Arc<Entry>> {
    PAYLOADS.iter().zip(1..).map(|(payload, sequence)| {
        let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
        Arc::new(Entry::new(sequence, Timestamp::from_millis(1), Some(Label::new(payload)), event))
    })
}

/// The value in structured data (RFC 5424 §6.3.3), with whatever else is in it.
fn raw(payload: &str) -> String {
    let escaped: String = payload
        .chars()
        .flat_map(|character| {
            let escape = matches!(character, '"' | '\\' | ']').then_some('\\');
            escape.into_iter().chain([character])
        })
        .collect();
    format!("<86>1 2026-11-22T05:00:00Z gw-1 gateway - session_closed [rtauth@32473 session=\"{escaped}\"] -")
}

/// A value as rsyslog writes it down: control characters as their octal numbers.
fn written(payload: &str) -> String {
    let octal = |character: char| match character {
        control if u32::from(control) < 32 => format!("#{:03o}", u32::from(control)),
        other => other.to_string(),
    };
    payload.chars().map(octal).collect()
}

fn sessions(received: &[Received]) -> Vec<&Value> {
    received.iter().map(|record| &record.data["session"]).collect()
}

pub(crate) async fn a_value_that_looks_like_a_record_stays_a_value(settings: &Settings) -> Verdict {
    let rsyslog = Rsyslog::start(settings, "forged", None)?;
    let syslog = Syslog::tcp(&rsyslog.tcp.to_string(), message());
    let running = Outlet::sink("syslog", syslog).start()?;
    entries().for_each(|entry| running.offer(&entry));
    same("delivered", running.close(BOUND).delivered, PAYLOADS.len() as u64)?;
    let received = rsyslog.received(|received| received.len() >= PAYLOADS.len())?;
    let expected: Vec<_> = PAYLOADS.iter().map(|payload| Value::from(Label::new(payload).as_str())).collect();
    same("names", sessions(&received), expected.iter().collect())?;
    holds("each is the event that was sent", received.iter().all(|record| record.event == "session_closed"))
}

/// By the count of octets alone: here nothing has made the values safe.
pub(crate) async fn control_characters_in_a_message_end_nothing(settings: &Settings) -> Verdict {
    let rsyslog = Rsyslog::start(settings, "raw", None)?;
    let render = |entry: &Entry| {
        let index = usize::try_from(entry.sequence).unwrap_or_default() - 1;
        raw(PAYLOADS.get(index).unwrap_or(&""))
    };
    let running = Outlet::sink("syslog", Syslog::tcp(&rsyslog.tcp.to_string(), render)).start()?;
    entries().for_each(|entry| running.offer(&entry));
    same("delivered", running.close(BOUND).delivered, PAYLOADS.len() as u64)?;
    let received = rsyslog.received(|received| received.len() >= PAYLOADS.len())?;
    let expected: Vec<_> = PAYLOADS.iter().map(|payload| Value::from(written(payload))).collect();
    same("names", sessions(&received), expected.iter().collect())
}

/// The control: the same messages as above, each ended by a line end.
pub(crate) async fn without_a_count_of_octets_the_same_messages_forge_records(
    settings: &Settings,
) -> Verdict {
    let rsyslog = Rsyslog::start(settings, "lines", None)?;
    let mut stream = TcpStream::connect(rsyslog.tcp)?;
    for payload in PAYLOADS {
        stream.write_all(format!("{}\n", raw(payload)).as_bytes())?;
    }
    drop(stream);
    let received = rsyslog.received(|received| received.len() > PAYLOADS.len())?;
    let forged = received.iter().filter(|record| record.event == "token_minted").count();
    holds("records are forged", received.len() > PAYLOADS.len() && forged > 0)
}

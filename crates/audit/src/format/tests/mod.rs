//! Names of formats, and renderings whose every byte is known.

use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::observe::Label;
use auth_core::time::Timestamp;

mod cef;
mod ecs;
mod generic;
mod golden;
mod ocsf;
mod samples;
mod syslog;

use super::*;
use crate::entry::Event;

fn entry() -> Entry {
    let event = AuthEvent::ConnectionLost {
        connection: 2,
        reason: Label::new("forged]\"\\\n<85>1"),
        code: Some(4_401),
        lasted: None,
        retry_in: Some(Duration::from_secs(1)),
    };
    let at = "2026-11-22T05:00:00.123Z".parse::<Timestamp>().unwrap();
    Entry::new(7, at, Some(Label::new("orders")), Event::Auth(event))
}

fn rendered(format: Format) -> String {
    let origin = Origin::new("gw-1", "gateway").with_process(4_711).with_version("1.2");
    Renderer::new(format, origin).render(&entry())
}

#[test]
fn a_format_is_named_and_an_unknown_name_is_answered_with_all_of_them() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
        assert!(UnknownFormat.to_string().contains(format.name()));
    }
    assert_eq!("JSON".parse::<Format>(), Err(UnknownFormat));
}

#[test]
fn the_logs_own_record_is_what_the_log_reads() {
    let text = rendered(Format::Json);
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry(), "{text}");
}

#[test]
fn a_syslog_message_is_escaped_as_rfc_5424_says() {
    let text = rendered(Format::Syslog);
    let head = "<84>1 2026-11-22T05:00:00.123Z gw-1 gateway 4711 connection_lost [origin software=\"gateway\" swVersion=\"1.2\"][rtauth@32473 id=\"";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("reason=\"forged\\]\\\"\\\\\u{fffd}<85>1\""), "{text}");
    assert!(text.ends_with(" retry_in_ms=\"1000\"] Connection Failed"), "{text}");
}

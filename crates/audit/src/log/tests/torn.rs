//! Where records end in a sector, and what of them a crash may leave unwritten there.

use super::opening::{FIRST, open_unsigned, unsigned};
use super::*;

/// A log of so many events, and one more of a session whose name is so long.
fn named(events: usize, length: usize) -> (Model, Vec<u8>) {
    let (model, bytes) = unsigned(events);
    let mut log = open_unsigned(&model, &bytes).unwrap();
    let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
    let (now, session) = (at(Duration::ZERO), Some(Label::new(&"s".repeat(length))));
    log.commit(&mut [Item::new(now.wall, session, event, Mode::Strict)], now);
    let bytes = model.bytes(FIRST).unwrap();
    (model, bytes)
}

/// A log whose last record ends so many bytes into a sector.
fn ending_in(tail: usize) -> Option<(Model, Vec<u8>)> {
    (1..20).find_map(|events| {
        let shortest = named(events, 1).1.len();
        let length = 1 + (tail + 512 - shortest % 512) % 512;
        (length <= Label::LONGEST).then(|| named(events, length))
    })
}

#[test]
fn the_few_bytes_of_a_record_in_its_last_sector_may_be_missing_unless_it_is_one() {
    for tail in 1..16 {
        let (model, bytes) = ending_in(tail).unwrap();
        assert_eq!(bytes.len() % 512, tail);
        for missing in [0, 0xa5] {
            let mut bytes = bytes.clone();
            let sector = bytes.len() - tail;
            bytes[sector..].fill(missing);
            let opened = open_unsigned(&model, &bytes).map(drop);
            assert_eq!(opened.is_ok(), tail > 1, "{tail} bytes: {opened:?}");
        }
        assert!(open_unsigned(&model, &bytes).is_ok(), "the control");
    }
}

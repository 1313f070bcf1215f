//! A receiver that stops reading for a while, and one that is restarted: nothing comes twice, and what is missing is told.

use std::thread;

use audit::deliver::syslog::Syslog;
use realtime_auth_tests::verdict::{Verdict, holds, same};

use crate::Settings;
use crate::ledger::{Ledger, Sender};
use crate::rsyslog::{Rsyslog, message};

const ENTRIES: u64 = 100_000;

/// The issue's own words: stopped for 60 s and continued, 100,000 events, nothing doubled, gaps reported.
#[expect(clippy::disallowed_methods, reason = "how long it is stopped is what is tried")]
pub(crate) async fn a_receiver_that_is_stopped_gets_nothing_twice_and_is_told_of_every_hole(
    settings: &Settings,
) -> Verdict {
    let rsyslog = Rsyslog::start(settings, "stopped", None)?;
    let mut sender = Sender::to(Syslog::tcp(&rsyslog.tcp.to_string(), message()))?;
    sender.offer_slowly(ENTRIES / 5)?;
    rsyslog.signal("STOP")?;
    // A second's worth at a time: some fill the kernel and the queue, and the others push the oldest out.
    let slices = settings.stop_seconds.max(1);
    for _ in 0..slices {
        sender.offer(ENTRIES * 3 / 5 / slices);
        thread::sleep(settings.stop() / u32::try_from(slices)?);
    }
    let stopped = sender.counts();
    rsyslog.signal("CONT")?;
    let rest = ENTRIES - sender.last;
    sender.offer_slowly(rest)?;
    let counts = sender.close()?;
    holds("some were dropped meanwhile", stopped.dropped > 0)?;
    same(
        "dropped in all, dead letters, and calls repeated",
        (counts.dropped, counts.dead_lettered, counts.retries),
        (stopped.dropped, 0, 0),
    )?;
    let ledger = Ledger::of(&rsyslog, ENTRIES)?;
    ledger.check(ENTRIES)?;
    same("received", ledger.received(), counts.delivered)?;
    same("missing by the records of holes", ledger.missing(), counts.dropped)?;
    same("received + missing", ledger.received() + ledger.missing(), ENTRIES)?;
    same("connections that broke", ledger.in_doubt.len(), 0)
}

pub(crate) async fn a_receiver_that_is_restarted_gets_nothing_twice_and_is_told_what_is_in_doubt(
    settings: &Settings,
) -> Verdict {
    let mut rsyslog = Rsyslog::start(settings, "restarted", None)?;
    let mut sender = Sender::to(Syslog::tcp(&rsyslog.tcp.to_string(), message()))?;
    sender.offer_slowly(ENTRIES / 5)?;
    rsyslog.end()?;
    sender.offer(ENTRIES / 20);
    rsyslog.run()?;
    sender.offer_slowly(ENTRIES / 5)?;
    let sent = sender.last;
    let counts = sender.close()?;
    same("dead letters", counts.dead_lettered, 0)?;
    let ledger = Ledger::of(&rsyslog, sent)?;
    ledger.check(sent)?;
    same("missing by the records of holes", ledger.missing(), counts.dropped)?;
    holds("what went down with the connection was told", !ledger.in_doubt.is_empty())?;
    let in_doubt: u64 = ledger.in_doubt.iter().map(|[_, _, count]| count).sum();
    holds(
        "no more is missing than was dropped or in doubt",
        ledger.received() + ledger.missing() + in_doubt >= sent,
    )
}

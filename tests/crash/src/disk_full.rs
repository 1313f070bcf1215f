//! The disk is full for a while: each mode keeps its promise meanwhile, what is lost is counted to the last event, and it goes on by itself.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use audit::{Modes, Trail};
use auth_core::AuthEvent;

use crate::child::pause;
use crate::failed::{Done, Failed};
use crate::inspect::Found;
use crate::log::{Mode, decided, options, revoked, verify};
use crate::mounts::Mounted;

/// How many events are recorded until the disk is full for sure.
const EVENTS: usize = 2_500;

/// How many fit the reserve with room to spare.
const LAST: usize = 40;

/// So small that segments change on the way.
const SEGMENT_BYTES: u64 = 65_536;

pub(crate) fn run() -> Done {
    for mode in [Mode::BestEffort, Mode::Durable, Mode::Strict] {
        in_mode(mode).map_err(|Failed(reason)| Failed(format!("{mode:?}: {reason}")))?;
    }
    revocations_fit_the_reserve()
}

/// A log on a disk of one mebibyte, most of which is taken.
struct Cramped {
    disk: Mounted,
    trail: Trail,
    sent: Vec<String>,
    acknowledged: Vec<String>,
}

impl Cramped {
    fn open(modes: Modes) -> Done<Self> {
        let disk = Mounted::in_memory("1m")?;
        fs::write(disk.path().join("ballast"), vec![0; 400 * 1_024])?;
        let options = options(&disk.path().join("log"))?.modes(modes).segment_bytes(SEGMENT_BYTES);
        let trail = Trail::builder().log(options).open()?;
        Ok(Self { disk, trail, sent: Vec::new(), acknowledged: Vec::new() })
    }

    fn record(&mut self, name: String, event: &AuthEvent) -> bool {
        let acknowledged = self.trail.record_blocking(event).is_ok();
        if acknowledged {
            self.acknowledged.push(name.clone());
        }
        self.sent.push(name);
        acknowledged
    }

    fn log(&self) -> PathBuf {
        self.disk.path().join("log")
    }

    /// Gives the disk room again, and records until what is recorded is on it.
    fn make_room(&mut self) -> Done {
        fs::remove_file(self.disk.path().join("ballast"))?;
        for number in 0..TRIES {
            let name = format!("again.{number}");
            // Of those that are not let into the reserve.
            self.record(name.clone(), &decided(&name));
            // While the disk is full it says so.
            let _ = self.trail.flush_blocking();
            if Found::in_log(&self.log())?.names.contains(&name) {
                return Ok(());
            }
            pause(Duration::from_millis(50));
        }
        Err(Failed::new("the disk has room again, and the log does not go on"))
    }

    /// Closes and verifies the log; what it has, and how many events it says that it has not.
    fn close(self) -> Done<Outcome> {
        let log = self.log();
        let _ = self.trail.close();
        let verified = verify(&log)?;
        let found = Found::in_log(&log)?;
        let (recorded, dropped) = (found.names.len(), verified.dropped);
        if recorded as u64 + dropped != self.sent.len() as u64 || found.doubled > 0 {
            let sent = self.sent.len();
            return Err(Failed(format!(
                "of {sent} events {recorded} are recorded and {dropped} reported as dropped"
            )));
        }
        if dropped == 0 {
            return Err(Failed::new("the disk was never full, so nothing was tried"));
        }
        Ok(Outcome { found, sent: self.sent, acknowledged: self.acknowledged, dropped })
    }
}

/// How often it is tried: the pauses of a log grow, and this is longer than the longest.
const TRIES: u32 = 900;

struct Outcome {
    found: Found,
    sent: Vec<String>,
    acknowledged: Vec<String>,
    dropped: u64,
}

fn in_mode(mode: Mode) -> Done {
    let mut log = Cramped::open(mode.modes())?;
    for number in 0..EVENTS {
        let name = number.to_string();
        log.record(name.clone(), &decided(&name));
        if number % 100 == 0 {
            // None is to be dropped for want of room in the queue.
            let _ = log.trail.flush_blocking();
        }
    }
    log.make_room()?;
    let after: Vec<_> = (0..50).map(|number| format!("after.{number}")).collect();
    for name in &after {
        log.record(name.clone(), &decided(name));
    }
    let Outcome { found, sent, acknowledged, dropped } = log.close()?;
    let refused = sent.len() - acknowledged.len();
    match mode {
        Mode::BestEffort | Mode::Durable if refused > 0 => {
            return Err(Failed(format!("{refused} events were refused, which this mode never does")));
        }
        Mode::Strict if refused == 0 => return Err(Failed::new("nothing was refused")),
        Mode::Strict if found.missing(&acknowledged) > 0 => {
            return Err(Failed(format!("{} acknowledged events are missing", found.missing(&acknowledged))));
        }
        _ => {}
    }
    if found.missing(&after) > 0 {
        return Err(Failed::new("events are missing that came after the disk had room again"));
    }
    println!(
        "disk-full, {mode:?}: {} events, {} recorded, {dropped} reported as dropped, {refused} refused, 0 unaccounted for",
        sent.len(),
        found.names.len()
    );
    Ok(())
}

/// Decisions fill the disk; revocations still get through, and nobody revokes without a record.
fn revocations_fit_the_reserve() -> Done {
    let mut log = Cramped::open(Modes::gateway())?;
    for number in 0..EVENTS {
        let name = number.to_string();
        log.record(name.clone(), &decided(&name));
    }
    let last: Vec<_> = (0..LAST).map(|number| format!("last.{number}")).collect();
    let refused = last.iter().filter(|name| !log.record((*name).clone(), &revoked(name))).count();
    log.make_room()?;
    let Outcome { found, dropped, .. } = log.close()?;
    if refused > 0 || found.missing(&last) > 0 {
        return Err(Failed(format!(
            "{refused} of {LAST} revocations were refused, {} missing",
            found.missing(&last)
        )));
    }
    println!("disk-full, revocations: {LAST} recorded while {dropped} decisions were dropped");
    Ok(())
}

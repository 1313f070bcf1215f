//! The process goes, at any moment: while it opens the log, repairs it, writes, changes segments or closes.

use std::path::Path;
use std::time::Duration;

use rand::seq::IndexedRandom as _;

use crate::child::{Writer, command, pause};
use crate::failed::{Done, Failed};
use crate::inspect::{Found, is_torn};
use crate::log::reopen_and_verify;
use crate::mounts;

/// How many records a log may hold before there is a new one.
const RECORDS_IN_A_LOG: usize = 30_000;

/// The longest that a writer is left at work.
const LONGEST: Duration = Duration::from_millis(60);

/// What the kills came to.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    while_opening: u32,
    acknowledged: usize,
    lost: usize,
    doubled: usize,
    torn: u32,
    segments: usize,
    /// How often the log says that it was broken off.
    broken_off: u64,
}

pub(crate) fn run(times: u32) -> Done {
    let folder = mounts::folder()?;
    let mut tally = Tally::default();
    let mut logs = 0;
    while tally.kills < times {
        logs += 1;
        one_log(&folder.path().join(logs.to_string()), times, &mut tally)?;
    }
    let Tally { kills, while_opening, acknowledged, lost, doubled, torn, segments, broken_off } = tally;
    println!(
        "kill: {kills} kills, {while_opening} of them while opening, {acknowledged} acknowledged, {lost} lost, {doubled} doubled, \
         {torn} torn tails, {segments} segments, {broken_off} ends missed"
    );
    if lost > 0 || doubled > 0 {
        return Err(Failed::new("a kill lost records that were acknowledged, or doubled some"));
    }
    if acknowledged == 0 {
        return Err(Failed::new("nothing was acknowledged, so nothing was tried"));
    }
    Ok(())
}

/// Kills the writers of one log until it is large.
fn one_log(log: &Path, times: u32, tally: &mut Tally) -> Done {
    let mut safe: Vec<String> = Vec::new();
    let (mut killed, mut killed_open, mut closed, mut broken_off) = (0, 0, 0, 0);
    while tally.kills < times && safe.len() < RECORDS_IN_A_LOG {
        // Some are killed in a row, so that a writer finds what another left, and is killed over its repair.
        for _ in 0..rand::random_range(1..=3) {
            tally.kills += 1;
            let mut command = command(log, &tally.kills.to_string())?;
            // One record a write, some, or so many that a write takes its time.
            let tasks = ["1", "32", "2048"].choose(&mut rand::rng()).copied().unwrap_or("1");
            let writer = Writer::start(command.args(["--tasks", tasks, "--segment-bytes", "16384"]))?;
            if rand::random_ratio(2, 3) && !writer.wait_until_open() {
                return Err(Failed::new("the writer does not open the log that a kill left"));
            }
            pause(rand::random_range(Duration::ZERO..LONGEST).mul_f64(rand::random()));
            let said = writer.kill()?;
            killed += 1;
            killed_open += u64::from(said.opened);
            tally.while_opening += u32::from(!said.opened);
            tally.acknowledged += said.acknowledged.len();
            safe.extend(said.acknowledged);
            tally.torn += u32::from(is_torn(log)?);
        }
        let verified = reopen_and_verify(log)?;
        closed += 1;
        broken_off = verified.broken_off;
        // One that was killed while it opened the log may have left nothing of itself.
        if verified.closed != closed || !(killed_open..=killed).contains(&broken_off) {
            return Err(Failed(format!(
                "of {killed} writers {killed_open} were killed with the log open, and {closed} closed it, but it says {broken_off} and {}",
                verified.closed
            )));
        }
        let found = Found::in_log(log)?;
        tally.lost += found.missing(&safe);
        tally.doubled += found.doubled;
        tally.segments = tally.segments.max(found.segments);
    }
    tally.broken_off += broken_off;
    Ok(())
}

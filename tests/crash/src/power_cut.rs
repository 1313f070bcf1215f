//! The power goes: an image with ext4 is copied while its writer is stopped, and the copy is what a disk would have held.

use std::path::Path;
use std::time::Duration;

use crate::child::{Writer, command, pause};
use crate::failed::{Done, Failed};
use crate::inspect::{Found, is_torn};
use crate::log::reopen_and_verify;
use crate::mounts::{Image, folder};

/// What the cuts came to.
#[derive(Debug, Default)]
struct Tally {
    cuts: u32,
    acknowledged: usize,
    lost: usize,
    doubled: usize,
    torn: u32,
    segments: usize,
}

/// How many cuts of the control: it loses with the first.
const CONTROL_CUTS: u32 = 5;

/// How many records an image may hold before there is a new one: it has room for twice as many, and what one run adds.
const RECORDS_ON_AN_IMAGE: usize = 50_000;

/// How many records are under way at once.
const TASKS: &str = "64";

/// The longest that a writer is left at work.
const LONGEST: Duration = Duration::from_millis(250);

pub(crate) fn run(cuts: u32) -> Done {
    let synced = series(cuts, true)?;
    println!("{}", synced.line("synced"));
    let control = series(cuts.min(CONTROL_CUTS), false)?;
    println!("{}", control.line("without syncing, as the control"));
    if synced.lost > 0 || synced.doubled > 0 {
        return Err(Failed::new("a power cut lost records that were acknowledged, or doubled some"));
    }
    if synced.acknowledged == 0 {
        return Err(Failed::new("nothing was acknowledged, so nothing was tried"));
    }
    if control.lost == 0 {
        return Err(Failed::new("the control lost nothing, so this harness can't tell"));
    }
    Ok(())
}

impl Tally {
    fn line(&self, what: &str) -> String {
        let Self { cuts, acknowledged, lost, doubled, torn, segments } = self;
        format!(
            "power-cut, {what}: {cuts} cuts, {acknowledged} acknowledged, {lost} lost, {doubled} doubled, {torn} torn \
             tails, {segments} segments"
        )
    }
}

/// Cuts so many times. The disk that a cut leaves is the one that the next writer finds, until it is half full.
fn series(cuts: u32, synced: bool) -> Done<Tally> {
    let folder = folder()?;
    let mut tally = Tally::default();
    // What must be on the disk: all that was acknowledged since it was empty.
    let mut safe: Vec<String> = Vec::new();
    let mut image = Image::new(folder.path().join("empty"))?;
    for cut in 1..=cuts {
        if safe.len() > RECORDS_ON_AN_IMAGE {
            safe.clear();
            image = Image::new(folder.path().join("empty"))?;
        }
        let (left, acknowledged) =
            cut_power(&image, folder.path().join(cut.to_string()).as_path(), cut, synced)?;
        image.remove()?;
        image = left;
        tally.cuts += 1;
        tally.acknowledged += acknowledged.len();
        safe.extend(acknowledged);
        let disk = image.mount()?;
        let log = disk.path().join("log");
        tally.torn += u32::from(is_torn(&log)?);
        if synced {
            reopen_and_verify(&log)?;
        }
        let found = Found::in_log(&log)?;
        tally.lost += found.missing(&safe);
        tally.doubled += found.doubled;
        tally.segments += found.segments;
        if !synced {
            // What is lost once is not lost again.
            safe.retain(|name| found.names.contains(name));
        }
    }
    Ok(tally)
}

/// Lets a writer work on an image and cuts its power: what the image held then, and what had been acknowledged.
fn cut_power(image: &Image, left: &Path, cut: u32, synced: bool) -> Done<(Image, Vec<String>)> {
    let disk = image.mount()?;
    let mut command = command(&disk.path().join("log"), &cut.to_string())?;
    command.args(["--tasks", TASKS]).args((!synced).then_some("--careless"));
    let writer = Writer::start(&mut command)?;
    // One in five is cut while it opens the log.
    if !rand::random_ratio(1, 5) && !writer.wait_until_open() {
        return Err(Failed::new("the writer does not open the log that a cut left"));
    }
    pause(rand::random_range(Duration::ZERO..LONGEST).mul_f64(rand::random()));
    writer.stop()?;
    let left = image.copy(left.to_owned())?;
    let said = writer.kill()?;
    if !said.refused.is_empty() {
        return Err(Failed(format!("the writer was refused {} records on a good disk", said.refused.len())));
    }
    drop(disk);
    Ok((left, said.acknowledged))
}

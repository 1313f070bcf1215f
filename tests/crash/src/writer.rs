//! A writer that is there to be ended: a line on its output for each record of which it was told that it is safe.
//!
//! `open` once the log is open, then `ok` and `refused`, each with the record's name, and `closed` at the end.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::rc::Rc;

use clap::Args;
use tokio::runtime;
use tokio::task::LocalSet;

use crate::failed::Done;
use crate::log::{Log, Mode};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The directory of the log.
    pub(crate) directory: PathBuf,
    /// What the names of its records begin with: no two runs over one log have the same.
    #[arg(long)]
    pub(crate) run: String,
    /// How many records are under way at once.
    #[arg(long, default_value_t = 1)]
    pub(crate) tasks: u32,
    /// How many records each task writes before the log is closed; without it, no end.
    #[arg(long)]
    pub(crate) records: Option<u64>,
    /// The size at which a segment ends.
    #[arg(long, default_value_t = 65_536)]
    pub(crate) segment_bytes: u64,
    #[arg(long, value_enum, default_value_t = Mode::Strict)]
    pub(crate) mode: Mode,
    /// As the control: appends by a few lines of its own, which neither sync nor look whether it worked.
    #[arg(long)]
    pub(crate) careless: bool,
}

pub(crate) fn run(options: &Options) -> Done {
    let log = if options.careless {
        Log::careless(&options.directory)?
    } else {
        Log::open(&options.directory, options.mode, options.segment_bytes)?
    };
    say("open", "")?;
    let log = Rc::new(log);
    let tasks = LocalSet::new();
    for task in 0..options.tasks {
        let (log, run, last) = (Rc::clone(&log), options.run.clone(), options.records.unwrap_or(u64::MAX));
        tasks.spawn_local(async move {
            for number in 0..last {
                let name = format!("{run}.{task}.{number}");
                let said = match log.record(&name).await {
                    Ok(()) => say("ok", &name),
                    Err(_) => say("refused", &name),
                };
                if said.is_err() {
                    // Nobody listens any more.
                    return;
                }
            }
        });
    }
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(tasks);
    if let Some(log) = Rc::into_inner(log) {
        log.close();
    }
    say("closed", "")?;
    Ok(())
}

/// One write a line: what was said is in the pipe, and outlives whoever said it.
fn say(what: &str, name: &str) -> io::Result<()> {
    io::stdout().lock().write_all(format!("{what} {name}\n").as_bytes())
}

//! `rtauth audit tail`: the last records of a log, and each further one as it is written.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use audit::Entry;

use super::options::TailOptions;
use super::reading::{self, Segment};
use super::report::{Tone, clock};
use super::words;
use crate::exit::Failure;

/// How often a log is looked at for further records.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn tail(options: &TailOptions) -> Result<(), Failure> {
    let segments = reading::segments(&options.directory)?;
    let style = Style { json: options.json, color: colored() };
    let wanted = options.lines as usize;
    let mut last = VecDeque::new();
    // From the newest segment back, until there are enough.
    let mut newest = None;
    for path in segments.iter().rev() {
        let mut segment = Segment::open(path)?;
        let mut lines = VecDeque::new();
        while let Some(line) = segment.line()? {
            lines.push_back(line.to_owned());
            if lines.len() + last.len() > wanted {
                lines.pop_front();
            }
        }
        newest.get_or_insert_with(|| (path.clone(), segment));
        lines.append(&mut last);
        last = lines;
        if last.len() >= wanted {
            break;
        }
    }
    for line in &last {
        if !style.shows(line)? {
            return Ok(());
        }
    }
    let Some(newest) = newest.filter(|_| options.follow) else { return Ok(()) };
    follow(options, newest, style).await
}

async fn follow(
    options: &TailOptions,
    (mut path, mut segment): (PathBuf, Segment),
    style: Style,
) -> Result<(), Failure> {
    loop {
        // Listed before the rest is read: a segment is finished before the next one begins.
        let next = reading::segments(&options.directory)?.into_iter().find(|other| *other > path);
        while let Some(line) = segment.line()? {
            if !style.shows(line)? {
                return Ok(());
            }
        }
        match next {
            Some(next) => {
                segment = Segment::open(&next)?;
                path = next;
            }
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Colours only for a terminal, and not against the user's wish (no-color.org).
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn colored() -> bool {
    let wished = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wished && io::stdout().is_terminal()
}

#[derive(Clone, Copy)]
struct Style {
    json: bool,
    color: bool,
}

impl Style {
    /// Prints a record; `false` where nobody reads any more.
    fn shows(self, line: &str) -> Result<bool, Failure> {
        let text = if self.json {
            line.to_owned()
        } else {
            // What this program does not know yet is shown as it is.
            serde_json::from_str(line).map_or_else(|_| line.to_owned(), |entry| self.words(&entry))
        };
        match writeln!(io::stdout(), "{text}") {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::Operation(format!("standard output can't be written: {error}"))),
        }
    }

    fn words(self, entry: &Entry) -> String {
        let (mark, paint) = match Tone::of(&entry.event) {
            Tone::Good => ('✓', "\x1b[32m"),
            Tone::Neutral => ('·', "\x1b[36m"),
            Tone::Warning => ('!', "\x1b[33m"),
            Tone::Bad => ('✗', "\x1b[31m"),
        };
        let (paint, dim, plain) = if self.color { (paint, "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let session = entry.session.as_ref().map_or("-", |name| name.as_str());
        let (name, detail) = (words::name(entry), words::detail(entry));
        format!(
            "{dim}{:>7} {}{plain}  {session:<12} {paint}{mark}{plain} {name:<22} {dim}{detail}{plain}",
            entry.sequence,
            clock(entry.at)
        )
    }
}

//! `rtauth audit tail`: the last records of a log, and each further one as it is written.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use audit::Entry;
use audit::format::escaped;
use audit::verify::{Lines, Next, Segment, VerifyError};

use super::options::TailOptions;
use super::reading;
use super::report::{Tone, clock};
use super::{trust, words};
use crate::exit::{Failure, complain};
use crate::shown::shown;

/// How often a log is looked at for further records.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn tail(options: &TailOptions) -> Result<(), Failure> {
    let listed = reading::segments(&options.directory)?;
    let style = Style { json: options.json, color: colored() };
    let wanted = options.lines as usize;
    let mut last = VecDeque::new();
    // From the newest segment back, until there are enough.
    let mut newest = None;
    for segment in listed.iter().rev() {
        let mut opened = Opened::of(segment)?;
        let mut lines = VecDeque::new();
        while let Some(line) = opened.line()? {
            lines.push_back(line);
            if lines.len() + last.len() > wanted {
                lines.pop_front();
            }
        }
        newest.get_or_insert(opened);
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

async fn follow(options: &TailOptions, mut opened: Opened, style: Style) -> Result<(), Failure> {
    loop {
        // Listed before the rest is read: a segment is finished before the next one begins.
        let listed = match audit::verify::segments(&options.directory) {
            // Moved away, and not begun anew yet. What was open is read to its end all the same.
            Err(error) if is_gone(&error) => Vec::new(),
            listed => listed.map_err(|error| trust::failure(&error))?,
        };
        let next = listed.into_iter().find(|other| other.first > opened.segment.first);
        while let Some(line) = opened.line()? {
            if !style.shows(&line)? {
                return Ok(());
            }
        }
        match next.map(|next| {
            next.lines().map(|lines| Opened { segment: next.clone(), lines }).map_err(|error| (next, error))
        }) {
            Some(Ok(next)) => opened = next,
            Some(Err((next, error))) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unreadable(&next, error));
            }
            Some(Err(_)) | None => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Whether there is no log any more where there was one.
fn is_gone(error: &VerifyError) -> bool {
    match error {
        VerifyError::NoLog(_) => true,
        VerifyError::Unreadable { error, .. } => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// A segment that is being read.
struct Opened {
    segment: Segment,
    lines: Lines,
}

impl Opened {
    fn of(segment: &Segment) -> Result<Self, Failure> {
        let lines = segment.lines().map_err(|error| unreadable(segment, error))?;
        Ok(Self { segment: segment.clone(), lines })
    }

    /// The next whole line, whatever is in it; `None` at the end, and before a last one that is not finished yet.
    fn line(&mut self) -> Result<Option<String>, Failure> {
        loop {
            match self.lines.next().map_err(|error| unreadable(&self.segment, error))? {
                Next::Line(line) => return Ok(Some(String::from_utf8_lossy(line).into_owned())),
                Next::Long => {
                    let name = self.segment.path.display();
                    complain(
                        "audit tail",
                        format_args!("{name}: a line that is longer than any record is left out"),
                    );
                }
                Next::Torn(_) | Next::End => return Ok(None),
            }
        }
    }
}

fn unreadable(segment: &Segment, error: io::Error) -> Failure {
    trust::failure(&VerifyError::Unreadable { path: segment.path.clone(), error })
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
            escaped(line).into_owned()
        } else {
            // What this program does not know yet is shown as it is, but for what would act upon the terminal.
            serde_json::from_str(line).map_or_else(|_| shown(line).into_owned(), |entry| self.words(&entry))
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
        let session = shown(entry.session.as_ref().map_or("-", |name| name.as_str()));
        let (name, detail) = (words::name(entry), words::detail(entry));
        let detail = shown(&detail);
        format!(
            "{dim}{:>7} {}{plain}  {session:<12} {paint}{mark}{plain} {name:<22} {dim}{detail}{plain}",
            entry.sequence,
            clock(entry.at)
        )
    }
}

//! Reading the files of a log without verifying them, line by line and never more than a line at a time.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use audit::Entry;

use crate::exit::Failure;

/// The longest line that is read, in bytes; ours are below 32 KiB.
const LONGEST_LINE: u64 = 256 * 1024;

/// The segments of a log, the first one first.
pub(super) fn segments(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let name = directory.display();
    let listed = fs::read_dir(directory).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => Failure::Usage(format!(
            "{name} is a file; an audit log is a directory of segments. A log of one file, as they were once, can't be read any more"
        )),
        _ => Failure::Usage(format!("{name} can't be read: {error}")),
    })?;
    let mut segments = Vec::new();
    for entry in listed {
        let path =
            entry.map_err(|error| Failure::Operation(format!("{name} can't be read: {error}")))?.path();
        if first_of(&path).is_some() {
            segments.push(path);
        }
    }
    if segments.is_empty() {
        return Err(Failure::Usage(format!(
            "there is no audit log in {name}; name the directory that has its segments, such as 00000000000000000001.jsonl"
        )));
    }
    segments.sort();
    Ok(segments)
}

/// The number of the first record of a segment, by the name of its file.
pub(super) fn first_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    let is_number = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| is_number)
}

/// A segment that is being read.
pub(super) struct Segment {
    name: String,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl Segment {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|error| Failure::Operation(format!("{name} can't be read: {error}")))?;
        Ok(Self { name, reader: BufReader::new(file), line: Vec::new(), number: 0 })
    }

    /// The next whole record; `None` at the end, and before a last one that is not finished.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, Failure> {
        match self.line()?.map(serde_json::from_str) {
            None => Ok(None),
            Some(Ok(entry)) => Ok(Some(entry)),
            Some(Err(_)) => Err(self.bad("is no record of an audit log")),
        }
    }

    /// The next whole line, without its end; `None` at the end, and before a last one that is not finished, which is kept to be
    /// finished later.
    pub(super) fn line(&mut self) -> Result<Option<&str>, Failure> {
        if self.line.ends_with(b"\n") {
            self.line.clear();
        }
        let room = LONGEST_LINE - self.line.len() as u64;
        let read = self.reader.by_ref().take(room).read_until(b'\n', &mut self.line);
        read.map_err(|error| Failure::Operation(format!("{} can't be read: {error}", self.name)))?;
        if !self.line.ends_with(b"\n") {
            let is_long = self.line.len() as u64 == LONGEST_LINE;
            if is_long {
                self.number += 1;
                return Err(self.bad("is longer than any record"));
            }
            return Ok(None);
        }
        self.number += 1;
        let text = std::str::from_utf8(&self.line[..self.line.len() - 1]);
        text.map(Some)
            .map_err(|_| Failure::Operation(format!("{}: line {} is no text", self.name, self.number)))
    }

    fn bad(&self, what: &str) -> Failure {
        Failure::Operation(format!("{}: line {} {what}", self.name, self.number.max(1)))
    }
}

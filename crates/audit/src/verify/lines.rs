//! The lines of one segment, read through one buffer.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

/// A segment that is being read.
pub(super) struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
}

/// What comes next in a segment.
pub(super) enum Next<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// So many bytes without an end, and then the file's end.
    Torn(u64),
    /// More than any record has, without an end.
    Long,
    /// The file's end.
    End,
}

/// The longest line that is read, in bytes; ours are below 32 KiB.
const LONGEST_LINE: u64 = 256 * 1024;
const BUFFER: usize = 256 * 1024;

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::with_capacity(BUFFER, File::open(path)?), line: Vec::new() })
    }

    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let length = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)? as u64;
        Ok(match self.line.strip_suffix(b"\n") {
            Some(line) => Next::Line(line),
            None if length == 0 => Next::End,
            None if length == LONGEST_LINE => Next::Long,
            None => Next::Torn(length),
        })
    }

    /// Reads to the end, whatever is there: how many lines there are, and whether the last has no end.
    pub(super) fn count_rest(&mut self) -> io::Result<(u64, bool)> {
        let (mut lines, mut torn) = (0, false);
        loop {
            let buffer = self.reader.fill_buf()?;
            let Some(last) = buffer.last() else { return Ok((lines, torn)) };
            torn = *last != b'\n';
            lines += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
            let length = buffer.len();
            self.reader.consume(length);
        }
    }
}

//! The lines of one segment, read through one buffer.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::chain::LONGEST_LINE;

/// The lines of a segment, read one by one: never more than the longest line is in memory.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    /// Whether what was read last is of a line that is too long, and goes on.
    is_long: bool,
}

/// What comes next in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever reads must know all that may come")]
pub enum Next<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// So many bytes without an end, and then the file's end. They are kept: if more was written by the next time, it is added.
    Torn(u64),
    /// A line that is longer than any record. The next one comes after its end.
    Long,
    /// The file's end.
    End,
}

const BUFFER: usize = 256 * 1024;

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let reader = BufReader::with_capacity(BUFFER, File::open(path)?);
        Ok(Self { reader, line: Vec::new(), is_long: false })
    }

    /// What comes next. After the end, it is what has been written since.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    #[expect(clippy::should_implement_trait, reason = "what comes next borrows the buffer")]
    pub fn next(&mut self) -> io::Result<Next<'_>> {
        if self.is_long {
            if !self.skip_line()? {
                return Ok(Next::End);
            }
            self.is_long = false;
            self.line.clear();
        } else if self.line.ends_with(b"\n") {
            self.line.clear();
        }
        let room = (LONGEST_LINE - self.line.len()) as u64;
        self.reader.by_ref().take(room).read_until(b'\n', &mut self.line)?;
        let length = self.line.len() as u64;
        self.is_long = length == LONGEST_LINE as u64 && !self.line.ends_with(b"\n");
        Ok(match self.line.strip_suffix(b"\n") {
            Some(line) => Next::Line(line),
            None if length == 0 => Next::End,
            None if self.is_long => Next::Long,
            None => Next::Torn(length),
        })
    }

    /// Reads on to the end of a line; `false` if the file ends before that.
    fn skip_line(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(length);
            if end.is_some() {
                return Ok(true);
            }
        }
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

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_a_torn_one_is_finished_later() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &[u8]| {
            OpenOptions::new().append(true).open(file.path()).unwrap().write_all(text).unwrap();
        };
        let longest = LONGEST_LINE;
        write(b"one\n");
        write(&vec![b'x'; 3 * longest]);
        write(b"\n");
        write(&vec![b'y'; longest - 1]);
        write(b"\nto");
        let mut lines = Lines::open(file.path()).unwrap();
        assert_eq!(lines.next().unwrap(), Next::Line(b"one"));
        assert_eq!(lines.next().unwrap(), Next::Long);
        assert_eq!(lines.next().unwrap(), Next::Line(&vec![b'y'; longest - 1]));
        assert_eq!(lines.next().unwrap(), Next::Torn(2));
        assert_eq!(lines.next().unwrap(), Next::Torn(2));
        write(b"rn\n");
        assert_eq!(lines.next().unwrap(), Next::Line(b"torn"));
        assert_eq!(lines.next().unwrap(), Next::End);
        write(&vec![b'z'; longest]);
        assert_eq!(lines.next().unwrap(), Next::Long);
        assert_eq!(lines.next().unwrap(), Next::End, "the long line has no end yet");
        write(b"\nlast\n");
        assert_eq!(lines.next().unwrap(), Next::Line(b"last"));
    }
}

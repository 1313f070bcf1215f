//! Standard input, a line at a time: read by a thread of its own, since nothing else can wait for it.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use tokio::sync::mpsc;

/// What comes from standard input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A line, without its end.
    Line(String),
    /// There is no more.
    End,
    /// What can't be sent, and why.
    Bad(&'static str),
}

/// Lines that were read and wait for the session.
const WAITING: usize = 16;

/// The longest line that is read.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Reads standard input until it ends, or this process does.
#[expect(
    clippy::disallowed_methods,
    reason = "a read of a terminal can't be waited for otherwise, nor given up"
)]
pub(super) fn read() -> mpsc::Receiver<Input> {
    let (lines, received) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        while let Some(input) = next(&mut io::stdin().lock()) {
            let is_last = !matches!(input, Input::Line(_));
            // A session that has ended wants no more.
            if lines.blocking_send(input).is_err() || is_last {
                break;
            }
        }
    });
    received
}

/// Whether somebody types.
pub(super) fn is_typed() -> bool {
    io::stdin().is_terminal()
}

fn next(input: &mut impl io::BufRead) -> Option<Input> {
    let mut line = Vec::new();
    let read = input.take(LONGEST).read_until(b'\n', &mut line);
    if read.is_err() {
        return Some(Input::Bad("standard input can't be read"));
    }
    if line.is_empty() {
        return Some(Input::End);
    }
    let has_end = line.last() == Some(&b'\n');
    if !has_end && line.len() as u64 == LONGEST {
        return Some(Input::Bad("a line of standard input is longer than 16 MiB"));
    }
    if has_end {
        line.pop();
        line.pop_if(|byte| *byte == b'\r');
    }
    Some(match String::from_utf8(line) {
        Ok(line) => Input::Line(line),
        Err(_) => Input::Bad("a line of standard input is not UTF-8 text"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_without_their_ends_and_the_last_one_needs_none() {
        let mut text = &b"one\r\n\ntwo\rthree\nfour"[..];
        let line = |text: &str| Some(Input::Line(text.to_owned()));
        for expected in ["one", "", "two\rthree", "four"] {
            assert_eq!(next(&mut text), line(expected));
        }
        assert_eq!(next(&mut text), Some(Input::End));
    }

    #[test]
    fn what_is_no_text_is_not_sent() {
        assert!(matches!(next(&mut &b"\xff\n"[..]), Some(Input::Bad(_))));
        let long = vec![b'x'; LONGEST as usize + 1];
        assert!(matches!(next(&mut &long[..]), Some(Input::Bad(_))));
    }
}

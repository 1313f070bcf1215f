//! `rtauth inspect --batch`: a verdict for each line of standard input, in order.

use std::borrow::Cow;
use std::io::{self, BufRead as _, Read as _, Write as _};

use auth_core::jwt::{Asymmetric, KeySet};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::verdict::Verdict;
use crate::exit::Failure;

/// The longest line that is read: room for the longest token and the longest set of keys.
const LONGEST_LINE: u64 = 1024 * 1024;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    /// A JWK or a JWK set, kept as written: what stands in it twice must be seen twice.
    #[serde(borrow)]
    jwk: &'a RawValue,
}

pub(super) fn run() -> Result<(), Failure> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(Failure::Operation(format!("standard input can't be read: {error}"))),
        }
        let verdict = if line.len() as u64 > LONGEST_LINE {
            if line.last() != Some(&b'\n') {
                skip_line(&mut input)?;
            }
            Verdict::malformed_line()
        } else {
            judge(&line)
        };
        writeln!(output, "{}", verdict.to_json())
            .map_err(|error| Failure::Operation(format!("standard output can't be written: {error}")))?;
    }
}

fn judge(line: &[u8]) -> Verdict {
    // A derived reader takes an array for an object.
    let is_object = line.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice::<Line<'_>>(line) {
        Ok(Line { token, jwk }) if is_object => Verdict::of(&token, KeySet::parse(jwk.get(), &Asymmetric)),
        _ => Verdict::malformed_line(),
    }
}

/// Reads to the end of a line that is too long, without keeping it.
fn skip_line(input: &mut impl io::BufRead) -> Result<(), Failure> {
    input
        .skip_until(b'\n')
        .map(|_| ())
        .map_err(|error| Failure::Operation(format!("standard input can't be read: {error}")))
}

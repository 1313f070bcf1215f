//! One line of the log: a JSON object that begins with its number, names its predecessor's hash and ends with its own.

use std::io::Write as _;

use super::Hash;

/// Where a chain stands: what the next record must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the last record, 0 before the first.
    pub(crate) sequence: u64,
    /// The hash of the last record.
    pub(crate) hash: Hash,
}

/// Why a line is not the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It has not the form of a record.
    Form,
    /// It does not match its own hash.
    Changed,
    /// It has another number than the next.
    Sequence,
    /// It names another predecessor.
    Predecessor,
}

/// The longest line that is written or read, in bytes, with its end.
pub(crate) const LONGEST_LINE: usize = 256 * 1024;
/// The longest members of a record: what [`Head::append`] puts around them has fewer than 256 bytes.
pub(crate) const LONGEST_MEMBERS: usize = LONGEST_LINE - 256;

/// The greatest number of a record: far beyond what a log comes to, and so far from what a number can hold that whoever counts on from
/// it need not look.
const GREATEST: u64 = u64::MAX >> 1;

const SEQUENCE: &[u8] = b"{\"seq\":";
const TIME: &[u8] = b"\"time\":\"";
const SESSION: &[u8] = b"\",\"session\":\"";
const EVENT: &[u8] = b"\",\"event\":\"";
const PREDECESSOR: &[u8] = b",\"prev\":\"";
/// What stands between a record and its own hash. With what follows it, it has the last 75 bytes of every line.
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";

impl Head {
    pub(crate) const EMPTY: Self = Self { sequence: 0, hash: Hash::NONE };

    /// Appends the next record to `lines`, newline included, and moves on.
    ///
    /// `members` is what stands between its number and its predecessor: from `"time":` on, without commas around.
    pub(crate) fn append(&mut self, lines: &mut Vec<u8>, members: &[u8]) {
        let sequence = self.sequence + 1;
        let start = lines.len();
        lines.extend_from_slice(SEQUENCE);
        // Writing to a vector can't fail.
        let _ = write!(lines, "{sequence}");
        for part in [b",", members, PREDECESSOR, &self.hash.digits(), b"\""] {
            lines.extend_from_slice(part);
        }
        let hash = Hash::of(&lines[start..]);
        for part in [HASH, &hash.digits(), END, b"\n"] {
            lines.extend_from_slice(part);
        }
        *self = Self { sequence, hash };
    }

    /// Checks that `line`, without its newline, is the next record, and moves on; the name of its event.
    ///
    /// A record's hash vouches for all of it: it is what was written. That it is text, and begins and ends as records do, is
    /// looked at here; what stands between is left to whoever reads it.
    pub(crate) fn follow<'a>(&mut self, line: &'a [u8]) -> Result<&'a [u8], Misfit> {
        let (record, stated) = ends_in_hash(line, HASH, END).ok_or(Misfit::Form)?;
        let hash = Hash::of(record);
        if *stated != hash.digits() {
            return Err(Misfit::Changed);
        }
        // Whoever writes a chain anew writes good hashes of anything.
        std::str::from_utf8(line).map_err(|_| Misfit::Form)?;
        let (number, rest) = number(line).ok_or(Misfit::Form)?;
        let (_, predecessor) = ends_in_hash(record, PREDECESSOR, b"\"").ok_or(Misfit::Form)?;
        let event = event_after_number(rest).ok_or(Misfit::Form)?;
        if number != self.sequence + 1 {
            return Err(Misfit::Sequence);
        }
        if *predecessor != self.hash.digits() {
            return Err(Misfit::Predecessor);
        }
        *self = Self { sequence: number, hash };
        Ok(event)
    }

    /// Where a chain stands before `line`, as far as that says so itself: for the first record that is still there.
    pub(crate) fn before(line: &[u8]) -> Option<Self> {
        let (number, _) = number(line)?;
        let (record, _) = ends_in_hash(line, HASH, END)?;
        let (_, predecessor) = ends_in_hash(record, PREDECESSOR, b"\"")?;
        let hash = std::str::from_utf8(predecessor).ok()?.parse().ok()?;
        Some(Self { sequence: number.checked_sub(1)?, hash })
    }
}

/// The name of a record's event, where it stands in each of ours: after the number, the time and perhaps the session.
fn event_after_number(rest: &[u8]) -> Option<&[u8]> {
    let mut rest = rest.strip_prefix(TIME)?;
    rest = &rest[text_length(rest)?..];
    if let Some(session) = rest.strip_prefix(SESSION) {
        rest = &session[text_length(session)?..];
    }
    let name = rest.strip_prefix(EVENT)?;
    Some(&name[..text_length(name)?])
}

/// The number of a record, and what follows the comma after it.
fn number(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(SEQUENCE)?;
    let digits = rest.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(digits);
    if digits.first().is_none_or(|first| *first == b'0') {
        return None;
    }
    let number = digits
        .iter()
        .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .filter(|number| *number <= GREATEST)?;
    Some((number, rest.strip_prefix(b",")?))
}

/// How many bytes of `rest` a JSON text has whose opening quote stands before it.
fn text_length(rest: &[u8]) -> Option<usize> {
    // Nearly every text has its end at the first quote.
    let first = rest.iter().position(|byte| *byte == b'"')?;
    if !rest[..first].ends_with(b"\\") {
        return Some(first);
    }
    let mut escaped = false;
    rest.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

/// What stands before `name`, and the digits of a hash after it, where `end` follows these and nothing more.
fn ends_in_hash<'a>(text: &'a [u8], name: &[u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8; 64])> {
    let (rest, digits) = text.strip_suffix(end)?.split_last_chunk()?;
    Some((rest.strip_suffix(name)?, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: &[u8] =
        br#""time":"1970-01-01T00:00:00.000Z","event":"token_requested","attempt":1,"redeems":false,"valid_for_ms":null"#;

    fn lines(count: usize) -> Vec<Vec<u8>> {
        let mut head = Head::EMPTY;
        let mut lines = Vec::new();
        for _ in 0..count {
            head.append(&mut lines, MEMBERS);
        }
        lines.split(|byte| *byte == b'\n').take(count).map(<[u8]>::to_vec).collect()
    }

    /// The line with `from` replaced, under a hash that fits what it says now.
    fn rehashed(line: &[u8], from: &str, to: &str) -> Vec<u8> {
        let line = std::str::from_utf8(line).unwrap();
        let (record, _) = line.rsplit_once(",\"hash\":\"").unwrap();
        assert!(record.contains(from), "{record} has no {from}");
        let record = record.replace(from, to);
        format!("{record},\"hash\":\"{}\"}}", Hash::of(record.as_bytes())).into_bytes()
    }

    #[test]
    fn a_record_says_what_happened_between_its_number_and_its_predecessor() {
        let line = String::from_utf8(lines(1).remove(0)).unwrap();
        let (record, hash) = line.rsplit_once(",\"hash\":\"").unwrap();
        let members = std::str::from_utf8(MEMBERS).unwrap();
        assert_eq!(record, format!(r#"{{"seq":1,{members},"prev":"{}""#, "0".repeat(64)));
        // The SHA-256 of the text before it, computed with `sha256sum`.
        assert_eq!(hash, "009bd4935ad79d5320ee292faca65e562c4b51088c5540c825623e2473883965\"}");
    }

    #[test]
    fn records_are_checked_one_after_the_other() {
        let mut head = Head::EMPTY;
        for line in lines(12) {
            assert_eq!(head.follow(&line).map(drop), Ok(()), "{}", String::from_utf8_lossy(&line));
        }
        assert_eq!(head.sequence, 12);
    }

    #[test]
    fn a_record_out_of_its_place_is_told_apart_from_a_changed_one() {
        let lines = lines(3);
        let mut head = Head::EMPTY;
        head.follow(&lines[0]).unwrap();
        let predecessor = head.hash.to_string();
        let zeros = "0".repeat(64);
        let mut not_text = Vec::new();
        { head }.append(&mut not_text, b"\"time\":\"\",\"event\":\"\xff\"");
        not_text.pop();
        for (line, misfit) in [
            (lines[2].clone(), Misfit::Sequence),
            (lines[0].clone(), Misfit::Sequence),
            (rehashed(&lines[1], "\"seq\":2", "\"seq\":3"), Misfit::Sequence),
            (rehashed(&lines[1], &predecessor, &zeros), Misfit::Predecessor),
            (rehashed(&lines[1], "\"seq\":2", "\"seq\":02"), Misfit::Form),
            (rehashed(&lines[1], "\"seq\":2", "\"seq\":18446744073709551618"), Misfit::Form),
            (rehashed(&lines[1], "\"event\"", "\"event_\""), Misfit::Form),
            (rehashed(&lines[1], "\"prev\"", "\"prev_\""), Misfit::Form),
            (lines[1][..lines[1].len() - 1].to_vec(), Misfit::Form),
            (lines[1][1..].to_vec(), Misfit::Changed),
            (not_text, Misfit::Form),
            (Vec::new(), Misfit::Form),
        ] {
            let before = head;
            assert_eq!(head.follow(&line), Err(misfit), "{}", String::from_utf8_lossy(&line));
            assert_eq!(head, before, "it moves on only after a record that fits");
        }
        assert!(head.follow(&lines[1]).is_ok(), "the control");
    }

    #[test]
    fn the_event_is_found_behind_any_session() {
        for (line, name) in [
            (r#"{"seq":1,"time":"t","event":"connecting","prev":""#, Some("connecting")),
            (r#"{"seq":1,"time":"t","session":"s","event":"connecting""#, Some("connecting")),
            (r#"{"seq":1,"time":"t","session":"\",\"event\":\"x","event":"y""#, Some("y")),
            (r#"{"seq":1,"time":"t","session":"\\","event":"y""#, Some("y")),
            (r#"{"seq":1,"time":"t","session":"\\\","event":"y""#, None),
            (r#"{"seq":1,"event":"y""#, None),
            (r#"{"seq":1,"time":"t","event":"y"#, None),
            (r#"{"seq":,"time":"t","event":"y""#, None),
        ] {
            let found = number(line.as_bytes()).and_then(|(_, rest)| event_after_number(rest));
            assert_eq!(found, name.map(str::as_bytes), "{line}");
        }
    }
}

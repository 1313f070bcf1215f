//! One line of the log: a JSON object that names its predecessor's hash and ends with its own.

use std::fmt;

use auth_core::AuthEvent;
use auth_core::time::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// A SHA-256, displayed as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash([u8; 32]);

impl Hash {
    /// What the first record names as its predecessor.
    pub(crate) const NONE: Self = Self([0; 32]);

    fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Where a chain stands: what the next record must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the last record, 0 before the first.
    pub(crate) sequence: u64,
    /// The hash of the last record.
    pub(crate) hash: Hash,
}

/// What stands between a record and its own hash. It begins the last 78 characters of every line.
const HASH_MEMBER: &str = ",\"hash\":\"";

impl Head {
    pub(crate) const EMPTY: Self = Self { sequence: 0, hash: Hash::NONE };

    /// Appends the record of `event` to `lines`, newline included, and moves on.
    pub(crate) fn append(
        &mut self,
        lines: &mut String,
        at: Timestamp,
        event: &AuthEvent,
    ) -> Result<(), serde_json::Error> {
        let sequence = self.sequence + 1;
        let event = serde_json::to_string(event)?;
        // The event's members stand between ours, so that a record reads from left to right as one object.
        let members = event.strip_prefix('{').and_then(|event| event.strip_suffix('}')).unwrap_or(&event);
        let record = format!(r#"{{"seq":{sequence},"time":"{at}",{members},"prev":"{}""#, self.hash);
        let hash = Hash::of(&record);
        lines.push_str(&record);
        lines.push_str(&format!("{HASH_MEMBER}{hash}\"}}\n"));
        *self = Self { sequence, hash };
        Ok(())
    }

    /// Checks that `line`, without its newline, is the next record, and moves on.
    pub(crate) fn check(&mut self, line: &str) -> Result<(), &'static str> {
        #[derive(Deserialize)]
        struct Chained<'a> {
            seq: u64,
            prev: &'a str,
        }
        let (record, stated) = line
            .strip_suffix("\"}")
            .and_then(|line| line.rsplit_once(HASH_MEMBER))
            .ok_or("the line is not a whole record")?;
        let hash = Hash::of(record);
        if stated != hash.to_string() {
            return Err("the record does not match its hash: it was changed");
        }
        let chained: Chained<'_> =
            serde_json::from_str(line).map_err(|_| "the line is not a record of this log")?;
        if chained.seq != self.sequence + 1 || chained.prev != self.hash.to_string() {
            return Err("the record does not follow its predecessor: one was removed, moved or doubled");
        }
        *self = Self { sequence: chained.seq, hash };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u32) -> Vec<String> {
        let mut head = Head::EMPTY;
        let mut lines = String::new();
        for attempt in 1..=count {
            head.append(
                &mut lines,
                Timestamp::from_millis(0),
                &AuthEvent::TokenRequested { attempt, redeems: false, valid_for: None },
            )
            .unwrap();
        }
        lines.lines().map(str::to_owned).collect()
    }

    /// The line with `from` replaced, under a hash that fits what it says now.
    fn resealed(line: &str, from: &str, to: &str) -> String {
        let (record, _) = line.rsplit_once(HASH_MEMBER).unwrap();
        assert!(record.contains(from));
        let record = record.replace(from, to);
        format!("{record}{HASH_MEMBER}{}\"}}", Hash::of(&record))
    }

    #[test]
    fn a_record_says_what_happened_between_its_number_and_its_predecessor() {
        let zeros = "0".repeat(64);
        let line = lines(1).remove(0);
        let (record, hash) = line.rsplit_once(HASH_MEMBER).unwrap();
        let event = r#""event":"token_requested","attempt":1,"redeems":false,"valid_for_ms":null"#;
        assert_eq!(
            record,
            format!(r#"{{"seq":1,"time":"1970-01-01T00:00:00.000Z",{event},"prev":"{zeros}""#)
        );
        // The SHA-256 of the text before it, computed with `sha256sum`.
        assert_eq!(hash, "009bd4935ad79d5320ee292faca65e562c4b51088c5540c825623e2473883965\"}");
    }

    #[test]
    fn a_wrong_number_is_found_although_the_hash_fits() {
        let lines = lines(2);
        let mut head = Head::EMPTY;
        head.check(&lines[0]).unwrap();
        assert!(head.check(&resealed(&lines[1], "\"seq\":2", "\"seq\":3")).is_err());
        assert!(head.check(&lines[1]).is_ok(), "the control");
    }

    #[test]
    fn a_wrong_predecessor_is_found_although_the_hash_fits() {
        let lines = lines(2);
        let mut head = Head::EMPTY;
        head.check(&lines[0]).unwrap();
        let previous = head.hash.to_string();
        assert!(head.check(&resealed(&lines[1], &previous, &"0".repeat(64))).is_err());
        assert!(head.check(&lines[1]).is_ok(), "the control");
    }
}

//! Dates and times of RFC 3339, the profile of ISO 8601 for the internet, as servers write them.

use core::time::Duration;

use crate::retry_after::civil;
use crate::time::{InvalidTimestamp, Timestamp};

/// The longest text that is read: one with an offset, and more decimals than any clock has.
const LONGEST: usize = 64;

impl Timestamp {
    /// Reads a date with its time and its offset from UTC (RFC 3339 §5.6): `2026-11-22T09:30:00Z`, `2026-11-22T10:30:00.25+01:00`.
    ///
    /// What is finer than a millisecond is cut off, and a leap second counts as the one after it. A text without an offset is refused,
    /// since it says nothing of when it is, and so are the other forms of ISO 8601: a date alone, one without hyphens, a week, a blank in the
    /// place of the `T`.
    ///
    /// ```
    /// use auth_core::time::Timestamp;
    ///
    /// let here = Timestamp::from_rfc3339("2026-11-22T10:30:00.25+01:00")?;
    /// assert_eq!(here.to_string(), "2026-11-22T09:30:00.250Z");
    /// assert!(Timestamp::from_rfc3339("2026-11-22T09:30:00").is_err());
    /// # Ok::<(), auth_core::time::InvalidTimestamp>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidTimestamp`] when it is no such text, or one from before 1970.
    pub fn from_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        read(text).ok_or(InvalidTimestamp)
    }
}

fn read(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() > LONGEST {
        return None;
    }
    // ABNF is blind to case.
    let (head, rest) = bytes.split_at_checked(19)?;
    let [a, b, c, d, b'-', e, f, b'-', g, h, b'T' | b't', i, j, b':', k, l, b':', m, n] = head else {
        return None;
    };
    let year = pair(*a, *b)? * 100 + pair(*c, *d)?;
    let month = usize::try_from(pair(*e, *f)?).ok()?.checked_sub(1)?;
    let time = (pair(*i, *j)?, pair(*k, *l)?, pair(*m, *n)?);
    let local = civil(year, month, pair(*g, *h)?, time)?;
    let (millis, offset) = fraction(rest)?;
    let local = local.saturating_add(Duration::from_millis(millis)).as_millis();
    let utc = match offset {
        [b'Z' | b'z'] => local,
        [sign @ (b'+' | b'-'), a, b, b':', c, d] => {
            let (hours, minutes) = (pair(*a, *b)?, pair(*c, *d)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = (hours * 60 + minutes) * 60_000;
            if *sign == b'+' { local.checked_sub(offset)? } else { local.saturating_add(offset) }
        }
        _ => return None,
    };
    Some(Timestamp::from_millis(utc))
}

/// The milliseconds of a second, where any are stated, and what comes behind them.
fn fraction(rest: &[u8]) -> Option<(u64, &[u8])> {
    let Some(decimals) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let length = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, offset) = decimals.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
    let digit = |place: usize| digits.get(place).map_or(0, |byte| u64::from(byte - b'0'));
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), offset))
}

fn pair(tens: u8, ones: u8) -> Option<u64> {
    let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    digits.then(|| u64::from(tens - b'0') * 10 + u64::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use super::*;

    #[test]
    fn a_time_is_read_with_its_offset_and_to_the_millisecond() {
        for (text, read) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00.000Z"),
            ("2024-02-29T23:59:59.9999999Z", "2024-02-29T23:59:59.999Z"),
            ("2026-11-22t09:30:00z", "2026-11-22T09:30:00.000Z"),
            ("2026-11-22T09:30:00.5-00:00", "2026-11-22T09:30:00.500Z"),
            ("2026-11-22T23:30:00.012-11:30", "2026-11-23T11:00:00.012Z"),
            ("2026-11-22T00:15:00+23:59", "2026-11-21T00:16:00.000Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ] {
            let found = Timestamp::from_rfc3339(text).unwrap();
            assert_eq!(found.to_string(), read, "{text}");
        }
    }

    #[test]
    fn what_is_displayed_is_read_again() {
        for millis in [0, 951_827_696_789, 1_709_251_199_999, 4_107_542_400_000, 253_402_300_799_999] {
            let text = Timestamp::from_millis(millis).to_string();
            assert_eq!(Timestamp::from_rfc3339(&text), Ok(Timestamp::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn every_other_text_is_refused() {
        let long = ["2026-11-22T09:30:00.", &"1".repeat(64), "Z"].concat();
        for text in [
            "",
            "Z",
            "2026-11-22",
            "2026-11-22T09:30:00",
            "2026-11-22T09:30Z",
            "2026-11-22 09:30:00Z",
            "20261122T093000Z",
            "2026-W47-7T09:30:00Z",
            "2026-326T09:30:00Z",
            "2026-11-22T09:30:00,5Z",
            "2026-11-22T09:30:00.Z",
            "2026-11-22T09:30:00ZZ",
            "2026-11-22T09:30:00+1:00",
            "2026-11-22T09:30:00+0100",
            "2026-11-22T09:30:00+24:00",
            "2026-11-22T09:30:00+00:60",
            "2026-11-22T09:30:00 Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T09:60:00Z",
            "2026-11-22T09:30:61Z",
            "2026-00-22T09:30:00Z",
            "2026-13-22T09:30:00Z",
            "2026-11-00T09:30:00Z",
            "2026-11-31T09:30:00Z",
            "2026-02-29T09:30:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "-026-11-22T09:30:00Z",
            "+2026-11-22T09:30:00Z",
            "12026-11-22T09:30:00Z",
            "1763803800",
            "٢٠٢٦-11-22T09:30:00Z",
            "2026-11-22T09:30:00\u{e9}",
            &long,
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), Err(InvalidTimestamp), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_is_cut_off_anywhere_is_refused() {
        let whole = "2026-11-22T09:30:00.123+01:00";
        for at in 0..whole.len() {
            let cut: String = whole.chars().take(at).collect();
            assert!(Timestamp::from_rfc3339(&cut).is_err(), "{cut}");
        }
    }
}

//! `Retry-After` (RFC 9110 §10.2.3): how long a server asks us to wait.

use core::time::Duration;

use crate::time::Timestamp;

/// The wait that a `Retry-After` asks for, where it can be read.
///
/// Seconds saturate; a date (RFC 9110 §5.6.7) counts from the reply's own `Date`, so that our clock
/// does not matter. What is negative, or a date without a `date` beside it, is no advice. The value is not bounded
/// here: [`Backoff::delay_after`](crate::backoff::Backoff::delay_after) does that.
///
/// ```
/// use core::time::Duration;
/// use auth_core::retry_after::parse;
///
/// assert_eq!(parse("7", None), Some(Duration::from_secs(7)));
/// let date = Some("Fri, 20 Nov 2026 10:00:00 GMT");
/// assert_eq!(parse("Fri, 20 Nov 2026 10:00:30 GMT", date), Some(Duration::from_secs(30)));
/// assert_eq!(parse("soon", date), None);
/// ```
#[must_use]
pub fn parse(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let text = retry_after.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    Some(http_date(text)?.saturating_since(http_date(date?.trim())?))
}

/// A date in one of the three forms of RFC 9110 §5.6.7, of which a recipient must read all:
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
pub fn http_date(text: &str) -> Option<Timestamp> {
    fixed(text).or_else(|| of_any_form(text))
}

/// The first form, which has a place for each digit and is what servers send with every reply.
fn fixed(text: &str) -> Option<Timestamp> {
    let text: &[u8; 29] = text.as_bytes().try_into().ok()?;
    let [
        _,
        _,
        _,
        b',',
        b' ',
        a,
        b,
        b' ',
        month @ ..,
        b' ',
        c,
        d,
        e,
        f,
        b' ',
        g,
        h,
        b':',
        i,
        j,
        b':',
        k,
        l,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = text
    else {
        return None;
    };
    let pair = |tens: &u8, ones: &u8| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| u64::from(tens - b'0') * 10 + u64::from(ones - b'0'))
    };
    let month = MONTHS.iter().position(|(name, _)| name.as_bytes() == month)?;
    let year = pair(c, d)? * 100 + pair(e, f)?;
    civil(year, month, pair(a, b)?, (pair(g, h)?, pair(i, j)?, pair(k, l)?))
}

fn of_any_form(text: &str) -> Option<Timestamp> {
    let Some((_, rest)) = text.split_once(", ") else {
        let mut fields = text.split_ascii_whitespace().skip(1);
        let (month, day) = (fields.next()?, fields.next()?);
        let (time, year) = (fields.next()?, fields.next()?);
        return if fields.next().is_none() { moment(day, month, year, time) } else { None };
    };
    let rest = rest.strip_suffix(" GMT")?;
    let (date, time) = rest.rsplit_once(' ')?;
    let mut fields = date.split([' ', '-']);
    let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() { None } else { moment(day, month, year, time) }
}

fn moment(day: &str, month: &str, year: &str, time: &str) -> Option<Timestamp> {
    let month = MONTHS.iter().position(|(name, _)| *name == month)?;
    let day = number(day, 1..=31)?;
    // Two digits are of this century, unless they can't be.
    let year = match number(year, 0..=9999)? {
        year @ 0..70 => 2000 + year,
        year @ 70..100 => 1900 + year,
        year => year,
    };
    let mut fields = time.split(':');
    let hour = number(fields.next()?, 0..=23)?;
    let minute = number(fields.next()?, 0..=59)?;
    let second = number(fields.next()?, 0..=60)?;
    if fields.next().is_some() { None } else { civil(year, month, day, (hour, minute, second)) }
}

/// The moment of a date, its month counted from 0, and a time of day; `None` where the calendar has none such.
pub(crate) fn civil(
    year: u64,
    month: usize,
    day: u64,
    (hour, minute, second): (u64, u64, u64),
) -> Option<Timestamp> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = MONTHS.get(month)?.1 - u64::from(month == 1 && !leap);
    let exists = year >= 1970 && (1..=days).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    exists.then(|| {
        let midnight = Timestamp::from_civil(year, month as u64 + 1, day);
        midnight.saturating_add(Duration::from_secs(hour * 3_600 + minute * 60 + second))
    })
}

/// The months, each with the days that it has at most.
const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 29),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

fn number(text: &str, range: core::ops::RangeInclusive<u64>) -> Option<u64> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number) && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn seconds_are_read_and_saturate() {
        assert_eq!(parse(" 0 ", None), Some(Duration::ZERO));
        assert_eq!(parse("99999999999999999999999", None), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn dates_are_read_to_the_second() {
        for (text, timestamp) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
            ("Tue, 29 Feb 2000 23:59:59 GMT", "2000-02-29T23:59:59.000Z"),
            ("Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00.000Z"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Saturday, 21-Nov-26 00:00:00 GMT", "2026-11-21T00:00:00.000Z"),
            ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"),
        ] {
            assert_eq!(http_date(text).unwrap().to_string(), timestamp);
        }
    }

    #[test]
    fn a_date_counts_from_the_replys_own_clock() {
        let until = "Fri, 20 Nov 2026 10:00:30 GMT";
        assert_eq!(parse(until, Some("Fri, 20 Nov 2026 11:00:00 GMT")), Some(Duration::ZERO));
        assert_eq!(parse(until, None), None);
    }

    #[test]
    fn garbage_is_no_advice() {
        let date = Some("Fri, 20 Nov 2026 10:00:00 GMT");
        for text in [
            "",
            "-5",
            "1.5",
            "soon",
            "7 seconds",
            "Fri, 20 Nov 2026 10:00:30",
            "Fri, 40 Nov 2026 10:00:30 GMT",
            "Fri, 20 Nov 2026 10:00:+3 GMT",
            "Fri, 20 Foo 2026 10:00:30 GMT",
            "Fri, 30 Feb 2026 10:00:30 GMT",
            "Fri, 29 Feb 2026 10:00:30 GMT",
            "Fri, 31 Apr 2026 10:00:30 GMT",
            "Fri Nov 20 10:00:30",
            "Fri Nov 20 10:00:30 2026 GMT",
            "Fri, 20 Nov 2026 10:00:30:1 GMT",
        ] {
            assert_eq!(parse(text, date), None, "{text:?}");
        }
    }
}

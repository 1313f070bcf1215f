//! `Retry-After` (RFC 9110 §10.2.3): how long a server asks us to wait.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

/// The wait that a reply asks for, where it asks for one that can be read.
///
/// Seconds saturate; an HTTP date counts from the reply's own `Date`, so that our clock does not matter. What is
/// negative, or a date without a `Date` beside it, is no advice. The value is not bounded here:
/// [`Backoff::delay_after`](auth_core::backoff::Backoff::delay_after) does that.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let from = httpdate::parse_http_date(self::text(headers, DATE)?).ok()?;
    Some(until.duration_since(from).unwrap_or_default())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(retry: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn seconds_are_read_and_saturate() {
        assert_eq!(read("7", None), Some(Duration::from_secs(7)));
        assert_eq!(read(" 0 ", None), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999", None), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn a_date_counts_from_the_replys_own_clock() {
        let until = "Fri, 20 Nov 2026 10:00:30 GMT";
        assert_eq!(read(until, Some("Fri, 20 Nov 2026 10:00:00 GMT")), Some(Duration::from_secs(30)));
        assert_eq!(read(until, Some("Fri, 20 Nov 2026 11:00:00 GMT")), Some(Duration::ZERO));
        assert_eq!(read(until, None), None);
    }

    #[test]
    fn garbage_is_no_advice() {
        for text in ["", "-5", "1.5", "soon", "7 seconds"] {
            assert_eq!(read(text, None), None, "{text:?}");
        }
    }
}

//! How the page writes text of strangers, times, lengths of time and numbers.

use std::fmt::{self, Write as _};
use std::time::Duration;

use auth_core::time::Timestamp;

use crate::shown::harmless;

/// Text from anywhere, as it may stand in HTML: between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                other => formatter.write_char(harmless(other))?,
            }
        }
        Ok(())
    }
}

/// A number with its thousands apart.
pub(in crate::audit_command) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of them, in the singular where it is one: `one` is `"record"`.
pub(in crate::audit_command) fn counted(number: u64, one: &str) -> String {
    let ending = match (number, one.ends_with('s') || one.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {one}{ending}", grouped(number))
}

/// A length of time as a person says it, in its two largest units.
pub(in crate::audit_command) fn lasting(length: Duration) -> String {
    let millis = length.as_millis();
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        1..=9 => format!("{}.{} s", seconds, (millis % 1_000) / 100),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..=86_399 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, unit: &str, small: u64, smaller: &str) -> String {
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {smaller}") }
}

/// The date of a time, such as `2026-11-22`.
pub(super) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The time of a day, such as `05:07:59`.
pub(in crate::audit_command) fn clock(at: Timestamp) -> String {
    at.to_string().chars().skip(11).take(8).collect()
}

/// The time of a day to the minute.
pub(super) fn minute(at: Timestamp) -> String {
    at.to_string().chars().skip(11).take(5).collect()
}

/// A day and its month, such as `22 Nov`.
pub(super) fn day(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = date(at);
    let month = date.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let day = date.get(8..10).unwrap_or("").trim_start_matches('0');
    format!("{day} {}", MONTHS.get(month.wrapping_sub(1)).unwrap_or(&"?"))
}

/// A part of a whole, in percent with as many digits as a screen can tell apart.
pub(super) fn percent(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 { (part / whole * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    let text = format!("{share:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_makes_no_element_and_leaves_no_attribute() {
        let text = "</script><img src=x onerror=\"alert('1')\">&\u{202e}\u{0}";
        let escaped = Escaped(text).to_string();
        assert_eq!(
            escaped,
            "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn lengths_of_time_are_said_in_two_units() {
        let said = |millis| lasting(Duration::from_millis(millis));
        assert_eq!(
            [0, 999, 1_500, 59_999, 60_000, 125_000, 3_660_000, 90_000_000].map(said),
            ["0 ms", "999 ms", "1.5 s", "59 s", "1 min", "2 min 5 s", "1 h 1 min", "1 d 1 h"]
        );
    }

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 2].map(|count| counted(count, "record")), ["1 record", "2 records"]);
    }

    #[test]
    fn a_share_is_never_outside_of_its_whole() {
        assert_eq!(percent(1.0, 3.0), "33.333%");
        assert_eq!([percent(2.0, 1.0), percent(1.0, 0.0), percent(-1.0, 1.0)], ["100%", "0%", "0%"]);
    }

    #[test]
    fn a_day_is_named_with_its_month() {
        assert_eq!(day("2026-11-02T05:00:00.000Z".parse().unwrap()), "2 Nov");
        assert_eq!(minute("2026-11-02T05:07:09.000Z".parse().unwrap()), "05:07");
    }
}

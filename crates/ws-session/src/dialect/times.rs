//! Times as servers write them: durations in a unit, and points in time in a form.

use std::time::Duration;

use auth_core::time::{Now, Timestamp};
use serde_json::Value;

use super::matcher::value_at;

/// A place of a duration, and the unit in which it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a dialect is written with it, field by field")]
pub struct InUnit {
    /// The place.
    pub at: String,
    /// The unit.
    pub unit: Unit,
}

/// A unit of time on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// A place of a point in time, and the form in which it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a dialect is written with it, field by field")]
pub struct InForm {
    /// The place.
    pub at: String,
    /// The form.
    pub form: TimeForm,
}

/// A form of a point in time on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeForm {
    /// A number of seconds since the Unix epoch, whole or not, as the `exp` of a JWT (RFC 7519 §2): `1763803800`.
    EpochSeconds,
    /// A number of milliseconds since then, whole or not, as `Date.now()` of JavaScript: `1763803800000`.
    EpochMilliseconds,
    /// A text of RFC 3339, the profile of ISO 8601 for the internet, with its offset: `"2026-11-22T09:30:00Z"`. See
    /// [`Timestamp::from_rfc3339`].
    Rfc3339,
}

/// What a message says at a place, or why that can't be meant.
type Said<T> = Option<Result<T, &'static str>>;

/// The longest lifetime that a server is believed: a year. No connection is as old, and what is said to last longer is as often a mistake.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// The first moment of the year 10000, in milliseconds: what is beyond it is milliseconds taken for seconds, and no text can say it.
const YEAR_10000: u64 = 253_402_300_800_000;

impl InUnit {
    /// The duration, of a year at most.
    pub(super) fn read(&self, message: &Value) -> Said<Duration> {
        let value = present(message, &self.at)?;
        let duration = match self.unit {
            Unit::Seconds => of_number(value, 1),
            Unit::Milliseconds => of_number(value, 1_000),
        };
        let wrong = "the server stated a lifetime that is no number of the dialect's unit";
        Some(duration.map(|duration| duration.min(LONGEST)).ok_or(wrong))
    }
}

impl InForm {
    /// How long it is until then, a year at most.
    pub(super) fn read(&self, now: Now, message: &Value) -> Said<Duration> {
        let value = present(message, &self.at)?;
        let since_epoch = |per_second| of_number(value, per_second).map(Timestamp::since_epoch);
        let end = match self.form {
            TimeForm::EpochSeconds => since_epoch(1),
            TimeForm::EpochMilliseconds => since_epoch(1_000),
            TimeForm::Rfc3339 => value.as_str().and_then(|text| Timestamp::from_rfc3339(text).ok()),
        };
        Some(match end.filter(|end| end.as_millis() < YEAR_10000) {
            None => Err("the server stated the credential's end in another form than the dialect's"),
            Some(end) if end <= now.wall => Err(
                "the server stated an end of the credential that has passed; compare the clocks, and the unit",
            ),
            Some(end) => Ok(end.saturating_since(now.wall).min(LONGEST)),
        })
    }

    /// This point in time as it stands on the wire.
    pub(crate) fn write(&self, time: Timestamp) -> Value {
        match self.form {
            TimeForm::EpochSeconds => Value::from(time.as_secs()),
            TimeForm::EpochMilliseconds => Value::from(time.as_millis()),
            TimeForm::Rfc3339 => Value::from(time.to_string()),
        }
    }
}

/// The value at a place; `null` is how some servers say nothing.
fn present<'a>(message: &'a Value, at: &str) -> Option<&'a Value> {
    value_at(message, at).filter(|value| !value.is_null())
}

/// A number of so many in a second. One that is negative is none, and one that is too large for a duration is the longest.
fn of_number(value: &Value, per_second: u32) -> Option<Duration> {
    match value.as_u64() {
        Some(whole) if per_second == 1 => Some(Duration::from_secs(whole)),
        Some(whole) => Some(Duration::from_millis(whole)),
        None => {
            let seconds = value.as_f64()? / f64::from(per_second);
            let is_one = seconds.is_finite() && seconds >= 0.0;
            is_one.then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::Moment;
    use serde_json::json;

    use super::*;

    /// 2023-11-14T22:13:20Z.
    const NOW: Now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };

    fn left(form: TimeForm, value: &Value) -> Result<Duration, &'static str> {
        InForm { at: "/end".to_owned(), form }.read(NOW, &json!({"end": value})).unwrap()
    }

    #[test]
    fn an_end_is_read_in_each_form_with_its_fractions() {
        use TimeForm::{EpochMilliseconds, EpochSeconds, Rfc3339};
        for (form, value, millis) in [
            (EpochSeconds, json!(1_700_000_060), 60_000),
            (EpochSeconds, json!(1_700_000_060.25), 60_250),
            (EpochSeconds, json!(1_700_000_060.0), 60_000),
            (EpochMilliseconds, json!(1_700_000_000_001_u64), 1),
            (EpochMilliseconds, json!(1_700_000_060_250.5), 60_250),
            (Rfc3339, json!("2023-11-14T22:14:20Z"), 60_000),
            (Rfc3339, json!("2023-11-14T23:14:20.25+01:00"), 60_250),
        ] {
            assert_eq!(left(form, &value), Ok(Duration::from_millis(millis)), "{form:?} {value}");
        }
    }

    #[test]
    fn another_form_than_the_dialect_s_is_no_end() {
        use TimeForm::{EpochMilliseconds, EpochSeconds, Rfc3339};
        for (form, value) in [
            (EpochSeconds, json!("1700000060")),
            (EpochSeconds, json!("2023-11-14T22:14:20Z")),
            (EpochSeconds, json!(-1)),
            (EpochSeconds, json!(-0.1)),
            (EpochSeconds, json!(true)),
            (EpochSeconds, json!([1_700_000_060])),
            (EpochSeconds, json!({"s": 1_700_000_060})),
            // Milliseconds, and what no calendar reaches.
            (EpochSeconds, json!(1_700_000_060_000_u64)),
            (EpochSeconds, json!(u64::MAX)),
            (EpochSeconds, json!(1e300)),
            (EpochMilliseconds, json!(u64::MAX)),
            (EpochMilliseconds, json!("1700000060000")),
            (Rfc3339, json!(1_700_000_060)),
            (Rfc3339, json!("")),
            (Rfc3339, json!("1700000060")),
            (Rfc3339, json!("2023-11-14T22:14:20")),
            (Rfc3339, json!("2023-11-14")),
        ] {
            assert!(left(form, &value).unwrap_err().contains("another form"), "{form:?} {value}");
        }
    }

    #[test]
    fn an_end_that_has_passed_is_none() {
        use TimeForm::{EpochMilliseconds, EpochSeconds, Rfc3339};
        for (form, value) in [
            (EpochSeconds, json!(0)),
            (EpochSeconds, json!(1_700_000_000)),
            // Seconds.
            (EpochMilliseconds, json!(1_700_000_060)),
            (EpochMilliseconds, json!(1_700_000_000_000_u64)),
            (Rfc3339, json!("2023-11-14T22:13:20Z")),
            (Rfc3339, json!("1970-01-01T00:00:00Z")),
        ] {
            assert!(left(form, &value).unwrap_err().contains("compare the clocks"), "{form:?} {value}");
        }
    }

    #[test]
    fn what_is_to_last_for_ever_lasts_for_a_year() {
        assert_eq!(left(TimeForm::Rfc3339, &json!("9999-12-31T23:59:59Z")), Ok(LONGEST));
        assert_eq!(left(TimeForm::EpochSeconds, &json!(253_402_300_799_u64)), Ok(LONGEST));
        for (unit, value) in [
            (Unit::Seconds, json!(u64::MAX)),
            (Unit::Milliseconds, json!(u64::MAX)),
            (Unit::Seconds, json!(1e300)),
        ] {
            let place = InUnit { at: String::new(), unit };
            assert_eq!(place.read(&value), Some(Ok(LONGEST)), "{value}");
        }
    }

    #[test]
    fn a_place_that_is_empty_says_nothing() {
        for message in [json!({}), json!({"end": null}), json!([]), json!("end")] {
            let place = InForm { at: "/end".to_owned(), form: TimeForm::EpochSeconds };
            assert_eq!(place.read(NOW, &message), None);
            assert_eq!(InUnit { at: "/end".to_owned(), unit: Unit::Seconds }.read(&message), None);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let end = NOW.wall.saturating_add(Duration::from_secs(600));
        for form in [TimeForm::EpochSeconds, TimeForm::EpochMilliseconds, TimeForm::Rfc3339] {
            let place = InForm { at: String::new(), form };
            assert_eq!(place.read(NOW, &place.write(end)), Some(Ok(Duration::from_secs(600))));
        }
    }
}

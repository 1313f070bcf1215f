//! Servers that say the credential back, where it would be told to observers.

use auth_core::observe::Label;
use auth_core::{AuthEvent, Secret};

use super::Session;
use super::phase::Attempt;
use crate::dialect::{Assembly, Captures, Encoding};

impl Session {
    /// What the observer may be told of an event of [`Output::Event`](super::Output::Event), where the driver holds these credentials.
    ///
    /// A server may name the session by the credential that it was presented, whole or in part. Such a name stays known to templates and
    /// to the next connection, which takes up that session; but neither this nor any later event of the session repeats a name, and
    /// [`Captures::session_id`] doesn't either. A name counts as one that holds the credential, plain or in an encoding of
    /// [templates](crate::dialect::Template) or in hexadecimal digits, where both have twelve bytes in a row in common, or one of at
    /// least eight is part of the other.
    #[must_use]
    pub fn tellable<'a>(
        &mut self,
        mut event: AuthEvent,
        held: impl IntoIterator<Item = &'a Secret>,
    ) -> AuthEvent {
        if let AuthEvent::Authenticated { session_id, .. } | AuthEvent::TokenRenewed { session_id, .. } =
            &mut event
            && let Some(name) = session_id.as_ref().map(Label::as_str)
            && (self.withholds || held.into_iter().any(|credential| echoes(name, credential)))
        {
            *session_id = None;
            self.withhold();
        }
        event
    }

    fn withhold(&mut self) {
        self.withholds = true;
        if let Some(live) = &mut self.live {
            live.captures.withhold();
        }
        if let Attempt::LoggingIn { captures, .. } = &mut self.attempt {
            captures.withhold();
        }
        if let Some(last) = &mut self.last_said {
            Captures::withhold(last);
        }
    }
}

/// So many bytes in a row are not the same by accident.
const RUN: usize = 12;

/// What is shorter is nobody's credential, nor enough of one to be of use.
const SHORTEST: usize = 8;

/// Whether a text from a server, of which only the beginning may be known, holds a credential or a good part of it.
fn echoes(told: &str, credential: &Secret) -> bool {
    let credential = credential.expose();
    if told == credential || overlap(told, credential) {
        return true;
    }
    let in_form = |encoding: Encoding, text: &str| {
        let mut form = Assembly::with_room(4 * text.len().div_ceil(3));
        encoding.append(text, &mut form);
        overlap(told, form.as_str())
    };
    // What an encoding changes nothing of was looked at above.
    let escaped = [Encoding::Url, Encoding::Json].into_iter().filter(|encoding| !encoding.keeps(credential));
    // What stands before it moves the digits of base64 by one or two bytes.
    let shifted = || (0..3).filter_map(|behind| credential.get(behind..));
    let base64 =
        || shifted().any(|text| in_form(Encoding::Base64, text) || in_form(Encoding::Base64Url, text));
    let hex = || {
        let mut digits = Assembly::with_room(2 * credential.len());
        credential.bytes().for_each(|byte| digits.push_shown(format_args!("{byte:02x}")));
        overlap(&told.to_ascii_lowercase(), digits.as_str())
    };
    escaped.into_iter().any(|encoding| in_form(encoding, credential))
        || may_hold(told, 4, base64_digit, credential) && base64()
        || may_hold(told, 6, hex_digit, credential) && hex()
}

/// Whether so many digits in a row, of a text, are three bytes of the credential: some are in whatever [overlaps](overlap) with its digits, of
/// which eight in a row begin with three at most that are not. To encode all of it takes far longer than this.
fn may_hold(told: &str, count: usize, digit: impl Fn(u8) -> Option<u32>, credential: &str) -> bool {
    let three_bytes = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0, |held: u32, byte| Some(held << (24 / count) | digit(*byte)?))
            .map(u32::to_be_bytes)
    };
    let is_held = |[_, held @ ..]: [u8; 4]| str::from_utf8(&held).is_ok_and(|held| credential.contains(held));
    // Three bytes of another text may be parts of characters.
    !credential.is_ascii() || told.as_bytes().windows(count).filter_map(three_bytes).any(is_held)
}

/// The value of a digit of base64, in either alphabet.
fn base64_digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

fn hex_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

fn overlap(told: &str, form: &str) -> bool {
    let within = |one: &str, other: &str| one.len() >= SHORTEST && other.contains(one);
    let mut runs = told.char_indices().filter_map(|(start, _)| told.get(start..start + RUN));
    within(told, form) || within(form, told) || runs.any(|run| form.contains(run))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    const CREDENTIAL: &str = "ey+f1rst/half.0123456789abcdefghijklmnopqrstuvwxyz=s3cond~half";

    fn told(told: &str) -> bool {
        echoes(told, &Secret::from(CREDENTIAL))
    }

    #[test]
    fn a_credential_is_found_whole_and_in_part_whatever_stands_around_it_and_in_each_encoding() {
        let hex: String = CREDENTIAL.bytes().map(|byte| format!("{byte:02x}")).collect();
        for before in ["", "s", "s:", "Bearer ", "\u{e9}\u{fffd}"] {
            for around in [CREDENTIAL.to_owned(), CREDENTIAL[..20].to_owned(), CREDENTIAL[30..].to_owned()] {
                assert!(told(&format!("{before}{around}")), "{before}{around}");
                assert!(told(&format!("{before}{around}-and more")), "{before}{around}");
            }
            let both = format!("{before}{CREDENTIAL}");
            for form in [STANDARD.encode(&both), URL_SAFE_NO_PAD.encode(&both)] {
                assert!(told(&form), "{form}");
                // Its first characters are those of what stands before it.
                assert!(told(&form[20..60]), "{form}");
            }
            for form in [&hex, &hex.to_uppercase()] {
                assert!(told(&format!("{before}{form}")), "{before}{form}");
            }
        }
        assert!(told("ey%2Bf1rst%2Fhalf"));
    }

    #[test]
    fn what_is_the_server_s_own_is_told() {
        for name in ["", "s", "7", "ey+f1rs", "conn-0123456789a", "\u{e9}".repeat(60).as_str()] {
            assert!(!told(name), "{name}");
        }
        assert!(!echoes("t1-session", &Secret::from("t1")), "nobody's secret");
        assert!(echoes("t1", &Secret::from("t1")));
        assert!(!echoes("", &Secret::from("token of a session")));
    }

    /// The credential in each form in which it may come back.
    fn forms(credential: &str) -> Vec<String> {
        let encoded = |encoding: Encoding, text: &str| {
            let mut form = Assembly::new();
            encoding.append(text, &mut form);
            form.as_str().to_owned()
        };
        let shifted = (0..3).filter_map(|behind| credential.get(behind..));
        let base64 =
            shifted.flat_map(|text| [encoded(Encoding::Base64, text), encoded(Encoding::Base64Url, text)]);
        let others =
            [Encoding::Raw, Encoding::Url, Encoding::Json].map(|encoding| encoded(encoding, credential));
        base64.chain(others).collect()
    }

    proptest! {
        /// Beside what encodes the credential each time, which is a third of what a whole connection takes of a processor.
        #[test]
        fn nothing_is_overlooked_that_encoding_all_of_the_credential_would_find(
            credential in prop_oneof!["[a-z0-9]{0,12}", "[ -~]{0,60}", "[a-zA-Z0-9_-]{20,60}", "\\PC{0,30}"],
            form in 0..10_usize,
            (start, length) in (0..80_usize, 0..30_usize),
            (before, behind) in ("[ -~]{0,5}", "\\PC{0,5}"),
        ) {
            let hex: String = credential.bytes().map(|byte| format!("{byte:02x}")).collect();
            let forms = forms(&credential);
            let piece: String =
                forms.iter().chain([&hex]).nth(form).into_iter().flat_map(|form| form.chars().skip(start).take(length)).collect();
            for told in [format!("{before}{piece}{behind}"), piece.to_uppercase(), piece] {
                let in_hex = overlap(&told.to_ascii_lowercase(), &hex);
                let expected = told == credential || in_hex || forms.iter().any(|form| overlap(&told, form));
                prop_assert_eq!(echoes(&told, &Secret::from(credential.as_str())), expected, "{:?}", told);
            }
        }
    }
}

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
    // What stands before it moves the digits of base64 by one or two bytes.
    let shifted = (0..3).filter_map(|behind| credential.get(behind..));
    let in_base64 = shifted.flat_map(|text| [(Encoding::Base64, text), (Encoding::Base64Url, text)]);
    let others = [(Encoding::Url, credential), (Encoding::Json, credential)];
    let encoded = in_base64.chain(others).any(|(encoding, text)| {
        let mut form = Assembly::new();
        encoding.append(text, &mut form);
        overlap(told, form.as_str())
    });
    encoded || {
        let mut digits = Assembly::new();
        credential.bytes().for_each(|byte| digits.push_shown(format_args!("{byte:02x}")));
        overlap(&told.to_ascii_lowercase(), digits.as_str())
    }
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
}

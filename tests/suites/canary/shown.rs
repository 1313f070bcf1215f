//! What was shown, and the search for secrets in it.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::{Debug, Write as _};
use std::panic::AssertUnwindSafe;

use auth_core::{Error, ErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use realtime_auth_tests::ear::Listening;

use super::{CANARY, LETTERS, PRIVATE};

/// Everything that was printed, reported and logged.
#[derive(Default)]
pub(super) struct Shown(pub(super) String);

impl Shown {
    pub(super) fn debug(&mut self, what: &dyn Debug) {
        writeln!(self.0, "{what:?}\n{what:#?}").unwrap();
    }

    /// An error with its whole chain, in both forms.
    pub(super) fn error(&mut self, error: &Error) {
        writeln!(self.0, "{error}").unwrap();
        self.debug(error);
        let mut source = error.source();
        while let Some(error) = source {
            writeln!(self.0, "{error}").unwrap();
            self.debug(&error);
            source = error.source();
        }
    }

    pub(super) fn outcome<T: Debug>(&mut self, outcome: &Result<T, Error>) {
        match outcome {
            Ok(value) => self.debug(value),
            Err(error) => self.error(error),
        }
    }

    /// Fails if one of the secrets is in it, in a form that it is sent in.
    pub(super) fn holds_none_of(&self, secrets: &BTreeSet<String>) {
        assert!(!secrets.is_empty() && secrets.iter().all(|secret| secret.len() >= 8));
        for secret in secrets {
            let line = self.0.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret}");
        }
    }
}

/// The secrets, and what was made of them for the requests that arrived: proofs, assertions, encodings.
pub(super) fn forms(requests: &[String]) -> BTreeSet<String> {
    let pair = STANDARD.encode(format!("c:{CANARY}"));
    let mut forms = BTreeSet::from(["canary4f1e".to_owned(), LETTERS.to_owned(), PRIVATE.to_owned(), pair]);
    for request in requests {
        for line in request.lines() {
            let lower = line.to_ascii_lowercase();
            if lower.starts_with("dpop: ") || lower.starts_with("authorization: ") {
                forms.extend(line.rsplit(' ').next().map(str::to_owned));
            }
        }
        let body = request.rsplit("\r\n\r\n").next().unwrap_or_default();
        let secret = ["assertion=", "client_assertion=", "code_verifier=", "state="];
        let values = body.split('&').filter(|pair| secret.iter().any(|name| pair.starts_with(name)));
        forms.extend(values.filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned()));
    }
    forms
}

#[test]
fn the_control_finds_a_secret_in_each_place() {
    let found = |shown: Shown| {
        let searched = AssertUnwindSafe(|| shown.holds_none_of(&forms(&[])));
        std::panic::catch_unwind(searched).is_err()
    };
    let mut printed = Shown::default();
    printed.debug(&CANARY);
    assert!(found(printed), "printed");
    for secret in [LETTERS, PRIVATE] {
        assert!(found(Shown(format!("it was {secret}."))), "{secret}");
    }
    let mut nested = Shown::default();
    let cause = std::io::Error::other(format!("it was {CANARY}"));
    nested.error(&Error::new(ErrorKind::Transport, "broken").with_source(cause));
    assert!(found(nested), "a cause");
    for say in [|| tracing::trace!("{CANARY}"), || log::trace!("{CANARY}")] {
        let listening = Listening::begin();
        say();
        assert!(found(Shown(listening.end())), "logged");
    }
    assert!(!found(Shown("nothing".to_owned())));
}

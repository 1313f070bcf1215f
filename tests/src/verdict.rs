//! What a case says in the end: that it held, or what was expected and what happened.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::future::Future;
use std::io::{self, Write as _};
use std::time::Duration;

use auth_core::{Error, ErrorKind, Retry};
use serde_json::json;

/// What a case says in the end.
pub type Verdict = Result<(), Wrong>;

/// A case that did not hold. Neither text may have a secret.
#[derive(Debug)]
pub struct Wrong {
    expected: String,
    happened: String,
}

impl Wrong {
    /// What was expected, and what happened in its place.
    pub fn new(expected: impl Into<String>, happened: impl Into<String>) -> Self {
        Self { expected: expected.into(), happened: happened.into() }
    }
}

/// Our errors hold no secrets, and neither do those of what we stand on.
impl<E: StdError> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self::new("no failure", error.to_string())
    }
}

/// That something is as it should be.
///
/// # Errors
///
/// What it is.
pub fn same<T: PartialEq + Debug>(what: &str, happened: T, expected: T) -> Verdict {
    if happened == expected {
        return Ok(());
    }
    Err(Wrong::new(format!("{what}: {expected:?}"), format!("{happened:?}")))
}

/// That something is so, of which neither side may be shown.
///
/// # Errors
///
/// That it is not.
pub fn holds(what: &str, is_so: bool) -> Verdict {
    if is_so { Ok(()) } else { Err(Wrong::new(what, "it is not so")) }
}

/// That it failed in this way. What it gave instead of a failure is not shown.
///
/// # Errors
///
/// How it failed otherwise, or that it did not.
pub fn failed<T>(outcome: Result<T, Error>, kind: ErrorKind, retry: Retry) -> Result<Error, Wrong> {
    let expected = format!("{kind:?}, to be retried: {retry:?}");
    match outcome {
        Ok(_) => Err(Wrong::new(expected, "it succeeded")),
        Err(error) if (error.kind(), error.retry()) == (kind, retry) => Ok(error),
        Err(error) => Err(Wrong::new(expected, format!("{:?}, {:?}: {error}", error.kind(), error.retry()))),
    }
}

/// Beyond this a case hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what came of a case, and prints a line about it.
///
/// # Errors
///
/// When nobody reads on: then there is no point in going on.
pub async fn tell(case: &str, held: impl Future<Output = Verdict>) -> io::Result<()> {
    let verdict = tokio::time::timeout(PATIENCE, held).await;
    let verdict = verdict.unwrap_or_else(|_| Err(Wrong::new("an end within a minute", "it hangs")));
    let case = case.replace(' ', "");
    let line = match verdict {
        Ok(()) => json!({ "case": case, "passed": true }),
        Err(Wrong { expected, happened }) => {
            json!({ "case": case, "passed": false, "expected": expected, "happened": happened })
        }
    };
    writeln!(io::stdout().lock(), "{line}")
}

/// Runs functions as cases of their names, one after the other.
#[macro_export]
macro_rules! run_cases {
    ($world:expr, [$($case:path),* $(,)?]) => {
        $( $crate::verdict::tell(stringify!($case), $case($world)).await?; )*
    };
}
pub use run_cases as run;

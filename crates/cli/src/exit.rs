//! How a command ends: the exit codes that scripts rely on.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use auth_core::ably::ErrorCode;
use auth_core::{Error, ErrorKind};

use crate::shown::shown_lines;

/// Why a command failed, and with it its exit code.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The operation failed (exit code 1).
    Operation(String),
    /// The command line or a configuration file is wrong (exit code 2).
    Usage(String),
    /// What was asked for was refused (exit code 3); the output has said why.
    Refused,
    /// A server refused for good (exit code 3).
    Denied(String),
    /// No answer came in time (exit code 4).
    TimedOut(String),
    /// Somebody asked the process to end before it was done (exit code 130, as shells have it for Ctrl-C).
    Interrupted,
}

impl Failure {
    /// What a line of JSON calls it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Operation(_) => "failed",
            Self::Usage(_) => "misconfigured",
            Self::Refused | Self::Denied(_) => "refused",
            Self::TimedOut(_) => "timeout",
            Self::Interrupted => "interrupted",
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Operation(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused | Self::Denied(_) => 3,
            Self::TimedOut(_) => 4,
            Self::Interrupted => 130,
        }
    }

    /// A port that can't be taken.
    pub(crate) fn bind(address: SocketAddr, error: &io::Error) -> Self {
        Self::Usage(match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{address} is in use; choose another address with --listen, or port 0 for a free one")
            }
            _ => format!("{address} can't be listened on: {error}"),
        })
    }
}

impl From<Error> for Failure {
    /// Kind, advice, code and cause, with the exit code that the kind has.
    fn from(error: Error) -> Self {
        let mut text = error.to_string();
        // What is between says the same in other words.
        let mut cause = error.source();
        while let Some(deeper) = cause.and_then(|cause| cause.source()) {
            cause = Some(deeper);
        }
        if let Some(cause) = cause.map(ToString::to_string).filter(|cause| !text.contains(cause)) {
            text = format!("{text}: {cause}");
        }
        let verdict = verdict(&error);
        let kind = serde_json::to_value(verdict);
        let kind = kind.as_ref().ok().and_then(|kind| kind.as_str()).unwrap_or("failed");
        let text = format!("{kind}: {text}");
        match verdict {
            ErrorKind::Misconfigured => Self::Usage(text),
            ErrorKind::Timeout => Self::TimedOut(text),
            ErrorKind::InsufficientScope
            | ErrorKind::InvalidClient
            | ErrorKind::InvalidGrant
            | ErrorKind::InvalidToken
            | ErrorKind::Refused => Self::Denied(text),
            _ => Self::Operation(text),
        }
    }
}

/// What happened: to an auth URL that gave no token, what its own error says, since `error` says no more than that.
fn verdict(error: &Error) -> ErrorKind {
    let cause = || error.source().and_then(|cause| cause.downcast_ref::<Error>()).map(Error::kind);
    let is_of_another = error.code() == Some(ErrorCode::PROVIDER_FAILED.number());
    if is_of_another { cause().unwrap_or_else(|| error.kind()) } else { error.kind() }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(text) | Self::Usage(text) | Self::Denied(text) | Self::TimedOut(text) => {
                formatter.write_str(text)
            }
            Self::Refused => formatter.write_str("refused"),
            Self::Interrupted => formatter.write_str("interrupted"),
        }
    }
}

/// Writes a line to standard error. If nobody reads that, the exit code has to say it all.
pub(crate) fn complain(command: &str, text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "rtauth {command}: {}", shown_lines(&text.to_string()));
}

/// Runs a command on a runtime of its own; what is still running when it ends is dropped with the runtime.
pub(crate) fn run(name: &str, command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let outcome = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(command);
            // A name that is still being resolved would hold up the end for as long as that takes.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Failure::Operation(format!("no runtime can be started: {error}"))),
    };
    ended(name, outcome)
}

/// The exit code of a command. A refusal has been told by its output, anything else is told here.
pub(crate) fn ended(name: &str, outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Refused) {
                complain(name, &failure);
            }
            ExitCode::from(failure.code())
        }
    }
}

/// Writes a line to standard output.
pub(crate) fn print(line: impl fmt::Display) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}")
        .map_err(|error| Failure::Operation(format!("standard output can't be written: {error}")))
}

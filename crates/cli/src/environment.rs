//! The environment: read here and nowhere else.

use crate::exit::Failure;

/// The variables whose values are secrets; what this process starts does not inherit them.
pub(crate) const SECRETS: [&str; 5] = [
    "RTAUTH_CLIENT_SECRET",
    "RTAUTH_REFRESH_TOKEN",
    "RTAUTH_ABLY_KEY",
    "RTAUTH_FINGERPRINT_KEY",
    "RTAUTH_HEC_TOKEN",
];

/// The value of a variable; an empty one counts as none, and so does one that is no text.
pub(crate) fn variable(name: &str) -> Option<String> {
    secret(name).ok().flatten()
}

/// Whether a variable has a value, whatever it is.
#[expect(clippy::disallowed_methods, reason = "the command line is what reads the environment")]
pub(crate) fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// The value of a variable that must not be taken for unset because it is no text; an empty one counts as none.
#[expect(clippy::disallowed_methods, reason = "the command line is what reads the environment")]
pub(crate) fn secret(name: &str) -> Result<Option<String>, Failure> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    let value = value.map(std::ffi::OsString::into_string).transpose();
    value.map_err(|_| {
        Failure::Usage(format!("the environment variable {name} is not UTF-8 text; unset it, or mend it"))
    })
}

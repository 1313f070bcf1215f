//! The environment: read here and nowhere else.

/// The value of a variable; an empty one counts as none.
#[expect(clippy::disallowed_methods, reason = "the command line is what reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

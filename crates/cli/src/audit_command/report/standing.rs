//! What a page says of the log as a whole: what was verified, and what was not.

use super::Tone;

/// What is known of a log as a whole.
#[derive(Debug)]
pub(in crate::audit_command) struct Standing {
    /// What the log is called: its directory.
    pub(in crate::audit_command) name: String,
    /// Whether it can be trusted, in a sentence.
    pub(in crate::audit_command) headline: String,
    /// How good that news is.
    pub(in crate::audit_command) tone: Tone,
    /// What was verified and what was not, one by one.
    pub(in crate::audit_command) claims: Vec<Claim>,
}

/// One thing that was verified, or was not.
#[derive(Debug)]
pub(in crate::audit_command) struct Claim {
    pub(in crate::audit_command) tone: Tone,
    pub(in crate::audit_command) text: String,
}

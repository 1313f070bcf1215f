//! The suite of the models without I/O.

mod capability;
mod tokens;

use crate::case::Case;

pub(crate) fn cases() -> Vec<Case> {
    [capability::cases(), tokens::cases()].into_iter().flatten().collect()
}

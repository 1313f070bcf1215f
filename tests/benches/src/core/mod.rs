//! The suite of the models without I/O.

mod capability;

use crate::case::Case;

pub(crate) fn cases() -> Vec<Case> {
    [capability::cases()].into_iter().flatten().collect()
}

//! The suite of tokens in use: what a cached read costs, how reads scale, how a fleet spreads, and what an idle token weighs.

mod fleet;
mod reads;

use crate::case::Case;

pub(crate) fn cases() -> Vec<Case> {
    [reads::cases(), fleet::cases()].into_iter().flatten().collect()
}

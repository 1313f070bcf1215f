//! The suite of OAuth: what a fetch of a token costs beside the same exchange without a client around it, and beside another client.

mod fetches;
mod server;

use crate::case::Case;

pub(crate) fn cases() -> Vec<Case> {
    fetches::cases()
}

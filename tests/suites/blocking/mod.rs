//! The blocking driver where it differs from the others: it runs while it is called, on whoever's thread that is.

mod alone;
mod encrypted;
mod floods;
mod sources;

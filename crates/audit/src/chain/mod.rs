//! The chain of records and the Merkle tree over it: what a writer and a verifier compute alike.

mod hash;
mod merkle;
mod record;

pub(crate) use self::hash::Hash;
pub(crate) use self::merkle::Frontier;
pub(crate) use self::record::{Head, LONGEST_LINE, LONGEST_MEMBERS, Misfit};

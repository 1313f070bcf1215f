//! Capabilities: which operations a token allows on which channels, and what two of them allow together.
//!
//! The model is that of Ably's documentation on capabilities; RSA6, RSA9f and TK2 of its features specification say how
//! one travels. On the wire a capability is a string that holds a JSON object of resources with their operations:
//!
//! ```
//! use auth_core::capability::{Capability, Operation};
//!
//! let key = Capability::parse(r#"{"chat:*": ["subscribe", "publish"], "news": ["*"]}"#)?;
//! assert!(key.permits("chat:lobby", Operation::Publish));
//! assert!(!key.permits("chat", Operation::Publish));
//!
//! // A token gets what its request asks for, as far as the key allows it.
//! let requested = Capability::of([("chat:lobby", [Operation::Publish, Operation::History])])?;
//! let granted = requested.intersection(&key)?;
//! assert_eq!(granted.canonical_text(), r#"{"chat:lobby":["publish"]}"#);
//! assert!(granted.is_subset_of(&key));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which channels a resource matches
//!
//! A resource is an optional qualifier in brackets and a name of segments joined by colons.
//!
//! * The channel must have the same qualifier, or none if the resource has none; `[*]` matches any, and none.
//!   Channel parameters (`[?rewind=1]`) are no part of a channel's name: strip them before asking.
//! * Segments are compared one by one. `*` is a wildcard only as a whole segment (`chat*` is a literal); it matches
//!   one segment and, at the end, one or more. So `*` alone covers every name, and `chat:*` does not match `chat`:
//!   where the documentation is silent, the reading that grants less is taken.
//! * A channel may be used for what any matching resource allows.
//! * `stats` is about an app, not a channel. It counts only on the resources `*` and `[*]*`, so ask for it with any
//!   channel that has no qualifier; it is kept in the text of other resources, without effect.
//! * `*` as an operation is more than a list of all operations: it includes those that do not exist yet.
//!
//! # The laws of intersection
//!
//! Each pair of resources that overlap gives one, of the more specific segments; equal ones are merged. Nothing is
//! left out for being redundant: a token that asks for `{"*":["publish"],"news":["publish"]}` shall read that back.
//!
//! * A channel allows an operation if, and only if, both sides do: an intersection never widens.
//! * It is commutative and associative, to the letter of the text.
//! * To intersect with the same capability again changes nothing in what is allowed. It changes nothing in the text
//!   either, unless resources cross, overlapping without one covering the other: `a:*` and `*:b` also give `a:b`,
//!   which is redundant.

mod canonical;
mod intersection;
mod matching;
mod operation;
mod parse;
mod resource;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::operation::{Operation, Operations, UnknownOperation};
use self::resource::{Grant, Path};
use crate::Error;
use crate::ably::ErrorCode;

/// The longest text of a capability, in bytes; what is longer is an attack or a mistake.
pub const LONGEST_TEXT: usize = 256 * 1024;

/// Which operations are allowed on which channels: immutable, and cheap to clone.
///
/// Two are equal if their canonical texts are. Two that differ may still allow the same: compare with
/// [`is_subset_of`](Self::is_subset_of), both ways.
#[derive(Clone)]
pub struct Capability(Arc<Inner>);

struct Inner {
    /// In the order of [`Grant::order`], each resource once, never empty.
    grants: Vec<Grant>,
    canonical_text: Box<str>,
}

impl Capability {
    /// All operations on all channels, of every kind: `{"[*]*":["*"]}`.
    #[must_use]
    pub fn all() -> Self {
        Self::of_sorted(vec![Grant::all()])
    }

    /// The capability of these resources with their operations.
    ///
    /// # Errors
    ///
    /// [`InvalidCapability`] for what [`parse`](Self::parse) would refuse in a text.
    pub fn of<R: Into<Box<str>>, O: Into<Operations>>(
        grants: impl IntoIterator<Item = (R, O)>,
    ) -> Result<Self, InvalidCapability> {
        let grants = grants.into_iter().map(|(resource, operations)| Grant::of(resource, operations.into()));
        let capability = Self::of_unsorted(grants.collect::<Result<_, _>>()?)?;
        if capability.canonical_text().len() > LONGEST_TEXT {
            return Err(InvalidCapability::TooLong);
        }
        Ok(capability)
    }

    /// Reads a JSON object of resources with their operations. An operation that is listed twice counts once.
    ///
    /// An object without resources is refused, since it can be neither asked for nor granted: a request that leaves
    /// its capability out asks for all that its key has.
    ///
    /// # Errors
    ///
    /// [`InvalidCapability`] says what is wrong; its [`code`](InvalidCapability::code) is 40000.
    pub fn parse(text: &str) -> Result<Self, InvalidCapability> {
        Self::of_unsorted(parse::grants_of(text)?)
    }

    fn of_unsorted(mut grants: Vec<Grant>) -> Result<Self, InvalidCapability> {
        if grants.is_empty() {
            return Err(InvalidCapability::NoResources);
        }
        grants.sort_unstable_by(Grant::order);
        if grants.windows(2).any(|pair| pair[0].resource == pair[1].resource) {
            return Err(InvalidCapability::DuplicateResource);
        }
        Ok(Self::of_sorted(grants))
    }

    fn of_sorted(grants: Vec<Grant>) -> Self {
        let canonical_text = canonical::text_of(&grants).into();
        Self(Arc::new(Inner { grants, canonical_text }))
    }

    /// The text that is signed: resources sorted by UTF-16 code units, operations by name, no blanks, no escapes but
    /// those that JSON requires.
    ///
    /// It is what ably-js makes of the same capability, so a signature over one is a signature over the other.
    #[must_use]
    pub fn canonical_text(&self) -> &str {
        &self.0.canonical_text
    }

    /// Whether the operation is allowed on the channel.
    #[must_use]
    pub fn permits(&self, channel: &str, operation: Operation) -> bool {
        self.operations_on(channel).contains(operation)
    }

    /// All that is allowed on the channel.
    ///
    /// [`Operations::ALL`] only if `stats` is among it, else the named operations without those to come.
    ///
    /// The cost grows with the channel's segments and the logarithm of the number of resources; only resources with
    /// wildcards that cross (`a:*`, `*:b`) add to it, and never more than one look at each.
    #[must_use]
    pub fn operations_on(&self, channel: &str) -> Operations {
        matching::operations_on(&self.0.grants, Path::of(channel)).all_or_named()
    }

    /// What both allow.
    ///
    /// # Errors
    ///
    /// [`NoIntersection`]: nothing is allowed by both; or the result would be longer than [`LONGEST_TEXT`], or take
    /// longer than some tens of milliseconds, which a stranger's request may not. That happens only where very many
    /// wildcards cross, as `a1:*:x`, `a2:*:x`, … do with `*:b1:y`, `*:b2:y`, …, since each pair has to be looked at.
    pub fn intersection(&self, other: &Self) -> Result<Self, NoIntersection> {
        let grants = intersection::intersect(&self.0.grants, &other.0.grants)?;
        if grants.is_empty() {
            return Err(NoIntersection::Empty);
        }
        let capability = Self::of_sorted(grants);
        if capability.canonical_text().len() > LONGEST_TEXT {
            return Err(NoIntersection::TooLarge);
        }
        Ok(capability)
    }

    /// Whether the other allows each operation on each channel that this allows.
    ///
    /// This is exact: among all names some have segments that no resource spells out, so a resource is within others
    /// only if, for each of its operations, one of them covers it alone. It costs a check for each of our resources, and a
    /// check of a name with wildcards among many wildcards can visit thousands: do not ask about what a stranger wrote
    /// without a limit on its length. [`intersection`](Self::intersection) has one.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.grants.iter().all(|grant| {
            grant.effective_operations().is_subset_of(matching::operations_on(&other.0.grants, grant.path()))
        })
    }
}

impl PartialEq for Capability {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.canonical_text() == other.canonical_text()
    }
}

impl Eq for Capability {}

impl Hash for Capability {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical_text().hash(state);
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Capability").field(&self.canonical_text()).finish()
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.canonical_text())
    }
}

impl FromStr for Capability {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Self, InvalidCapability> {
        Self::parse(text)
    }
}

impl Serialize for Capability {
    /// Writes the canonical text, as a string.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.canonical_text())
    }
}

impl<'de> Deserialize<'de> for Capability {
    /// Reads a string that holds JSON.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(CapabilityVisitor)
    }
}

struct CapabilityVisitor;

impl Visitor<'_> for CapabilityVisitor {
    type Value = Capability;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string that holds a capability as JSON")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Capability, E> {
        Capability::parse(text).map_err(E::custom)
    }
}

/// Why a text is no capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCapability {
    /// It is longer than [`LONGEST_TEXT`].
    #[error("ask for fewer resources: a capability has at most {LONGEST_TEXT} bytes")]
    TooLong,
    /// It is not JSON.
    #[error("write a capability as JSON")]
    Syntax,
    /// It is JSON, but no object of lists of strings.
    #[error("write a capability as an object whose values are lists of operations")]
    Shape,
    /// Something follows the object.
    #[error("remove what follows the object of the capability")]
    TrailingText,
    /// The object is empty.
    #[error("name a resource, or leave the capability out to ask for all that the key has")]
    NoResources,
    /// A resource has no name, or only a qualifier.
    #[error("give each resource a name; `*` covers every name")]
    EmptyResource,
    /// A resource begins with a bracket that is not closed.
    #[error("close the bracket of each resource's qualifier, as in `[meta]name`")]
    UnclosedQualifier,
    /// A resource is there twice.
    #[error("name each resource once, with all its operations")]
    DuplicateResource,
    /// A resource has no operations.
    #[error("name an operation for each resource, or leave the resource out")]
    NoOperations,
    /// A text is the name of no [`Operation`].
    #[error("use operations that exist, in lowercase, or `*` for all")]
    UnknownOperation,
    /// `*` stands beside other operations, which it includes.
    #[error("let the operation `*` stand alone: it includes the others")]
    WildcardNotAlone,
}

impl InvalidCapability {
    /// Ably's number for it, which goes with HTTP status 400.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        ErrorCode::BAD_REQUEST
    }
}

impl From<InvalidCapability> for Error {
    fn from(error: InvalidCapability) -> Self {
        error.code().error(error.to_string())
    }
}

/// Why two capabilities have no intersection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoIntersection {
    /// No channel allows an operation on both sides.
    #[error("ask for resources and operations that the key has: of those requested it has none")]
    Empty,
    /// It would be too long, or take too long to find.
    #[error("ask for fewer resources with wildcards: too many of them cross those of the key")]
    TooLarge,
}

impl NoIntersection {
    /// Ably's number for it: 40160 with HTTP status 401 when it is empty, 40000 with 400 when it is too large.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Empty => ErrorCode::CAPABILITY,
            Self::TooLarge => ErrorCode::BAD_REQUEST,
        }
    }
}

impl From<NoIntersection> for Error {
    fn from(error: NoIntersection) -> Self {
        error.code().error(error.to_string())
    }
}

//! A resource: which channels a grant is about, as a pattern of segments.

use alloc::boxed::Box;
use alloc::string::String;
use core::cmp::Ordering;

use super::{InvalidCapability, Operations};

/// The segment, and the kind of channel, that stands for any.
pub(super) const ANY: &str = "*";

/// A channel's name, or a resource's: an optional qualifier in brackets, then segments joined by colons.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a> {
    /// The qualifier with its brackets, or nothing; `[*]` is [`ANY`].
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
}

impl<'a> Path<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self::split(text, qualifier_length(text))
    }

    fn split(text: &'a str, at: usize) -> Self {
        let (qualifier, name) = text.split_at(at);
        Self { kind: if qualifier == "[*]" { ANY } else { qualifier }, name }
    }
}

/// One entry of a capability: a pattern, and what may be done where it matches.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) resource: Box<str>,
    name_at: usize,
    pub(super) operations: Operations,
}

impl Grant {
    pub(super) fn of(
        resource: impl Into<Box<str>>,
        operations: Operations,
    ) -> Result<Self, InvalidCapability> {
        let resource = resource.into();
        let name_at = qualifier_length(&resource);
        if name_at == resource.len() {
            return Err(InvalidCapability::EmptyResource);
        }
        // Were `[a:*` a name, its intersection with `*:b]c` would be read back as the qualified `[a:b]c`.
        if name_at == 0 && resource.starts_with('[') {
            return Err(InvalidCapability::UnclosedQualifier);
        }
        if operations.is_empty() {
            return Err(InvalidCapability::NoOperations);
        }
        Ok(Self { resource, name_at, operations })
    }

    /// Everything, on channels of every kind.
    pub(super) fn all() -> Self {
        let resource = Box::<str>::from("[*]*");
        Self { name_at: qualifier_length(&resource), resource, operations: Operations::ALL }
    }

    pub(super) fn path(&self) -> Path<'_> {
        Path::split(&self.resource, self.name_at)
    }

    pub(super) fn kind(&self) -> &str {
        self.path().kind
    }

    /// What is left of the name from a byte on, where a segment starts.
    fn rest(&self, at: usize) -> &str {
        self.resource.get(self.name_at + at..).unwrap_or_default()
    }

    /// The segment that starts at a byte of the name.
    pub(super) fn segment(&self, at: usize) -> &str {
        let rest = self.rest(at);
        rest.split_once(':').map_or(rest, |(segment, _)| segment)
    }

    /// How the segment that starts at a byte compares with another, which has no colon.
    pub(super) fn compare_segment(&self, at: usize, segment: &str) -> Ordering {
        match first_difference(self.rest(at), segment) {
            (Some(b':'), None) => Ordering::Equal,
            (byte, other) => rank(byte).cmp(&rank(other)),
        }
    }

    /// Whether the name ends with the segment that ends at a byte.
    pub(super) fn ends_at(&self, end: usize) -> bool {
        self.resource.len() - self.name_at == end
    }

    /// What is granted: what is written, except that statistics are about an app as a whole.
    pub(super) fn effective_operations(&self) -> Operations {
        match &*self.resource {
            "*" | "[*]*" => self.operations,
            _ => self.operations.without_stats(),
        }
    }

    /// By kind, then segment by segment: grants whose first segments are equal stand together, the shortest first.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.path(), other.path());
        let (byte, other) = first_difference(ours.name, theirs.name);
        ours.kind.cmp(theirs.kind).then(rank(byte).cmp(&rank(other)))
    }

    /// The grant of what both give where both match. They must overlap; nothing if no operation is in both.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        let operations = self.operations.intersection(other.operations);
        if operations.is_empty() {
            return None;
        }
        let concrete = if self.kind() == ANY { other } else { self };
        let mut resource = String::with_capacity(self.resource.len().max(other.resource.len()));
        resource.push_str(&concrete.resource[..concrete.name_at]);
        let mut separator = "";
        let mut ours = self.path().name.split(':');
        let mut theirs = other.path().name.split(':');
        // A wildcard yields to the other side, and a wildcard at the end to all that is left of it.
        while let (Some(ANY), Some(segment)) | (Some(segment), _) | (None, Some(segment)) =
            (ours.next(), theirs.next())
        {
            resource.push_str(separator);
            resource.push_str(segment);
            separator = ":";
        }
        Some(Self { resource: resource.into(), name_at: concrete.name_at, operations })
    }
}

/// The first bytes that differ, or the ends.
fn first_difference(one: &str, other: &str) -> (Option<u8>, Option<u8>) {
    let (mut one, mut other) = (one.bytes(), other.bytes());
    loop {
        match (one.next(), other.next()) {
            (Some(byte), Some(same)) if byte == same => {}
            different => return different,
        }
    }
}

/// Where a byte of a name stands: the end and the colon before all else, so that segments are compared and not bytes.
fn rank(byte: Option<u8>) -> u16 {
    match byte {
        None => 0,
        Some(b':') => 1,
        Some(byte) => u16::from(byte) + 2,
    }
}

/// How many bytes the qualifier takes, brackets included.
fn qualifier_length(text: &str) -> usize {
    if text.starts_with('[') { text.find(']').map_or(0, |end| end + 1) } else { 0 }
}

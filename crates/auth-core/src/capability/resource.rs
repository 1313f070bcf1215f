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

    /// The segment of the name that starts at a byte, where one starts.
    pub(super) fn segment(&self, at: usize) -> &str {
        let rest = self.path().name.get(at..).unwrap_or_default();
        rest.split_once(':').map_or(rest, |(segment, _)| segment)
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
        ours.kind.cmp(theirs.kind).then_with(|| ours.name.split(':').cmp(theirs.name.split(':')))
    }

    /// The grant of what both give where both match. They must overlap; nothing if no operation is in both.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        let operations = self.operations.intersection(other.operations);
        if operations.is_empty() {
            return None;
        }
        let concrete = if self.path().kind == ANY { other } else { self };
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

/// How many bytes the qualifier takes, brackets included.
fn qualifier_length(text: &str) -> usize {
    if text.starts_with('[') { text.find(']').map_or(0, |end| end + 1) } else { 0 }
}

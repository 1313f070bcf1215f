//! What a capability lets its holder do: one operation, and a set of them.

use core::fmt;
use core::str::FromStr;

/// Something that a token's holder may do with a channel or an app.
///
/// In the order of their names, which is the order of canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Publish annotations on messages.
    AnnotationPublish,
    /// Receive single annotations.
    AnnotationSubscribe,
    /// Read what is known of a channel and list the active ones.
    ChannelMetadata,
    /// Read past messages and presence.
    History,
    /// Delete any message.
    MessageDeleteAny,
    /// Delete one's own messages.
    MessageDeleteOwn,
    /// Update any message.
    MessageUpdateAny,
    /// Update one's own messages.
    MessageUpdateOwn,
    /// Change a channel's objects.
    ObjectPublish,
    /// Receive a channel's objects and their changes.
    ObjectSubscribe,
    /// Enter, update and leave presence.
    Presence,
    /// Set headers of messages that only the privileged may set.
    PrivilegedHeaders,
    /// Publish messages.
    Publish,
    /// Manage the push devices and subscriptions of others.
    PushAdmin,
    /// Register one's own device for push.
    PushSubscribe,
    /// Read an app's statistics; counts only on the resources `*` and `[*]*`.
    Stats,
    /// Receive messages and presence.
    Subscribe,
}

impl Operation {
    /// All of them, in order of their names.
    pub(crate) const EVERY: [Self; 17] = [
        Self::AnnotationPublish,
        Self::AnnotationSubscribe,
        Self::ChannelMetadata,
        Self::History,
        Self::MessageDeleteAny,
        Self::MessageDeleteOwn,
        Self::MessageUpdateAny,
        Self::MessageUpdateOwn,
        Self::ObjectPublish,
        Self::ObjectSubscribe,
        Self::Presence,
        Self::PrivilegedHeaders,
        Self::Publish,
        Self::PushAdmin,
        Self::PushSubscribe,
        Self::Stats,
        Self::Subscribe,
    ];

    /// Every documented operation, in the order of their names.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::EVERY.into_iter()
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnnotationPublish => "annotation-publish",
            Self::AnnotationSubscribe => "annotation-subscribe",
            Self::ChannelMetadata => "channel-metadata",
            Self::History => "history",
            Self::MessageDeleteAny => "message-delete-any",
            Self::MessageDeleteOwn => "message-delete-own",
            Self::MessageUpdateAny => "message-update-any",
            Self::MessageUpdateOwn => "message-update-own",
            Self::ObjectPublish => "object-publish",
            Self::ObjectSubscribe => "object-subscribe",
            Self::Presence => "presence",
            Self::PrivilegedHeaders => "privileged-headers",
            Self::Publish => "publish",
            Self::PushAdmin => "push-admin",
            Self::PushSubscribe => "push-subscribe",
            Self::Stats => "stats",
            Self::Subscribe => "subscribe",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(name: &str) -> Result<Self, UnknownOperation> {
        Self::EVERY.into_iter().find(|operation| operation.as_str() == name).ok_or(UnknownOperation)
    }
}

/// A text is the name of no [`Operation`]. The wildcard `*` is none either: see [`Operations::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("name an operation as the documentation of capabilities does, in lowercase")]
pub struct UnknownOperation;

/// A set of operations; `*`, which grants also what is invented later, is more than the list of all of today.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Operations(u32);

impl Operations {
    /// No operation.
    pub const NONE: Self = Self(0);

    /// Every operation, also those that do not exist yet: `["*"]`.
    // One bit beyond the named ones stands for the operations to come. It makes `*` differ from a list of all names,
    // and lets intersection, union and inclusion be plain arithmetic.
    pub const ALL: Self = Self((1 << (Operation::EVERY.len() + 1)) - 1);

    /// The named operations that these are, without those to come.
    const NAMED: Self = Self((1 << Operation::EVERY.len()) - 1);

    /// Whether the operation is in the set.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & operation.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether each of these is in the other set too.
    #[must_use]
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The operations in order of their names; for `*`, those known today.
    pub fn iter(self) -> impl Iterator<Item = Operation> {
        Operation::EVERY.into_iter().filter(move |operation| self.contains(*operation))
    }

    /// What is written in a list: `*`, or the names in their order.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let is_all = self == Self::ALL;
        let named = if is_all { Self::NONE } else { self };
        is_all.then_some("*").into_iter().chain(named.iter().map(Operation::as_str))
    }

    pub(super) const fn without_stats(self) -> Self {
        Self(self.0 & !Operation::Stats.bit())
    }

    /// The same, except that what is less than `*` holds named operations only.
    pub(super) fn all_or_named(self) -> Self {
        if self == Self::ALL { self } else { self.intersection(Self::NAMED) }
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.names()).finish()
    }
}

impl From<Operation> for Operations {
    fn from(operation: Operation) -> Self {
        Self(operation.bit())
    }
}

impl<const N: usize> From<[Operation; N]> for Operations {
    fn from(operations: [Operation; N]) -> Self {
        operations.into_iter().collect()
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        operations.into_iter().fold(Self::NONE, |set, operation| set.union(operation.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_operation_has_its_name_and_its_place_by_name() {
        assert!(Operation::EVERY.is_sorted_by_key(|operation| operation.as_str()));
        for (place, operation) in Operation::EVERY.into_iter().enumerate() {
            assert_eq!(operation as usize, place);
            assert_eq!(operation.to_string().parse(), Ok(operation));
        }
        for name in ["", "*", "publish_", "Publish", " publish"] {
            assert_eq!(name.parse::<Operation>(), Err(UnknownOperation), "{name:?}");
        }
    }

    #[test]
    fn all_is_more_than_the_list_of_all_names() {
        let listed = Operations::from(Operation::EVERY);
        assert_eq!(listed.iter().collect::<Vec<_>>(), Operation::EVERY);
        assert_ne!(listed, Operations::ALL);
        assert!(listed.is_subset_of(Operations::ALL) && !Operations::ALL.is_subset_of(listed));
        assert_eq!(listed.intersection(Operations::ALL), listed);
        assert_eq!(listed.union(Operations::ALL), Operations::ALL);
    }

    #[test]
    fn a_set_is_shown_as_it_is_written() {
        let set = Operations::from([Operation::Subscribe, Operation::Publish, Operation::Publish]);
        assert_eq!(format!("{set:?}"), r#"["publish", "subscribe"]"#);
        assert_eq!(format!("{:?}", Operations::ALL), r#"["*"]"#);
        assert_eq!(format!("{:?}", Operations::default()), "[]");
    }
}

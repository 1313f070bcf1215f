//! What an attachment may be used for: the flags of `ATTACH` and `ATTACHED` (TR3).

use auth_core::capability::{Operation, Operations};

/// A set of modes, as bits of the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modes(u32);

/// Each mode that is served, its name among the parameters of a channel, and what it needs.
const MODES: [(Modes, &str, Operation); 4] = [
    (Modes::SUBSCRIBE, "subscribe", Operation::Subscribe),
    (Modes::PUBLISH, "publish", Operation::Publish),
    (Modes::PRESENCE, "presence", Operation::Presence),
    (Modes::PRESENCE_SUBSCRIBE, "presence_subscribe", Operation::Subscribe),
];

impl Modes {
    const PRESENCE: Self = Self(1 << 16);
    const PUBLISH: Self = Self(1 << 17);
    pub(super) const SUBSCRIBE: Self = Self(1 << 18);
    const PRESENCE_SUBSCRIBE: Self = Self(1 << 19);

    const BASE: Self =
        Self(Self::PRESENCE.0 | Self::PUBLISH.0 | Self::SUBSCRIBE.0 | Self::PRESENCE_SUBSCRIBE.0);

    /// Those of annotations and of objects, which are not served.
    const OTHERS: u32 = 1 << 21 | 1 << 22 | 1 << 24 | 1 << 25;

    /// What a client asks for: by the parameter `modes`, by flags, or by neither, which means the usual ones.
    pub(super) fn requested(parameter: Option<&str>, flags: u64) -> Self {
        if let Some(names) = parameter {
            let named = |name: &str| MODES.iter().find(|(_, own, _)| own.eq_ignore_ascii_case(name.trim()));
            return Self(names.split(',').filter_map(named).fold(0, |modes, (mode, ..)| modes | mode.0));
        }
        // Flags have more bits than modes do.
        let flags = flags as u32;
        if flags & (Self::BASE.0 | Self::OTHERS) == 0 { Self::BASE } else { Self(flags & Self::BASE.0) }
    }

    /// Those of them that the operations allow.
    pub(super) fn permitted(self, operations: Operations) -> Self {
        let permitted = MODES.iter().filter(|(.., operation)| operations.contains(*operation));
        Self(self.0 & permitted.fold(0, |modes, (mode, ..)| modes | mode.0))
    }

    /// What the first of them needs: a refusal names it.
    pub(super) fn first_needed(self) -> Operation {
        let first = MODES.iter().find(|(mode, ..)| self.contains(*mode));
        first.map_or(Operation::Subscribe, |(.., operation)| *operation)
    }

    pub(super) const fn contains(self, mode: Self) -> bool {
        self.0 & mode.0 == mode.0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn flags(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(parameter: Option<&str>, flags: u64, capability: &str) -> u32 {
        let capability: auth_core::capability::Capability = capability.parse().unwrap();
        Modes::requested(parameter, flags).permitted(capability.operations_on("a")).flags()
    }

    /// The numbers of the facts: all base modes 983040, publish and subscribe 917504, subscribe only 786432.
    #[test]
    fn modes_are_what_is_asked_for_within_the_capability() {
        for (operations, flags) in [
            (r#"["*"]"#, 983_040),
            (r#"["publish","subscribe"]"#, 917_504),
            (r#"["subscribe"]"#, 786_432),
            (r#"["publish"]"#, 1 << 17),
            (r#"["history"]"#, 0),
        ] {
            assert_eq!(granted(None, 0, &format!(r#"{{"a":{operations}}}"#)), flags, "{operations}");
        }
        let all = r#"{"a":["*"]}"#;
        assert_eq!(granted(None, 1 << 18, all), 1 << 18);
        assert_eq!(granted(None, 1 << 5 | 1 << 17, r#"{"a":["subscribe"]}"#), 0);
        assert_eq!(granted(Some("publish, SUBSCRIBE,what"), 983_040, all), 3 << 17);
        assert_eq!(granted(None, 1 << 24, all), 0, "what is not served is not granted");
        assert_eq!(granted(None, 2, all), 983_040, "a flag that is no mode asks for none");
    }
}

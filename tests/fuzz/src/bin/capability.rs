//! The capability that a stranger asks for, and the one that a key has, on two lines.
#![no_main]

use auth_core::capability::Capability;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &str| {
    let (requested, held) = lines.split_once('\n').unwrap_or((lines, "{\"[*]*\":[\"*\"]}"));
    let Ok(requested) = Capability::parse(requested) else { return };
    assert_eq!(Capability::parse(requested.canonical_text()).as_ref(), Ok(&requested));
    let Ok(held) = Capability::parse(held) else { return };
    if let Ok(granted) = requested.intersection(&held) {
        assert!(granted.is_subset_of(&requested) && granted.is_subset_of(&held));
        assert_eq!(held.intersection(&requested).as_ref(), Ok(&granted));
    }
});

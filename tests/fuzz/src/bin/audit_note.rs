//! A signed note, and the keys that sign and open notes, as somebody may have sent them.
#![no_main]

use std::sync::LazyLock;

use audit::checkpoint::{Checkpoint, SigningKey, VerifierKey};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let Ok(key) = SigningKey::from_seed("log", [1; 32]) else { unreachable!("the name is good") };
    key
});

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<SigningKey>() {
        assert_eq!(key.to_secret().expose(), text);
        assert!(!format!("{key:?}").contains(text));
    }
    // Nobody can sign with the key, but the corpus has a note that it signed.
    if let Ok(checkpoint) = Checkpoint::open(text, &KEY.verifier()) {
        assert_eq!(Checkpoint::open(&checkpoint.sign(&KEY), &KEY.verifier()), Ok(checkpoint));
    }
});

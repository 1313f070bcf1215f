//! What the built-in dialects make of what servers say.

//! A session in a WebAssembly module: JavaScript brings the time, the tokens and the sockets, and does what it is told.
//!
//! One instance of the module is one session. The host writes a JSON text into the buffer byte by byte, calls [`step`], and
//! reads the answer byte by byte: so there is no pointer to trust, and no unsafe code but the attributes that export the
//! functions. What the texts are is in `wire.rs`, and `session.mjs` is a host.

mod guest;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

use self::guest::Guest;

/// What the host has written, then what it shall read.
static BUFFER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The session, once there is one.
static GUEST: Mutex<Option<Guest>> = Mutex::new(None);

/// Empties the buffer.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn clear() {
    // It may hold a token.
    buffer().fill(0);
    buffer().clear();
}

/// Appends a byte to the buffer.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn push(byte: u8) {
    buffer().push(byte);
}

/// Takes the input in the buffer, and replaces it by the answer, or by nothing if it is no input. Returns the length of
/// what is there now.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn step() -> usize {
    let mut buffer = buffer();
    let answer = serde_json::from_slice(&buffer).ok().and_then(|request| {
        let mut guest = GUEST.lock().unwrap_or_else(PoisonError::into_inner);
        guest::step(&mut guest, request)
    });
    buffer.fill(0);
    *buffer = answer.and_then(|answer| serde_json::to_vec(&answer).ok()).unwrap_or_default();
    buffer.len()
}

/// The byte of the buffer at this index, zero beyond its end.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn at(index: usize) -> u8 {
    buffer().get(index).copied().unwrap_or_default()
}

fn buffer() -> MutexGuard<'static, Vec<u8>> {
    // A panic aborts here, so nothing poisons it.
    BUFFER.lock().unwrap_or_else(PoisonError::into_inner)
}

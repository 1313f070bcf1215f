//! Proof keys for the authorization code grant (RFC 7636): only whoever began a login can finish it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use alloc::string::String;

use crate::Secret;

/// The secret that a client makes up for one login, and sends with the code.
///
/// ```
/// use auth_core::oauth::CodeVerifier;
///
/// let verifier = CodeVerifier::from_random([7; 32]); // of a secure source, in earnest
/// assert_eq!(verifier.secret().expose().len(), 43);
/// assert_eq!(verifier.challenge().len(), 43);
/// ```
#[derive(Debug, Clone)]
pub struct CodeVerifier(Secret);

impl CodeVerifier {
    /// The challenge method that a client names in `code_challenge_method`. There is no `plain` here: it proves nothing to
    /// whoever has seen the challenge.
    pub const METHOD: &str = "S256";

    /// A verifier from 32 bytes, which must come from a secure random source (RFC 7636 §4.1).
    #[must_use]
    pub fn from_random(mut bytes: [u8; 32]) -> Self {
        let verifier = Self(Secret::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())));
        bytes.zeroize();
        verifier
    }

    /// The text to send as `code_verifier`.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.0
    }

    /// The text to send as `code_challenge`: the SHA-256 of the verifier in base64url (RFC 7636 §4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 Appendix B.
    #[test]
    fn the_example_of_rfc_7636_gives_its_verifier_and_challenge() {
        let verifier = CodeVerifier::from_random([
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ]);
        assert_eq!(verifier.secret().expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}

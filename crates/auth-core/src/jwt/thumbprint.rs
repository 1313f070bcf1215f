//! A public key as JSON, and the name that follows from it (RFC 7638).

use alloc::format;
use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::PublicKey;

impl PublicKey {
    /// The key as a JWK: the members that its kind requires, in the order and without the spaces that RFC 7638 §3 asks for.
    #[must_use]
    pub fn to_jwk(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa { modulus, exponent } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(exponent), text(modulus))
            }
            Self::P256 { x, y } => point("P-256", &text(x), &text(y)),
            Self::P384 { x, y } => point("P-384", &text(x), &text(y)),
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        }
    }

    /// The SHA-256 thumbprint of the key in base64url (RFC 7638): what `jkt` says of a DPoP key.
    ///
    /// ```
    /// use auth_core::jwt::PublicKey;
    ///
    /// let key = PublicKey::Ed25519 { x: vec![7; 32] };
    /// assert_eq!(key.thumbprint().len(), 43);
    /// ```
    #[must_use]
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.to_jwk()))
    }
}

fn point(curve: &str, x: &str, y: &str) -> String {
    format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7638_has_its_thumbprint() {
        let modulus = bytes(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        );
        let key = PublicKey::Rsa { modulus, exponent: bytes("AQAB") };
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn the_key_of_rfc_8037_has_its_thumbprint() {
        let key = PublicKey::Ed25519 { x: bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") };
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    /// The key of RFC 9449 §4.1, and the `jkt` that §6.1 binds the token to.
    #[test]
    fn the_key_of_rfc_9449_has_its_thumbprint() {
        let key = PublicKey::P256 {
            x: bytes("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"),
            y: bytes("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"),
        };
        assert_eq!(key.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }
}

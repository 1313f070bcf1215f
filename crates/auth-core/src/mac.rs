//! HMAC with its key already in it, in one place: it takes a key of any length, and so never fails.

use hmac::KeyInit;

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(crate) fn keyed<M: KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use hmac::{Hmac, Mac};
    use sha2::{Sha256, Sha384, Sha512};

    use super::*;

    fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        keyed::<M>(key).chain_update(message).finalize().into_bytes().to_vec()
    }

    /// RFC 4231: the primitive that all keys stand on.
    #[test]
    fn hmac_gives_the_macs_of_rfc_4231() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let (jefe, question) = (b"Jefe".to_vec(), b"what do ya want for nothing?".to_vec());
        for (key, message, sha_256, sha_384) in [
            (
                std::vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
            ),
            (
                jefe,
                question,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                std::vec![0xaa; 20],
                std::vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
                "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
            ),
            (
                std::vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
            ),
        ] {
            assert_eq!(mac::<Hmac<Sha256>>(&key, &message), hex(sha_256));
            assert_eq!(mac::<Hmac<Sha384>>(&key, &message), hex(sha_384));
        }
        let sha_512 = "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854";
        assert_eq!(mac::<Hmac<Sha512>>(&[0x0b; 20], b"Hi There"), hex(sha_512));
    }
}

//! Public keys that no attacker needs to break: too short, broken from the start, or made by a faulty generator.

use super::InvalidKey;

/// Refuses an RSA key outside 2048 to 8192 bits, with an exponent that is even or below 65537, or made by the generator of
/// CVE-2017-15361 (ROCA).
pub(super) fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), InvalidKey> {
    let bits = bits(modulus);
    if bits > 8_192 {
        return Err(InvalidKey::TooLong);
    }
    if exponent.len() > 4 {
        // No key in use has such an exponent, and verifying with it takes long.
        return Err(InvalidKey::TooLong);
    }
    let exponent = exponent.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let even = |last: Option<&u8>| last.is_none_or(|byte| byte % 2 == 0);
    if bits < 2_048 || even(modulus.last()) || exponent < 65_537 || exponent % 2 == 0 || is_roca(modulus) {
        return Err(InvalidKey::Weak);
    }
    Ok(())
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Whether the modulus has the mark of the faulty generator: modulo each of these primes it is a power of 65537. (Modulo the
/// other small primes, every number is.) A modulus without the fault has the mark once in some 200 million.
fn is_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u64; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.iter().all(|prime| {
        let remainder = modulus.iter().fold(0, |value, byte| (value * 256 + u64::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * 65_537 % prime;
            power == remainder
        })
    })
}

/// Refuses encodings of the points of small order, under which a signature can verify for any message, and encodings of
/// numbers that are not reduced (RFC 8032 §5.1.3).
pub(super) fn check_ed25519(point: &[u8]) -> Result<(), InvalidKey> {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Ok(mut y) = <[u8; 32]>::try_from(point) else { return Err(InvalidKey::Member) };
    // The highest bit is the sign of x.
    y[31] &= 0x7f;
    let [lowest, middle @ .., highest] = y;
    // p = 2^255 - 19, so p - 1 and all that is not reduced end in 0x7f and 0xff, and begin with 0xec or more.
    let at_least_minus_one = highest == 0x7f && middle.iter().all(|byte| *byte == 0xff) && lowest >= 0xec;
    let at_most_one = highest == 0 && middle.iter().all(|byte| *byte == 0) && lowest <= 1;
    if at_least_minus_one || at_most_one || ORDER_8.contains(&y) {
        return Err(InvalidKey::Point);
    }
    Ok(())
}

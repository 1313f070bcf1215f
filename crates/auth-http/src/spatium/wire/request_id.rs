//! The name of a request, by which its reply is told from another's.

use std::fmt;

use http::HeaderValue;

/// A UUID of version 4 (RFC 9562 §5.4), for one request.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The name of these random bits, of which each request needs its own.
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> Self {
        let mut bits = u128::from_be_bytes(random);
        bits = bits & !(0xf << 76) | 4 << 76;
        bits = bits & !(0b11 << 62) | 0b10 << 62;
        let hex = format!("{bits:032x}");
        let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
        let parts: Vec<_> = parts.iter().filter_map(|(from, to)| hex.get(*from..*to)).collect();
        Self(parts.join("-"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[expect(clippy::expect_used, reason = "hexadecimal digits and hyphens are what a header may have")]
    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a UUID fits a header")
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RequestId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_uuid_of_version_4() {
        let random =
            [0xff, 0, 0x11, 0x22, 0x33, 0x44, 0xff, 0x66, 0xff, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee];
        let id = RequestId::from_random(random);
        assert_eq!(id.as_str(), "ff001122-3344-4f66-bf88-99aabbccddee");
        assert_eq!(RequestId::from_random([0; 16]).as_str(), "00000000-0000-4000-8000-000000000000");
    }
}

//! The compact form of a JWS (RFC 7515 §7.1): three segments of base64url, and nothing that could be read twice.

use alloc::vec::Vec;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, DecodeSliceError, Engine as _};

use super::Rejection;

/// The longest token that is looked at, in bytes. Servers commonly refuse a header of 8 KiB.
pub const LONGEST_TOKEN: usize = 16 * 1_024;

/// The three segments, still encoded.
#[derive(Clone, Copy)]
pub(super) struct Segments<'a> {
    /// Header and payload with the dot between them: what is signed.
    pub(super) signing_input: &'a str,
    pub(super) header: &'a str,
    /// May be empty: a JWS can sign nothing, though no JWT is empty.
    pub(super) payload: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Segments<'a> {
    /// The segments of a token, whose payload is never empty.
    pub(super) fn split_token(token: &'a str) -> Result<Self, Rejection> {
        let segments = Self::split(token)?;
        if segments.payload.is_empty() { Err(Rejection::EmptySegment) } else { Ok(segments) }
    }

    pub(super) fn split(token: &'a str) -> Result<Self, Rejection> {
        if token.len() > LONGEST_TOKEN {
            return Err(Rejection::TooLong);
        }
        let mut segments = token.split('.');
        let parts = (segments.next(), segments.next(), segments.next(), segments.next());
        let (Some(header), Some(payload), Some(signature), None) = parts else {
            return Err(miscounted(token));
        };
        if header.is_empty() || signature.is_empty() {
            return Err(Rejection::EmptySegment);
        }
        let signing_input = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        Ok(Self { signing_input, header, payload, signature })
    }
}

/// Why a text has not three segments.
fn miscounted(token: &str) -> Rejection {
    match token {
        "" => Rejection::Empty,
        _ if token.trim_start().starts_with('{') => Rejection::JsonSerialization,
        _ if token.matches('.').count() == 4 => Rejection::Encrypted,
        _ => Rejection::SegmentCount,
    }
}

/// Decodes a segment, and says what is wrong with one that can't be decoded.
pub(super) fn decode(segment: &str) -> Result<Vec<u8>, Rejection> {
    // `resize` rather than a vector of zeros: memory that the allocator has to clear by itself does not come from its cache.
    let mut bytes = Vec::with_capacity(segment.len());
    bytes.resize(segment.len() / 4 * 3 + 3, 0);
    match URL_SAFE_NO_PAD.decode_slice(segment, &mut bytes) {
        Ok(length) => {
            bytes.truncate(length);
            Ok(bytes)
        }
        Err(DecodeSliceError::DecodeError(error)) => Err(undecodable(segment, &error)),
        // There is always room: three bytes for four characters.
        Err(DecodeSliceError::OutputSliceTooSmall) => Err(Rejection::SegmentLength),
    }
}

fn undecodable(segment: &str, error: &DecodeError) -> Rejection {
    match error {
        _ if segment.contains(|character: char| character.is_whitespace()) => Rejection::WhiteSpace,
        _ if segment.contains('=') => Rejection::Padding,
        DecodeError::InvalidByte(..) | DecodeError::InvalidPadding => Rejection::Alphabet,
        DecodeError::InvalidLength(_) => Rejection::SegmentLength,
        DecodeError::InvalidLastSymbol { .. } => Rejection::TrailingBits,
    }
}

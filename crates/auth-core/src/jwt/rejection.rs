//! Why a token is rejected: one reason for each thing that can be wrong, few enough to count in a metric.

use alloc::string::ToString as _;

use crate::json::strict::Malformed;
use crate::{Error, ErrorKind};

/// Why a token is rejected.
///
/// For the one who operates a verifier: tell a stranger no more than that the token was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    // The form of the token (RFC 7515 §7.1).
    /// It is empty.
    #[error("the token is empty")]
    Empty,
    /// It is longer than [`LONGEST_TOKEN`](super::LONGEST_TOKEN).
    #[error("the token is longer than 16 KiB")]
    TooLong,
    /// It is a JSON serialization of a JWS (RFC 7515 §7.2).
    #[error("the token is a JSON object; only the compact form is read")]
    JsonSerialization,
    /// It has five segments: an encrypted token (RFC 7516).
    #[error("the token is encrypted (five segments), and can't be read here")]
    Encrypted,
    /// It has not three segments.
    #[error("the token is not three segments with dots between")]
    SegmentCount,
    /// A segment is empty that must not be.
    #[error("a segment of the token is empty")]
    EmptySegment,
    /// There is white space in it.
    #[error("the token has white space in it; was it cut out of a line?")]
    WhiteSpace,
    /// A segment has padding.
    #[error("a segment of the token has padding, which base64url in a token has not")]
    Padding,
    /// A segment has a character that base64url has not.
    #[error("a segment of the token has a character that is not base64url")]
    Alphabet,
    /// A segment has a length that base64url can't have.
    #[error("a segment of the token is cut off")]
    SegmentLength,
    /// The unused bits at the end of a segment are not zero: the same bytes could be written in several ways.
    #[error("the last character of a segment has bits that mean nothing")]
    TrailingBits,

    // The header (RFC 7515 §4).
    /// It is not UTF-8 or not JSON.
    #[error("the token's header is not JSON")]
    HeaderSyntax,
    /// It is JSON, but no object.
    #[error("the token's header is not a JSON object")]
    HeaderNotAnObject,
    /// Two of its members have the same name.
    #[error("the token's header has two members of one name")]
    HeaderDuplicate,
    /// `alg` is missing.
    #[error("the token's header has no alg")]
    AlgorithmMissing,
    /// `alg` is not a string.
    #[error("the alg of the token is not a string")]
    AlgorithmNotText,
    /// `alg` is `none` in some spelling.
    #[error("the token is not signed (alg none)")]
    AlgorithmNone,
    /// `alg` is one that is not known here.
    #[error("the token is signed with an algorithm that is not supported")]
    AlgorithmUnknown,
    /// `alg` is known, but not one that the key may be used with.
    #[error("the token is signed with another algorithm than its key is for")]
    AlgorithmMismatch,
    /// `typ` is not a string.
    #[error("the typ of the token is not a string")]
    TypeNotText,
    /// `typ` says that the token is for another purpose.
    #[error("the typ of the token is not one that is expected here")]
    TypeUnexpected,
    /// `kid` is not a string, or too long.
    #[error("the kid of the token is not a string of at most 256 bytes")]
    KeyIdInvalid,
    /// `crit` is no list of names that are in the header, each once.
    #[error("the crit of the token is malformed")]
    CriticalMalformed,
    /// `crit` names an extension, and none is understood.
    #[error("the token needs an extension that is not understood (crit)")]
    CriticalUnknown,
    /// `b64` says that the payload is not encoded (RFC 7797).
    #[error("the payload of the token is not encoded (b64), which is not supported")]
    UnencodedPayload,

    // The key.
    /// No key has the `kid` of the token.
    #[error("no key has the token's kid; reload the keys if they may have been rotated")]
    KeyUnknown,
    /// The token names no key, and several would do.
    #[error("the token names no kid, and several keys would do")]
    KeyAmbiguous,

    // The signature.
    /// It has a length that a signature of its algorithm can't have.
    #[error("the signature has the wrong length")]
    SignatureLength,
    /// It is an ECDSA signature in DER, where JWS has the two numbers alone (RFC 7518 §3.4).
    #[error("the signature is DER, where a token has the two numbers alone")]
    SignatureDer,
    /// It is nothing but zeros.
    #[error("the signature is zero")]
    SignatureZero,
    /// It does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// It does not verify, and the header brings a key of its own (`jwk`, `x5c`), which is ignored.
    #[error("the signature does not verify; the key that the token brings itself is ignored")]
    EmbeddedKey,
    /// It does not verify, and the header names a place to fetch a key from (`jku`, `x5u`), which is ignored.
    #[error("the signature does not verify; the address of a key that the token names is ignored")]
    RemoteKey,

    // The payload (RFC 7519 §4).
    /// It is not UTF-8 or not JSON.
    #[error("the token's payload is not JSON")]
    PayloadSyntax,
    /// It is JSON, but no object.
    #[error("the token's payload is not a JSON object")]
    PayloadNotAnObject,
    /// Two members of one object have the same name.
    #[error("the token's payload has two members of one name")]
    PayloadDuplicate,
    /// Header or payload nests deeper than 32 levels.
    #[error("the token's JSON is nested deeper than 32 levels")]
    TooDeep,
    /// Header or payload has a number that no floating-point number can hold.
    #[error("the token's JSON has a number that is out of range")]
    NumberRange,
    /// Header or payload has half of a surrogate pair.
    #[error("the token's JSON has half of a surrogate pair")]
    LoneSurrogate,

    // The claims.
    /// `exp` is missing.
    #[error("the token has no exp: it would never expire")]
    ExpiryMissing,
    /// `exp` is not a number.
    #[error("the exp of the token is not a number of seconds")]
    ExpiryInvalid,
    /// `nbf` is not a number.
    #[error("the nbf of the token is not a number of seconds")]
    NotBeforeInvalid,
    /// `iat` is not a number.
    #[error("the iat of the token is not a number of seconds")]
    IssuedAtInvalid,
    /// A time is negative, or after the year 9999.
    #[error("a time in the token is before 1970 or after the year 9999")]
    TimeRange,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet (`nbf`).
    #[error("the token is not valid yet; check the clocks")]
    NotYetValid,
    /// It was issued in the future (`iat`).
    #[error("the token was issued in the future; check the clocks")]
    IssuedInTheFuture,
    /// It lives longer than is accepted.
    #[error("the token lives longer than is accepted here")]
    LifetimeTooLong,
    /// `iat` is missing, and is required, or a longest lifetime is.
    #[error("the token has no iat, so nobody knows how long it has lived")]
    IssuedAtMissing,
    /// `iss` is not a string.
    #[error("the iss of the token is not a string")]
    IssuerInvalid,
    /// `iss` is missing, and one is expected.
    #[error("the token names no issuer")]
    IssuerMissing,
    /// `iss` is another issuer.
    #[error("the token is another issuer's")]
    IssuerUnexpected,
    /// `aud` is neither a string nor a list of strings, or is empty.
    #[error("the aud of the token is neither a string nor a list of strings")]
    AudienceInvalid,
    /// `aud` is missing, and one is expected.
    #[error("the token names no audience")]
    AudienceMissing,
    /// `aud` does not name us.
    #[error("the token is meant for another audience")]
    AudienceUnexpected,
    /// `sub`, `client_id` or `x-ably-clientId` is not a string.
    #[error("the sub, client_id or x-ably-clientId of the token is not a string")]
    SubjectInvalid,
    /// `sub` or `client_id` is empty, `*`, longer than 1 KiB, or has control characters.
    #[error(
        "the sub or client_id of the token can't be anybody: it is empty, *, too long, or has control characters"
    )]
    SubjectUnusable,
    /// `sub` is missing, and is required.
    #[error("the token names no subject")]
    SubjectMissing,
    /// `jti` is not a string, empty, or too long.
    #[error("the jti of the token is not a string of 1 to 256 bytes")]
    TokenIdInvalid,
    /// `jti` is missing, and the token may be used only once.
    #[error("the token has no jti, so nobody can tell whether it was used before")]
    TokenIdMissing,
    /// `scope` or `scp` is neither a string nor a list of strings, or not scopes.
    #[error("the scope of the token is neither a space-delimited string nor a list of scopes")]
    ScopeInvalid,
    /// There are more scopes than [`MOST_SCOPES`](crate::scope::MOST_SCOPES).
    #[error("the token has too many scopes")]
    TooManyScopes,
    /// `x-ably-capability` can't be read.
    #[error("the capability of the token can't be read")]
    CapabilityInvalid,
}

impl Rejection {
    /// A short name for records and metrics, such as `algorithm_mismatch`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::JsonSerialization => "json_serialization",
            Self::Encrypted => "encrypted",
            Self::SegmentCount => "segment_count",
            Self::EmptySegment => "empty_segment",
            Self::WhiteSpace => "white_space",
            Self::Padding => "padding",
            Self::Alphabet => "alphabet",
            Self::SegmentLength => "segment_length",
            Self::TrailingBits => "trailing_bits",
            Self::HeaderSyntax => "header_syntax",
            Self::HeaderNotAnObject => "header_not_an_object",
            Self::HeaderDuplicate => "header_duplicate",
            Self::AlgorithmMissing => "algorithm_missing",
            Self::AlgorithmNotText => "algorithm_not_text",
            Self::AlgorithmNone => "algorithm_none",
            Self::AlgorithmUnknown => "algorithm_unknown",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::TypeNotText => "type_not_text",
            Self::TypeUnexpected => "type_unexpected",
            Self::KeyIdInvalid => "key_id_invalid",
            Self::CriticalMalformed => "critical_malformed",
            Self::CriticalUnknown => "critical_unknown",
            Self::UnencodedPayload => "unencoded_payload",
            Self::KeyUnknown => "key_unknown",
            Self::KeyAmbiguous => "key_ambiguous",
            Self::SignatureLength => "signature_length",
            Self::SignatureDer => "signature_der",
            Self::SignatureZero => "signature_zero",
            Self::Signature => "signature",
            Self::EmbeddedKey => "embedded_key",
            Self::RemoteKey => "remote_key",
            Self::PayloadSyntax => "payload_syntax",
            Self::PayloadNotAnObject => "payload_not_an_object",
            Self::PayloadDuplicate => "payload_duplicate",
            Self::TooDeep => "too_deep",
            Self::NumberRange => "number_range",
            Self::LoneSurrogate => "lone_surrogate",
            Self::ExpiryMissing => "expiry_missing",
            Self::ExpiryInvalid => "expiry_invalid",
            Self::NotBeforeInvalid => "not_before_invalid",
            Self::IssuedAtInvalid => "issued_at_invalid",
            Self::TimeRange => "time_range",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInTheFuture => "issued_in_the_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::IssuedAtMissing => "issued_at_missing",
            Self::IssuerInvalid => "issuer_invalid",
            Self::IssuerMissing => "issuer_missing",
            Self::IssuerUnexpected => "issuer_unexpected",
            Self::AudienceInvalid => "audience_invalid",
            Self::AudienceMissing => "audience_missing",
            Self::AudienceUnexpected => "audience_unexpected",
            Self::SubjectInvalid => "subject_invalid",
            Self::SubjectUnusable => "subject_unusable",
            Self::SubjectMissing => "subject_missing",
            Self::TokenIdInvalid => "token_id_invalid",
            Self::TokenIdMissing => "token_id_missing",
            Self::ScopeInvalid => "scope_invalid",
            Self::TooManyScopes => "too_many_scopes",
            Self::CapabilityInvalid => "capability_invalid",
        }
    }

    pub(super) const fn of_header(malformed: Malformed) -> Self {
        match malformed {
            Malformed::NotUtf8 | Malformed::Syntax => Self::HeaderSyntax,
            Malformed::NotAnObject => Self::HeaderNotAnObject,
            Malformed::Duplicate => Self::HeaderDuplicate,
            Malformed::TooDeep => Self::TooDeep,
            Malformed::NumberRange => Self::NumberRange,
            Malformed::LoneSurrogate => Self::LoneSurrogate,
        }
    }

    pub(super) const fn of_payload(malformed: Malformed) -> Self {
        match malformed {
            Malformed::NotUtf8 | Malformed::Syntax => Self::PayloadSyntax,
            Malformed::NotAnObject => Self::PayloadNotAnObject,
            Malformed::Duplicate => Self::PayloadDuplicate,
            other => Self::of_header(other),
        }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::new(ErrorKind::InvalidToken, rejection.to_string())
    }
}

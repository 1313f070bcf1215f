//! The words of a description, each with what it stands for in the model.

use crate::dialect::{Codec, CredentialUse, Phase, Reconnection, RenewalTime, TimeForm, Verdict};

pub(super) const CODECS: [(&str, Codec); 5] = [
    ("json", Codec::Json),
    ("json_lines", Codec::JsonLines),
    ("json_record_separator", Codec::JsonRecordSeparator),
    ("engine_io", Codec::EngineIo),
    ("nats", Codec::Nats),
];

pub(super) const USES: [(&str, CredentialUse); 2] =
    [("many", CredentialUse::Many), ("once", CredentialUse::Once)];

pub(super) const RECONNECTIONS: [(&str, Reconnection); 2] =
    [("current", Reconnection::Current), ("fresh", Reconnection::Fresh)];

pub(super) const TIMES: [(&str, RenewalTime); 3] = [
    ("early", RenewalTime::Early),
    ("at_expiry", RenewalTime::AtExpiry),
    ("when_asked", RenewalTime::WhenAsked),
];

pub(super) const PHASES: [(&str, Phase); 4] = [
    ("upgrade", Phase::Upgrade),
    ("login", Phase::Login),
    ("live", Phase::Live),
    ("renewing", Phase::Renewing),
];

pub(super) const VERDICTS: [(&str, Verdict); 8] = [
    ("transient", Verdict::Transient),
    ("rate_limited", Verdict::RateLimited),
    ("reconnect_now", Verdict::ReconnectNow),
    ("expired", Verdict::Expired),
    ("authentication_timeout", Verdict::AuthenticationTimeout),
    ("rejected", Verdict::Rejected),
    ("forbidden", Verdict::Forbidden),
    ("misuse", Verdict::Misuse),
];

pub(super) const EXPIRES_AT: [(&str, TimeForm); 3] = [
    ("expires_at_s", TimeForm::EpochSeconds),
    ("expires_at_ms", TimeForm::EpochMilliseconds),
    ("expires_at_rfc3339", TimeForm::Rfc3339),
];

/// How a renewal is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Never,
    InBand,
    Reconnect,
}

pub(super) const HOWS: [(&str, How); 3] =
    [("never", How::Never), ("in_band", How::InBand), ("reconnect", How::Reconnect)];

/// The word for something of the model; a value that has none can't be written.
pub(super) fn word<T: PartialEq>(words: &[(&'static str, T)], meaning: &T) -> Option<&'static str> {
    words.iter().find(|(_, known)| known == meaning).map(|(word, _)| *word)
}

//! What a store keeps between runs: a refresh token, the access token that came with it, and a note of what is under way.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;
use core::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use crate::Secret;
use crate::json::{Object, WireSecret, from_object};
use crate::scope::Scopes;
use crate::time::{Now, Timestamp};

/// What a store keeps of one credential.
///
/// ```
/// use auth_core::Secret;
/// use auth_core::renewal::Record;
///
/// let record = Record { revision: 7, refresh_token: Some(Secret::from("r7")), ..Record::default() };
/// let text = record.to_json();
/// assert_eq!(text.expose(), r#"{"version":1,"revision":7,"refresh_token":"r7"}"#);
/// assert_eq!(Record::parse(text.expose().as_bytes())?, record);
/// # Ok::<(), auth_core::renewal::InvalidRecord>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Grows by one with each token that is issued; a process that knows a lower one adopts what is here.
    pub revision: u64,
    /// The refresh token to redeem next.
    pub refresh_token: Option<Secret>,
    /// A hash of the configured refresh token that this one descends from ([`origin_of`](Self::origin_of)); another
    /// configured one replaces the record's.
    pub origin: Option<String>,
    /// The access token in use.
    pub access_token: Option<StoredToken>,
    /// When somebody was about to send the refresh token; what became of that is unknown while this is here.
    pub intent: Option<Timestamp>,
    /// Whose tokens these are: a name for the server and the client, so that they are never sent to another. The machine
    /// neither reads nor writes it: whoever keeps the store does.
    pub credential: Option<String>,
    /// What the access token is for: a name for the grant, the scopes and the like. As above.
    pub wanted: Option<String>,
}

/// An access token in a [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The token.
    pub secret: Secret,
    /// When its request was sent, by the wall clock of whoever sent it.
    pub issued: Timestamp,
    /// When it expires, by the same clock.
    pub expires: Timestamp,
    /// The scopes that its issuer said it grants.
    pub scope: Option<Scopes>,
    /// What else its issuer said of it ([`TokenResponse::details`](crate::oauth::TokenResponse::details)).
    pub details: Option<String>,
}

impl Record {
    /// The most bytes that the text of a record has; more is no record of any version. Token endpoints' answers are read
    /// up to 64 KiB, so an honest record stays far below.
    pub const LARGEST: usize = 256 * 1_024;

    /// The text to store: one JSON object. It holds the tokens as they are, so only their owner may read it.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        let Self { revision, refresh_token, origin, access_token, intent, credential, wanted } = self;
        let scope = access_token.as_ref().and_then(|token| token.scope.as_ref()).map(Scopes::to_string);
        let mut object = Writer::with_room_for([
            refresh_token.as_ref().map(Secret::expose),
            origin.as_deref(),
            access_token.as_ref().map(|token| token.secret.expose()),
            scope.as_deref(),
            access_token.as_ref().and_then(|token| token.details.as_deref()),
            credential.as_deref(),
            wanted.as_deref(),
        ]);
        let room = object.0.capacity();
        object.open();
        object.number("version", VERSION);
        object.number("revision", *revision);
        if let Some(secret) = refresh_token {
            object.text("refresh_token", secret.expose());
        }
        if let Some(origin) = origin {
            object.text("origin", origin);
        }
        if let Some(StoredToken { secret, issued, expires, scope: _, details }) = access_token {
            object.name("access_token");
            object.open();
            object.text("token", secret.expose());
            object.number("issued_ms", issued.as_millis());
            object.number("expires_ms", expires.as_millis());
            if let Some(scope) = &scope {
                object.text("scope", scope);
            }
            if let Some(details) = details {
                object.text("details", details);
            }
            object.close();
        }
        if let Some(intent) = intent {
            object.number("intent_ms", intent.as_millis());
        }
        for (name, text) in [("credential", credential), ("wanted", wanted)] {
            if let Some(text) = text {
                object.text(name, text);
            }
        }
        object.close();
        debug_assert_eq!(
            object.0.capacity(),
            room,
            "a buffer that moves leaves a copy of its secrets behind"
        );
        Secret::from(object.0)
    }

    /// Reads what [`to_json`](Self::to_json) wrote, and nothing else: unknown and repeated members are refused, because
    /// what is not understood here would be lost with the next write.
    ///
    /// # Errors
    ///
    /// [`InvalidRecord`], which says where the text goes wrong and never what it holds.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidRecord> {
        if text.len() > Self::LARGEST {
            return Err(InvalidRecord::TooLarge);
        }
        // By itself first: the members beside it may be of a version that is not known here.
        let WireVersion { version } = from_object(text).map_err(malformed)?;
        if version > VERSION {
            return Err(InvalidRecord::NewerVersion { version });
        }
        let wire: WireRecord = from_object(text).map_err(malformed)?;
        if wire.version != VERSION {
            return Err(InvalidRecord::Malformed { line: 0, column: 0 });
        }
        Ok(Self {
            revision: wire.revision,
            refresh_token: wire.refresh_token.map(|WireSecret(secret)| secret),
            origin: wire.origin,
            access_token: wire.access_token.map(|Object(token)| StoredToken {
                secret: token.token.0,
                issued: Timestamp::from_millis(token.issued_ms),
                expires: Timestamp::from_millis(token.expires_ms),
                scope: token.scope,
                details: token.details,
            }),
            intent: wire.intent_ms.map(Timestamp::from_millis),
            credential: wire.credential,
            wanted: wire.wanted,
        })
    }

    /// What [`origin`](Self::origin) says of a configured refresh token: the first half of its SHA-256 in hexadecimal.
    /// A refresh token has too much entropy for anybody to find it from that.
    #[must_use]
    pub fn origin_of(refresh_token: &Secret) -> String {
        let hash = Sha256::digest(refresh_token.expose().as_bytes());
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Why a text is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store decides for each whether the text may be moved")]
pub enum InvalidRecord {
    /// A newer release wrote it: it is whole, and must be left as it is.
    NewerVersion {
        /// The version that it says it has.
        version: u64,
    },
    /// It has more than [`Record::LARGEST`] bytes.
    TooLarge,
    /// It is damaged, or was never a record. Lines and columns count from 1; 0 where no single place is wrong.
    Malformed {
        /// The line at which reading stopped.
        line: usize,
        /// The column.
        column: usize,
    },
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerVersion { version } => {
                write!(formatter, "a newer release wrote the record (version {version}); upgrade this one")
            }
            Self::TooLarge => write!(formatter, "a record has at most {} bytes", Record::LARGEST),
            Self::Malformed { line, column } => {
                write!(formatter, "the text is no record (line {line}, column {column})")
            }
        }
    }
}

impl core::error::Error for InvalidRecord {}

/// The version that is written here; a new member is a new version.
const VERSION: u64 = 1;

/// Position only: the text of a serde error may quote a token.
fn malformed(error: serde_json::Error) -> InvalidRecord {
    InvalidRecord::Malformed { line: error.line(), column: error.column() }
}

#[derive(Deserialize)]
struct WireVersion {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRecord {
    version: u64,
    revision: u64,
    refresh_token: Option<WireSecret>,
    origin: Option<String>,
    access_token: Option<Object<WireToken>>,
    intent_ms: Option<u64>,
    credential: Option<String>,
    wanted: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireToken {
    token: WireSecret,
    issued_ms: u64,
    expires_ms: u64,
    #[serde(default, deserialize_with = "space_delimited")]
    scope: Option<Scopes>,
    details: Option<String>,
}

fn space_delimited<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scopes>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

/// Writes JSON into a buffer that never moves: serde_json's grows, and each time leaves a copy of a token behind.
struct Writer(String);

impl Writer {
    /// Room for these texts with every character escaped, and for the names and numbers around them.
    fn with_room_for(texts: [Option<&str>; 7]) -> Self {
        let escaped: usize = texts.iter().flatten().map(|text| 6 * text.len()).sum();
        Self(String::with_capacity(512 + escaped))
    }

    fn open(&mut self) {
        self.0.push('{');
    }

    fn close(&mut self) {
        self.0.push('}');
    }

    fn name(&mut self, name: &'static str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.quoted(name);
        self.0.push(':');
    }

    fn number(&mut self, name: &'static str, number: u64) {
        self.name(name);
        self.0.push_str(&number.to_string());
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        self.quoted(text);
    }

    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                '\0'..='\u{1f}' => self.0.push_str(&format!("\\u{:04x}", u32::from(character))),
                _ => self.0.push(character),
            }
        }
        self.0.push('"');
    }
}

/// How long ago something in a record was written; `None` if that lies in the future: the clock was set back since, and nobody
/// knows. Processes may see one clock a moment apart.
pub(super) fn age(now: Now, written: Timestamp) -> Option<Duration> {
    let ahead = written.saturating_since(now.wall);
    (ahead <= Duration::from_secs(1)).then(|| now.wall.saturating_since(written))
}

#[cfg(test)]
mod tests;

//! Revoking tokens (RSA17): what is to be revoked, and what came of each.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::number::Integer;
use super::{ClientId, ErrorCode, ErrorInfo};
use crate::json::{WireSecret, from_object};
use crate::observe::Label;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Secret};

/// Which tokens to revoke (TRT1): a kind and a value, on the wire `kind:value`.
///
/// Ably knows the kinds `clientId`, `revocationKey` and `channel`. The kind `token`, which names one token, is honoured by our
/// own endpoint; Ably refuses it, as it does any kind that it does not know, for that target alone.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationTarget {
    kind: String,
    value: Secret,
}

impl RevocationTarget {
    /// The kind of [`client_id`](Self::client_id).
    pub const CLIENT_ID: &str = "clientId";
    /// The kind of [`revocation_key`](Self::revocation_key).
    pub const REVOCATION_KEY: &str = "revocationKey";
    /// The kind of [`channel`](Self::channel).
    pub const CHANNEL: &str = "channel";
    /// The kind of [`token`](Self::token).
    pub const TOKEN: &str = "token";

    /// A target of any kind. The kind has no colon in it: the first one ends it on the wire.
    #[must_use]
    pub fn new(kind: &str, value: impl Into<Secret>) -> Self {
        Self { kind: kind.to_owned(), value: value.into() }
    }

    /// All tokens of a client.
    #[must_use]
    pub fn client_id(client_id: &ClientId) -> Self {
        Self::new(Self::CLIENT_ID, client_id.as_str())
    }

    /// All tokens that carry this revocation key (claim `x-ably-revocation-key` of a JWT).
    #[must_use]
    pub fn revocation_key(key: &str) -> Self {
        Self::new(Self::REVOCATION_KEY, key)
    }

    /// All tokens whose capability names exactly this resource.
    #[must_use]
    pub fn channel(resource: &str) -> Self {
        Self::new(Self::CHANNEL, resource)
    }

    /// One token.
    #[must_use]
    pub fn token(token: Secret) -> Self {
        Self::new(Self::TOKEN, token)
    }

    /// Reads `kind:value`; the value may have colons of its own.
    ///
    /// # Errors
    ///
    /// Code 40000 without a colon, or with nothing before it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some((kind, value)) if !kind.is_empty() => Ok(Self::new(kind, value)),
            _ => {
                Err(ErrorCode::BAD_REQUEST.error("a revocation target is kind:value, such as clientId:alice"))
            }
        }
    }

    /// The kind (TRT2a).
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The value (TRT2b): a secret where it is a token.
    #[must_use]
    pub const fn value(&self) -> &Secret {
        &self.value
    }

    /// As it travels: `kind:value`.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let mut text = String::with_capacity(self.kind.len() + 1 + self.value.expose().len());
        text.push_str(&self.kind);
        text.push(':');
        text.push_str(self.value.expose());
        Secret::from(text)
    }
}

impl fmt::Debug for RevocationTarget {
    /// Shows the kind: the value may be a token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, value: _ } = self;
        formatter.debug_struct("RevocationTarget").field("kind", kind).finish_non_exhaustive()
    }
}

/// What `revokeTokens` asks of the server (RSA17b, RSA17e, RSA17f).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationRequest {
    /// What to revoke; at most [`MOST_TARGETS`](Self::MOST_TARGETS).
    pub targets: Vec<RevocationTarget>,
    /// Revokes what was issued before this; now, by the server's clock, where it is absent. At most an hour ago.
    pub issued_before: Option<Timestamp>,
    /// Whether live connections get about 30 s to come with a new token.
    pub allow_reauth_margin: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRequest {
    targets: Vec<WireSecret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_before: Option<Integer>,
    // The specification includes it where it is supplied (RSA17f); absent means false everywhere, and null is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allow_reauth_margin: Option<bool>,
}

impl RevocationRequest {
    /// The most targets in one request, as at Ably.
    pub const MOST_TARGETS: usize = 100;

    /// Revokes these, as of now and at once.
    #[must_use]
    pub const fn new(targets: Vec<RevocationTarget>) -> Self {
        Self { targets, issued_before: None, allow_reauth_margin: false }
    }

    /// Revokes only what was issued before this.
    #[must_use]
    pub fn with_issued_before(self, issued_before: Timestamp) -> Self {
        Self { issued_before: Some(issued_before), ..self }
    }

    /// Gives live connections time to come with a new token.
    #[must_use]
    pub fn with_reauth_margin(self) -> Self {
        Self { allow_reauth_margin: true, ..self }
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// Code 40000 when it is no such object, 40003 when it names no target or too many, or `issuedBefore` is no time.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let wire: WireRequest = from_object(json)
            .map_err(|_| ErrorCode::BAD_REQUEST.error("a revocation is a JSON object with targets"))?;
        if wire.targets.is_empty() || wire.targets.len() > Self::MOST_TARGETS {
            return Err(ErrorCode::INVALID_PARAMETER.error("a revocation names 1 to 100 targets"));
        }
        let issued_before = wire.issued_before.map(|Integer(millis)| u64::try_from(millis)).transpose();
        let issued_before = issued_before.map_err(|_| {
            ErrorCode::INVALID_PARAMETER.error("issuedBefore is in milliseconds since the Unix epoch")
        })?;
        Ok(Self {
            targets: wire
                .targets
                .iter()
                .map(|WireSecret(text)| RevocationTarget::parse(text.expose()))
                .collect::<Result<_, _>>()?,
            issued_before: issued_before.map(Timestamp::from_millis),
            allow_reauth_margin: wire.allow_reauth_margin.unwrap_or_default(),
        })
    }

    /// The body to send. It holds tokens where they are targets.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        let wire = WireRequest {
            targets: self.targets.iter().map(|target| WireSecret(target.to_text())).collect(),
            issued_before: self
                .issued_before
                .map(|time| Integer(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))),
            allow_reauth_margin: self.allow_reauth_margin.then_some(true),
        };
        Secret::from(serde_json::to_string(&wire).unwrap_or_default())
    }
}

/// What came of each target (BAR2), in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationResult {
    /// One for each target.
    pub results: Vec<Result<TargetRevoked, TargetRefused>>,
}

/// A target that was revoked (TRS2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the server that revokes builds it")]
pub struct TargetRevoked {
    /// Which.
    pub target: RevocationTarget,
    /// Tokens that were issued before this are revoked.
    pub issued_before: Timestamp,
    /// From when on they are refused.
    pub applies_at: Timestamp,
}

/// A target that was not (TRF2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the server that refuses builds it")]
pub struct TargetRefused {
    /// Which.
    pub target: RevocationTarget,
    /// Why.
    pub error: ErrorInfo,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireResult {
    // What the counts say, the results say too: they are written for others, and not read.
    #[serde(default)]
    success_count: usize,
    #[serde(default)]
    failure_count: usize,
    results: Vec<WireTarget>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTarget {
    target: WireSecret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_before: Option<Integer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    applies_at: Option<Integer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<super::error_info::Wire>,
}

impl RevocationResult {
    /// How many targets were revoked (BAR2a).
    #[must_use]
    pub fn success_count(&self) -> usize {
        self.results.iter().filter(|result| result.is_ok()).count()
    }

    /// How many were not (BAR2b).
    #[must_use]
    pub fn failure_count(&self) -> usize {
        self.results.len() - self.success_count()
    }

    /// Reads the reply to a request: an object with `results`, or the bare array that older protocol versions answer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedResponse`] when it is no such reply.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let malformed =
            || Error::new(ErrorKind::MalformedResponse, "the answer to the revocation can't be read");
        let results = match json.trim_ascii_start().first() {
            Some(b'[') => serde_json::from_slice(json).map_err(|_| malformed())?,
            _ => from_object::<WireResult>(json).map_err(|_| malformed())?.results,
        };
        let time = |member: Option<Integer>| {
            let millis = member.and_then(|Integer(millis)| u64::try_from(millis).ok());
            millis.map(Timestamp::from_millis).ok_or_else(malformed)
        };
        let results = results.into_iter().map(|result: WireTarget| {
            let target = RevocationTarget::parse(result.target.0.expose()).map_err(|_| malformed())?;
            Ok(match result.error {
                Some(error) => Err(TargetRefused { target, error: error.into() }),
                None => Ok(TargetRevoked {
                    target,
                    issued_before: time(result.issued_before)?,
                    applies_at: time(result.applies_at)?,
                }),
            })
        });
        Ok(Self { results: results.collect::<Result<_, Error>>()? })
    }

    /// The same results in the order of what was asked, each target with its own: whoever counts on a revocation must know
    /// that there was one. What a server says of a token that it refuses may repeat it, and is left out then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedResponse`] when a target has no result, or a result no target: what became of them is not known.
    pub fn in_order_of(self, request: &RevocationRequest) -> Result<Self, Error> {
        let mut left = self.results;
        let mut results = Vec::with_capacity(request.targets.len());
        for target in &request.targets {
            let place = left.iter().position(|result| match result {
                Ok(revoked) => revoked.target == *target,
                Err(refused) => refused.target == *target,
            });
            results.push(left.remove(place.ok_or_else(incomplete)?));
        }
        if !left.is_empty() {
            return Err(incomplete());
        }
        for refused in results.iter_mut().filter_map(|result| result.as_mut().err()) {
            if refused.error.message.as_str().contains(refused.target.value().expose()) {
                refused.error.message = Label::new(refused.error.code.meaning().unwrap_or_default());
            }
        }
        Ok(Self { results })
    }

    /// The body of the reply. It holds tokens where they were targets.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        let time = |time: Timestamp| Integer(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let results = self.results.iter().map(|result| match result {
            Ok(TargetRevoked { target, issued_before, applies_at }) => WireTarget {
                target: WireSecret(target.to_text()),
                issued_before: Some(time(*issued_before)),
                applies_at: Some(time(*applies_at)),
                error: None,
            },
            Err(TargetRefused { target, error }) => WireTarget {
                target: WireSecret(target.to_text()),
                issued_before: None,
                applies_at: None,
                error: Some(error.into()),
            },
        });
        let wire = WireResult {
            success_count: self.success_count(),
            failure_count: self.failure_count(),
            results: results.collect(),
        };
        Secret::from(serde_json::to_string(&wire).unwrap_or_default())
    }
}

fn incomplete() -> Error {
    let text =
        "the answer does not say of each target what became of it; take them to be good still, and ask again";
    Error::new(ErrorKind::MalformedResponse, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa17b_a_target_travels_as_kind_and_value() {
        let alice = RevocationTarget::client_id(&ClientId::new("alice:of:b").unwrap());
        assert_eq!(alice.to_text().expose(), "clientId:alice:of:b");
        assert_eq!(RevocationTarget::parse("clientId:alice:of:b").unwrap(), alice);
        assert_eq!((alice.kind(), alice.value().expose()), ("clientId", "alice:of:b"));
        for text in ["", "alice", ":alice"] {
            assert_eq!(RevocationTarget::parse(text).unwrap_err().code(), Some(40_000), "{text}");
        }
    }

    #[test]
    fn rsa17_a_request_is_written_and_read() {
        let targets = [RevocationTarget::parse("clientId:ivy"), RevocationTarget::parse("bogus:x")];
        let request = RevocationRequest::new(targets.map(Result::unwrap).to_vec());
        assert_eq!(request.to_json().expose(), r#"{"targets":["clientId:ivy","bogus:x"]}"#);
        let as_ably_js_sends_it = r#"{"targets":["clientId:ivy","bogus:x"],"allowReauthMargin":false}"#;
        assert_eq!(RevocationRequest::parse(as_ably_js_sends_it.as_bytes()).unwrap(), request);
        let request =
            request.with_issued_before(Timestamp::from_millis(1_700_000_000_000)).with_reauth_margin();
        let text =
            r#"{"targets":["clientId:ivy","bogus:x"],"issuedBefore":1700000000000,"allowReauthMargin":true}"#;
        assert_eq!(request.to_json().expose(), text);
        assert_eq!(RevocationRequest::parse(text.as_bytes()).unwrap(), request);
    }

    #[test]
    fn a_request_that_asks_for_nothing_or_too_much_is_refused() {
        let many = std::vec!["\"clientId:a\""; 101].join(",");
        for (text, code) in [
            ("[]", 40_000),
            ("{}", 40_000),
            (r#"{"targets":"clientId:a"}"#, 40_000),
            (r#"{"targets":["a"]}"#, 40_000),
            (r#"{"targets":[]}"#, 40_003),
            (r#"{"targets":["clientId:a"],"issuedBefore":-1}"#, 40_003),
            (&std::format!(r#"{{"targets":[{many}]}}"#), 40_003),
        ] {
            assert_eq!(RevocationRequest::parse(text.as_bytes()).unwrap_err().code(), Some(code), "{text}");
        }
    }

    #[test]
    fn bar2_trs2_trf2_a_reply_is_written_and_read() {
        let text = concat!(
            r#"{"successCount":1,"failureCount":1,"results":["#,
            r#"{"target":"clientId:ivy","issuedBefore":1700000000000,"appliesAt":1700000030000},"#,
            r#"{"target":"bogus:x","error":{"code":40000,"statusCode":400,"message":"no such kind"}}]}"#,
        );
        let result = RevocationResult::parse(text.as_bytes()).unwrap();
        assert_eq!((result.success_count(), result.failure_count()), (1, 1));
        let refused = result.results[1].as_ref().unwrap_err();
        assert_eq!((refused.target.kind(), refused.error.code), ("bogus", ErrorCode::BAD_REQUEST));
        assert_eq!(result.to_json().expose(), text);
        let (_, array) = text.strip_suffix('}').unwrap().split_once("\"results\":").unwrap();
        assert_eq!(RevocationResult::parse(array.as_bytes()).unwrap(), result, "the older form");
    }

    /// What was parsed is a [`Secret`], and so wiped, before anything can go wrong.
    #[test]
    fn a_token_among_the_targets_is_a_secret_from_the_start() {
        let text = br#"{"targets":["token:can\u0061ry"],"results":[{"target":"token:canary"}]}"#;
        let request: WireRequest = from_object(text).unwrap();
        let result: WireResult = from_object(text).unwrap();
        for WireSecret(target) in [&request.targets[0], &result.results[0].target] {
            let target: &Secret = target;
            assert_eq!(target.expose(), "token:canary");
        }
        assert!(RevocationResult::parse(text).is_err(), "it does not say when it applies");
    }

    #[test]
    fn rsa17c_each_target_has_its_own_result_or_the_answer_is_none() {
        let of = |targets: &[&str]| {
            let targets = targets.iter().map(|text| RevocationTarget::parse(text).unwrap());
            RevocationRequest::new(targets.collect())
        };
        let done = |target: &str| std::format!(r#"{{"target":"{target}","issuedBefore":1,"appliesAt":1}}"#);
        let read = |results: &[String], request: &RevocationRequest| {
            let text = std::format!(r#"{{"results":[{}]}}"#, results.join(","));
            RevocationResult::parse(text.as_bytes()).unwrap().in_order_of(request)
        };
        let asked = of(&["clientId:alice", "clientId:bob"]);
        let (alice, bob) = (done("clientId:alice"), done("clientId:bob"));
        let result = read(&[bob.clone(), alice.clone()], &asked).unwrap();
        assert_eq!(result.results[0].as_ref().unwrap().target, asked.targets[0]);
        for results in [
            &[][..],
            std::slice::from_ref(&alice),
            &[alice.clone(), alice.clone()],
            &[alice.clone(), done("clientId:mallory")],
            &[alice.clone(), bob.clone(), alice.clone()],
        ] {
            let error = read(results, &asked).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MalformedResponse, "{results:?}");
        }
        let refused = r#"{"target":"token:canary","error":{"code":40000,"message":"canary is bad"}}"#;
        let result = read(&[refused.to_owned()], &of(&["token:canary"])).unwrap();
        assert!(!std::format!("{result:?}").contains("canary"), "{result:?}");
    }

    #[test]
    fn a_token_among_the_targets_is_not_shown() {
        let request = RevocationRequest::new(std::vec![RevocationTarget::token(Secret::from("canary"))]);
        let text = std::format!("{request:?} {:?}", request.to_json());
        assert!(!text.contains("canary"), "{text}");
    }
}

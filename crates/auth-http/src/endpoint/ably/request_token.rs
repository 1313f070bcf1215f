//! `POST /keys/{keyName}/requestToken`: a request that the key's owner signed, or sends with the key, becomes a token.

use std::time::Duration;

use auth_core::ably::{ErrorCode, TokenClientId, TokenDetails, TokenRequest, TokenRequestRefused};
use auth_core::capability::Capability;
use auth_core::observe::{Label, Replayed};
use auth_core::scope::Scopes;
use auth_core::time::Now;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value};

use super::authenticate::granted;
use super::credentials::{Credentials, wrong};
use super::records::{IssuedToken, KeyRecord, NonceRefused, Seal, app_of};
use super::{Records, Refusal, body};
use crate::endpoint::{Decision, Decisions};

/// The lifetime of a token whose request names none, as at Ably.
const USUAL: Duration = Duration::from_secs(3_600);

/// The longest lifetime of a token that can be revoked, as at Ably.
pub(super) const LONGEST_REVOCABLE: Duration = Duration::from_secs(3_600);

/// What records call this way to a token.
const GRANT: &str = "ably_token_request";

/// The longest token that is issued, in bytes. Many servers and proxies refuse a longer header.
const LONGEST_TOKEN: usize = 8 * 1_024;

/// What a request asks for, once it is known to come from the key's owner.
struct Asked {
    ttl: Option<Duration>,
    capability: Option<Capability>,
    client_id: Option<TokenClientId>,
}

/// The reply, with the decision that it stands for.
pub(super) fn respond(
    records: &mut Records,
    now: Now,
    fresh: [u8; 32],
    key_name: &str,
    request: &Request<Bytes>,
    admit: impl FnOnce(&str) -> Result<(), Duration>,
) -> Response<Bytes> {
    let asking = asking(records, key_name);
    match answer(records, now, fresh, key_name, request, admit) {
        Ok(details) => {
            let named = details.client_id().map(|client_id| Label::new(client_id.as_str()));
            let expires = details.expires().unwrap_or(now.wall);
            let minted = Decision::Minted {
                token: details.token().clone(),
                refresh_token: None,
                grant: GRANT,
                client_id: named.or(asking),
                scope: Scopes::default(),
                expires_in: expires.saturating_since(details.issued().unwrap_or(now.wall)),
            };
            let reply = super::json(StatusCode::CREATED, details.to_json().expose().to_owned());
            Decisions::tell(reply, [minted])
        }
        Err(refusal) if refusal.info().code == ErrorCode::NONCE_REPLAYED => {
            let replayed = Decision::Replayed { replayed: Replayed::Nonce, token: None, client_id: asking };
            Decisions::tell(refusal.into_response(), [replayed])
        }
        Err(refusal) => {
            let reason = Label::new(&refusal.info().code.number().to_string());
            let denied = Decision::Denied { grant: GRANT, reason, client_id: asking };
            Decisions::tell(refusal.into_response(), [denied])
        }
    }
}

/// Who asks, by the path, where there is such a key: who puts a whole key into it, or its secret in place of its name, must
/// not find that in the records.
pub(super) fn asking(records: &Records, key_name: &str) -> Option<Label> {
    let name = key_name.split(':').next().unwrap_or_default();
    records.key(name).map(|_| Label::new(name))
}

/// The checks in Ably's order: the application and the key, the MAC, the values, the timestamp, the nonce, and at last what
/// is left of the capability.
///
/// The rate limit counts what the key's owner let pass, and each of it once: a stranger, or whoever replays a request,
/// uses up nothing. A request that it refuses may be sent again after the wait: its nonce is not used.
fn answer(
    records: &mut Records,
    now: Now,
    fresh: [u8; 32],
    key_name: &str,
    request: &Request<Bytes>,
    admit: impl FnOnce(&str) -> Result<(), Duration>,
) -> Result<TokenDetails, Refusal> {
    body::check(request, &Method::POST)?;
    let seal = records.seal.clone();
    let record = key_of_path(records, key_name)?;
    // A body that is no object has no MAC either: whoever reads it says so.
    let members: Map<String, Value> = serde_json::from_slice(request.body()).unwrap_or_default();
    let signed = members.get("mac").is_some_and(|mac| !mac.is_null());
    let asked = if signed {
        // It would be malformed: this says what is.
        if members.get("ttl").is_some_and(|ttl| !ttl.is_null() && !is_integer(ttl)) {
            return Err(refused(TokenRequestRefused::Ttl));
        }
        let token_request = TokenRequest::parse(request.body()).map_err(refused)?;
        let verified = token_request.verify(&record.served.key, now).map_err(refused)?;
        check_lifetime(record, verified.ttl)?;
        record.nonces.forget_old(now);
        record.nonces.check(verified.timestamp, &verified.nonce).map_err(nonce_refused)?;
        admit(key_name).map_err(Refusal::rate_limited)?;
        record.nonces.consume(now, verified.timestamp, &verified.nonce).map_err(nonce_refused)?;
        Asked { ttl: verified.ttl, capability: verified.capability, client_id: verified.client_id }
    } else {
        check_key(record, request)?;
        let asked = Asked::read(key_name, request.body())?;
        check_lifetime(record, asked.ttl)?;
        admit(key_name).map_err(Refusal::rate_limited)?;
        asked
    };
    issue(record, &seal, now, fresh, asked)
}

/// The key that the path names.
pub(super) fn key_of_path<'a>(
    records: &'a mut Records,
    key_name: &str,
) -> Result<&'a mut KeyRecord, Refusal> {
    let known = records.knows_app(app_of(key_name));
    records.key_mut(key_name).ok_or_else(|| {
        if known {
            Refusal::with_status(ErrorCode::NOT_FOUND, 401, "the key is not known")
        } else {
            Refusal::new(ErrorCode::NOT_FOUND, "the application is not known")
        }
    })
}

/// Whether the request comes with this very key.
pub(super) fn check_key(record: &KeyRecord, request: &Request<Bytes>) -> Result<(), Refusal> {
    match Credentials::read(request)? {
        Credentials::Key(key) if key == record.served.key => Ok(()),
        Credentials::Key(_) => Err(wrong("the key that is presented is not the one in the path")),
        Credentials::Token(_) => {
            Err(Refusal::new(super::code::NEEDS_BASIC, "this needs the key itself: a token can't do it"))
        }
    }
}

impl Asked {
    /// Reads a request that is not signed. Its timestamp and nonce mean nothing: no signature can be replayed.
    fn read(key_name: &str, body: &[u8]) -> Result<Self, Refusal> {
        let malformed =
            |_| Refusal::new(ErrorCode::BAD_REQUEST, "the body is no JSON object of a token request");
        let members: Map<String, Value> = serde_json::from_slice(body).map_err(malformed)?;
        let member = |name: &str| members.get(name).filter(|value| !value.is_null());
        if member("keyName").is_some_and(|name| name != key_name) {
            return Err(refused(TokenRequestRefused::OtherKey));
        }
        let ttl = member("ttl").map(lifetime).transpose()?;
        let client_id = member("clientId").map(|value| {
            value
                .as_str()
                .ok_or_else(|| Refusal::new(ErrorCode::INVALID_CLIENT_ID, "a clientId is a text"))
                .and_then(|text| TokenClientId::new(text).map_err(|error| refused(error.into())))
        });
        let capability = member("capability").filter(|value| *value != "").map(|value| {
            value
                .as_str()
                .ok_or_else(|| Refusal::new(ErrorCode::BAD_REQUEST, "a capability is a text that holds JSON"))
                .and_then(|text| text.parse::<Capability>().map_err(|error| refused(error.into())))
        });
        Ok(Self {
            client_id: client_id.transpose()?,
            capability: capability.transpose()?,
            ttl: ttl.filter(|ttl| !ttl.is_zero()),
        })
    }
}

/// A lifetime in milliseconds, as a number or as its text.
fn lifetime(value: &Value) -> Result<Duration, Refusal> {
    let millis = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let lifetime = millis.map(Duration::from_millis).filter(|ttl| *ttl <= TokenRequest::LONGEST_TTL);
    lifetime.ok_or_else(|| refused(TokenRequestRefused::Ttl))
}

fn is_integer(value: &Value) -> bool {
    value.as_i64().is_some() || value.as_str().is_some_and(|text| text.parse::<i64>().is_ok())
}

fn check_lifetime(record: &KeyRecord, ttl: Option<Duration>) -> Result<(), Refusal> {
    if record.served.revocable && ttl.is_some_and(|ttl| ttl > LONGEST_REVOCABLE) {
        let text = "the tokens of this key can be revoked, so the ttl is 3600000 ms at most";
        return Err(Refusal::new(ErrorCode::INVALID_PARAMETER, text));
    }
    Ok(())
}

/// Issues the token, which says itself what it grants, and so can't grant any number of channels one by one.
fn issue(
    record: &KeyRecord,
    seal: &Seal,
    now: Now,
    fresh: [u8; 32],
    asked: Asked,
) -> Result<TokenDetails, Refusal> {
    let held = &record.served.capability;
    let granted = asked.capability.map(|requested| granted(&requested, held)).transpose()?;
    let now = Now { wall: record.revocations.time_of_issue(now), ..now };
    let token = IssuedToken {
        key_name: record.served.name().to_owned(),
        serial: record.serial,
        issued: now,
        lifetime: asked.ttl.unwrap_or(USUAL),
        client_id: asked.client_id,
        capability: granted.filter(|granted| granted != held),
    };
    let text = seal.seal(&token, fresh);
    if text.expose().len() > LONGEST_TOKEN {
        let text =
            "the token would be longer than 8 KiB; ask for fewer channels, or for patterns such as chat:*";
        return Err(Refusal::new(ErrorCode::INVALID_PARAMETER, text));
    }
    let details = TokenDetails::new(text)
        .with_issued(now.wall)
        .with_expires(token.expires())
        .with_capability(token.capability.as_ref().unwrap_or(held))
        .with_key_name(record.served.name());
    Ok(match token.client_id {
        Some(client_id) => details.with_client_id(client_id),
        None => details,
    })
}

fn refused(refused: TokenRequestRefused) -> Refusal {
    Refusal::with_status(refused.code(), refused.status(), &refused.to_string())
}

fn nonce_refused(refused: NonceRefused) -> Refusal {
    match refused {
        NonceRefused::Replayed => Refusal::new(
            ErrorCode::NONCE_REPLAYED,
            "this token request was used already; sign a new one each time, and let nothing cache it",
        ),
        NonceRefused::Forgotten => self::refused(TokenRequestRefused::Timestamp),
        NonceRefused::Full => {
            Refusal::full("this key has asked for more tokens than can be remembered; wait")
        }
    }
}

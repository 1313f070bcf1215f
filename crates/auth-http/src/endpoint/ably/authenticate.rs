//! Who a request comes from: the verdict on a key, a token that was issued here, or a JWT.

use auth_core::Secret;
use auth_core::ably::{ApiKey, ErrorCode, TokenClientId, VerifiedJwt, jwt_rejection_code, verify_jwt};
use auth_core::capability::Capability;
use auth_core::jwt::{Claims, Rejection, looks_like_jwt, read, read_header};
use auth_core::time::{Deadline, Now, Timestamp};
use bytes::Bytes;
use http::Request;
use serde::Deserialize;

use super::credentials::{Credentials, declared_client_id, wrong};
use super::records::{About, IssuedToken, KeyRecord, app_of};
use super::request_token::LONGEST_REVOCABLE;
use super::{Caller, Records, Refusal, code};

const REVOCATION_KEY: &str = "x-ably-revocation-key";

/// Says who sends a request: by `Authorization: Basic` or `Bearer` (the token raw or in base64), or by `key`, `access_token`
/// or `accessToken` in the query, and as which client (`X-Ably-ClientId`).
///
/// # Errors
///
/// 40101 without credentials, for a wrong key and for what was never a token; 40142 for a token that has expired, 40141
/// for one that is revoked, 40143 for one that is not known (any more), 40144 for a JWT that does not verify, 40400 for a
/// JWT of an unknown application or key, 40102 when the token is not for the client that the request names.
///
/// The clock that minted a JWT may be a minute ahead, so one that was issued within the minute after a revocation counts as
/// older than it: 40141. Tokens that were issued here are compared exactly.
pub fn authenticate(records: &Records, now: Now, request: &Request<Bytes>) -> Result<Caller, Refusal> {
    let caller = match Credentials::read(request)? {
        Credentials::Key(key) => caller_of_key(records, &key)?,
        Credentials::Token(token) => caller_of_token(records, now, &token)?,
    };
    caller.declared_as(declared_client_id(request.headers())?.as_ref())
}

/// Says who presents a key.
///
/// # Errors
///
/// 40101 when it is not known, or its secret is wrong.
pub fn caller_of_key(records: &Records, key: &ApiKey) -> Result<Caller, Refusal> {
    let record = records.key(key.name()).filter(|record| record.served.key == *key);
    let record = record.ok_or_else(|| wrong("the key is not known, or its secret is wrong"))?;
    Ok(Caller {
        key_name: key.name().to_owned(),
        client_id: Some(TokenClientId::Wildcard),
        capability: record.served.capability.clone(),
        expires: None,
        revoked: None,
    })
}

/// Says who presents a token.
///
/// # Errors
///
/// As [`authenticate`].
pub fn caller_of_token(records: &Records, now: Now, token: &Secret) -> Result<Caller, Refusal> {
    if let Some((record, issued)) = records.token(token) {
        return of_issued(record, &issued, token, now);
    }
    let text = token.expose();
    if looks_like_jwt(text) {
        let inner = embedded(text)?;
        return inner.map_or_else(
            || of_jwt(records, text, now),
            |(inner, expires)| of_embedded(records, &inner, expires, now),
        );
    }
    if text.contains('.') && records.knows_app(app_of(text)) {
        Err(Refusal::new(
            code::TOKEN_UNKNOWN,
            "the token is not known, or was issued before a restart; get a new one",
        ))
    } else {
        Err(wrong("what was presented as a token is none of any application here"))
    }
}

fn of_issued(record: &KeyRecord, issued: &IssuedToken, token: &Secret, now: Now) -> Result<Caller, Refusal> {
    if issued.expiry().passed(now) {
        return Err(expired());
    }
    let capability = issued.capability.as_ref().unwrap_or(&record.served.capability);
    let about = About {
        token: token.expose(),
        issued: issued.issued.wall,
        client_id: issued.client_id.as_ref(),
        revocation_key: None,
        capability,
    };
    let revoked = not_yet_revoked(record, now, &about)?;
    Ok(Caller {
        key_name: record.served.name().to_owned(),
        client_id: issued.client_id.clone(),
        capability: capability.clone(),
        expires: Some(issued.expires()),
        revoked,
    })
}

fn of_jwt(records: &Records, token: &str, now: Now) -> Result<Caller, Refusal> {
    let key_name = header_of(token)?.kid.unwrap_or_default();
    let Some(record) = records.key(&key_name) else {
        let status = if records.knows_app(app_of(&key_name)) { 401 } else { 404 };
        let text = "the application or key that the JWT names (kid) is not known";
        return Err(Refusal::with_status(ErrorCode::NOT_FOUND, status, text));
    };
    let jwt = verify_jwt(&record.served.key, token, now).map_err(rejected)?;
    if record.served.revocable && lives_too_long(&jwt) {
        let text =
            "the tokens of this key can be revoked, so a JWT may live an hour at most; mint it for less";
        return Err(Refusal::with_status(ErrorCode::INVALID_JWT, 400, text));
    }
    let granted = match &jwt.capability {
        Some(claimed) => granted(claimed, &record.served.capability)?,
        None => record.served.capability.clone(),
    };
    let revocation_key = jwt.claims.claims().text(REVOCATION_KEY);
    if revocation_key.is_none() && jwt.claims.claims().has(REVOCATION_KEY) {
        return Err(Refusal::new(ErrorCode::INVALID_JWT, "the x-ably-revocation-key of the JWT is no text"));
    }
    let about = About {
        token,
        issued: jwt.issued_at_the_earliest(),
        client_id: jwt.client_id.as_ref(),
        revocation_key,
        capability: &granted,
    };
    let revoked = not_yet_revoked(record, now, &about)?;
    let expires = Some(jwt.expires);
    Ok(Caller { key_name, client_id: jwt.client_id, capability: granted, expires, revoked })
}

/// A token that travels inside a JWT (`x-ably-token`, in its header or claims). The token inside is what counts; the outer
/// JWT may be signed by whoever it concerns, and can only shorten the life of what is in it.
fn of_embedded(
    records: &Records,
    inner: &Secret,
    outer_expires: Timestamp,
    now: Now,
) -> Result<Caller, Refusal> {
    let unknown =
        || Refusal::new(code::TOKEN_UNKNOWN, "the token inside the JWT is not known; get a new one");
    let (record, issued) = records.token(inner).ok_or_else(unknown)?;
    if outer_expires > issued.expires() {
        let text = "the JWT must not expire later than the token inside it";
        return Err(Refusal::new(ErrorCode::INVALID_JWT, text));
    }
    if outer_expires <= now.wall {
        return Err(expired());
    }
    Ok(Caller { expires: Some(outer_expires), ..of_issued(record, &issued, inner, now)? })
}

/// The token inside a JWT, and when the JWT expires; `None` for a JWT that stands for itself.
pub(super) fn embedded(token: &str) -> Result<Option<(Secret, Timestamp)>, Refusal> {
    let claims = read(token).map_err(rejected)?;
    let claims: &Claims = claims.claims();
    let Some(inner) = claims.text("x-ably-token").map(str::to_owned).or(header_of(token)?.token) else {
        return Ok(None);
    };
    let expires = claims.expires().ok_or_else(|| rejected(Rejection::ExpiryMissing))?;
    Ok(Some((Secret::from(inner), expires)))
}

/// What the header of a JWT says about its key and its content.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) kid: Option<String>,
    #[serde(rename = "x-ably-token")]
    token: Option<String>,
}

pub(super) fn header_of(token: &str) -> Result<Header, Refusal> {
    let header = read_header(token).map_err(rejected)?.into_inner();
    serde_json::from_str(&header).map_err(|_| rejected(Rejection::KeyIdInvalid))
}

/// What a token gets that asks for `requested`.
pub(super) fn granted(requested: &Capability, key: &Capability) -> Result<Capability, Refusal> {
    requested.intersection(key).map_err(|none| Refusal::new(none.code(), &none.to_string()))
}

/// Whether a JWT outlives the longest life of a token that can be revoked. Its times are whole seconds, the expiry rounded
/// up.
fn lives_too_long(jwt: &VerifiedJwt) -> bool {
    let longest = LONGEST_REVOCABLE.as_secs() + 1;
    jwt.expires.saturating_since(jwt.issued).as_secs() > longest
}

fn rejected(rejection: Rejection) -> Refusal {
    let (code, status) = jwt_rejection_code(rejection);
    let text = match rejection {
        Rejection::Expired => return expired(),
        Rejection::IssuedAtMissing | Rejection::ExpiryMissing => "the JWT needs iat and exp, in seconds",
        Rejection::IssuedInTheFuture => {
            "the JWT is issued in the future; check the clock of whoever mints it"
        }
        Rejection::CapabilityInvalid => "the x-ably-capability of the JWT is no capability",
        Rejection::SubjectInvalid | Rejection::SubjectUnusable => {
            "the x-ably-clientId of the JWT is no clientId"
        }
        _ => "the JWT does not verify; sign it with HS256 under the secret of the key that its kid names",
    };
    Refusal::with_status(code, status, text)
}

/// When a token will be revoked, if that is known; an error if it is.
fn not_yet_revoked(record: &KeyRecord, now: Now, about: &About<'_>) -> Result<Option<Deadline>, Refusal> {
    let applies = record.revocations.applies(now, about);
    if applies.is_some_and(|applies| applies.passed(now)) { Err(revoked()) } else { Ok(applies) }
}

pub(super) fn expired() -> Refusal {
    Refusal::new(ErrorCode::TOKEN_EXPIRED, "the token has expired; get a new one")
}

pub(super) fn revoked() -> Refusal {
    Refusal::new(code::TOKEN_REVOKED, "the token was revoked; get a new one")
}

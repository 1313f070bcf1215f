//! `POST /keys/{keyName}/revokeTokens`: the key's owner takes tokens back.

use std::time::Duration;

use auth_core::Secret;
use auth_core::ably::{
    ErrorCode, ErrorInfo, RevocationRequest, RevocationResult, RevocationTarget, TargetRefused, TargetRevoked,
};
use auth_core::jwt::looks_like_jwt;
use auth_core::observe::Label;
use auth_core::time::{Now, Timestamp};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::authenticate::{embedded, header_of};
use super::records::{KeyRecord, Kind};
use super::request_token::{asking, check_key, key_of_path};
use super::{Records, Refusal, body, code};
use crate::endpoint::{Decision, Decisions};

/// How far back `issuedBefore` may be, as at Ably.
const LONGEST_AGO: Duration = Duration::from_secs(3_600);

/// How long tokens are still accepted with `allowReauthMargin`, as at Ably.
const MARGIN: Duration = Duration::from_secs(30);

/// What records call a call that is refused.
const CALL: &str = "ably_revoke_tokens";

/// The reply, with the decisions that it stands for.
pub(super) fn respond(
    records: &mut Records,
    now: Now,
    key_name: &str,
    request: &Request<Bytes>,
) -> Response<Bytes> {
    let client_id = asking(records, key_name);
    answer(records, now, key_name, request).unwrap_or_else(|refusal| {
        let reason = Label::new(&refusal.info().code.number().to_string());
        let denied = Decision::Denied { grant: CALL, reason, client_id };
        Decisions::tell(refusal.into_response(), [denied])
    })
}

fn answer(
    records: &mut Records,
    now: Now,
    key_name: &str,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, Refusal> {
    body::check(request, &Method::POST)?;
    let record = key_of_path(records, key_name)?;
    check_key(record, request)?;
    if !record.served.revocable {
        let text = "the tokens of this key can't be revoked; configure it as revocable";
        return Err(Refusal::new(code::NOT_REVOCABLE, text));
    }
    let asked = RevocationRequest::parse(request.body()).map_err(|error| {
        let code = error.code().map_or(ErrorCode::BAD_REQUEST, ErrorCode::new);
        Refusal::new(code, &error.to_string())
    })?;
    let in_the_last_hour =
        |time: &Timestamp| *time <= now.wall && now.wall.saturating_since(*time) <= LONGEST_AGO;
    if !asked.issued_before.iter().all(in_the_last_hour) {
        let text = "issuedBefore must be within the hour before now";
        return Err(Refusal::new(ErrorCode::INVALID_PARAMETER, text));
    }
    // Without a time it is whatever was issued until now: within this millisecond, too.
    let until = asked.issued_before.unwrap_or_else(|| now.wall.saturating_add(Duration::from_millis(1)));
    let issued_before = asked.issued_before.unwrap_or(now.wall);
    let margin = if asked.allow_reauth_margin { MARGIN } else { Duration::ZERO };
    let results = asked.targets.into_iter().map(|target| {
        let revoked = revoke(records, now, key_name, &target, until, margin);
        match revoked {
            Ok(()) => {
                Ok(TargetRevoked { target, issued_before, applies_at: now.wall.saturating_add(margin) })
            }
            Err(refusal) => Err(TargetRefused { target, error: refusal.info().clone() }),
        }
    });
    let result = RevocationResult { results: results.collect() };
    let revoked = result.results.iter().flatten().map(|revoked| decision(&revoked.target));
    let decisions: Vec<_> = revoked.collect();
    let reply = if knows_batches(request) {
        super::json(StatusCode::CREATED, result.to_json().expose().to_owned())
    } else {
        in_the_old_form(&result)
    };
    Ok(Decisions::tell(reply, decisions))
}

/// The record of a revocation. A token is named by itself, and never by its text.
fn decision(target: &RevocationTarget) -> Decision {
    if target.kind() == RevocationTarget::TOKEN {
        return Decision::Revoked { token: Some(target.value().clone()), target: None };
    }
    Decision::Revoked { token: None, target: Some(Label::new(target.to_text().expose())) }
}

fn revoke(
    records: &mut Records,
    now: Now,
    key_name: &str,
    target: &RevocationTarget,
    until: Timestamp,
    margin: Duration,
) -> Result<(), Refusal> {
    let kind = Kind::of(target).ok_or_else(|| {
        Refusal::new(
            ErrorCode::BAD_REQUEST,
            "a target is clientId:, revocationKey:, channel: or token: and a value",
        )
    })?;
    // Of a token inside a JWT, what is inside counts.
    let inner = match kind {
        Kind::Token if looks_like_jwt(target.value().expose()) => {
            embedded(target.value().expose()).ok().flatten().map(|(inner, _)| inner)
        }
        _ => None,
    };
    let value = inner.as_ref().unwrap_or_else(|| target.value());
    match (kind, owner(records, value)) {
        (Kind::Token, None) => {
            let text = "this is no token of ours; name it as it was issued, not in base64";
            return Err(Refusal::new(ErrorCode::BAD_REQUEST, text));
        }
        (Kind::Token, Some(owner)) if owner != key_name => {
            let text = "this token is of another key, which alone can revoke it";
            return Err(Refusal::new(code::OTHER_KEYS_TOKENS, text));
        }
        (Kind::Token | Kind::ClientId | Kind::RevocationKey | Kind::Channel, _) => {}
    }
    let fits = |record: &mut KeyRecord| record.revocations.revoke(now, (kind, value.expose()), until, margin);
    if records.key_mut(key_name).is_some_and(fits) {
        Ok(())
    } else {
        let text =
            "this key has as many revocations as can be remembered; revoke by a target that covers more";
        Err(Refusal::full(text))
    }
}

/// The key that a token belongs to, where that can be told.
fn owner(records: &Records, token: &Secret) -> Option<String> {
    if looks_like_jwt(token.expose()) {
        return header_of(token.expose()).ok()?.kid;
    }
    Some(records.token(token)?.0.served.name().to_owned())
}

/// Whether the library knows batch results with counts: since version 3 of the protocol.
fn knows_batches(request: &Request<Bytes>) -> bool {
    let version = request.headers().get("x-ably-version").and_then(|value| value.to_str().ok());
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= 3)
}

/// A list of results; if any failed, an error with them beside it.
fn in_the_old_form(result: &RevocationResult) -> Response<Bytes> {
    let mut results: Value = serde_json::from_str(result.to_json().expose()).unwrap_or_default();
    let results = results["results"].take();
    if result.failure_count() == 0 {
        return super::json(StatusCode::CREATED, results.to_string());
    }
    let refusal = Refusal::new(code::BATCH_FAILED, "not all targets were revoked; batchResponse says which");
    let mut body: Value = serde_json::from_str(&ErrorInfo::to_json(refusal.info())).unwrap_or_default();
    body["batchResponse"] = json!(results);
    refusal.into_response_with(body.to_string())
}

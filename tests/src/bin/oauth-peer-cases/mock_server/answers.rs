//! One answer, and what a grant makes of it.

use std::time::Duration;

use auth_core::oauth::TokenResponse;
use auth_core::{Error, ErrorKind, Retry};
use auth_http::grant::{ClientCredentials, Grant as _};
use serde_json::{Value, json};

use super::World;
use crate::kit::{anew, dpop};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, same};

pub(super) async fn too_many_requests_name_their_wait_in_seconds(world: &World) -> Verdict {
    let answer = json!({ "status": 429, "headers": { "Retry-After": "7" } });
    let error = answered(world, answer).await?;
    let error = failed(error, ErrorKind::RateLimited, Retry::After(Duration::from_secs(7)))?;
    same("status", error.code(), Some(429))?;
    holds("nothing was done", !error.is_in_doubt())
}

pub(super) async fn too_many_requests_name_their_wait_as_a_date(world: &World) -> Verdict {
    match answered(world, json!({ "status": 429, "retry_in": 10 })).await? {
        Ok(_) => Err(Wrong::new("a failure", "it succeeded")),
        Err(error) => {
            same("kind", error.kind(), ErrorKind::RateLimited)?;
            // Both dates are whole seconds.
            let nearly = [9, 10, 11].map(|seconds| Retry::After(Duration::from_secs(seconds)));
            holds(&format!("ten seconds, and not {:?}", error.retry()), nearly.contains(&error.retry()))
        }
    }
}

pub(super) async fn an_overloaded_server_has_done_nothing_and_a_broken_one_may_have(
    world: &World,
) -> Verdict {
    for (status, in_doubt) in [(503, false), (500, true), (502, true), (504, true)] {
        let error = answered(world, json!({ "status": status })).await?;
        let error = failed(error, ErrorKind::ServerFailed, Retry::Backoff)?;
        same("in doubt", (error.code(), error.is_in_doubt()), (Some(status), in_doubt))?;
    }
    Ok(())
}

pub(super) async fn a_lifetime_as_text_is_read(world: &World) -> Verdict {
    for text in ["60", " 60 ", "60.0"] {
        same("lifetime", lifetime(world, json!(text)).await?, Some(Duration::from_secs(60)))?;
    }
    Ok(())
}

pub(super) async fn a_missing_lifetime_is_nobodys_guess(world: &World) -> Verdict {
    // `null` takes the member out.
    same("lifetime", lifetime(world, Value::Null).await?, None)
}

pub(super) async fn an_absurd_lifetime_costs_no_token(world: &World) -> Verdict {
    for absurd in [json!("soon"), json!([60]), json!({}), json!(-1), json!(true)] {
        let understood = lifetime(world, absurd.clone()).await?;
        holds(&format!("no lifetime of {absurd}"), understood.is_none_or(|lifetime| lifetime.is_zero()))?;
    }
    for large in [json!(1e18), json!(1e300), json!("99999999999999999999")] {
        lifetime(world, large).await?;
    }
    Ok(())
}

pub(super) async fn scopes_as_a_list_are_read(world: &World) -> Verdict {
    let issued = answered(world, json!({ "body": { "scope": ["read", "write"] } })).await??;
    same("scope", issued.scope.map(|scope| scope.to_string()), Some("read write".to_owned()))
}

pub(super) async fn an_error_with_status_200_is_an_error(world: &World) -> Verdict {
    for (code, kind, retry) in [
        ("invalid_grant", ErrorKind::InvalidGrant, Retry::Reauthorize),
        ("invalid_client", ErrorKind::InvalidClient, Retry::Never),
        ("temporarily_unavailable", ErrorKind::ServerFailed, Retry::Backoff),
        ("slow_down", ErrorKind::RateLimited, Retry::Backoff),
    ] {
        // With a token beside it or without.
        for body in [json!({ "error": code }), json!({ "error": code, "access_token": null })] {
            failed(answered(world, json!({ "body": body })).await?, kind, retry)?;
        }
    }
    Ok(())
}

pub(super) async fn a_token_of_another_type_is_not_used(world: &World) -> Verdict {
    for token_type in ["mac", "N_A", "DPoP", ""] {
        let answer = json!({ "body": { "token_type": token_type } });
        failed(answered(world, answer).await?, ErrorKind::MalformedResponse, Retry::Backoff)?;
    }
    for token_type in [json!("bearer"), json!("BEARER"), Value::Null] {
        answered(world, json!({ "body": { "token_type": token_type } })).await??;
    }
    Ok(())
}

/// The server does not know what a proof is, and says `Bearer`.
pub(super) async fn a_bearer_token_where_a_proof_was_sent_is_refused(world: &World) -> Verdict {
    let endpoint = world.endpoint()?.with_dpop(dpop()?);
    let outcome = ClientCredentials::new(endpoint, Watched::new()).obtain(&anew()).await;
    let error = failed(outcome, ErrorKind::MalformedResponse, Retry::Never)?;
    holds("a refresh token would be spent", error.is_in_doubt())
}

pub(super) async fn a_page_of_html_is_no_token_and_no_verdict(world: &World) -> Verdict {
    let page = "<html><body>canary</body></html>";
    for (status, kind, retry) in [
        (200, ErrorKind::MalformedResponse, Retry::Backoff),
        (502, ErrorKind::ServerFailed, Retry::Backoff),
        (403, ErrorKind::Refused, Retry::Never),
        (404, ErrorKind::Refused, Retry::Never),
    ] {
        let outcome = answered(world, json!({ "status": status, "text": page })).await?;
        let error = failed(outcome, kind, retry)?;
        same("code", error.code(), Some(status))?;
        holds("the page is not quoted", !format!("{error} {error:?}").contains("canary"))?;
    }
    Ok(())
}

pub(super) async fn a_redirect_is_not_followed(world: &World) -> Verdict {
    let http = Watched::new();
    let location = format!("{}/token", world.issuer);
    let plan = json!([{ "status": 307, "headers": { "Location": location } }]);
    let outcome = world.planned(&http, &plan)?.obtain(&anew()).await;
    failed(outcome, ErrorKind::Refused, Retry::Never)?;
    same("requests", http.count(), 1)
}

async fn answered(world: &World, answer: Value) -> Result<Result<TokenResponse, Error>, Wrong> {
    Ok(world.planned(&Watched::new(), &json!([answer]))?.obtain(&anew()).await)
}

/// What is understood of an `expires_in`.
async fn lifetime(world: &World, expires_in: Value) -> Result<Option<Duration>, Wrong> {
    Ok(answered(world, json!({ "body": { "expires_in": expires_in } })).await??.expires_in)
}

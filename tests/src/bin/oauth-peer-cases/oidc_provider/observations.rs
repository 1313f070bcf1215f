//! Where servers do what their specifications leave open: what this one does, and what our client makes of it.

use std::sync::Arc;

use auth_core::observe::Unobserved;
use auth_core::source::RequireScopes;
use auth_core::time::Timestamp;
use auth_core::{Demand, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use auth_http::freshness::{Freshness, SystemFreshness};
use auth_http::grant::{ClientCredentials, Grant as _, Revocation};
use auth_http::manager::TokenManager;
use auth_http::wire::{
    ClientAuthentication, Introspection, RevocationEndpoint, TokenForm, TokenHint, Wanted,
};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};

use super::{World, logged_in};
use crate::kit::{anew, code, dpop, exchanged, header, of_jwk, request, with};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, same};

/// A `%` that is not encoded is no wrong secret to it, but a request that it can't read.
pub(super) async fn a_secret_that_is_not_encoded_is_refused_as_a_request(world: &World) -> Verdict {
    let http = Watched::new();
    let endpoint = World::at(&world.plain, ClientAuthentication::basic_raw("basic", &world.secret)?)?;
    let outcome = ClientCredentials::new(endpoint, Arc::clone(&http) as _).obtain(&anew()).await;
    same("statuses", http.statuses(), vec![400])?;
    failed(outcome, ErrorKind::Refused, Retry::Never)?;
    ClientCredentials::new(world.basic()?, http).obtain(&anew()).await?;
    Ok(())
}

/// It leaves `scope` out of its answer, which RFC 6749 §5.1 has mean that everything was granted.
pub(super) async fn a_scope_that_is_dropped_in_silence_is_missed_all_the_same(world: &World) -> Verdict {
    let scoped = |scope: &str| -> Result<_, Wrong> {
        let wanted = Wanted::new().with_scope(scope.parse()?);
        let wanted = wanted.with_resource("https://api.example/es256")?;
        Ok(world.service(&Watched::new())?.with_wanted(wanted))
    };
    let issued = scoped("admin")?.obtain(&anew()).await?;
    holds("no scope in the answer", issued.scope.is_none())?;
    for (scope, granted) in [("admin", false), ("read", true)] {
        let manager = TokenManager::builder(scoped(scope)?).spawn();
        let required = RequireScopes::new(manager.clone(), scope.parse()?, Arc::new(Unobserved));
        let outcome = required.token(Demand::Current).await;
        if granted {
            outcome?;
        } else {
            failed(outcome, ErrorKind::InsufficientScope, Retry::Never)?;
        }
        manager.shut_down().await;
    }
    Ok(())
}

pub(super) async fn a_wrong_secret_and_malformed_requests_are_told_apart(world: &World) -> Verdict {
    let endpoint = world.basic()?;
    let form = TokenForm::client_credentials();
    let ask = async |change: fn(&mut Request<Bytes>)| -> Result<_, Wrong> {
        let mut asked = endpoint.request(&form, None)?;
        change(&mut asked);
        Ok(HyperClient::plaintext().exchange(asked).await?)
    };
    endpoint.read(&ask(|_| {}).await?)?;

    let wrong = ask(|asked| {
        asked.headers_mut().insert(AUTHORIZATION, http::HeaderValue::from_static("Basic YmFzaWM6eA=="));
    });
    let wrong = wrong.await?;
    same("status", wrong.status().as_u16(), 401)?;
    holds("a challenge", header(&wrong, "www-authenticate").starts_with("basic "))?;
    failed(endpoint.read(&wrong), ErrorKind::InvalidClient, Retry::Never)?;

    let json = ask(|asked| {
        let json = http::HeaderValue::from_static("application/json");
        asked.headers_mut().insert(CONTENT_TYPE, json);
        *asked.body_mut() = Bytes::from_static(br#"{"grant_type":"client_credentials"}"#);
    });
    let twice = ask(|asked| {
        *asked.body_mut() = [asked.body().as_ref(), b"&grant_type=client_credentials"].concat().into();
    });
    for malformed in [json.await?, twice.await?] {
        same("status", malformed.status().as_u16(), 400)?;
        same("code", code(&malformed), "invalid_request".to_owned())?;
        failed(endpoint.read(&malformed), ErrorKind::Refused, Retry::Never)?;
    }

    let got = request(Method::GET, &format!("{}/token", world.plain), "")?;
    let got = HyperClient::plaintext().exchange(got).await?;
    same("status of GET", got.status().as_u16(), 404)?;
    let error = failed(endpoint.read(&got), ErrorKind::Refused, Retry::Never)?;
    same("its code", error.code(), Some(404))
}

pub(super) async fn an_assertion_is_for_the_issuer_or_the_endpoint_and_serves_once(world: &World) -> Verdict {
    let client = |freshness: Arc<dyn Freshness>| -> Result<_, Wrong> {
        let key = of_jwk(&world.keys["ES256"])?;
        Ok(ClientAuthentication::private_key_jwt("key-ES256", key, freshness)?)
    };
    let obtain = async |client: ClientAuthentication| -> Result<_, Wrong> {
        let grant = ClientCredentials::new(World::at(&world.plain, client)?, Watched::new());
        Ok(grant.obtain(&anew()).await)
    };
    let fresh = || client(Arc::new(SystemFreshness));
    obtain(fresh()?).await??;
    obtain(fresh()?.with_audience(&world.plain)).await??;
    let elsewhere = obtain(fresh()?.with_audience("https://elsewhere.example")).await?;
    failed(elsewhere, ErrorKind::InvalidClient, Retry::Never)?;

    let worn = || client(Arc::new(Worn));
    obtain(worn()?).await??;
    let error = failed(obtain(worn()?).await?, ErrorKind::InvalidClient, Retry::Never)?;
    same("status", error.code(), Some(401))
}

pub(super) async fn a_reused_refresh_token_ends_its_family(world: &World) -> Verdict {
    let first = world.seeded().await?;
    let grant = world.refreshing(&Watched::new(), &first)?;
    let second = grant.obtain(&with(&first)).await?.refresh_token;
    let second = second.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    let reused = failed(grant.obtain(&with(&first)).await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    same("status", reused.code(), Some(400))?;
    holds("it is a verdict", !reused.is_in_doubt())?;
    failed(grant.obtain(&with(&second)).await, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

/// What the token manager is there to prevent.
pub(super) async fn of_two_redemptions_at_once_neither_session_survives(world: &World) -> Verdict {
    let first = world.seeded().await?;
    let grant = world.refreshing(&Watched::new(), &first)?;
    let attempt = with(&first);
    let (one, other) = tokio::join!(grant.obtain(&attempt), grant.obtain(&attempt));
    let (winner, loser) = if one.is_ok() { (one?, other) } else { (other?, one) };
    failed(loser, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    let won = winner.refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    failed(grant.obtain(&with(&won)).await, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

pub(super) async fn a_missing_or_replayed_proof_is_no_reason_to_try_again(world: &World) -> Verdict {
    let proofs = dpop()?;
    let endpoint = world.basic()?.with_dpop(proofs.clone());
    let asked = endpoint.request(&TokenForm::client_credentials(), None)?;
    let http = HyperClient::plaintext();
    endpoint.read(&http.exchange(asked.clone()).await?)?;
    let replayed = http.exchange(asked).await?;
    same("status of the replay", replayed.status().as_u16(), 400)?;
    same("its code", code(&replayed), "invalid_grant".to_owned())?;
    failed(endpoint.read(&replayed), ErrorKind::InvalidGrant, Retry::Reauthorize)?;

    let issued = logged_in(&world.plain, "person", Some(proofs.clone()), &Watched::new()).await?;
    let issued = issued.obtain(&anew()).await?;
    let bound = issued.refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    let client = || ClientAuthentication::none("person");
    let unproven = World::at(&world.plain, client()?)?;
    let form = TokenForm::refresh_token(&bound);
    let answer = http.exchange(unproven.request(&form, None)?).await?;
    same("status without a proof", answer.status().as_u16(), 400)?;
    same("its code", code(&answer), "invalid_grant".to_owned())?;
    failed(unproven.read(&answer), ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    // It was not spent.
    let proven = World::at(&world.plain, client()?)?.with_dpop(proofs);
    proven.read(&http.exchange(proven.request(&form, None)?).await?)?;
    Ok(())
}

pub(super) async fn introspection_and_revocation_tell_little_and_forgive_much(world: &World) -> Verdict {
    let issued = world.service(&Watched::new())?.obtain(&anew()).await?;
    let introspection = world.introspection(&world.plain)?;
    let ask = async |token: &Secret| {
        exchanged(introspection.request(token, None, None), |answer| introspection.read(answer)).await
    };
    let Introspection::Active(token) = ask(&issued.access_token).await? else {
        return Err(Wrong::new("an active token", "it is not"));
    };
    same("client", token.client_id.as_deref(), Some("basic"))?;
    same("issuer", token.issuer.as_deref(), Some(&*world.plain))?;
    same("type", token.token_type.as_deref(), Some("Bearer"))?;
    holds("an end", token.expires.is_some())?;
    same("subject", token.subject, None)?;

    let client = ClientAuthentication::basic("basic", &world.secret)?;
    let endpoint = RevocationEndpoint::new(&format!("{}/token/revocation", world.plain), client)?;
    let revocation = Revocation::new(endpoint, Watched::new());
    revocation.revoke(&Secret::from("of nobody"), TokenHint::AccessToken).await?;
    revocation.revoke(&issued.access_token, TokenHint::RefreshToken).await?;
    same("the revoked token", ask(&issued.access_token).await?, Introspection::Inactive)?;
    same("a token of nobody", ask(&Secret::from("of nobody")).await?, Introspection::Inactive)?;

    let stranger = ClientAuthentication::basic("basic", &Secret::from("wrong"))?;
    let endpoint = RevocationEndpoint::new(&format!("{}/token/revocation", world.plain), stranger)?;
    let revocation = Revocation::new(endpoint, Watched::new());
    let outcome = revocation.revoke(&issued.access_token, TokenHint::AccessToken).await;
    failed(outcome, ErrorKind::InvalidClient, Retry::Never).map(drop)
}

/// Randomness that has run out: every assertion has the same name.
struct Worn;

impl Freshness for Worn {
    fn now(&self) -> Timestamp {
        SystemFreshness.now()
    }

    fn random(&self) -> [u8; 32] {
        [7; 32]
    }
}

//! Proofs of possession, at an issuer that wants its nonce in each.

use std::sync::Arc;

use auth_core::oauth::TokenType;
use auth_core::{Demand, Secret, TokenSource as _};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use auth_http::grant::{ClientCredentials, Grant as _, RefreshToken};
use auth_http::manager::TokenManager;
use auth_http::wire::{ClientAuthentication, Dpop, Introspection};
use bytes::Bytes;
use http::{Method, Request, Response};

use super::{World, logged_in};
use crate::kit::{anew, code, dpop, exchanged, freshness, header, key, request, with};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, holds, same};

pub(super) async fn a_nonce_that_is_asked_for_is_sent_without_anybody_noticing(world: &World) -> Verdict {
    let http = Watched::new();
    let grant = service(world, &http, dpop()?)?;
    let issued = grant.obtain(&anew()).await?;
    same("type", issued.token_type, TokenType::Dpop)?;
    same("statuses", http.statuses(), vec![400, 200])?;
    grant.obtain(&anew()).await?;
    same("the nonce is remembered", http.statuses(), vec![400, 200, 200])
}

pub(super) async fn a_token_is_bound_to_our_key(world: &World) -> Verdict {
    let dpop = dpop()?;
    let issued = service(world, &Watched::new(), dpop.clone())?.obtain(&anew()).await?;
    let introspection = world.introspection(&world.nonce)?;
    let asked = introspection.request(&issued.access_token, None, None);
    match exchanged(asked, |response| introspection.read(response)).await? {
        Introspection::Active(token) => {
            same("the type that the issuer states", token.token_type.as_deref(), Some("DPoP"))?;
            same("the key", token.bound_to, Some(dpop.thumbprint()))?;
            holds("another key has another thumbprint", crate::kit::dpop()?.thumbprint() != dpop.thumbprint())
        }
        Introspection::Inactive => Err(Wrong::new("an active token", "it is not")),
    }
}

/// Another process, which has the key and the refresh token of a login and no nonce.
pub(super) async fn a_refresh_token_outlives_a_missing_nonce(world: &World) -> Verdict {
    let (key, http) = (key()?, Watched::new());
    let dpop = Dpop::new(Arc::clone(&key) as _, freshness())?;
    let issued = logged_in(&world.nonce, "person", Some(dpop), &http).await?.obtain(&anew()).await?;
    same("statuses of the login", http.statuses(), vec![400, 200])?;
    let refresh_token = issued.refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))?;

    let http = Watched::new();
    let endpoint = World::at(&world.nonce, ClientAuthentication::none("person")?)?;
    let endpoint = endpoint.with_dpop(Dpop::new(key, freshness())?);
    let grant = RefreshToken::new(endpoint, Arc::clone(&http) as _, refresh_token.clone());
    let next = grant.obtain(&with(&refresh_token)).await?;
    same("statuses", http.statuses(), vec![400, 200])?;
    let sent = http.sent("refresh_token");
    holds("the same refresh token in both", sent == [refresh_token.expose(), refresh_token.expose()])?;
    holds("it was rotated then", next.refresh_token.is_some_and(|next| next != refresh_token))
}

pub(super) async fn a_bound_token_serves_at_a_resource_with_our_proof_alone(world: &World) -> Verdict {
    let key = key()?;
    let dpop = || Dpop::new(Arc::clone(&key) as _, freshness());
    let issued =
        logged_in(&world.nonce, "person", Some(dpop()?), &Watched::new()).await?.obtain(&anew()).await?;
    let token = &issued.access_token;
    // A part of the program that has not heard of the nonce.
    let dpop = dpop()?;
    let mut presented = userinfo(world)?;
    dpop.authorize(&mut presented, token, None)?;
    let response = HyperClient::plaintext().exchange(presented.clone()).await?;
    same("status without the nonce", response.status().as_u16(), 401)?;
    holds("the nonce is asked for", dpop.wants_nonce(presented.uri(), &response))?;
    let response = shown(world, &dpop, token).await?;
    same("status with it", response.status().as_u16(), 200)?;
    let claims: serde_json::Value = serde_json::from_slice(response.body())?;
    same("whose it is", claims["sub"].as_str(), Some("alice"))?;

    let others = crate::kit::dpop()?;
    others.heard(presented.uri(), response.headers());
    let response = shown(world, &others, token).await?;
    let response = if others.wants_nonce(presented.uri(), &response) {
        shown(world, &others, token).await?
    } else {
        response
    };
    same("status with the proof of another key", response.status().as_u16(), 401)?;
    holds("it is not for a nonce", !header(&response, "www-authenticate").contains("use_dpop_nonce"))?;

    let mut as_bearer = userinfo(world)?;
    as_bearer.headers_mut().insert("authorization", format!("Bearer {}", token.expose()).parse()?);
    same(
        "status as a bearer token",
        HyperClient::plaintext().exchange(as_bearer).await?.status().as_u16(),
        401,
    )
}

/// The negative control: a proof that somebody overheard.
pub(super) async fn a_replayed_proof_is_refused_by_a_resource(world: &World) -> Verdict {
    let dpop = dpop()?;
    let grant = logged_in(&world.nonce, "person", Some(dpop.clone()), &Watched::new()).await?;
    let token = grant.obtain(&anew()).await?.access_token;
    let mut presented = userinfo(world)?;
    dpop.authorize(&mut presented, &token, None)?;
    let http = HyperClient::plaintext();
    same("status", http.exchange(presented.clone()).await?.status().as_u16(), 200)?;
    let replayed = http.exchange(presented).await?;
    same("status of the replay", replayed.status().as_u16(), 401)?;
    same("what it is called", code(&replayed), "invalid_token".to_owned())?;
    same("status of another proof", shown(world, &dpop, &token).await?.status().as_u16(), 200)
}

pub(super) async fn a_token_manager_renews_a_bound_login_and_hands_out_bound_tokens(
    world: &World,
) -> Verdict {
    let (dpop, http) = (dpop()?, Watched::new());
    let grant = logged_in(&world.nonce, "person", Some(dpop.clone()), &http).await?;
    let manager = TokenManager::builder(grant).spawn();
    let first = manager.token(Demand::Current).await?;
    let second = manager.token(Demand::InsteadOf(first.generation())).await?;
    same("types", [first.token_type(), second.token_type()], [TokenType::Dpop; 2])?;
    same("statuses", http.statuses(), vec![400, 200, 200])?;
    same("at a resource", shown(world, &dpop, second.secret()).await?.status().as_u16(), 200)?;
    manager.shut_down().await;
    Ok(())
}

fn service(world: &World, http: &Arc<Watched>, dpop: Dpop) -> Result<ClientCredentials, Wrong> {
    let client = ClientAuthentication::basic("basic", &world.secret)?;
    let endpoint = World::at(&world.nonce, client)?.with_dpop(dpop);
    Ok(ClientCredentials::new(endpoint, Arc::clone(http) as _))
}

fn userinfo(world: &World) -> Result<Request<Bytes>, Wrong> {
    Ok(request(Method::GET, &format!("{}/me", world.nonce), "")?)
}

/// The token, presented with a proof of its own.
async fn shown(world: &World, dpop: &Dpop, token: &Secret) -> Result<Response<Bytes>, Wrong> {
    let mut presented = userinfo(world)?;
    dpop.authorize(&mut presented, token, None)?;
    let response = HyperClient::plaintext().exchange(presented).await?;
    Ok(response)
}

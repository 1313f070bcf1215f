//! What becomes of tokens: verified under published keys, asked about, revoked; and where a server says all that is done.

use std::sync::Arc;

use auth_core::jwt::{Asymmetric, KeySet, Rejection, Verified, Verifier};
use auth_core::oauth::TokenResponse;
use auth_core::{Demand, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::exchange::HttpExchange as _;
use auth_http::fetched::{JwksCache, MetadataCache};
use auth_http::grant::{Grant as _, Revocation};
use auth_http::manager::TokenManager;
use auth_http::wire::{ClientAuthentication, Introspection, Issuer, RevocationEndpoint, Wanted};

use super::{World, logged_in};
use crate::kit::{anew, clock, exchanged, now, with};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, same};

pub(super) async fn a_jwt_of_each_algorithm_is_verified_under_the_published_keys(world: &World) -> Verdict {
    let metadata = MetadataCache::new(Issuer::new(&world.plain)?, Watched::new(), clock()).metadata().await?;
    let uri = metadata.jwks_uri.as_deref().ok_or_else(|| Wrong::new("a jwks_uri", "none"))?;
    let http = Watched::new();
    let keys = JwksCache::new(uri, Arc::clone(&http) as _, Arc::new(Asymmetric), clock())?;
    for resource in ["https://api.example/rs256", "https://api.example/es256", "https://api.example/eddsa"] {
        let issued = for_resource(world, resource).await?;
        let text = issued.access_token.expose();
        let verified = keys.check(|keys| verify(keys, &world.plain, resource, text)).await;
        let verified =
            verified.map_err(|error| Wrong::new(format!("a JWT for {resource}"), error.to_string()))?;
        let claims = verified.claims();
        same("client", claims.client_id(), Some("basic"))?;
        same("scope", claims.scope().map(|scope| scope.to_string()), Some("read".to_owned()))?;
        holds("it has a name", claims.token_id().is_some())?;
        let elsewhere =
            keys.check(|keys| verify(keys, &world.plain, "https://elsewhere.example", text)).await;
        failed(elsewhere, ErrorKind::InvalidToken, Retry::Reauthorize)?;
    }
    same("requests for keys", http.count(), 1)
}

/// The negative control: the keys of the other issuer have the same names.
pub(super) async fn a_jwt_is_not_verified_under_the_keys_of_another_issuer(world: &World) -> Verdict {
    let resource = "https://api.example/es256";
    let issued = for_resource(world, resource).await?;
    let check = async |issuer: &str| -> Result<_, Wrong> {
        let uri = format!("{issuer}/jwks");
        let keys = JwksCache::new(&uri, Watched::new(), Arc::new(Asymmetric), clock())?;
        let text = issued.access_token.expose();
        Ok(keys.check(|keys| verify(keys, &world.plain, resource, text)).await)
    };
    check(&world.plain).await??;
    failed(check(&world.nonce).await?, ErrorKind::InvalidToken, Retry::Reauthorize).map(drop)
}

pub(super) async fn an_id_token_is_no_access_token(world: &World) -> Verdict {
    let http = Watched::new();
    logged_in(&world.plain, "person", None, &http).await?.obtain(&anew()).await?;
    let answer = http.json();
    let id_token = answer["id_token"].as_str().ok_or_else(|| Wrong::new("an ID token", "none"))?;
    let keys =
        JwksCache::new(&format!("{}/jwks", world.plain), Watched::new(), Arc::new(Asymmetric), clock())?;
    let check = async |token_type: Option<&str>| {
        keys.check(|keys| {
            let verifier = Verifier::new(keys.clone()).with_issuer(&world.plain).with_audience("person");
            let verifier = match token_type {
                Some(token_type) => verifier.with_type(token_type),
                None => verifier,
            };
            verifier.verify(id_token, now())
        })
        .await
    };
    check(None).await?;
    failed(check(Some("at+jwt")).await, ErrorKind::InvalidToken, Retry::Reauthorize).map(drop)
}

pub(super) async fn a_resource_that_nobody_knows_is_final(world: &World) -> Verdict {
    let http = Watched::new();
    let wanted = Wanted::new().with_resource("https://nobody.example/")?;
    let manager = TokenManager::builder(world.service(&http)?.with_wanted(wanted)).spawn();
    let error = failed(manager.token(Demand::Current).await, ErrorKind::Refused, Retry::Never)?;
    holds("it names the code", error.to_string().contains("invalid_target"))?;
    failed(manager.token(Demand::Current).await, ErrorKind::Refused, Retry::Never)?;
    same("requests, however often it is asked for", http.count(), 1)?;
    manager.shut_down().await;
    Ok(())
}

pub(super) async fn metadata_are_found_where_rfc_8414_and_openid_have_them(world: &World) -> Verdict {
    let (issuer, http) = (Issuer::new(&world.plain)?, Watched::new());
    let cache = MetadataCache::new(issuer.clone(), Arc::clone(&http) as _, clock());
    let metadata = cache.metadata().await?;
    cache.metadata().await?;
    same("requests", http.count(), 1)?;
    let path = http.request().map(|request| request.uri().path().to_owned());
    same("place", path.as_deref(), Some("/.well-known/oauth-authorization-server"))?;
    let openid = issuer.read(&Watched::new().exchange(issuer.openid_request()).await?)?;
    for metadata in [&*metadata, &openid] {
        let at = |path: &str| Some(format!("{}{path}", world.plain));
        same("token endpoint", metadata.token_endpoint.clone(), at("/token"))?;
        same("authorization endpoint", metadata.authorization_endpoint.clone(), at("/auth"))?;
        let device = metadata.device_authorization_endpoint.clone();
        same("device authorization endpoint", device, at("/device/auth"))?;
        same("revocation endpoint", metadata.revocation_endpoint.clone(), at("/token/revocation"))?;
        let introspection = metadata.introspection_endpoint.clone();
        same("introspection endpoint", introspection, at("/token/introspection"))?;
        holds("it states its issuer", metadata.authorization_response_iss_parameter_supported)?;
        let methods = &metadata.token_endpoint_auth_methods_supported;
        holds("private_key_jwt", methods.iter().any(|method| method == "private_key_jwt"))?;
        same("proof keys", metadata.code_challenge_methods_supported.clone(), vec!["S256".to_owned()])?;
        let proofs = &metadata.dpop_signing_alg_values_supported;
        holds("proofs by ES256", proofs.iter().any(|algorithm| algorithm == "ES256"))?;
    }
    Ok(())
}

/// The negative control: where the metadata come from and what they say are two things.
pub(super) async fn the_metadata_of_another_issuer_are_refused(world: &World) -> Verdict {
    let port = world.plain.rsplit(':').next().unwrap_or_default();
    let alias = Issuer::new(&format!("http://localhost:{port}"))?;
    let cache = MetadataCache::new(alias, Watched::new(), clock());
    failed(cache.metadata().await, ErrorKind::Refused, Retry::Never).map(drop)
}

pub(super) async fn logging_out_ends_both_tokens(world: &World) -> Verdict {
    let grant = logged_in(&world.plain, "person", None, &Watched::new()).await?;
    let TokenResponse { access_token, refresh_token, .. } = grant.obtain(&anew()).await?;
    let refresh_token = refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    let introspection = world.introspection(&world.plain)?;
    let active = async |token: &Secret| {
        let answer = exchanged(introspection.request(token, None, None), |answer| introspection.read(answer));
        answer.await.map(|answer| matches!(answer, Introspection::Active(_)))
    };
    holds("both are active", active(&access_token).await? && active(&refresh_token).await?)?;
    let client = ClientAuthentication::none("person")?;
    let endpoint = RevocationEndpoint::new(&format!("{}/token/revocation", world.plain), client)?;
    let revocation = Revocation::new(endpoint, Watched::new());
    revocation.log_out(Some(&refresh_token), Some(&access_token), async || Ok(())).await?;
    holds("none is", !active(&access_token).await? && !active(&refresh_token).await?)?;
    failed(grant.obtain(&with(&refresh_token)).await, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

/// oidc-provider keeps no record of its JWTs, and says so.
pub(super) async fn a_jwt_cannot_be_introspected_here(world: &World) -> Verdict {
    let issued = for_resource(world, "https://api.example/es256").await?;
    let introspection = world.introspection(&world.plain)?;
    let asked = introspection.request(&issued.access_token, None, None);
    let error = exchanged(asked, |answer| introspection.read(answer)).await;
    let error = failed(error, ErrorKind::Refused, Retry::Never)?;
    same("status", error.code(), Some(400))
}

async fn for_resource(world: &World, resource: &str) -> Result<TokenResponse, Wrong> {
    let wanted = Wanted::new().with_scope("read".parse()?).with_resource(resource)?;
    Ok(world.service(&Watched::new())?.with_wanted(wanted).obtain(&anew()).await?)
}

/// As strict as a protected resource can be (RFC 9068 §4).
fn verify(
    keys: &KeySet,
    issuer: &str,
    audience: &str,
    token: &str,
) -> Result<Verified<auth_core::jwt::Claims>, Rejection> {
    Verifier::new(keys.clone())
        .with_issuer(issuer)
        .with_audience(audience)
        .with_type("at+jwt")
        .with_required_issued_at()
        .with_required_subject()
        .with_single_use()
        .verify(token, now())
}

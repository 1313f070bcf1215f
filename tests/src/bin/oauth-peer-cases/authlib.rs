//! The cases at Authlib: assertions as grants, JWTs as access tokens, and a second opinion on the rest.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use auth_core::jwt::{Asymmetric, Draft, SigningKey, Verifier};
use auth_core::oauth::TokenResponse;
use auth_core::{Demand, Error, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::fetched::JwksCache;
use auth_http::grant::{ClientCredentials, Grant as _, JwtBearer, RefreshToken, Revocation};
use auth_http::manager::TokenManager;
use auth_http::wire::{
    ClientAuthentication, Introspection, IntrospectionEndpoint, RevocationEndpoint, TokenEndpoint, TokenHint,
    Wanted,
};
use serde::Deserialize;
use serde_json::Value;

use crate::kit::{anew, clock, exchanged, freshness, now, of_jwk, secret, seed, with};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, run, same};

/// What the server's script says of itself.
#[derive(Deserialize)]
struct World {
    issuer: String,
    #[serde(deserialize_with = "secret")]
    secret: Secret,
    #[serde(deserialize_with = "secret")]
    raw_secret: Secret,
    /// The key of the client that asserts, and another one of the same name.
    key: Value,
    stranger: Value,
}

/// Runs them all.
pub(crate) async fn run(told: Value) -> io::Result<()> {
    let world = &serde_json::from_value::<World>(told)?;
    run!(
        world,
        [
            basic_and_the_form_carry_a_secret_of_every_kind_of_character,
            a_secret_as_it_is_arrives_where_only_percent_signs_are_decoded,
            a_wrong_secret_is_refused,
            a_private_key_is_accepted_and_another_is_not,
            an_assertion_obtains_a_token_for_whom_it_speaks,
            an_assertion_under_another_key_is_refused,
            an_assertion_for_nobody_or_for_elsewhere_is_refused,
            each_renewal_asserts_anew,
            a_jwt_is_verified_and_introspected,
            a_reused_refresh_token_is_refused,
            a_revoked_refresh_token_is_refused,
        ]
    );
    Ok(())
}

async fn basic_and_the_form_carry_a_secret_of_every_kind_of_character(world: &World) -> Verdict {
    world.obtained(ClientAuthentication::basic("basic", &world.secret)?).await??;
    world.obtained(ClientAuthentication::post("post", &world.secret)?).await??;
    Ok(())
}

async fn a_secret_as_it_is_arrives_where_only_percent_signs_are_decoded(world: &World) -> Verdict {
    world.obtained(ClientAuthentication::basic_raw("raw", &world.raw_secret)?).await??;
    Ok(())
}

async fn a_wrong_secret_is_refused(world: &World) -> Verdict {
    let wrong = Secret::from("wrong");
    let refused = world.obtained(ClientAuthentication::basic("basic", &wrong)?).await?;
    let error = failed(refused, ErrorKind::InvalidClient, Retry::Never)?;
    same("status", error.code(), Some(401))?;
    let refused = world.obtained(ClientAuthentication::post("post", &wrong)?).await?;
    failed(refused, ErrorKind::InvalidClient, Retry::Never).map(drop)
}

async fn a_private_key_is_accepted_and_another_is_not(world: &World) -> Verdict {
    let client = |key| ClientAuthentication::private_key_jwt("asserting", key, freshness());
    world.obtained(client(of_jwk(&world.key)?)?).await??;
    world.obtained(client(of_jwk(&world.key)?)?.with_audience(&world.issuer)).await??;
    let refused = world.obtained(client(of_jwk(&world.stranger)?)?).await?;
    failed(refused, ErrorKind::InvalidClient, Retry::Never).map(drop)
}

async fn an_assertion_obtains_a_token_for_whom_it_speaks(world: &World) -> Verdict {
    let grant = world.asserting(&Watched::new(), "alice", &world.issuer, of_jwk(&world.key)?)?;
    let issued = grant.with_wanted(Wanted::new().with_scope("read".parse()?)).obtain(&anew()).await?;
    let claims = auth_core::jwt::read(issued.access_token.expose())?.into_inner();
    same("subject", claims.subject(), Some("alice"))?;
    same("client", claims.client_id(), Some("asserting"))?;
    same("scope", issued.scope.map(|scope| scope.to_string()), Some("read".to_owned()))
}

/// The negative control: whoever has another key of the same name can't speak for the client.
async fn an_assertion_under_another_key_is_refused(world: &World) -> Verdict {
    let grant = world.asserting(&Watched::new(), "alice", &world.issuer, of_jwk(&world.stranger)?)?;
    failed(grant.obtain(&anew()).await, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

async fn an_assertion_for_nobody_or_for_elsewhere_is_refused(world: &World) -> Verdict {
    for (subject, audience) in [("nobody", &*world.issuer), ("alice", "https://elsewhere.example")] {
        let grant = world.asserting(&Watched::new(), subject, audience, of_jwk(&world.key)?)?;
        failed(grant.obtain(&anew()).await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    }
    Ok(())
}

async fn each_renewal_asserts_anew(world: &World) -> Verdict {
    let http = Watched::new();
    let grant = world.asserting(&http, "alice", &world.issuer, of_jwk(&world.key)?)?;
    let manager = TokenManager::builder(grant).spawn();
    let first = manager.token(Demand::Current).await?.generation();
    manager.token(Demand::InsteadOf(first)).await?;
    let assertions: BTreeSet<_> = http.sent("assertion").into_iter().collect();
    same("requests, and different assertions", (http.count(), assertions.len()), (2, 2))?;
    manager.shut_down().await;
    Ok(())
}

async fn a_jwt_is_verified_and_introspected(world: &World) -> Verdict {
    let issued = world.obtained(ClientAuthentication::basic("basic", &world.secret)?).await??;
    let token = &issued.access_token;
    let uri = format!("{}/jwks", world.issuer);
    let keys = JwksCache::new(&uri, Watched::new(), Arc::new(Asymmetric), clock())?;
    let check = |keys: &auth_core::jwt::KeySet| {
        let verifier = Verifier::new(keys.clone()).with_issuer(&world.issuer).with_type("at+jwt");
        verifier.with_audience("https://api.example").with_required_subject().verify(token.expose(), now())
    };
    keys.check(check).await?;

    let resource = ClientAuthentication::basic("basic", &world.secret)?;
    let endpoint = IntrospectionEndpoint::new(&format!("{}/introspect", world.issuer), resource)?;
    let ask = async |token: &Secret| {
        let asked = endpoint.request(token, Some(TokenHint::AccessToken), None);
        exchanged(asked, |answer| endpoint.read(answer)).await
    };
    let Introspection::Active(active) = ask(token).await? else {
        return Err(Wrong::new("an active token", "it is not"));
    };
    same("client", active.client_id.as_deref(), Some("basic"))?;
    same("audience", active.audience, vec!["https://api.example".to_owned()])?;
    same("issuer", active.issuer.as_deref(), Some(&*world.issuer))?;
    let (signed, signature) = token.expose().rsplit_once('.').unwrap_or_default();
    let forged = Secret::from(format!("{signed}.{}", signature.chars().rev().collect::<String>()));
    same("a forged token", ask(&forged).await?, Introspection::Inactive)?;
    same("a token of nobody", ask(&Secret::from("of nobody")).await?, Introspection::Inactive)
}

async fn a_reused_refresh_token_is_refused(world: &World) -> Verdict {
    let first = seed(&format!("{}/seed", world.issuer)).await?;
    let grant = world.refreshing(&first)?;
    let second = grant.obtain(&with(&first)).await?.refresh_token;
    let second = second.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    holds("another one", second != first)?;
    failed(grant.obtain(&with(&first)).await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    grant.obtain(&with(&second)).await?;
    Ok(())
}

async fn a_revoked_refresh_token_is_refused(world: &World) -> Verdict {
    let first = seed(&format!("{}/seed", world.issuer)).await?;
    let client = ClientAuthentication::basic("basic", &world.secret)?;
    let endpoint = RevocationEndpoint::new(&format!("{}/revoke", world.issuer), client)?;
    let revocation = Revocation::new(endpoint, Watched::new());
    revocation.revoke(&first, TokenHint::RefreshToken).await?;
    revocation.revoke(&Secret::from("of nobody"), TokenHint::RefreshToken).await?;
    let outcome = world.refreshing(&first)?.obtain(&with(&first)).await;
    failed(outcome, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

impl World {
    fn endpoint(&self, client: ClientAuthentication) -> Result<TokenEndpoint, Wrong> {
        Ok(TokenEndpoint::for_client(&format!("{}/token", self.issuer), client)?)
    }

    async fn obtained(&self, client: ClientAuthentication) -> Result<Result<TokenResponse, Error>, Wrong> {
        let grant = ClientCredentials::new(self.endpoint(client)?, Watched::new());
        Ok(grant.with_scope("read".parse()?).obtain(&anew()).await)
    }

    fn asserting(
        &self,
        http: &Arc<Watched>,
        subject: &str,
        audience: &str,
        key: Arc<SigningKey>,
    ) -> Result<JwtBearer, Wrong> {
        let claims = Draft::new().with_issuer("asserting").with_subject(subject).with_audience(audience);
        let endpoint = self.endpoint(ClientAuthentication::none("asserting")?)?;
        Ok(JwtBearer::new(endpoint, Arc::clone(http) as _, claims, key, freshness()))
    }

    fn refreshing(&self, first: &Secret) -> Result<RefreshToken, Wrong> {
        let endpoint = self.endpoint(ClientAuthentication::basic("basic", &self.secret)?)?;
        Ok(RefreshToken::new(endpoint, Watched::new(), first.clone()))
    }
}

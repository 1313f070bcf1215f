//! Every way in which a client says who it is, and for each a stranger who is refused.

use std::sync::Arc;

use auth_core::jwt::SigningKey;
use auth_core::oauth::TokenResponse;
use auth_core::{Error, ErrorKind, Retry, Secret};
use auth_http::exchange::HttpExchange as _;
use auth_http::grant::{ClientCredentials, Grant as _};
use auth_http::wire::{ClientAuthentication, Introspection, IntrospectionEndpoint, Wanted};

use super::World;
use crate::kit::{anew, freshness, key, of_jwk};
use crate::material::{Material, Pair};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, same};

pub(super) async fn basic_encodes_a_secret_of_every_kind_of_character(world: &World) -> Verdict {
    let odd = ['%', '+', ':', ' '];
    holds("a secret with odd characters", odd.iter().all(|one| world.secret.expose().contains(*one)))?;
    obtained(world, ClientAuthentication::basic("basic", &world.secret)?).await??;
    Ok(())
}

pub(super) async fn a_wrong_secret_is_refused_by_every_way_to_send_it(world: &World) -> Verdict {
    let wrong = Secret::from(format!("{}x", world.secret.expose()));
    for client in [ClientAuthentication::basic("basic", &wrong)?, ClientAuthentication::post("post", &wrong)?]
    {
        refused(obtained(world, client).await?)?;
    }
    Ok(())
}

pub(super) async fn a_secret_in_the_form_is_accepted(world: &World) -> Verdict {
    obtained(world, ClientAuthentication::post("post", &world.secret)?).await??;
    Ok(())
}

pub(super) async fn a_secret_that_signs_is_accepted_and_another_is_not(world: &World) -> Verdict {
    let client = |secret: &Secret| ClientAuthentication::client_secret_jwt("secret-jwt", secret, freshness());
    obtained(world, client(&world.strong_secret)?.with_audience(&world.plain)).await??;
    let other = Secret::from("of thirty-two bytes, and another one");
    refused(obtained(world, client(&other)?.with_audience(&world.plain)).await?)
}

pub(super) async fn a_private_key_is_accepted_for_each_algorithm(world: &World) -> Verdict {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let client = signing(algorithm, of_jwk(&world.keys[algorithm])?)?.with_audience(&world.plain);
        let issued = obtained(world, client).await?;
        issued.map_err(|error| Wrong::new(format!("a token for {algorithm}"), error.to_string()))?;
    }
    Ok(())
}

pub(super) async fn another_private_key_is_refused(world: &World) -> Verdict {
    refused(obtained(world, signing("ES256", key()?)?.with_audience(&world.plain)).await?)
}

pub(super) async fn a_public_client_names_itself(world: &World) -> Verdict {
    let first = world.seeded().await?;
    world.refreshing(&Watched::new(), &first)?.obtain(&crate::kit::with(&first)).await?;
    // One that has a secret must show it.
    refused(obtained(world, ClientAuthentication::none("basic")?).await?)
}

pub(super) async fn a_certified_client_is_known_by_its_name_and_its_tokens_are_bound(
    world: &World,
) -> Verdict {
    let material = material(world)?;
    let issued = certified(world, "certified", Some(&material.client)).await??;
    let claims = auth_core::jwt::read(issued.access_token.expose())?.into_inner();
    let claims: serde_json::Value = serde_json::from_str(claims.as_json())?;
    let bound_to = claims["cnf"]["x5t#S256"].as_str();
    same("the certificate that the token is bound to", bound_to, Some(&*world.client_thumbprint))
}

/// The token is opaque here: what it is bound to, only its issuer can tell.
pub(super) async fn an_introspected_token_names_the_certificate_that_it_is_bound_to(
    world: &World,
) -> Verdict {
    let http = Watched::over(material(world)?.client(Some(&material(world)?.client))?);
    let client = || ClientAuthentication::mutual_tls("certified");
    let grant = ClientCredentials::new(World::at(&world.tls, client()?)?, Arc::clone(&http) as _);
    let token = grant.obtain(&anew()).await?.access_token;
    let endpoint = IntrospectionEndpoint::new(&format!("{}/token/introspection", world.tls), client()?)?;
    let answer = endpoint.read(&http.exchange(endpoint.request(&token, None, None)?).await?)?;
    let Introspection::Active(active) = answer else {
        return Err(Wrong::new("an active token", "it is not"));
    };
    same("the certificate", active.bound_to_certificate.as_deref(), Some(&*world.client_thumbprint))?;
    same("the key", active.bound_to, None)
}

pub(super) async fn a_pinned_certificate_is_known_by_itself(world: &World) -> Verdict {
    let material = material(world)?;
    certified(world, "pinned", Some(&material.stranger)).await??;
    refused(certified(world, "pinned", Some(&material.client)).await?)
}

pub(super) async fn a_client_without_its_certificate_is_refused(world: &World) -> Verdict {
    let material = material(world)?;
    refused(certified(world, "certified", None).await?)?;
    // Of the same name, and certified by somebody else.
    refused(certified(world, "certified", Some(&material.stranger)).await?)
}

fn signing(algorithm: &str, key: Arc<SigningKey>) -> Result<ClientAuthentication, Wrong> {
    Ok(ClientAuthentication::private_key_jwt(&format!("key-{algorithm}"), key, freshness())?)
}

/// What a client obtains that is put together without a mistake.
async fn obtained(
    world: &World,
    client: ClientAuthentication,
) -> Result<Result<TokenResponse, Error>, Wrong> {
    let endpoint = World::at(&world.plain, client)?;
    Ok(ClientCredentials::new(endpoint, Watched::new()).obtain(&anew()).await)
}

/// What every stranger hears.
fn refused(outcome: Result<TokenResponse, Error>) -> Verdict {
    let error = failed(outcome, ErrorKind::InvalidClient, Retry::Never)?;
    same("status", error.code(), Some(401))?;
    holds("nothing was done", !error.is_in_doubt())
}

fn material(world: &World) -> Result<&Material, Wrong> {
    world.material.as_ref().ok_or_else(|| Wrong::new("certificates", "none"))
}

/// What a client obtains over TLS with this certificate: a JWT, in which one can see what it is bound to.
async fn certified(
    world: &World,
    client_id: &str,
    identity: Option<&Pair>,
) -> Result<Result<TokenResponse, Error>, Wrong> {
    let http = Watched::over(material(world)?.client(identity)?);
    let endpoint = World::at(&world.tls, ClientAuthentication::mutual_tls(client_id)?)?;
    let wanted = Wanted::new().with_resource("https://api.example/es256")?;
    Ok(ClientCredentials::new(endpoint, http).with_wanted(wanted).obtain(&anew()).await)
}

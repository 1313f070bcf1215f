//! The cases at oidc-provider, which is certified for OpenID Connect and does nearly all that we can ask for.

mod authentication;
mod grants;
mod lifetime;
mod logins;
mod observations;
mod proofs;
mod tokens;

use std::io;
use std::sync::Arc;

use auth_core::Secret;
use auth_http::exchange::HttpExchange;
use auth_http::grant::{AuthorizationCode, ClientCredentials, RefreshToken};
use auth_http::wire::{
    AuthorizationEndpoint, ClientAuthentication, Dpop, IntrospectionEndpoint, PendingLogin, TokenEndpoint,
    Wanted,
};
use serde::Deserialize;
use serde_json::Value;

use crate::browser::{Browser, REDIRECT_URI};
use crate::kit::{endpoint, freshness, secret, seed};
use crate::material::Material;
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Wrong, run};

/// What the server's script says of itself.
#[derive(Deserialize)]
struct World {
    /// The issuers: over http, over http with nonces in every proof, and over TLS.
    plain: String,
    nonce: String,
    tls: String,
    /// The private keys of the clients that sign, by algorithm.
    keys: Value,
    #[serde(deserialize_with = "secret")]
    secret: Secret,
    /// One that is long enough to sign with.
    #[serde(deserialize_with = "secret")]
    strong_secret: Secret,
    /// That of the client's certificate.
    client_thumbprint: String,
    #[serde(skip)]
    material: Option<Material>,
}

/// Runs them all.
pub(crate) async fn run(material: Material, told: Value) -> io::Result<()> {
    let world = &World { material: Some(material), ..serde_json::from_value(told)? };
    run!(
        world,
        [
            grants::client_credentials_obtain_a_bearer_token,
            grants::a_refresh_token_is_rotated_and_its_successor_serves,
            grants::fewer_scopes_on_refresh_are_granted_and_more_are_refused,
            logins::a_code_and_its_proof_key_obtain_tokens,
            logins::a_code_that_serves_twice_ends_the_login,
            logins::a_code_with_another_proof_key_is_refused,
            logins::an_answer_to_another_login_or_of_another_issuer_is_not_read,
            logins::a_person_who_says_no_is_heard,
            logins::a_device_is_logged_in_once_its_code_was_typed,
            logins::a_device_whose_person_says_no_is_told_so,
            authentication::basic_encodes_a_secret_of_every_kind_of_character,
            authentication::a_wrong_secret_is_refused_by_every_way_to_send_it,
            authentication::a_secret_in_the_form_is_accepted,
            authentication::a_secret_that_signs_is_accepted_and_another_is_not,
            authentication::a_private_key_is_accepted_for_each_algorithm,
            authentication::another_private_key_is_refused,
            authentication::a_public_client_names_itself,
            authentication::a_certified_client_is_known_by_its_name_and_its_tokens_are_bound,
            authentication::an_introspected_token_names_the_certificate_that_it_is_bound_to,
            authentication::a_pinned_certificate_is_known_by_itself,
            authentication::a_client_without_its_certificate_is_refused,
            proofs::a_nonce_that_is_asked_for_is_sent_without_anybody_noticing,
            proofs::a_token_is_bound_to_our_key,
            proofs::a_refresh_token_outlives_a_missing_nonce,
            proofs::a_bound_token_serves_at_a_resource_with_our_proof_alone,
            proofs::a_replayed_proof_is_refused_by_a_resource,
            proofs::a_token_manager_renews_a_bound_login_and_hands_out_bound_tokens,
            tokens::a_jwt_of_each_algorithm_is_verified_under_the_published_keys,
            tokens::a_jwt_is_not_verified_under_the_keys_of_another_issuer,
            tokens::an_id_token_is_no_access_token,
            tokens::a_resource_that_nobody_knows_is_final,
            tokens::metadata_are_found_where_rfc_8414_and_openid_have_them,
            tokens::the_metadata_of_another_issuer_are_refused,
            tokens::logging_out_ends_both_tokens,
            tokens::a_jwt_cannot_be_introspected_here,
            observations::a_secret_that_is_not_encoded_is_refused_as_a_request,
            observations::a_scope_that_is_dropped_in_silence_is_missed_all_the_same,
            observations::a_wrong_secret_and_malformed_requests_are_told_apart,
            observations::an_assertion_is_for_the_issuer_or_the_endpoint_and_serves_once,
            observations::a_reused_refresh_token_ends_its_family,
            observations::of_two_redemptions_at_once_neither_session_survives,
            observations::a_missing_or_replayed_proof_is_no_reason_to_try_again,
            observations::introspection_and_revocation_tell_little_and_forgive_much,
            lifetime::short_lived_tokens_are_renewed_and_no_refresh_token_is_sent_twice,
        ]
    );
    Ok(())
}

impl World {
    fn at(issuer: &str, client: ClientAuthentication) -> Result<TokenEndpoint, Wrong> {
        Ok(TokenEndpoint::for_client(&format!("{issuer}/token"), client)?)
    }

    /// The client that authenticates with HTTP Basic.
    fn basic(&self) -> Result<TokenEndpoint, Wrong> {
        endpoint(&format!("{}/token", self.plain), ClientAuthentication::basic("basic", &self.secret))
    }

    /// What it obtains for itself.
    fn service(&self, http: &Arc<Watched>) -> Result<ClientCredentials, Wrong> {
        Ok(ClientCredentials::new(self.basic()?, Arc::clone(http) as _))
    }

    fn introspection(&self, issuer: &str) -> Result<IntrospectionEndpoint, Wrong> {
        let resource = ClientAuthentication::basic("basic", &self.secret)?;
        Ok(IntrospectionEndpoint::new(&format!("{issuer}/token/introspection"), resource)?)
    }

    /// The first refresh token of a login without a browser.
    async fn seeded(&self) -> Result<Secret, Wrong> {
        seed(&format!("{}/seed?client=person", self.plain)).await
    }

    fn refreshing(&self, http: &Arc<Watched>, refresh_token: &Secret) -> Result<RefreshToken, Wrong> {
        let endpoint = Self::at(&self.plain, ClientAuthentication::none("person")?)?;
        Ok(RefreshToken::new(endpoint, Arc::clone(http) as Arc<dyn HttpExchange>, refresh_token.clone()))
    }
}

/// A login of a public client, about to begin.
fn login(issuer: &str, client_id: &str) -> Result<PendingLogin, Wrong> {
    let endpoint = AuthorizationEndpoint::new(&format!("{issuer}/auth"), client_id, REDIRECT_URI)?;
    let wanted = Wanted::new().with_scope("openid offline_access read".parse()?);
    let wanted = wanted.with_parameter("prompt", "consent")?;
    Ok(endpoint.with_required_issuer(issuer).begin(wanted, &*freshness()))
}

/// Where the browser of a person who agrees is sent.
async fn agreed(pending: &PendingLogin) -> Result<String, Wrong> {
    let mut browser = Browser::default();
    let page = browser.open(&pending.url()).await?;
    browser.log_in(page, &[("login", "alice"), ("password", "of the development pages")]).await?.redirected()
}

/// The whole login, up to the grant that redeems its code.
async fn logged_in(
    issuer: &str,
    client_id: &str,
    proofs: Option<Dpop>,
    http: &Arc<Watched>,
) -> Result<AuthorizationCode, Wrong> {
    let pending = login(issuer, client_id)?;
    let code = pending.read(&agreed(&pending).await?)?;
    let endpoint = World::at(issuer, ClientAuthentication::none(client_id)?)?;
    let endpoint = match proofs {
        Some(proofs) => endpoint.with_dpop(proofs),
        None => endpoint,
    };
    Ok(AuthorizationCode::new(endpoint, Arc::clone(http) as _, code))
}

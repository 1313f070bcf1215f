//! The cases at django-oauth-toolkit: refresh tokens that protect their family, with a time of grace and without.

use std::io;
use std::path::Path;
use std::sync::Arc;

use auth_core::{Demand, ErrorKind, Retry, Secret, TokenSource as _};
use auth_http::fetched::MetadataCache;
use auth_http::grant::{ClientCredentials, Grant as _, RefreshToken, Revocation};
use auth_http::manager::TokenManager;
use auth_http::store::FileStore;
use auth_http::wire::{
    ClientAuthentication, Introspection, IntrospectionEndpoint, Issuer, RevocationEndpoint, TokenEndpoint,
    TokenHint,
};
use serde_json::Value;

use crate::kit::{anew, clock, exchanged, header, seed, with};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, run, same};

struct World {
    issuer: String,
    secret: Secret,
}

/// Where a used refresh token is good for another half a minute.
const GRACE: &str = "/grace";
/// Where it is not.
const NO_GRACE: &str = "";

/// Runs them all.
pub(crate) async fn run(told: Value) -> io::Result<()> {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let world = &World { issuer: text("issuer"), secret: Secret::from(text("secret")) };
    run!(
        world,
        [
            basic_and_the_form_carry_a_secret_of_every_kind_of_character,
            a_wrong_secret_is_refused_though_the_challenge_is_for_another_scheme,
            a_scope_that_nobody_has_is_final,
            a_reused_refresh_token_ends_its_family,
            a_used_refresh_token_gives_the_same_pair_within_its_grace,
            a_lost_answer_within_the_grace_ends_in_a_living_session,
            a_lost_answer_without_grace_ends_in_a_login_and_in_no_loop,
            a_revoked_refresh_token_has_no_grace,
            an_opaque_token_is_introspected,
            metadata_are_found_where_rfc_8414_has_them,
        ]
    );
    Ok(())
}

async fn basic_and_the_form_carry_a_secret_of_every_kind_of_character(world: &World) -> Verdict {
    for client in [world.client(&world.secret)?, ClientAuthentication::post("service", &world.secret)?] {
        let endpoint = TokenEndpoint::for_client(&world.at(NO_GRACE, "token"), client)?;
        let issued = ClientCredentials::new(endpoint, Watched::new()).obtain(&anew()).await?;
        holds("a lifetime", issued.expires_in.is_some())?;
    }
    Ok(())
}

async fn a_wrong_secret_is_refused_though_the_challenge_is_for_another_scheme(world: &World) -> Verdict {
    let (http, client) = (Watched::new(), world.client(&Secret::from("wrong"))?);
    let endpoint = TokenEndpoint::for_client(&world.at(NO_GRACE, "token"), client)?;
    let outcome = ClientCredentials::new(endpoint, Arc::clone(&http) as _).obtain(&anew()).await;
    let error = failed(outcome, ErrorKind::InvalidClient, Retry::Never)?;
    same("status", error.code(), Some(401))?;
    let challenge = http.response().map(|response| header(&response, "www-authenticate"));
    holds("a challenge for bearer tokens", challenge.is_some_and(|challenge| challenge.starts_with("bearer")))
}

async fn a_scope_that_nobody_has_is_final(world: &World) -> Verdict {
    let grant = ClientCredentials::new(world.endpoint(NO_GRACE)?, Watched::new());
    let outcome = grant.with_scope("everything".parse()?).obtain(&anew()).await;
    let error = failed(outcome, ErrorKind::Refused, Retry::Never)?;
    holds("it names the code", error.to_string().contains("invalid_scope"))
}

async fn a_reused_refresh_token_ends_its_family(world: &World) -> Verdict {
    let first = world.seeded().await?;
    let grant = world.refreshing(NO_GRACE, &Watched::new(), &first)?;
    let second = next(&grant, &first).await?;
    failed(grant.obtain(&with(&first)).await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    failed(grant.obtain(&with(&second)).await, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

async fn a_used_refresh_token_gives_the_same_pair_within_its_grace(world: &World) -> Verdict {
    let first = world.seeded().await?;
    let grant = world.refreshing(GRACE, &Watched::new(), &first)?;
    let issued = grant.obtain(&with(&first)).await?;
    let again = grant.obtain(&with(&first)).await?;
    holds("the same access token", issued.access_token == again.access_token)?;
    holds("the same refresh token", issued.refresh_token == again.refresh_token)?;
    holds("another one", issued.refresh_token.is_some_and(|second| second != first))
}

async fn a_lost_answer_within_the_grace_ends_in_a_living_session(world: &World) -> Verdict {
    let (first, http, folder) = (world.seeded().await?, Watched::new(), tempfile::tempdir()?);
    let file = folder.path().join("login.json");
    let manager = managed(world.refreshing(GRACE, &http, &first)?, &file)?;
    http.lose(1);
    let token = manager.token(Demand::Current).await?;
    same("statuses", http.statuses(), vec![200, 200])?;
    let sent = http.sent("refresh_token");
    holds("the first refresh token, twice", sent.iter().all(|sent| sent == first.expose()))?;
    let newer = manager.token(Demand::NewerThan(token.generation())).await?;
    holds("it is renewed once more", newer.generation() > token.generation())?;
    same("requests", http.count(), 3)?;
    manager.shut_down().await;

    // The next run of the program.
    let http = Watched::new();
    let manager = managed(world.refreshing(GRACE, &http, &first)?, &file)?;
    let stored = manager.token(Demand::Current).await?.generation();
    manager.token(Demand::InsteadOf(stored)).await?;
    let sent = http.sent("refresh_token");
    holds("its own refresh token", !sent.is_empty() && !sent.iter().any(|sent| sent == first.expose()))?;
    holds("which serves", http.statuses().iter().all(|status| *status == 200))?;
    manager.shut_down().await;
    Ok(())
}

async fn a_lost_answer_without_grace_ends_in_a_login_and_in_no_loop(world: &World) -> Verdict {
    let (first, http, folder) = (world.seeded().await?, Watched::new(), tempfile::tempdir()?);
    let file = folder.path().join("login.json");
    let manager = managed(world.refreshing(NO_GRACE, &http, &first)?, &file)?;
    http.lose(1);
    let again = || manager.token(Demand::Current);
    let error = failed(again().await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    holds("it says what to do", error.to_string().contains("log in again"))?;
    for _ in 0..10 {
        failed(again().await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    }
    same("statuses", http.statuses(), vec![200, 400])?;
    manager.shut_down().await;

    // The next run of the program makes sure, once: the mistake may have been mended meanwhile.
    let http = Watched::new();
    let manager = managed(world.refreshing(NO_GRACE, &http, &first)?, &file)?;
    for _ in 0..10 {
        let outcome = manager.token(Demand::Current).await;
        failed(outcome, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    }
    same("statuses of the next run", http.statuses(), vec![400])?;
    manager.shut_down().await;
    Ok(())
}

async fn a_revoked_refresh_token_has_no_grace(world: &World) -> Verdict {
    let first = world.seeded().await?;
    let endpoint = RevocationEndpoint::new(&world.at(GRACE, "revoke_token"), world.client(&world.secret)?)?;
    let revocation = Revocation::new(endpoint, Watched::new());
    revocation.revoke(&first, TokenHint::RefreshToken).await?;
    revocation.revoke(&Secret::from("of nobody"), TokenHint::RefreshToken).await?;
    let outcome = world.refreshing(GRACE, &Watched::new(), &first)?.obtain(&with(&first)).await;
    failed(outcome, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

async fn an_opaque_token_is_introspected(world: &World) -> Verdict {
    let issued = ClientCredentials::new(world.endpoint(NO_GRACE)?, Watched::new()).obtain(&anew()).await?;
    let endpoint =
        IntrospectionEndpoint::new(&world.at(NO_GRACE, "introspect"), world.client(&world.secret)?)?;
    let ask = async |token: &Secret| {
        exchanged(endpoint.request(token, None, None), |answer| endpoint.read(answer)).await
    };
    let Introspection::Active(token) = ask(&issued.access_token).await? else {
        return Err(Wrong::new("an active token", "it is not"));
    };
    same("client", token.client_id.as_deref(), Some("service"))?;
    holds("an end", token.expires.is_some())?;
    same("a token of nobody", ask(&Secret::from("of nobody")).await?, Introspection::Inactive)
}

async fn metadata_are_found_where_rfc_8414_has_them(world: &World) -> Verdict {
    let http = Watched::new();
    let cache = MetadataCache::new(Issuer::new(&world.issuer)?, Arc::clone(&http) as _, clock());
    let metadata = cache.metadata().await?;
    same("statuses", http.statuses(), vec![200])?;
    let endpoint =
        metadata.token_endpoint.as_deref().ok_or_else(|| Wrong::new("a token endpoint", "none"))?;
    let endpoint = TokenEndpoint::for_client(endpoint, world.client(&world.secret)?)?;
    ClientCredentials::new(endpoint, Watched::new()).obtain(&anew()).await?;
    Ok(())
}

impl World {
    fn at(&self, grace: &str, endpoint: &str) -> String {
        format!("{}{grace}/{endpoint}/", self.issuer)
    }

    fn client(&self, secret: &Secret) -> Result<ClientAuthentication, Wrong> {
        Ok(ClientAuthentication::basic("service", secret)?)
    }

    fn endpoint(&self, grace: &str) -> Result<TokenEndpoint, Wrong> {
        Ok(TokenEndpoint::for_client(&self.at(grace, "token"), self.client(&self.secret)?)?)
    }

    async fn seeded(&self) -> Result<Secret, Wrong> {
        seed(&format!("{}/seed", self.issuer)).await
    }

    fn refreshing(&self, grace: &str, http: &Arc<Watched>, first: &Secret) -> Result<RefreshToken, Wrong> {
        Ok(RefreshToken::new(self.endpoint(grace)?, Arc::clone(http) as _, first.clone()))
    }
}

async fn next(grant: &RefreshToken, refresh_token: &Secret) -> Result<Secret, Wrong> {
    let issued = grant.obtain(&with(refresh_token)).await?;
    issued.refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))
}

/// What a program has that keeps its login in a file.
fn managed(grant: RefreshToken, file: &Path) -> Result<TokenManager, Wrong> {
    Ok(TokenManager::builder(grant).with_store(Arc::new(FileStore::open(file)?)).spawn())
}

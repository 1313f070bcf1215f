//! The cases at idpyoidc: it exchanges tokens, and it does not decode what comes by HTTP Basic.

use std::io;
use std::sync::Arc;

use auth_core::oauth::CodeVerifier;
use auth_core::source::FixedToken;
use auth_core::{Demand, ErrorKind, Retry, Secret, Token, TokenSource};
use auth_http::grant::{AuthorizationCode, ClientCredentials, Grant as _, Revocation, TokenExchange};
use auth_http::manager::TokenManager;
use auth_http::wire::{
    self, ClientAuthentication, Introspection, IntrospectionEndpoint, RevocationEndpoint, TokenEndpoint,
    TokenHint, Wanted,
};
use serde_json::Value;

use crate::kit::{anew, exchanged, freshness, seed};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, run, same};

struct World {
    issuer: String,
    secret: Secret,
    redirect_uri: String,
}

/// Runs them all.
pub(crate) async fn run(told: Value) -> io::Result<()> {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let (issuer, redirect_uri) = (text("issuer"), text("redirect_uri"));
    let world = &World { issuer, redirect_uri, secret: Secret::from(text("secret")) };
    run!(
        world,
        [
            a_secret_as_it_is_is_all_that_this_server_understands,
            a_wrong_secret_is_refused,
            a_code_obtains_a_token_and_serves_once,
            a_token_is_exchanged_for_one_of_another_client,
            a_token_manager_keeps_both_tokens_of_an_exchange,
            a_target_that_nobody_knows_is_final,
            a_token_of_nobody_is_not_exchanged,
            a_revoked_token_is_not_exchanged,
            an_actor_is_refused_where_none_is_supported,
            a_token_type_that_is_none_is_not_taken_for_bearer,
        ]
    );
    Ok(())
}

async fn a_secret_as_it_is_is_all_that_this_server_understands(world: &World) -> Verdict {
    let redeem = async |client: ClientAuthentication| -> Result<_, Wrong> {
        Ok(world.login(client).await?.obtain(&anew()).await)
    };
    redeem(ClientAuthentication::basic_raw("frontend", &world.secret)?).await??;
    redeem(ClientAuthentication::post("frontend", &world.secret)?).await??;
    let encoded = redeem(ClientAuthentication::basic("frontend", &world.secret)?).await?;
    failed(encoded, ErrorKind::InvalidClient, Retry::Never).map(drop)
}

async fn a_wrong_secret_is_refused(world: &World) -> Verdict {
    let client = ClientAuthentication::basic_raw("frontend", &Secret::from("wrong"))?;
    let outcome = world.login(client).await?.obtain(&anew()).await;
    let error = failed(outcome, ErrorKind::InvalidClient, Retry::Never)?;
    same("status", error.code(), Some(401))
}

async fn a_code_obtains_a_token_and_serves_once(world: &World) -> Verdict {
    let code = world.code().await?;
    let redeem = async || -> Result<_, Wrong> {
        let grant = AuthorizationCode::new(world.endpoint("frontend")?, Watched::new(), code.clone());
        Ok(grant.obtain(&anew()).await)
    };
    let issued = redeem().await??;
    same("scope", issued.scope.map(|scope| scope.to_string()), Some("read write".to_owned()))?;
    match redeem().await? {
        Ok(_) => Err(Wrong::new("a refusal", "it succeeded")),
        Err(error) => holds("it is a verdict", !error.is_in_doubt()),
    }
}

async fn a_token_is_exchanged_for_one_of_another_client(world: &World) -> Verdict {
    let subject = world.subject().await?;
    let wanted = Wanted::new().with_scope("read".parse()?).with_resource("https://api.example")?;
    let issued = world.exchanging(&subject)?.with_wanted(wanted).obtain(&anew()).await?;
    holds("another token", issued.access_token != subject)?;
    same("scope", issued.scope.map(|scope| scope.to_string()), Some("read".to_owned()))?;
    let claims = |token: &Secret| auth_core::jwt::read(token.expose()).map(|claims| claims.into_inner());
    let (old, new) = (claims(&subject)?, claims(&issued.access_token)?);
    same("clients", (old.client_id(), new.client_id()), (Some("frontend"), Some("backend")))?;
    holds("the same person", old.subject().is_some() && old.subject() == new.subject())?;
    same("it is active", world.is_active(&issued.access_token).await?, true)
}

async fn a_token_manager_keeps_both_tokens_of_an_exchange(world: &World) -> Verdict {
    let client = ClientAuthentication::basic_raw("frontend", &world.secret)?;
    let login = TokenManager::builder(world.login(client).await?).spawn();
    let http = Watched::new();
    let subject: Arc<dyn TokenSource> = Arc::new(login.clone());
    let endpoint = world.endpoint("backend")?;
    let grant = TokenExchange::new(endpoint, Arc::clone(&http) as _, subject, TokenExchange::ACCESS_TOKEN);
    let manager = TokenManager::builder(grant).spawn();
    let first = manager.token(Demand::Current).await?.generation();
    manager.token(Demand::InsteadOf(first)).await?;
    let held = login.token(Demand::Current).await?;
    let sent = http.sent("subject_token");
    holds("the login's token was sent", sent.iter().all(|sent| sent == held.secret().expose()))?;
    same("requests", http.count(), 2)?;
    manager.shut_down().await;
    login.shut_down().await;
    Ok(())
}

async fn a_target_that_nobody_knows_is_final(world: &World) -> Verdict {
    let subject = world.subject().await?;
    for wanted in [
        Wanted::new().with_resource("https://nobody.example")?,
        Wanted::new().with_audience("https://nobody.example"),
    ] {
        let outcome = world.exchanging(&subject)?.with_wanted(wanted).obtain(&anew()).await;
        let error = failed(outcome, ErrorKind::Refused, Retry::Never)?;
        holds("it names the code", error.to_string().contains("invalid_target"))?;
    }
    Ok(())
}

/// The negative control: that an exchange succeeds is no matter of course.
async fn a_token_of_nobody_is_not_exchanged(world: &World) -> Verdict {
    let outcome = world.exchanging(&Secret::from("of nobody"))?.obtain(&anew()).await;
    failed(outcome, ErrorKind::Refused, Retry::Never).map(drop)
}

async fn a_revoked_token_is_not_exchanged(world: &World) -> Verdict {
    let subject = world.subject().await?;
    same("it is active", world.is_active(&subject).await?, true)?;
    let client = ClientAuthentication::basic_raw("frontend", &world.secret)?;
    let endpoint = RevocationEndpoint::new(&format!("{}/revoke", world.issuer), client)?;
    Revocation::new(endpoint, Watched::new()).revoke(&subject, TokenHint::AccessToken).await?;
    same("it is active", world.is_active(&subject).await?, false)?;
    failed(world.exchanging(&subject)?.obtain(&anew()).await, ErrorKind::Refused, Retry::Never).map(drop)
}

async fn an_actor_is_refused_where_none_is_supported(world: &World) -> Verdict {
    let subject = world.subject().await?;
    let grant = world.exchanging(&subject)?.with_actor(fixed(&subject), TokenExchange::ACCESS_TOKEN);
    failed(grant.obtain(&anew()).await, ErrorKind::Refused, Retry::Never).map(drop)
}

/// Its answer to client credentials says `"token_type": "access_token"`, which is no way to present a token.
async fn a_token_type_that_is_none_is_not_taken_for_bearer(world: &World) -> Verdict {
    let http = Watched::new();
    let outcome =
        ClientCredentials::new(world.endpoint("frontend")?, Arc::clone(&http) as _).obtain(&anew()).await;
    same("what the server says", http.json()["token_type"].as_str(), Some("access_token"))?;
    failed(outcome, ErrorKind::MalformedResponse, Retry::Backoff).map(drop)
}

impl World {
    fn endpoint(&self, client_id: &str) -> Result<TokenEndpoint, Wrong> {
        let client = ClientAuthentication::basic_raw(client_id, &self.secret)?;
        Ok(TokenEndpoint::for_client(&format!("{}/token", self.issuer), client)?)
    }

    async fn code(&self) -> Result<wire::AuthorizationCode, Wrong> {
        let code = seed(&format!("{}/seed?client=frontend", self.issuer)).await?;
        let verifier = CodeVerifier::from_random(freshness().random());
        Ok(wire::AuthorizationCode::new(code, &*self.redirect_uri, verifier))
    }

    async fn login(&self, client: ClientAuthentication) -> Result<AuthorizationCode, Wrong> {
        let endpoint = TokenEndpoint::for_client(&format!("{}/token", self.issuer), client)?;
        Ok(AuthorizationCode::new(endpoint, Watched::new(), self.code().await?))
    }

    /// A token of a person's, for one client.
    async fn subject(&self) -> Result<Secret, Wrong> {
        let client = ClientAuthentication::basic_raw("frontend", &self.secret)?;
        Ok(self.login(client).await?.obtain(&anew()).await?.access_token)
    }

    /// The other client, which has it exchanged.
    fn exchanging(&self, subject: &Secret) -> Result<TokenExchange, Wrong> {
        let endpoint = self.endpoint("backend")?;
        Ok(TokenExchange::new(endpoint, Watched::new(), fixed(subject), TokenExchange::ACCESS_TOKEN))
    }

    async fn is_active(&self, token: &Secret) -> Result<bool, Wrong> {
        let resource = ClientAuthentication::basic_raw("backend", &self.secret)?;
        let endpoint = IntrospectionEndpoint::new(&format!("{}/introspect", self.issuer), resource)?;
        let answer = exchanged(endpoint.request(token, None, None), |answer| endpoint.read(answer)).await?;
        Ok(matches!(answer, Introspection::Active(_)))
    }
}

fn fixed(token: &Secret) -> Arc<dyn TokenSource> {
    Arc::new(FixedToken::new(Token::new(token.clone())))
}

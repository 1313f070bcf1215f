//! The cases at oauth2-mock-server, which answers whatever it is asked to: faults, and what our client makes of them.

mod answers;
mod renewals;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use auth_core::jwt::{Asymmetric, Verifier};
use auth_core::{ErrorKind, Retry, Secret};
use auth_http::fetched::{JwksCache, MetadataCache};
use auth_http::grant::{ClientCredentials, Grant as _, RefreshToken};
use auth_http::wire::{ClientAuthentication, Issuer, TokenEndpoint, Wanted};
use serde_json::{Value, json};

use crate::kit::{anew, clock, now};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, run, same};

struct World {
    issuer: String,
    runs: AtomicU64,
}

/// The refresh token of a login; this server takes any.
const FIRST: &str = "first";

/// Runs them all.
pub(crate) async fn run(told: Value) -> io::Result<()> {
    let issuer = told["issuer"].as_str().unwrap_or_default().to_owned();
    let world = &World { issuer, runs: AtomicU64::default() };
    run!(
        world,
        [
            a_token_is_obtained_and_verified_under_the_published_keys,
            metadata_that_only_openid_has_are_found,
            a_secret_in_the_query_is_sent_as_the_hook_wants_it,
            answers::too_many_requests_name_their_wait_in_seconds,
            answers::too_many_requests_name_their_wait_as_a_date,
            answers::an_overloaded_server_has_done_nothing_and_a_broken_one_may_have,
            answers::a_lifetime_as_text_is_read,
            answers::a_missing_lifetime_is_nobodys_guess,
            answers::an_absurd_lifetime_costs_no_token,
            answers::scopes_as_a_list_are_read,
            answers::an_error_with_status_200_is_an_error,
            answers::a_token_of_another_type_is_not_used,
            answers::a_bearer_token_where_a_proof_was_sent_is_refused,
            answers::a_page_of_html_is_no_token_and_no_verdict,
            answers::a_redirect_is_not_followed,
            renewals::too_many_requests_are_waited_out,
            renewals::a_wait_that_is_too_long_is_told_to_the_caller,
            renewals::an_overload_passes_unnoticed,
            renewals::a_refused_client_is_asked_about_once,
            renewals::a_refresh_token_outlives_a_server_that_turns_it_away,
            renewals::a_page_in_answer_to_a_refresh_token_is_asked_past,
            renewals::a_refused_refresh_token_is_not_sent_again,
            renewals::a_failed_early_renewal_never_hides_the_living_token,
            renewals::a_limit_on_an_early_renewal_never_hides_the_living_token,
            renewals::an_absurd_lifetime_is_believed_for_a_day,
        ]
    );
    Ok(())
}

async fn a_token_is_obtained_and_verified_under_the_published_keys(world: &World) -> Verdict {
    let issued = world.planned(&Watched::new(), &json!([{}]))?.obtain(&anew()).await?;
    let keys =
        JwksCache::new(&format!("{}/jwks", world.issuer), Watched::new(), Arc::new(Asymmetric), clock())?;
    let check = async |issuer: &str| {
        let check = |keys: &_| {
            Verifier::new(Clone::clone(keys)).with_issuer(issuer).verify(issued.access_token.expose(), now())
        };
        keys.check(check).await
    };
    check(&world.issuer).await?;
    failed(check("https://elsewhere.example").await, ErrorKind::InvalidToken, Retry::Reauthorize).map(drop)
}

async fn metadata_that_only_openid_has_are_found(world: &World) -> Verdict {
    let http = Watched::new();
    let cache = MetadataCache::new(Issuer::new(&world.issuer)?, Arc::clone(&http) as _, clock());
    let metadata = cache.metadata().await?;
    same("token endpoint", metadata.token_endpoint.as_deref(), Some(&*format!("{}/token", world.issuer)))?;
    cache.metadata().await?;
    same("statuses", http.statuses(), vec![404, 200])
}

/// None of the servers here takes a secret in the query, and RFC 6749 §2.3.1 says none should: what checks it is the hook of
/// our own script, so this shows the request and not an agreement.
async fn a_secret_in_the_query_is_sent_as_the_hook_wants_it(world: &World) -> Verdict {
    let secret = Secret::from("per%cent+plus:colon and space");
    let plan = json!([{ "client_secret": secret.expose() }]);
    let obtain = async |client: ClientAuthentication| -> Result<_, Wrong> {
        let endpoint = TokenEndpoint::for_client(&format!("{}/token", world.issuer), client)?;
        let grant = ClientCredentials::new(endpoint, Watched::new()).with_wanted(world.wanted(&plan)?);
        Ok(grant.obtain(&anew()).await)
    };
    obtain(ClientAuthentication::query("optave", &secret)?).await??;
    for client in [
        ClientAuthentication::query("optave", &Secret::from("wrong"))?,
        ClientAuthentication::post("optave", &secret)?,
        ClientAuthentication::basic("optave", &secret)?,
    ] {
        failed(obtain(client).await?, ErrorKind::InvalidClient, Retry::Never)?;
    }
    Ok(())
}

impl World {
    /// A grant that is answered by plan.
    fn planned(&self, http: &Arc<Watched>, plan: &Value) -> Result<ClientCredentials, Wrong> {
        let endpoint = self.endpoint()?;
        Ok(ClientCredentials::new(endpoint, Arc::clone(http) as _).with_wanted(self.wanted(plan)?))
    }

    /// The same, of a login.
    fn logged_in(&self, http: &Arc<Watched>, plan: &Value) -> Result<RefreshToken, Wrong> {
        let (endpoint, first) = (self.endpoint()?, Secret::from(FIRST));
        Ok(RefreshToken::new(endpoint, Arc::clone(http) as _, first).with_wanted(self.wanted(plan)?))
    }

    fn endpoint(&self) -> Result<TokenEndpoint, Wrong> {
        let client = ClientAuthentication::none("anybody")?;
        Ok(TokenEndpoint::for_client(&format!("{}/token", self.issuer), client)?)
    }

    fn wanted(&self, plan: &Value) -> Result<Wanted, Wrong> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed).to_string();
        Ok(Wanted::new().with_parameter("plan", plan.to_string())?.with_parameter("run", run)?)
    }
}

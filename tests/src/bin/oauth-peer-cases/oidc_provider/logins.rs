//! Logins of people: in a browser, with a code and a proof key, and on a device that has none.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_core::oauth::CodeVerifier;
use auth_core::{ErrorKind, Retry, Secret};
use auth_http::exchange::HttpExchange as _;
use auth_http::grant::{AuthorizationCode, Delay, DeviceCode, Grant as _};
use auth_http::wire::{
    self, AuthorizationEndpoint, ClientAuthentication, DeviceEndpoint, DeviceLogin, PendingLogin, Wanted,
};

use super::{World, agreed, logged_in, login};
use crate::browser::{Browser, REDIRECT_URI};
use crate::kit::{anew, freshness, with};
use crate::watched::Watched;
use realtime_auth_tests::verdict::{Verdict, Wrong, failed, holds, same};

pub(super) async fn a_code_and_its_proof_key_obtain_tokens(world: &World) -> Verdict {
    let http = Watched::new();
    let grant = logged_in(&world.plain, "person", None, &http).await?;
    let issued = grant.obtain(&anew()).await?;
    same("scope", issued.scope.map(|scope| scope.contains("openid")), Some(true))?;
    let refresh_token = issued.refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    let next = grant.obtain(&with(&refresh_token)).await?;
    holds("the refresh token serves", next.access_token != issued.access_token)?;
    same("requests", http.count(), 2)
}

pub(super) async fn a_code_that_serves_twice_ends_the_login(world: &World) -> Verdict {
    let pending = login(&world.plain, "person")?;
    let code = pending.read(&agreed(&pending).await?)?;
    let client = || ClientAuthentication::none("person");
    let grant = || -> Result<_, Wrong> {
        Ok(AuthorizationCode::new(World::at(&world.plain, client()?)?, Watched::new(), code.clone()))
    };
    let first = grant()?;
    let issued = first.obtain(&anew()).await?;
    failed(grant()?.obtain(&anew()).await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    // RFC 6749 §4.1.2: what was issued for the code is revoked.
    let refresh_token = issued.refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    failed(first.obtain(&with(&refresh_token)).await, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

/// The negative control of the proof key: whoever only saw the code can't redeem it.
pub(super) async fn a_code_with_another_proof_key_is_refused(world: &World) -> Verdict {
    let redirected = agreed(&login(&world.plain, "person")?).await?;
    let code = parameter(&redirected, "code")?;
    let code =
        wire::AuthorizationCode::new(code, REDIRECT_URI, CodeVerifier::from_random(freshness().random()));
    let endpoint = World::at(&world.plain, ClientAuthentication::none("person")?)?;
    let grant = AuthorizationCode::new(endpoint, Watched::new(), code);
    failed(grant.obtain(&anew()).await, ErrorKind::InvalidGrant, Retry::Reauthorize).map(drop)
}

pub(super) async fn an_answer_to_another_login_or_of_another_issuer_is_not_read(world: &World) -> Verdict {
    let pending = login(&world.plain, "person")?;
    let redirected = agreed(&pending).await?;
    holds("the server states its issuer", redirected.contains("&iss="))?;
    let read = |pending: &PendingLogin| pending.read(&redirected);
    failed(read(&login(&world.plain, "person")?), ErrorKind::Refused, Retry::Never)?;
    // The issuer of another server, with the same state.
    let of_another = redirected.replace("&iss=", "&iss=x");
    failed(pending.read(&of_another), ErrorKind::Refused, Retry::Never)?;
    let unnamed = redirected.split("&iss=").next().unwrap_or_default();
    failed(pending.read(unnamed), ErrorKind::Refused, Retry::Never)?;
    read(&pending)?;
    Ok(())
}

pub(super) async fn a_person_who_says_no_is_heard(world: &World) -> Verdict {
    let endpoint = AuthorizationEndpoint::new(&format!("{}/auth", world.plain), "person", REDIRECT_URI)?;
    let pending = endpoint.with_required_issuer(&*world.plain).begin(Wanted::new(), &*freshness());
    let mut browser = Browser::default();
    let page = browser.open(&pending.url()).await?;
    let redirected = browser.open(&Browser::link(&page, "/abort")?).await?.redirected()?;
    let error = failed(pending.read(&redirected), ErrorKind::Refused, Retry::Never)?;
    holds("it says that somebody said no", error.to_string().contains("access_denied"))
}

pub(super) async fn a_device_is_logged_in_once_its_code_was_typed(world: &World) -> Verdict {
    let http = Watched::new();
    let person = Person::new(begun(world).await?, Answer::Yes);
    let grant = person.device(world, &http)?;
    let issued = grant.log_in().await?;
    person.outcome()?;
    same("a pending answer, then the token", http.statuses(), vec![400, 200])?;
    // RFC 8628 §3.2: five seconds, where the server names no interval.
    same("waits", person.waits(), vec![Duration::from_secs(5); 2])?;
    let refresh_token = issued.refresh_token.ok_or_else(|| Wrong::new("a refresh token", "none"))?;
    holds(
        "the token of the login is handed out",
        grant.obtain(&anew()).await?.access_token == issued.access_token,
    )?;
    grant.obtain(&with(&refresh_token)).await?;
    failed(grant.obtain(&anew()).await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    same("a code that is used up is not sent", http.count(), 3)
}

pub(super) async fn a_device_whose_person_says_no_is_told_so(world: &World) -> Verdict {
    let http = Watched::new();
    let person = Person::new(begun(world).await?, Answer::No);
    let grant = person.device(world, &http)?;
    let error = failed(grant.log_in().await, ErrorKind::Refused, Retry::Never)?;
    person.outcome()?;
    holds("it says that somebody said no", error.to_string().contains("access_denied"))?;
    same("statuses", http.statuses(), vec![400, 400])?;
    failed(grant.log_in().await, ErrorKind::InvalidGrant, Retry::Reauthorize)?;
    same("requests", http.count(), 2)
}

/// The value of a parameter of a URL.
fn parameter(uri: &str, name: &str) -> Result<Secret, Wrong> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let value = form_urlencoded::parse(query.as_bytes()).find(|(parameter, _)| parameter == name);
    let value = value.ok_or_else(|| Wrong::new(format!("a URL with {name}"), "it has none"))?.1;
    Ok(Secret::from(value.into_owned()))
}

async fn begun(world: &World) -> Result<DeviceLogin, Wrong> {
    let endpoint =
        DeviceEndpoint::new(&format!("{}/device/auth", world.plain), ClientAuthentication::none("device")?)?;
    let wanted = Wanted::new().with_scope("openid offline_access".parse()?);
    Ok(endpoint.read(&Watched::new().exchange(endpoint.request(&wanted, None)?).await?)?)
}

/// A person who answers while the device waits for the second time. What the device waits is noted, and not waited.
struct Person {
    login: DeviceLogin,
    answer: Answer,
    waits: Mutex<Vec<Duration>>,
    outcome: Mutex<Option<Verdict>>,
}

#[derive(Clone, Copy)]
enum Answer {
    Yes,
    No,
}

impl Person {
    fn new(login: DeviceLogin, answer: Answer) -> Arc<Self> {
        Arc::new(Self { login, answer, waits: Mutex::default(), outcome: Mutex::default() })
    }

    fn device(self: &Arc<Self>, world: &World, http: &Arc<Watched>) -> Result<DeviceCode, Wrong> {
        let endpoint = World::at(&world.plain, ClientAuthentication::none("device")?)?;
        let delay = Arc::new(Waiting(Arc::clone(self)));
        Ok(DeviceCode::new(endpoint, Arc::clone(http) as _, &self.login, delay))
    }

    fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn outcome(&self) -> Verdict {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.unwrap_or_else(|| Err(Wrong::new("a person who answers", "nobody was asked")))
    }

    async fn answers(&self) -> Verdict {
        let mut browser = Browser::default();
        let page = browser.open(&self.login.verification_uri).await?;
        let confirming = browser.submit(&page, &[("user_code", &self.login.user_code)], &[]).await?;
        match self.answer {
            Answer::Yes => {
                browser
                    .log_in(confirming, &[("login", "alice"), ("password", "of the development pages")])
                    .await?;
            }
            Answer::No => {
                browser.submit(&confirming, &[], &[("abort", "yes")]).await?;
            }
        }
        Ok(())
    }
}

struct Waiting(Arc<Person>);

impl Delay for Waiting {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let person = Arc::clone(&self.0);
        Box::pin(async move {
            let second = {
                let mut waits = person.waits.lock().unwrap_or_else(PoisonError::into_inner);
                waits.push(duration);
                waits.len() == 2
            };
            if second {
                let outcome = person.answers().await;
                *person.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            }
        })
    }
}

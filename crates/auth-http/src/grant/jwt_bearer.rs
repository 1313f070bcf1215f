//! The JWT bearer grant (RFC 7523 §2.1): an assertion that the server trusts, a new one for each token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::jwt::{Draft, SignJws};
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::Attempt;
use auth_core::time::Timestamp;
use auth_core::{Error, Secret};

use super::Grant;
use super::asking::Asking;
use crate::exchange::HttpExchange;
use crate::freshness::{Corrected, Freshness};
use crate::store::CredentialKey;
use crate::wire::{TokenEndpoint, TokenForm, Wanted, server_time};

/// The JWT bearer grant (RFC 7523 §2.1). Each attempt has a new assertion: a server may refuse one that it has seen.
pub struct JwtBearer {
    asking: Asking,
    assert: Assert,
    /// The clock of what is asserted here, which each answer corrects.
    clock: Option<Corrected>,
    /// Whom the assertion speaks for, as far as that is known.
    speaks_for: Option<Secret>,
    wanted: Wanted,
}

type Assert = Box<dyn Fn(Option<Timestamp>) -> Result<Secret, Error> + Send + Sync>;

/// How long an assertion lives.
const LIFETIME: Duration = Duration::from_secs(60);

impl JwtBearer {
    /// Asserts `claims` under `key`: issuer, subject and audience, and whatever the server wants besides. Times and the name
    /// of the assertion are set here: it lives a minute from the server's time on.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use auth_core::jwt::{Draft, SignJws};
    /// # use auth_http::{exchange::HttpExchange, freshness::Freshness, grant::JwtBearer, wire::TokenEndpoint};
    /// # fn f(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>, key: Arc<dyn SignJws>, freshness: Arc<dyn Freshness>) {
    /// let claims = Draft::new()
    ///     .with_issuer("service-account@example.com")
    ///     .with_subject("alice@example.com")
    ///     .with_audience("https://as.example.com");
    /// let grant = JwtBearer::new(endpoint, http, claims, key, freshness);
    /// # }
    /// ```
    #[must_use]
    pub fn new(
        endpoint: TokenEndpoint,
        http: Arc<dyn HttpExchange>,
        claims: Draft,
        key: Arc<dyn SignJws>,
        freshness: Arc<dyn Freshness>,
    ) -> Self {
        let clock = Corrected::new(freshness);
        let (corrected, speaks_for) = (clock.clone(), Some(Secret::from(claims.payload())));
        let grant = Self::with_assertions(endpoint, http, move |server_time| {
            let now = clock.now(server_time);
            let claims = claims.clone().with_issued_at(now).with_expiry(now.saturating_add(LIFETIME));
            claims.with_token_id(&clock.token_id()).signed_by(&*key)
        });
        Self { clock: Some(corrected), speaks_for, ..grant }
    }

    /// Sends what `assert` makes, given the server's time where it is known: called for each attempt, it must not give the
    /// same assertion twice.
    #[must_use]
    pub fn with_assertions(
        endpoint: TokenEndpoint,
        http: Arc<dyn HttpExchange>,
        assert: impl Fn(Option<Timestamp>) -> Result<Secret, Error> + Send + Sync + 'static,
    ) -> Self {
        let asking = Asking::new(endpoint, http);
        Self { asking, assert: Box::new(assert), clock: None, speaks_for: None, wanted: Wanted::new() }
    }

    /// Names whom the assertions speak for, so that a store keeps their tokens apart from those of others. Claims of
    /// [`new`](Self::new) do so by themselves; with [`with_assertions`](Self::with_assertions), two subjects that are not
    /// named are one to a store.
    #[must_use]
    pub fn with_subject_name(self, name: &str) -> Self {
        Self { speaks_for: Some(Secret::from(name)), ..self }
    }

    /// Asks for this: scopes, resources, and what a provider wants besides.
    #[must_use]
    pub fn with_wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }
}

#[async_trait]
impl Grant for JwtBearer {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        let assertion = (self.assert)(attempt.server_time)?;
        let form = TokenForm::jwt_bearer(&assertion).with_wanted(&self.wanted);
        let response = self.asking.exchange(&form, attempt).await?;
        if let Some(clock) = &self.clock {
            clock.heard(server_time(response.headers()));
        }
        self.asking.read(&response)
    }

    fn token_type(&self) -> TokenType {
        self.asking.token_type()
    }

    fn credential(&self) -> Option<CredentialKey> {
        let form = TokenForm::jwt_bearer(&Secret::from("any")).with_wanted(&self.wanted);
        self.asking.credential(&form).map(|key| key.of_subject(self.speaks_for.as_ref()))
    }
}

impl fmt::Debug for JwtBearer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asking, assert: _, clock: _, speaks_for: _, wanted } = self;
        formatter
            .debug_struct("JwtBearer")
            .field("endpoint", asking)
            .field("wanted", wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use auth_core::{ErrorKind, Retry};

    use super::*;
    use crate::testing::{Fixed, Scripted, TOKEN, claims, es256, part, reply, value};
    use crate::wire::ClientAuthentication;

    fn endpoint() -> TokenEndpoint {
        TokenEndpoint::for_client("https://a/t", ClientAuthentication::none("c").unwrap()).unwrap()
    }

    /// RFC 7523 §4.
    #[tokio::test]
    async fn each_attempt_has_an_assertion_of_its_own_that_lives_a_minute() {
        let http = Scripted::new([Err(Error::new(ErrorKind::Timeout, "lost")), Ok(reply(200, &[], TOKEN))]);
        let claims = Draft::new()
            .with_issuer("https://jwt-idp.example.com")
            .with_subject("mailto:mike@example.com")
            .with_audience("https://jwt-rp.example.net")
            .with_text("http://claims.example.com/member", "true");
        let grant = JwtBearer::new(endpoint(), Arc::clone(&http) as _, claims, es256(), Fixed::new());
        let lost = grant.obtain(&Attempt::new(None)).await.unwrap_err();
        assert_eq!(lost.retry(), Retry::Backoff, "a new assertion may follow a lost answer");
        let mut attempt = Attempt::new(None);
        attempt.server_time = Some(Timestamp::from_millis(1_800_000_000_000));
        grant.obtain(&attempt).await.unwrap();

        let assertions: Vec<_> =
            http.asked().iter().map(|one| part(&value(one, "assertion").unwrap(), 1)).collect();
        let said = r#"{"iss":"https://jwt-idp.example.com","sub":"mailto:mike@example.com","aud":"https://jwt-rp.example.net","http://claims.example.com/member":"true","#;
        assert_eq!(
            assertions,
            [
                format!(r#"{said}"iat":1700000000,"exp":1700000060,"jti":"AQEBAQEBAQEBAQEBAQEBAQ"}}"#),
                format!(r#"{said}"iat":1800000000,"exp":1800000060,"jti":"AgICAgICAgICAgICAgICAg"}}"#),
            ]
        );
    }

    /// A machine whose clock is five minutes behind.
    #[tokio::test]
    async fn a_refusal_tells_the_time_and_the_next_assertion_is_not_too_old() {
        let late = [("date", "Tue, 14 Nov 2023 22:18:20 GMT")];
        let refused = reply(400, &late, r#"{"error":"invalid_grant"}"#);
        let http = Scripted::new([Ok(refused), Ok(reply(200, &[], TOKEN))]);
        let grant = JwtBearer::new(endpoint(), Arc::clone(&http) as _, Draft::new(), es256(), Fixed::new());
        grant.obtain(&Attempt::new(None)).await.unwrap_err();
        grant.obtain(&Attempt::new(None)).await.unwrap();
        let issued = |asked| claims(&value(asked, "assertion").unwrap())["iat"].as_u64().unwrap();
        let issued: Vec<_> = http.asked().iter().map(issued).collect();
        assert_eq!(issued, [1_700_000_000, 1_700_000_300]);
    }

    #[tokio::test]
    async fn an_assertion_that_cannot_be_made_is_not_sent() {
        let http = Scripted::of([]);
        let grant = JwtBearer::with_assertions(endpoint(), Arc::clone(&http) as _, |_| {
            Err(Error::new(ErrorKind::Misconfigured, "the module is locked; unlock it"))
        });
        assert_eq!(grant.obtain(&Attempt::new(None)).await.unwrap_err().kind(), ErrorKind::Misconfigured);
        assert_eq!(http.count(), 0);
    }
}

//! A store for one credential: what is in it for another is neither sent anywhere nor handed out.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::renewal::Record;
use auth_core::{Error, ErrorKind};

use super::{CredentialKey, LockedStore, TokenStore};

/// A store that belongs to one credential. The first record that it saves says so.
///
/// [`TokenManager`](crate::manager::TokenManager) binds its store by itself wherever its grant says
/// [whose tokens](crate::grant::Grant::credential) it obtains.
#[derive(Clone)]
pub struct Bound {
    store: Arc<dyn TokenStore>,
    key: CredentialKey,
}

impl Bound {
    /// `store`, for the credential of this name.
    #[must_use]
    pub fn new(store: Arc<dyn TokenStore>, key: CredentialKey) -> Self {
        Self { store, key }
    }
}

/// The record as this credential may see it.
fn opened(key: &CredentialKey, record: Option<Record>) -> Result<Option<Record>, Error> {
    let Some(mut record) = record else { return Ok(None) };
    if record.credential.as_ref().is_some_and(|holder| holder != key.holder()) {
        return Err(Error::new(
            ErrorKind::Misconfigured,
            "the store holds the tokens of another client, server or key; use another store, or log out there first",
        ));
    }
    if record.wanted.as_ref().is_some_and(|wanted| wanted != key.wanted()) {
        record.access_token = None;
    }
    Ok(Some(record))
}

#[async_trait]
impl TokenStore for Bound {
    async fn load(&self) -> Result<Option<Record>, Error> {
        opened(&self.key, self.store.load().await?)
    }

    async fn try_lock(&self) -> Result<Option<Box<dyn LockedStore>>, Error> {
        let key = self.key.clone();
        let locked = self.store.try_lock().await?;
        Ok(locked.map(|store| Box::new(LockedBound { store, key }) as Box<dyn LockedStore>))
    }
}

struct LockedBound {
    store: Box<dyn LockedStore>,
    key: CredentialKey,
}

#[async_trait]
impl LockedStore for LockedBound {
    async fn load(&mut self) -> Result<Option<Record>, Error> {
        opened(&self.key, self.store.load().await?)
    }

    async fn save(&mut self, record: &Record) -> Result<(), Error> {
        let mut record = record.clone();
        record.credential = Some(self.key.holder().to_owned());
        record.wanted = Some(self.key.wanted().to_owned());
        self.store.save(&record).await
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store: _, key } = self;
        formatter.debug_struct("Bound").field("key", key).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "tokio")]
mod tests {
    use auth_core::source::FixedToken;
    use auth_core::{Demand, Secret, Token, TokenSource as _};

    use super::*;
    use crate::grant::{ClientCredentials, JwtBearer, RefreshToken, TokenExchange};
    use crate::manager::TokenManager;
    use crate::store::MemoryStore;
    use crate::testing::{Scripted, value};
    use crate::wire::{ClientAuthentication, TokenEndpoint, Wanted};

    fn endpoint(url: &str, client: &str) -> TokenEndpoint {
        TokenEndpoint::for_client(url, ClientAuthentication::none(client).unwrap()).unwrap()
    }

    fn wanted(scope: &str) -> Wanted {
        Wanted::new().with_scope(scope.parse().unwrap())
    }

    /// Answers each request with the next token of a login.
    fn server(count: usize) -> Arc<Scripted> {
        Scripted::new((1..=count).map(|number| {
            let body =
                format!(r#"{{"access_token":"t{number}","refresh_token":"r{number}","expires_in":600}}"#);
            Ok(crate::testing::reply(200, &[], &body))
        }))
    }

    async fn token(grant: impl crate::grant::Grant + 'static, store: &MemoryStore) -> Result<String, Error> {
        let manager = TokenManager::builder(grant).with_store(Arc::new(store.clone())).spawn();
        let token = manager.token(Demand::Current).await;
        manager.shut_down().await;
        Ok(token?.secret().expose().to_owned())
    }

    #[tokio::test]
    async fn a_refresh_token_is_never_sent_to_another_server_or_as_another_client() {
        let (http, store) = (server(1), MemoryStore::new());
        let login = |url, client| {
            RefreshToken::new(endpoint(url, client), Arc::clone(&http) as _, Secret::from("r0"))
        };
        assert_eq!(token(login("https://a/t", "c"), &store).await.unwrap(), "t1");
        for (url, client) in [("https://b/t", "c"), ("https://a/other", "c"), ("https://a/t", "d")] {
            let error = token(login(url, client), &store).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url} {client}: {error}");
        }
        assert_eq!(http.count(), 1, "neither the stored refresh token nor the configured one");
        assert_eq!(token(login("https://a/t", "c"), &store).await.unwrap(), "t1", "the login is untouched");
    }

    #[tokio::test]
    async fn an_access_token_is_not_handed_to_who_wants_another_and_the_login_is_shared() {
        let (http, store) = (server(3), MemoryStore::new());
        let login = |scope| {
            let grant =
                RefreshToken::new(endpoint("https://a/t", "c"), Arc::clone(&http) as _, Secret::from("r0"));
            grant.with_wanted(wanted(scope))
        };
        assert_eq!(token(login("read"), &store).await.unwrap(), "t1");
        assert_eq!(token(login("read"), &store).await.unwrap(), "t1", "the control: the same is handed out");
        assert_eq!(token(login("write"), &store).await.unwrap(), "t2");
        let asked: Vec<_> = http.asked().iter().map(|asked| value(asked, "refresh_token").unwrap()).collect();
        assert_eq!(asked, ["r0", "r1"]);
    }

    #[tokio::test]
    async fn a_client_s_own_token_is_not_that_of_a_login() {
        let (http, store) = (server(2), MemoryStore::new());
        let endpoint = || endpoint("https://a/t", "c");
        let login = RefreshToken::new(endpoint(), Arc::clone(&http) as _, Secret::from("r0"));
        assert_eq!(token(login, &store).await.unwrap(), "t1");
        let own = ClientCredentials::new(endpoint(), Arc::clone(&http) as _);
        assert_eq!(token(own, &store).await.unwrap(), "t2");
        let kept = store.load().await.unwrap().unwrap().refresh_token;
        assert_eq!(kept, Some(Secret::from("r1")), "what came with the client's own token replaces no login");
    }

    #[tokio::test]
    async fn nobody_gets_a_token_that_speaks_for_somebody_else() {
        let (http, store) = (server(4), MemoryStore::new());
        let endpoint = || endpoint("https://a/t", "c");
        let asserted = |subject| {
            let claims = auth_core::jwt::Draft::new().with_subject(subject);
            let key = crate::testing::es256();
            JwtBearer::new(endpoint(), Arc::clone(&http) as _, claims, key, crate::testing::Fixed::new())
        };
        assert_eq!(token(asserted("alice"), &store).await.unwrap(), "t1");
        assert_eq!(token(asserted("alice"), &store).await.unwrap(), "t1", "the control");
        assert_eq!(token(asserted("bob"), &store).await.unwrap(), "t2");
        let exchanged = |name: &str| {
            let subject = FixedToken::new(Token::new(Secret::from("subject")));
            TokenExchange::new(endpoint(), Arc::clone(&http) as _, Arc::new(subject), TokenExchange::JWT)
                .with_subject_name(name)
        };
        assert_eq!(token(exchanged("alice"), &store).await.unwrap(), "t3");
        assert_eq!(token(exchanged("bob"), &store).await.unwrap(), "t4");
    }

    #[tokio::test]
    async fn a_record_of_nobody_in_particular_is_taken_over_and_bound() {
        let (http, store) = (server(1), MemoryStore::new());
        let mut locked = store.try_lock().await.unwrap().unwrap();
        let record = Record { revision: 3, refresh_token: Some(Secret::from("r3")), ..Record::default() };
        locked.save(&record).await.unwrap();
        drop(locked);
        let code = crate::wire::AuthorizationCode::new(
            Secret::from("code"),
            "https://a/cb",
            auth_core::oauth::CodeVerifier::from_random([7; 32]),
        );
        let endpoint = endpoint("https://a/t", "c");
        let grant = crate::grant::AuthorizationCode::new(endpoint.clone(), Arc::clone(&http) as _, code);
        assert_eq!(token(grant, &store).await.unwrap(), "t1");
        let record = store.load().await.unwrap().unwrap();
        let key = endpoint.credential_key(&crate::wire::TokenForm::refresh_token(&Secret::from("any")));
        assert_eq!(
            (record.credential.as_deref(), record.wanted.as_deref()),
            (Some(key.holder()), Some(key.wanted()))
        );
    }
}

//! The authorization session: established by security tokens, and alive while its refresh token is.

mod builder;
#[cfg(test)]
#[cfg(feature = "tokio")]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::fingerprint::Fingerprint;
use auth_core::observe::StoreStep;
use auth_core::renewal::{Policy, Record, StoredToken};
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, Error, ErrorKind, Retry, Secret, Token, TokenSource};

pub use self::builder::Builder;
#[cfg(all(feature = "client", feature = "tokio"))]
use super::ConfigError;
use super::PermissionGrant;
use super::wire::{AuthorizationService, IssuedTokens, WantedPermissions};
use crate::exchange::HttpExchange;
use crate::grant::Delay;
use crate::manager::{Driver, Sleep, Timer, TokenManager};
use crate::store::{Bound, LockedStore, TokenStore, displaced, lock};
use crate::told::{Asking, Told, elapsed};

/// An authorization session, shared by all clones.
///
/// Before [`establish`](Self::establish) no token is to be had. From then on [`permission_token`](Self::permission_token) gives
/// one that is valid, refreshed by one request however many ask, for as long as the refresh token lives. Nothing is refreshed
/// while nobody asks, unless that was [asked for](Builder::with_background_refresh). Once the refresh token has expired
/// every call fails until the session is established again.
///
/// A refresh whose answer was lost is treated as [`auth_core::renewal`] says, and with a [store](Builder::with_store) no
/// refresh token is sent that is not noted there.
#[derive(Clone)]
pub struct AuthorizationSession(Arc<Inner>);

struct Inner {
    grant: Arc<PermissionGrant>,
    store: Arc<dyn TokenStore>,
    policy: Policy,
    told: Told,
    timer: Arc<dyn Timer>,
    spawn: Box<dyn Fn(Driver) + Send + Sync>,
    held: Mutex<Held>,
}

/// What there is once the session is established.
#[derive(Default)]
struct Held {
    manager: Option<TokenManager>,
    /// The newest token that was handed out.
    newest: Generation,
}

/// After how long a write is tried again that failed; twice as long the next time, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How often a session that was just established is written until it is given up: within seven seconds in all.
const WRITES: u32 = 7;

impl AuthorizationSession {
    /// A session at the service `url`, such as `https://cloud.spatium.net/authorization/v1`; plain `http` is accepted on
    /// loopback only. `token_id` tells parallel sessions apart: give each its own, the same whenever it is established. Each
    /// token will have these permissions. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    #[cfg(all(feature = "client", feature = "tokio"))]
    pub fn new(
        url: &str,
        token_id: &str,
        permissions: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, ConfigError> {
        let service = AuthorizationService::new(url)?;
        let wanted = WantedPermissions::new(token_id, permissions)?;
        let http = crate::exchange::platform(service.is_plaintext()).map_err(ConfigError::Tls)?;
        Ok(Self::builder(service, Arc::new(http), wanted).build())
    }

    /// Begins with a session of which more is to be said: a store, an observer, a client of your own.
    pub fn builder(
        service: AuthorizationService,
        http: Arc<dyn HttpExchange>,
        wanted: WantedPermissions,
    ) -> Builder {
        Builder::new(service, http, wanted)
    }

    /// Obtains a security token by user name and password, for [`establish`](Self::establish). The session stays as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidClient`](ErrorKind::InvalidClient) when name or password are wrong, otherwise as for a token endpoint.
    pub async fn security_factor_credentials(
        &self,
        username: &str,
        password: &Secret,
    ) -> Result<Secret, Error> {
        let grant = &self.0.grant;
        let id = grant.request_id();
        let request = grant.service().security_factor_credentials(&id, username, password);
        grant.service().read_security_token(&id, &grant.exchange(request).await?)
    }

    /// Establishes a session, in the place of the one before, if any, whose refresh token is no longer good then.
    /// `security_tokens` must suffice for the permissions of the session.
    ///
    /// A session that can't be established leaves the one before as it is, as far as this side knows: when the answer was
    /// lost, or the future is dropped before it is done, the service may have ended it. Nothing is tried a second time, since
    /// security tokens may serve once. Before anything is sent the store is written once, to see that it can be. What it
    /// holds may be damaged: that is replaced.
    ///
    /// # Errors
    ///
    /// [`InvalidGrant`](ErrorKind::InvalidGrant) when the security tokens are refused;
    /// [`MalformedResponse`](ErrorKind::MalformedResponse) when no refresh token came back;
    /// [`StoreFailed`](ErrorKind::StoreFailed) when the tokens can't be kept; otherwise as for a token endpoint.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, if the session was made for one.
    pub async fn establish(&self, security_tokens: &[Secret]) -> Result<(), Error> {
        // The lock comes first: no refresh is under way meanwhile, and what will be issued can be kept.
        let pausing = Pausing(&*self.0.timer);
        let stored = self.0.store();
        let mut store = self.asked(StoreStep::Lock, lock(&stored, &pausing)).await?;
        let before = self.asked(StoreStep::Load, displaced(&mut *store, &pausing)).await?;
        let before = Record { revision: before.revision.saturating_add(1), ..before };
        // A disk that is full shows now, and not when the store is to take the only copy of a refresh token.
        self.asked(StoreStep::SaveIntent, store.save(&before)).await?;
        let grant = &self.0.grant;
        let sent = grant.now();
        let (issued, refresh_token) = self.issued(security_tokens).await?;
        grant.note(&issued);
        let issue_told = self.0.told.names.fingerprint(&issued.permission_token);
        let access_token = issued.expires_in(grant.now()).map(|expires_in| StoredToken {
            secret: issued.permission_token,
            issued: sent,
            expires: sent.saturating_add(expires_in),
            scope: None,
            details: None,
        });
        let record = Record {
            revision: before.revision.saturating_add(1),
            refresh_token: Some(refresh_token),
            access_token,
            ..Record::default()
        };
        self.save(&mut *store, &record).await?;
        drop(store);
        grant.begin_anew();
        self.begin(Some(issue_told));
        Ok(())
    }

    /// Has tokens issued by factors: what came, and the refresh token in it.
    async fn issued(&self, security_tokens: &[Secret]) -> Result<(IssuedTokens, Secret), Error> {
        let Inner { grant, told, timer, .. } = &*self.0;
        let clock = || timer.now();
        let (current, newest) = {
            let held = self.0.held();
            let current = held.manager.as_ref().and_then(TokenManager::current);
            (current.map(|current| current.token().expires_in()), held.newest)
        };
        let in_use = current.and_then(|left| left).map(|left| clock().expiry(left));
        let asking = Asking::begin(Some(told), &clock, in_use);
        let issuing = async {
            let id = grant.request_id();
            let request = grant.service().issue_by_factors(&id, grant.wanted(), security_tokens);
            let response = grant.exchange(request).await?;
            let issued = grant.service().read_by_factors(&id, &response)?;
            let refresh_token = issued.refresh_token.clone().ok_or_else(|| {
                let text =
                    "the authorization service issued no refresh token, without which there is no session";
                Error::new(ErrorKind::MalformedResponse, text)
            })?;
            Ok((issued, refresh_token))
        };
        let (issued, refresh_token) = issuing.await.inspect_err(|error| asking.failed(error))?;
        let expires_in = issued.expires_in(grant.now()).unwrap_or_default();
        told.tell(&AuthEvent::TokenIssued {
            token: told.names.fingerprint(&issued.permission_token),
            generation: newest.next(),
            expires_in,
            renews_in: self.0.policy.renews_by(expires_in),
            took: Some(elapsed(asking.begun, clock())),
        });
        Ok((issued, refresh_token))
    }

    /// What the store answers; a failure is told.
    async fn asked<T>(
        &self,
        step: StoreStep,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let (answer, took) = self.timed(call).await;
        answer.inspect_err(|error| self.store_failed(step, took, error))
    }

    /// What something ends in, and how long it takes.
    async fn timed<T>(&self, call: impl Future<Output = T>) -> (T, Duration) {
        let begun = self.0.timer.now();
        let ended = call.await;
        (ended, elapsed(begun, self.0.timer.now()))
    }

    fn store_failed(&self, step: StoreStep, took: Duration, error: &Error) {
        let (kind, took) = (error.kind(), Some(took));
        self.0.told.tell(&AuthEvent::StoreFailed { step, kind, took, retry_in: None, valid_for: None });
    }

    /// Goes on with the session that the store has from an earlier run; says whether it has one. Nothing is sent: whether
    /// it is still alive shows when a token is asked for.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](ErrorKind::StoreFailed) and [`Misconfigured`](ErrorKind::Misconfigured), when the store can't be
    /// read, or holds the session of another service, token id or list of permissions.
    ///
    /// # Panics
    ///
    /// As [`establish`](Self::establish).
    pub async fn resume(&self) -> Result<bool, Error> {
        let found = self.0.store().load().await?.is_some_and(|record| record.refresh_token.is_some());
        if found && self.0.held().manager.is_none() {
            self.begin(None);
        }
        Ok(found)
    }

    /// The current permission (access) token, refreshed if necessary: valid while the refresh token lives. The vendor's
    /// clients call this `getPermissionToken`.
    ///
    /// # Errors
    ///
    /// [`InvalidGrant`](ErrorKind::InvalidGrant) when there is no session, or its refresh token has expired or was replaced:
    /// establish it then. Any other kind, while there is no valid token and no new one to be had; [`Error::retry`] says
    /// whether asking again can help.
    pub async fn permission_token(&self) -> Result<Token, Error> {
        self.token(Demand::Current).await
    }

    /// Refreshes the session: from here on there are another permission token and another refresh token. Calls that come
    /// together cause one refresh, and calls in a row one each second at most.
    ///
    /// # Errors
    ///
    /// As for [`permission_token`](Self::permission_token), also while the token before is still valid. That goes on to serve,
    /// but for [`InvalidGrant`](ErrorKind::InvalidGrant): then the session is over until it is established again.
    pub async fn refresh(&self) -> Result<(), Error> {
        let outcome = self.refresh_once().await;
        if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidGrant) {
            self.shut_down().await;
        }
        outcome
    }

    async fn refresh_once(&self) -> Result<(), Error> {
        let manager = self.manager()?;
        let before = self.0.grant.progress();
        let seen = match manager.current() {
            Some(current) => current.generation(),
            None => self.token(Demand::Current).await?.generation(),
        };
        if self.0.grant.progress().obtained > before.obtained {
            return Ok(());
        }
        if self.token(Demand::NewerThan(seen)).await?.generation() > seen {
            return Ok(());
        }
        // The token before was served in place of an error, because it is alive.
        Err(self.0.grant.progress().failure.unwrap_or_else(|| {
            Error::new(
                ErrorKind::Timeout,
                "the session was not refreshed in time; the token in use is still valid",
            )
        }))
    }

    /// Ends the renewal for all clones, and waits until a refresh token that is on its way is saved: for a program with a
    /// [store](Builder::with_store), before it ends. From then on there is no session until it is
    /// [resumed](Self::resume) or established.
    pub async fn shut_down(&self) {
        let manager = self.0.held().manager.take();
        if let Some(manager) = manager {
            manager.shut_down().await;
        }
    }

    fn manager(&self) -> Result<TokenManager, Error> {
        self.0.held().manager.clone().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidGrant,
                "no session is established; gather security tokens and establish one",
            )
        })
    }

    /// Puts a manager in the place of the one before, which may be in a pause after a refusal. Whoever waits for that one
    /// keeps it alive until it has answered. `told` is the token in the store, where its issue was told.
    fn begin(&self, told: Option<Fingerprint>) {
        let inner = &*self.0;
        let mut held = inner.held();
        let builder = TokenManager::over(Arc::clone(&inner.grant) as _)
            .with_policy(inner.policy.clone())
            .with_observer(Arc::clone(&inner.told.observer))
            .with_fingerprint_key(inner.told.names.clone())
            .with_generations_after(held.newest)
            .with_told(told)
            .with_store(Arc::clone(&inner.store));
        let (manager, driver) = builder.build_on(Arc::clone(&inner.timer));
        held.manager = Some(manager);
        drop(held);
        (inner.spawn)(driver);
    }

    /// Writes what can't be had again, several times if need be, and tells of the last.
    async fn save(&self, store: &mut dyn LockedStore, record: &Record) -> Result<(), Error> {
        let (mut pause, mut writes) = (FIRST_PAUSE, 1);
        loop {
            let (saved, took) = self.timed(store.save(record)).await;
            match saved {
                Err(error) if error.retry() == Retry::Backoff && writes < WRITES => {
                    self.0.timer.sleep(pause).await;
                }
                Err(error) => {
                    self.store_failed(StoreStep::SaveToken, took, &error);
                    return Err(error);
                }
                Ok(()) => {
                    let (revision, took) = (record.revision, Some(took));
                    self.0.told.tell(&AuthEvent::RefreshTokenSaved { revision, took });
                    return Ok(());
                }
            }
            writes += 1;
            pause = pause.saturating_mul(2);
        }
    }
}

/// The pauses of a timer.
struct Pausing<'a>(&'a dyn Timer);

impl Delay for Pausing<'_> {
    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleep(duration)
    }
}

#[async_trait]
impl TokenSource for AuthorizationSession {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let token = self.manager()?.token(demand).await?;
        let mut held = self.0.held();
        held.newest = held.newest.max(token.generation());
        Ok(token)
    }
}

impl Inner {
    /// The store as the manager sees it.
    fn store(&self) -> Bound {
        Bound::new(Arc::clone(&self.store), self.grant.key())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AuthorizationSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { grant, store: _, policy: _, told: _, timer: _, spawn: _, held: _ } = &*self.0;
        let established = self.0.held().manager.is_some();
        formatter
            .debug_struct("AuthorizationSession")
            .field("grant", grant)
            .field("established", &established)
            .finish_non_exhaustive()
    }
}

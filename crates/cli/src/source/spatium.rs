//! Spatium's permission tokens, of a session that is resumed, and established where there is none.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::fingerprint::FingerprintKey;
use auth_core::renewal::Policy;
use auth_core::{Demand, Error, ErrorKind, Observer, Secret, Token, TokenSource};
use auth_http::client::HyperClient;
use auth_http::spatium::AuthorizationSession;
use auth_http::spatium::wire::{AuthorizationService, WantedPermissions};
use auth_http::store::TokenStore;
use clap::Args;

use super::ably::wrong;
use super::client;
use super::options::SourceOptions;
use super::secrets::{Kept, Secrets};
use super::{Needed as _, Tokens};
use crate::exit::Failure;

/// Which session, and what establishes it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Spatium source")]
pub(crate) struct SpatiumOptions {
    /// The id of the session: one for each device, and always the same. Establishing it anew ends the one before.
    #[arg(long, value_name = "ID")]
    pub(crate) token_id: Option<String>,

    /// A permission that the token must have; may stand several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) permission: Vec<String>,

    /// The file that holds a security token to establish the session with; `-` is standard input. May stand several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) security_token_file: Vec<PathBuf>,

    /// Get a security token by this user name, and the password of --password-file.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub(crate) username: Option<String>,

    /// The file that holds the password; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "username")]
    pub(crate) password_file: Option<PathBuf>,

    /// Where below the service's URL a session is refreshed, which Spatium does not document: by default
    /// /api/permission/refresh, like its siblings.
    #[arg(long, value_name = "PATH")]
    pub(crate) refresh_path: Option<String>,
}

/// What the flags say; nobody has been asked for anything yet.
pub(super) struct Spatium {
    service: AuthorizationService,
    wanted: WantedPermissions,
    factors: Factors,
    http: HyperClient,
}

/// What a session is established with.
struct Factors {
    security_tokens: Vec<Kept>,
    credentials: Option<(String, Kept)>,
}

impl Spatium {
    pub(super) fn read(
        options: &SourceOptions,
        secrets: &mut Secrets,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let given = &options.spatium;
        let url =
            options.token_url.as_deref().needed("spatium", "--token-url URL, the authorization service")?;
        let service = AuthorizationService::new(url).map_err(wrong("--token-url"))?;
        let service = match &given.refresh_path {
            Some(path) => service.with_refresh_path(path).map_err(wrong("--refresh-path"))?,
            None => service,
        };
        let token_id = given.token_id.as_deref().needed("spatium", "--token-id ID, one for each device")?;
        let wanted = WantedPermissions::new(token_id, given.permission.iter().map(String::as_str))
            .map_err(wrong("--token-id and --permission"))?;
        let factors = Factors::read(options, secrets)?;
        if factors.is_none() && options.store.is_none() {
            return Err(Failure::Usage(format!(
                "--source spatium needs {HOW}, or the --store FILE of a session"
            )));
        }
        let http =
            client::http(&options.client, &[Some(url)], secrets, timeout, auth_http::client::LARGEST_REPLY)?;
        Ok(Self { service, wanted, factors, http })
    }

    /// Resumes the session of the store, if it has one.
    pub(super) async fn open(
        self,
        store: Arc<dyn TokenStore>,
        policy: Policy,
        observer: Arc<dyn Observer>,
        names: Option<&FingerprintKey>,
    ) -> Result<Session, Failure> {
        let Self { service, wanted, factors, http } = self;
        let session = AuthorizationSession::builder(service, Arc::new(http), wanted)
            .with_store(store)
            .with_policy(policy)
            .with_observer(observer);
        let session = match names {
            Some(names) => session.with_fingerprint_key(names.clone()),
            None => session,
        }
        .build();
        session.resume().await?;
        Ok(Session { session, factors, established: AtomicBool::new(false) })
    }
}

/// How a session is established.
const HOW: &str = "--security-token-file FILE, or --username NAME and --password-file FILE";

impl Factors {
    fn read(options: &SourceOptions, secrets: &mut Secrets) -> Result<Self, Failure> {
        let given = &options.spatium;
        let security_tokens = given.security_token_file.iter();
        let security_tokens = security_tokens
            .map(|path| secrets.kept("--security-token-file", path))
            .collect::<Result<_, _>>()?;
        let credentials = match (&given.username, &given.password_file) {
            (Some(username), Some(path)) => Some((username.clone(), secrets.kept("--password-file", path)?)),
            _ => None,
        };
        Ok(Self { security_tokens, credentials })
    }

    fn is_none(&self) -> bool {
        self.security_tokens.is_empty() && self.credentials.is_none()
    }

    async fn gather(&self, session: &AuthorizationSession) -> Result<Vec<Secret>, Error> {
        let mut gathered = self.security_tokens.iter().map(Kept::secret).collect::<Result<Vec<_>, _>>()?;
        if let Some((username, password)) = &self.credentials {
            gathered.push(session.security_factor_credentials(username, &password.secret()?).await?);
        }
        Ok(gathered)
    }
}

/// A session that is established when it has ended, or has not begun.
pub(super) struct Session {
    session: AuthorizationSession,
    factors: Factors,
    established: AtomicBool,
}

#[async_trait]
impl TokenSource for Session {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let ended = match self.session.token(demand).await {
            Err(error) if error.kind() == ErrorKind::InvalidGrant => error,
            outcome => return outcome,
        };
        if self.factors.is_none() {
            let text = format!("there is no living session; establish one by {HOW}");
            return Err(Error::new(ErrorKind::InvalidGrant, text).with_source(ended));
        }
        let security_tokens = self.factors.gather(&self.session).await?;
        self.session.establish(&security_tokens).await?;
        self.established.store(true, Ordering::Relaxed);
        self.session.token(Demand::Current).await
    }
}

#[async_trait]
impl Tokens for Session {
    fn is_new(&self) -> bool {
        self.established.load(Ordering::Relaxed)
    }

    async fn shut_down(&self) {
        self.session.shut_down().await;
    }
}

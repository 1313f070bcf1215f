//! What the flags of `rtauth connect` make: a dialect, a server, and tokens.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use audit::checkpoint::SigningKey;
use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::Observers;
use auth_core::scope::Scopes;
use auth_core::source::{FixedToken, RequireScopes};
use auth_core::time::Timestamp;
use auth_core::{Demand, Error, Observer, Secret, Token, TokenSource, jwt};
use ws_session::ConfigError;
use ws_session::dialect::Dialect;
use ws_session::driver::Target;
use ws_session::driver::polled::{Builder, Session};
use ws_session::driver::tokio::Runtime;

use super::options::ConnectOptions;
use super::{url, way};
use crate::dialects_command::named;
use crate::exit::Failure;
use crate::files;
use crate::source::{
    Live, Prepared, SECRET_HEADERS, Secrets, Source, Tokens, Watched, named_secret, network, pair,
};
use crate::trail;

/// What a session is made of, every flag and file read; nobody has been asked for anything yet.
pub(super) struct Plan {
    pub(super) dialect: Dialect,
    pub(super) target: Target,
    pub(super) source: Prepared,
    pub(super) required: Scopes,
    /// Headers of the upgrade beside the dialect's.
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) runtime: Runtime,
    /// The key that seals the session's audit log.
    pub(super) audit_key: Option<SigningKey>,
    /// The key under which it names tokens, the same in each run.
    pub(super) names: Option<FingerprintKey>,
    /// Whether a secret came from standard input, so that nothing else does.
    pub(super) took_stdin: bool,
}

impl Plan {
    pub(super) fn read(options: &ConnectOptions) -> Result<Self, Failure> {
        let way = &options.source.client.network;
        network::allow("connect", way);
        let dialect = dialect(options)?;
        let target = target(options, &dialect)?;
        let mut secrets = Secrets::within(options.timeout);
        let headers = headers(options, &mut secrets)?;
        // What can't be sent shows before a token is asked for.
        let nobody = Arc::new(FixedToken::new(Token::new(Secret::from(""))));
        drop(with_headers(Session::builder(target.clone(), dialect.clone(), nobody), &headers)?);
        let required = options.require_scope.join(" ").parse();
        let required = required.map_err(|error| Failure::Usage(format!("--require-scope: {error}")))?;
        let source = Prepared::read("connect", &options.source, &mut secrets, options.timeout)?;
        let audit_key = trail::key(options.audit_key_file.as_deref(), &mut secrets)?;
        let names = match options.audit {
            Some(_) => trail::names(options.fingerprint_key_file.as_deref(), &mut secrets)?,
            None => None,
        };
        let (runtime, took_stdin) = (way::runtime(way)?, secrets.took_stdin());
        Ok(Self { dialect, target, source, required, headers, runtime, audit_key, names, took_stdin })
    }
}

fn dialect(options: &ConnectOptions) -> Result<Dialect, Failure> {
    match (&options.dialect, &options.dialect_file) {
        (Some(name), _) => named(name),
        (None, Some(path)) => described(path),
        (None, None) => Err(Failure::Usage(
            "how does the service log in? say --dialect NAME (rtauth dialects lists them) or --dialect-file FILE".to_owned(),
        )),
    }
}

fn described(path: &Path) -> Result<Dialect, Failure> {
    let described = Dialect::from_toml(&files::text(path)?);
    described.map_err(|error| Failure::Usage(format!("{} is wrong in {error}", path.display())))
}

/// The headers that the flags name.
fn headers(options: &ConnectOptions, secrets: &mut Secrets) -> Result<Vec<(String, Secret)>, Failure> {
    let mut headers = Vec::new();
    for header in &options.ws_header {
        let (name, value) = pair("--ws-header", header, ':', "'NAME: VALUE'")?;
        if SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Failure::Usage(format!(
                "--ws-header: other users of this machine see the value of {name}; use --ws-header-file {name}=FILE, or, for the \
                 token, let the dialect place it, as in --dialect-file: place.headers.{name} = \"${{credential}}\""
            )));
        }
        headers.push((name.to_owned(), Secret::from(value.trim())));
    }
    for file in &options.ws_header_file {
        let (name, value) = named_secret("--ws-header-file", file, secrets)?;
        headers.push((name.to_owned(), value));
    }
    Ok(headers)
}

/// The same session, with these headers.
pub(super) fn with_headers(builder: Builder, headers: &[(String, Secret)]) -> Result<Builder, Failure> {
    headers.iter().try_fold(builder, |builder, (name, value)| {
        let with = builder.with_header(name, value);
        with.map_err(|error| Failure::Usage(format!("--ws-header or --ws-header-file: {error}")))
    })
}

fn target(options: &ConnectOptions, dialect: &Dialect) -> Result<Target, Failure> {
    let url = match &options.url {
        Some(url) => {
            url::check(url)?;
            url.as_str()
        }
        // Each token brings its own.
        None if dialect.placement.is_url => "wss://localhost/",
        None => {
            let text = "where to? give --url wss://…, as the service documents it";
            return Err(Failure::Usage(text.to_owned()));
        }
    };
    let target = match &options.ws_ca_file {
        Some(path) => {
            let target = Target::with_roots(url, files::text(path)?.as_bytes());
            return target.map_err(|error| Failure::Usage(format!("--url or --ws-ca-file: {error}")));
        }
        None => Target::new(url),
    };
    target.map_err(|error| {
        let advice =
            if matches!(error, ConfigError::Plaintext) { ", unless --insecure says otherwise" } else { "" };
        Failure::Usage(format!("--url: {error}{advice}"))
    })
}

/// The tokens of a session, and what of them must be seen to at its end.
pub(super) struct Opened {
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) live: Option<(Arc<dyn Tokens>, Arc<Watched>)>,
    /// When a token that says so itself expires, and nobody else knows.
    pub(super) expires: Option<Timestamp>,
}

impl Opened {
    /// Checks each token for the scopes before it is presented. One that nobody has named yet is named by `names`, if there are any.
    pub(super) fn of(
        source: Source,
        names: Option<&FingerprintKey>,
        required: Scopes,
        observers: &Observers,
    ) -> Self {
        let observer: Arc<dyn Observer> = Arc::new(observers.clone());
        match source {
            Source::Fixed(secret) => {
                let claims = jwt::read(secret.expose()).ok();
                let expires = claims.as_ref().and_then(|claims| claims.claims().expires());
                let name = names.map(|names| names.fingerprint(&secret));
                let token = Token::new(secret);
                let tokens = FixedToken::new(match name {
                    Some(name) => token.with_fingerprint(name),
                    None => token,
                });
                let source = Arc::new(RequireScopes::new(tokens, required, observer));
                Self { source, live: None, expires }
            }
            Source::Live(Live { tokens, store, told: _ }) => {
                let tokens: Arc<dyn Tokens> = Arc::from(tokens);
                let source = Arc::new(RequireScopes::new(Shared(Arc::clone(&tokens)), required, observer));
                Self { source, live: Some((tokens, store)), expires: None }
            }
        }
    }
}

/// The tokens of a session, which others see to as well.
struct Shared(Arc<dyn Tokens>);

#[async_trait]
impl TokenSource for Shared {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        self.0.token(demand).await
    }
}

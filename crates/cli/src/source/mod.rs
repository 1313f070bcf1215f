//! Where a command's tokens come from, by its flags. Another kind of source is another variant of `SourceKind`, a file for
//! it here, and its flags in the table of flags.

pub(crate) mod ably;
mod auth_url;
mod client;
mod given;
pub(crate) mod network;
mod oauth;
mod optave;
mod options;
mod secrets;
mod server;
mod spatium;
mod told;
mod watched;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::fingerprint::FingerprintKey;
use auth_core::renewal::Policy;
use auth_core::{Observer, Secret, TokenSource};
use auth_http::ably::Auth;
use auth_http::grant::Grant;
use auth_http::manager::TokenManager;
use auth_http::store::{FileStore, MemoryStore, TokenStore};

pub(crate) use self::auth_url::{SECRET_HEADERS, named_secret, pair};
pub(crate) use self::client::{Client, dpop, http};
pub(crate) use self::given::{Flag, Given};
use self::oauth::Oauth;
pub(crate) use self::oauth::{token_endpoint, token_url, wanted};
use self::optave::Optave;
pub(crate) use self::options::{
    ClientOptions, DpopOptions, FLAGS, NetworkOptions, SourceKind, SourceOptions, WantedOptions, name,
};
pub(crate) use self::secrets::Secrets;
pub(crate) use self::server::{Endpoint, Server};
use self::spatium::Spatium;
use self::told::Noted;
pub(crate) use self::told::Told;
pub(crate) use self::watched::Watched;
use crate::exit::Failure;

/// Where tokens come from.
pub(crate) enum Source {
    /// A token that nobody here can renew.
    Fixed(Secret),
    /// Tokens that can be had anew.
    Live(Live),
}

/// A source of tokens, and what keeps them: a store even where nobody asked for one, since it says what is known of a token.
pub(crate) struct Live {
    pub(crate) tokens: Box<dyn Tokens>,
    pub(crate) store: Arc<Watched>,
    pub(crate) told: Arc<Told>,
}

/// A source that ends.
#[async_trait]
pub(crate) trait Tokens: TokenSource {
    /// Whether it has just obtained its token without an event that says so.
    fn is_new(&self) -> bool {
        false
    }

    /// Ends it: a refresh token that was sent, or is not saved yet, is seen through.
    async fn shut_down(&self);
}

#[async_trait]
impl Tokens for TokenManager {
    async fn shut_down(&self) {
        Self::shut_down(self).await;
    }
}

/// A source whose flags are read, and that has not asked anybody for anything.
pub(crate) struct Prepared {
    kind: Kind,
    store: Arc<Watched>,
    policy: Policy,
}

enum Kind {
    Fixed(Secret),
    Oauth(Box<Oauth>),
    Ably(Auth),
    Optave(Box<Optave>),
    Spatium(Box<Spatium>),
}

impl Prepared {
    /// Reads flags, files and standard input: what is wrong shows here. `timeout` is how long a request may take, and all
    /// that it takes to get one token.
    pub(crate) fn read(
        command: &str,
        options: &SourceOptions,
        secrets: &mut Secrets,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        options.given.check(options.source, FLAGS)?;
        let kind = match options.source {
            SourceKind::Static => Kind::Fixed(fixed(options, secrets)?),
            SourceKind::Oauth => Kind::Oauth(Box::new(Oauth::read(command, options, secrets, timeout)?)),
            SourceKind::Ably => Kind::Ably(ably::read(options, secrets, timeout)?),
            SourceKind::AuthUrl => Kind::Ably(auth_url::read(command, options, secrets, timeout)?),
            SourceKind::Optave => Kind::Optave(Box::new(Optave::read(command, options, secrets, timeout)?)),
            SourceKind::Spatium => Kind::Spatium(Box::new(Spatium::read(options, secrets, timeout)?)),
        };
        let store = match &options.store {
            Some(path) => open_store(path)?,
            None => Arc::new(MemoryStore::new()),
        };
        let store = Arc::new(Watched::new(store));
        let policy = Policy::new().with_flight(timeout);
        let policy = match options.lead {
            Some(lead) => policy.with_lead(Duration::from_secs(lead)),
            None => policy,
        };
        Ok(Self { kind, store, policy })
    }

    /// Looks up what has to be, and begins. `observer` is told about every decision, with tokens named by `names`, or by a key of
    /// this run alone.
    pub(crate) async fn open(
        self,
        observer: Arc<dyn Observer>,
        names: Option<&FingerprintKey>,
    ) -> Result<Source, Failure> {
        let Self { kind, store, policy } = self;
        let told = Arc::<Told>::default();
        let managed = |grant: Box<dyn Grant>, policy, observer| -> Box<dyn Tokens> {
            let grant = Noted { grant, told: Arc::clone(&told) };
            let manager = TokenManager::builder(grant).with_policy(policy).with_observer(observer);
            let manager = match names {
                Some(names) => manager.with_fingerprint_key(names.clone()),
                None => manager,
            };
            Box::new(manager.with_store(Arc::clone(&store) as _).spawn())
        };
        let tokens = match kind {
            Kind::Fixed(token) => return Ok(Source::Fixed(token)),
            Kind::Oauth(oauth) => managed(oauth.open(&*store).await?, policy, observer),
            Kind::Ably(auth) => managed(Box::new(auth), policy, observer),
            Kind::Optave(optave) => Box::new(optave.open(policy, observer, names)?),
            Kind::Spatium(spatium) => {
                Box::new(spatium.open(Arc::clone(&store) as _, policy, observer, names).await?)
            }
        };
        Ok(Source::Live(Live { tokens, store, told }))
    }
}

fn fixed(options: &SourceOptions, secrets: &mut Secrets) -> Result<Secret, Failure> {
    let path = options.token_file.as_ref().needed("static", "--token-file FILE, `-` for standard input")?;
    secrets.read("--token-file", path)
}

/// A flag that a source can't do without.
trait Needed<T> {
    fn needed(self, source: &str, flag: &str) -> Result<T, Failure>;
}

impl<T> Needed<T> for Option<T> {
    fn needed(self, source: &str, flag: &str) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::Usage(format!("--source {source} needs {flag}")))
    }
}

/// The store in a file.
pub(crate) fn open_store(path: &Path) -> Result<Arc<dyn TokenStore>, Failure> {
    if path == Path::new("-") {
        let text =
            "--store - would be a file of that name: what is kept needs a file; name one, or write ./-";
        return Err(Failure::Usage(text.to_owned()));
    }
    Ok(Arc::new(FileStore::open(path)?))
}

//! Where a command's tokens come from, by its flags. Another kind of source is another variant of `SourceKind`, and another
//! arm here.

mod client;
mod oauth;
mod options;
mod secrets;
mod server;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use auth_core::renewal::Policy;
use auth_http::grant::Grant;
use auth_http::store::{FileStore, TokenStore};

pub(crate) use self::client::{Client, dpop};
use self::oauth::Oauth;
pub(crate) use self::oauth::{token_endpoint, token_url, wanted};
use self::options::SourceKind;
pub(crate) use self::options::{ClientOptions, DpopOptions, SourceOptions, WantedOptions};
pub(crate) use self::secrets::Secrets;
pub(crate) use self::server::{Endpoint, Server};
use crate::exit::Failure;

/// Where tokens come from.
pub(crate) enum Source {
    /// A token that nobody here can renew.
    Fixed(Secret),
    /// A grant, for a token manager.
    Renewed(Renewed),
}

/// What a token manager is made of.
pub(crate) struct Renewed {
    pub(crate) grant: Box<dyn Grant>,
    pub(crate) store: Option<Arc<dyn TokenStore>>,
    pub(crate) policy: Policy,
}

/// A source whose flags are read, and that has not asked anybody for anything.
pub(crate) struct Prepared(Kind);

enum Kind {
    Fixed(Secret),
    Oauth { oauth: Box<Oauth>, store: Option<Arc<dyn TokenStore>>, policy: Policy },
}

impl Prepared {
    /// Reads flags, files and standard input: what is wrong shows here. `timeout` is how long a request may take, and all
    /// that it takes to get one token.
    pub(crate) fn read(command: &str, options: &SourceOptions, timeout: Duration) -> Result<Self, Failure> {
        let mut secrets = Secrets::default();
        match options.source {
            SourceKind::Static => fixed(options, &mut secrets).map(Kind::Fixed).map(Self),
            SourceKind::Oauth => {
                if options.token_file.is_some() {
                    let text = "--token-file is for --source static; an OAuth source asks for its token";
                    return Err(Failure::Usage(text.to_owned()));
                }
                let stored = options.store.is_some();
                let oauth = Oauth::read(command, &options.oauth, stored, &mut secrets, timeout)?;
                let store = options.store.as_deref().map(open_store).transpose()?;
                let policy = Policy::new().with_flight(timeout);
                let policy = match options.lead() {
                    Some(lead) => policy.with_lead(lead),
                    None => policy,
                };
                Ok(Self(Kind::Oauth { oauth: Box::new(oauth), store, policy }))
            }
        }
    }

    /// Looks up what has to be.
    pub(crate) async fn open(self) -> Result<Source, Failure> {
        match self.0 {
            Kind::Fixed(token) => Ok(Source::Fixed(token)),
            Kind::Oauth { oauth, store, policy } => {
                Ok(Source::Renewed(Renewed { grant: oauth.open().await?, store, policy }))
            }
        }
    }
}

fn fixed(options: &SourceOptions, secrets: &mut Secrets) -> Result<Secret, Failure> {
    let kept = [
        ("--store", options.store.is_some()),
        ("--lead", options.lead.is_some()),
        ("--refresh", options.refresh),
    ];
    let kept = kept.into_iter().find_map(|(flag, given)| given.then_some(flag));
    if let Some(flag) = options.oauth.given().or(kept) {
        let text = format!(
            "{flag} is not for --source static, whose token is as it is; leave it out, or the source"
        );
        return Err(Failure::Usage(text));
    }
    let path = options.token_file.as_ref().ok_or_else(|| {
        Failure::Usage("--source static needs --token-file FILE, `-` for standard input".to_owned())
    })?;
    secrets.read("--token-file", path)
}

/// The store in a file.
pub(crate) fn open_store(path: &Path) -> Result<Arc<dyn TokenStore>, Failure> {
    Ok(Arc::new(FileStore::open(path)?))
}

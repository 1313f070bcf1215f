//! Where a server's endpoints are: as the flags say, else as its metadata do.

use std::sync::Arc;

use auth_http::fetched::MetadataCache;
use auth_http::manager::StdClock;
use auth_http::wire::{Issuer, ServerMetadata};

use super::client::Client;
use crate::exit::Failure;

/// A server whose metadata are known, if they had to be looked up.
pub(crate) struct Server {
    metadata: Option<Arc<ServerMetadata>>,
}

/// One endpoint: the flag that gives it, its value, and where the metadata state it.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint<'a> {
    pub(crate) flag: &'static str,
    pub(crate) given: Option<&'a str>,
    pub(crate) stated: fn(&ServerMetadata) -> Option<&String>,
}

impl Server {
    /// Checks that each endpoint is given or can be looked up, and whether the issuer is one. Nothing goes over the network.
    pub(crate) fn check(client: &Client, endpoints: &[Endpoint<'_>]) -> Result<(), Failure> {
        if let Some(missing) = endpoints.iter().find(|endpoint| endpoint.given.is_none())
            && client.issuer.is_none()
        {
            let text = format!("{} is missing; give it, or --issuer URL to have it looked up", missing.flag);
            return Err(Failure::Usage(text));
        }
        issuer(client).map(|_| ())
    }

    /// Looks up the metadata where an endpoint is not given.
    pub(crate) async fn discover(client: &Client, endpoints: &[Endpoint<'_>]) -> Result<Self, Failure> {
        let issuer = issuer(client)?.filter(|_| endpoints.iter().any(|endpoint| endpoint.given.is_none()));
        let Some(issuer) = issuer else { return Ok(Self { metadata: None }) };
        let clock = StdClock::start();
        let metadata = MetadataCache::new(issuer, Arc::clone(&client.http), Arc::new(move || clock.now()));
        match metadata.metadata().await {
            Ok(metadata) => Ok(Self { metadata: Some(metadata) }),
            Err(error) if error.code() == Some(404) => {
                let missing = endpoints.iter().filter(|endpoint| endpoint.given.is_none());
                let missing: Vec<_> = missing.map(|endpoint| endpoint.flag).collect();
                Err(Failure::Denied(format!("{}; give {}", Failure::from(error), missing.join(" and "))))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the server says of itself, if it was asked.
    pub(crate) fn metadata(&self) -> Option<&ServerMetadata> {
        self.metadata.as_deref()
    }

    /// Where tokens are ended, as far as the metadata say.
    pub(crate) fn revocation(&self) -> Option<String> {
        self.metadata()?.revocation_endpoint.clone()
    }

    /// The URL of an endpoint.
    pub(crate) fn url(&self, endpoint: &Endpoint<'_>) -> Result<String, Failure> {
        let stated = || self.metadata().and_then(endpoint.stated).cloned();
        endpoint.given.map(str::to_owned).or_else(stated).ok_or_else(|| {
            Failure::Usage(format!("the issuer's metadata do not name this endpoint; give {}", endpoint.flag))
        })
    }
}

fn issuer(client: &Client) -> Result<Option<Issuer>, Failure> {
    let issuer = client.issuer.as_deref().map(Issuer::new).transpose();
    issuer.map_err(|error| Failure::Usage(format!("--issuer: {error}")))
}

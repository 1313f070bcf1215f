//! What a server says of itself, kept for an hour.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Error;

use super::{Clock, Fetched, Terms};
use crate::exchange::HttpExchange;
use crate::wire::{Issuer, ServerMetadata};

/// The metadata of one issuer, fetched when somebody needs them: where RFC 8414 has them, and where OpenID Connect has them
/// if there are none.
///
/// They serve for an hour, and while the issuer fails for a day at most.
pub struct MetadataCache {
    issuer: Issuer,
    metadata: Fetched<ServerMetadata>,
}

const TERMS: Terms = Terms::fresh_for(Duration::from_secs(60 * 60));

impl MetadataCache {
    /// The metadata of `issuer`.
    #[must_use]
    pub fn new(issuer: Issuer, http: Arc<dyn HttpExchange>, clock: Clock) -> Self {
        let asked = issuer.clone();
        let metadata = Fetched::new(clock, TERMS, move || {
            let (http, issuer) = (Arc::clone(&http), asked.clone());
            Box::pin(async move {
                let response = http.exchange(issuer.request()).await?;
                if !response.status().is_client_error() {
                    return issuer.read(&response);
                }
                issuer.read(&http.exchange(issuer.openid_request()).await?)
            })
        });
        Self { issuer, metadata }
    }

    /// The metadata.
    ///
    /// # Errors
    ///
    /// Those of [`Issuer::read`] and of the exchange.
    pub async fn metadata(&self) -> Result<Arc<ServerMetadata>, Error> {
        self.metadata.current().await
    }
}

impl fmt::Debug for MetadataCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, metadata: _ } = self;
        write!(formatter, "MetadataCache({})", issuer.identifier())
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::{Moment, Now, Timestamp};

    use super::*;
    use crate::testing::Scripted;

    const METADATA: &str =
        r#"{"issuer":"https://as.example.com","token_endpoint":"https://as.example.com/t"}"#;

    fn cache(http: &Arc<Scripted>) -> MetadataCache {
        let clock: Clock = Arc::new(|| Now { wall: Timestamp::from_millis(0), mono: Moment::ORIGIN });
        MetadataCache::new(Issuer::new("https://as.example.com").unwrap(), Arc::clone(http) as _, clock)
    }

    #[tokio::test]
    async fn metadata_are_looked_for_in_both_places_and_fetched_once() {
        let http = Scripted::of([(404, ""), (200, METADATA)]);
        let cache = cache(&http);
        for _ in 0..3 {
            let metadata = cache.metadata().await.unwrap();
            assert_eq!(metadata.token_endpoint.as_deref(), Some("https://as.example.com/t"));
        }
        let asked: Vec<_> = http.asked().iter().map(|asked| asked.uri().path().to_owned()).collect();
        assert_eq!(asked, ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]);
    }

    #[tokio::test]
    async fn a_server_that_fails_is_not_asked_in_the_other_place() {
        let http = Scripted::of([(503, "")]);
        cache(&http).metadata().await.unwrap_err();
        assert_eq!(http.count(), 1);
    }
}

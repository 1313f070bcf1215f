//! Optave's tokens, each for one connection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::fingerprint::FingerprintKey;
use auth_core::renewal::Policy;
use auth_core::{Observer, Secret};
use auth_http::client::HyperClient;
use auth_http::optave::wire::AuthenticationEndpoint;
use auth_http::optave::{Client, CredentialPlacement};

use super::ably::wrong;
use super::client;
use super::options::{ClientAuth, SourceOptions, name};
use super::secrets::Secrets;
use super::{Needed as _, Tokens};
use crate::exit::Failure;

/// What the flags say; nobody has been asked for anything yet.
pub(super) struct Optave {
    url: String,
    client_id: String,
    secret: Secret,
    placement: CredentialPlacement,
    http: HyperClient,
}

impl Optave {
    pub(super) fn read(
        command: &str,
        options: &SourceOptions,
        secrets: &mut Secrets,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let client = &options.client;
        let url = options.token_url.clone().needed("optave", "--token-url URL, the authentication URL")?;
        let client_id = client.client_id.clone().needed("optave", "--client-id ID")?;
        let method = client.client_auth.unwrap_or(ClientAuth::Basic);
        let placement = match method {
            ClientAuth::Basic => CredentialPlacement::Basic,
            ClientAuth::Post => CredentialPlacement::Post,
            ClientAuth::Query => CredentialPlacement::Query,
            other => {
                let text = format!(
                    "--client-auth {} is not for --source optave; choose basic, post or query",
                    name(other)
                );
                return Err(Failure::Usage(text));
            }
        };
        let secret = client::client_secret(method, client, secrets)?;
        client::warn_of_query(command, method);
        AuthenticationEndpoint::new(&url, &client_id, &secret, placement)
            .map_err(wrong("--source optave"))?;
        let http = client::http(client, &[Some(&url)], secrets, timeout, auth_http::client::LARGEST_REPLY)?;
        Ok(Self { url, client_id, secret, placement, http })
    }

    pub(super) fn open(
        self,
        policy: Policy,
        observer: Arc<dyn Observer>,
        names: Option<&FingerprintKey>,
    ) -> Result<Client, Failure> {
        let client = Client::builder()
            .with_authentication_url(self.url)
            .with_client_id(self.client_id)
            .with_client_secret(self.secret)
            .with_credential_placement(self.placement)
            .with_exchange(Arc::new(self.http))
            .with_policy(policy)
            .with_observer(observer);
        let client = match names {
            Some(names) => client.with_fingerprint_key(names.clone()),
            None => client,
        };
        client.build().map_err(wrong("--source optave"))
    }
}

#[async_trait]
impl Tokens for Client {
    async fn shut_down(&self) {
        Self::shut_down(self).await;
    }
}

//! The OAuth source: a grant, made of flags.

use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use auth_core::jwt::{Draft, SigningKey};
use auth_core::renewal::Record;
use auth_http::freshness::SystemFreshness;
use auth_http::grant::{ClientCredentials, Grant, JwtBearer, RefreshToken, TokenExchange};
use auth_http::store::TokenStore;
use auth_http::wire::{Dpop, ServerMetadata, TokenEndpoint, Wanted};

use super::client::{self, Client};
use super::options::{ClientAuth, GrantKind, OauthOptions, SourceOptions, WantedOptions, name};
use super::secrets::{Kept, Secrets};
use super::server::{Endpoint, Server};
use crate::exit::{Failure, complain};

/// What the flags say, every file read; the server has not been asked for anything yet.
pub(super) struct Oauth {
    client: Client,
    token_url: Option<String>,
    with: With,
    wanted: Wanted,
    dpop: Option<Dpop>,
}

/// What the grant goes by.
enum With {
    ClientCredentials,
    /// What is configured. `beside` the store of a login, which goes before, when nobody has named it on the command line.
    RefreshToken {
        configured: Option<Secret>,
        beside: bool,
    },
    Assertion(Kept),
    Key {
        key: SigningKey,
        issuer: Option<String>,
        subject: Option<String>,
        audience: Option<String>,
    },
    Exchange {
        subject: (Kept, String),
        actor: Option<(Kept, String)>,
    },
}

impl Oauth {
    pub(super) fn read(
        command: &str,
        source: &SourceOptions,
        secrets: &mut Secrets,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let (options, stored, given) = (&source.oauth, source.store.is_some(), source.token_url.as_deref());
        let grant = options.grant.unwrap_or(GrantKind::ClientCredentials);
        check_grant(grant, options)?;
        let client = Client::read(command, &source.client, &[given], secrets, timeout)?;
        Server::check(&client, &[token_endpoint(&client, given)])?;
        if grant == GrantKind::ClientCredentials && client.method == ClientAuth::None {
            let text = "client_credentials is for a client that proves who it is; give --client-secret-file, \
                        --client-key-file or --client-certificate-file";
            return Err(Failure::Usage(text.to_owned()));
        }
        let with = With::read(command, grant, options, stored, secrets)?;
        let wanted = wanted(&options.wanted)?;
        let dpop = client::dpop(command, &options.dpop, secrets, stored)?;
        // A URL that can't be used shows before anything is sent.
        if let Some(url) = given {
            token_url(url, &client)?;
        }
        Ok(Self { client, token_url: source.token_url.clone(), with, wanted, dpop })
    }

    /// Looks up what has to be, and makes the grant.
    pub(super) async fn open(self, store: &dyn TokenStore) -> Result<Box<dyn Grant>, Failure> {
        let Self { client, token_url: given, with, wanted, dpop } = self;
        let with = with.beside(store).await;
        let endpoint = token_endpoint(&client, given.as_deref());
        let server = Server::discover(&client, std::slice::from_ref(&endpoint)).await?;
        let url = server.url(&endpoint)?;
        let endpoint = token_url(&url, &client)?;
        let endpoint = match dpop {
            Some(dpop) => endpoint.with_dpop(dpop),
            None => endpoint,
        };
        let http = Arc::clone(&client.http);
        Ok(match with {
            With::ClientCredentials => Box::new(ClientCredentials::new(endpoint, http).with_wanted(wanted)),
            With::RefreshToken { configured, .. } => Box::new(
                match configured {
                    Some(configured) => RefreshToken::new(endpoint, http, configured),
                    None => RefreshToken::stored(endpoint, http),
                }
                .with_wanted(wanted),
            ),
            With::Assertion(assertion) => {
                let subject = assertion.subject();
                let grant = JwtBearer::with_assertions(endpoint, http, move |_| assertion.secret());
                let grant = grant.with_subject_name(subject.expose());
                Box::new(grant.with_wanted(wanted))
            }
            With::Key { key, issuer, subject, audience } => {
                let audience = audience.or_else(|| client.issuer.clone()).unwrap_or(url);
                let claims = Draft::new()
                    .with_issuer(issuer.as_deref().unwrap_or(&client.id))
                    .with_subject(subject.as_deref().unwrap_or(&client.id))
                    .with_audience(&audience);
                let grant = JwtBearer::new(endpoint, http, claims, Arc::new(key), Arc::new(SystemFreshness));
                Box::new(grant.with_wanted(wanted))
            }
            With::Exchange { subject: (subject, kind), actor } => {
                let parties = match &actor {
                    Some((actor, _)) => {
                        format!("{} {}", subject.subject().expose(), actor.subject().expose())
                    }
                    None => subject.subject().expose().to_owned(),
                };
                let grant = TokenExchange::new(endpoint, http, Arc::new(subject), &kind).with_wanted(wanted);
                let grant = grant.with_subject_name(Secret::from(parties).expose());
                Box::new(match actor {
                    Some((actor, kind)) => grant.with_actor(Arc::new(actor), &kind),
                    None => grant,
                })
            }
        })
    }
}

impl With {
    /// An environment variable that is still set is older than what a login has put into the store since.
    async fn beside(self, store: &dyn TokenStore) -> Self {
        let Self::RefreshToken { configured: Some(configured), beside: true } = self else { return self };
        // A store that can't be read says so to whoever uses it.
        let stored = store.load().await.ok().flatten().filter(|record| record.refresh_token.is_some());
        let Some(stored) = stored else {
            return Self::RefreshToken { configured: Some(configured), beside: true };
        };
        // Its own successor is what it would have been anyway.
        if stored.origin != Some(Record::origin_of(&configured)) {
            complain(
                "token",
                "RTAUTH_REFRESH_TOKEN is ignored: the --store has a login already; unset one of them",
            );
        }
        Self::RefreshToken { configured: None, beside: true }
    }

    fn read(
        command: &str,
        grant: GrantKind,
        options: &OauthOptions,
        stored: bool,
        secrets: &mut Secrets,
    ) -> Result<Self, Failure> {
        let (assertion, exchange) = (&options.assertion, &options.exchange);
        match grant {
            GrantKind::ClientCredentials => Ok(Self::ClientCredentials),
            GrantKind::RefreshToken => {
                let file = options.refresh_token_file.as_deref();
                let configured = secrets.read_or("--refresh-token-file", file, "RTAUTH_REFRESH_TOKEN")?;
                match (&configured, stored) {
                    (None, false) => {
                        let text = "--grant refresh_token needs a refresh token: in --refresh-token-file FILE, in the \
                                    environment variable RTAUTH_REFRESH_TOKEN, or in the --store FILE of a login";
                        return Err(Failure::Usage(text.to_owned()));
                    }
                    (Some(_), false) => complain(
                        command,
                        "without --store, a refresh token that the server sends in place of this one is lost",
                    ),
                    _ => {}
                }
                Ok(Self::RefreshToken { configured, beside: stored && file.is_none() })
            }
            GrantKind::JwtBearer => match (&assertion.assertion_file, &assertion.assertion_key_file) {
                (Some(path), _) => secrets.kept("--assertion-file", path).map(Self::Assertion),
                (None, Some(path)) => Ok(Self::Key {
                    key: secrets.key("--assertion-key-file", path)?,
                    issuer: assertion.assertion_issuer.clone(),
                    subject: assertion.assertion_subject.clone(),
                    audience: assertion.assertion_audience.clone(),
                }),
                (None, None) => {
                    let text = "--grant jwt_bearer needs --assertion-file FILE, or --assertion-key-file FILE to sign with";
                    Err(Failure::Usage(text.to_owned()))
                }
            },
            GrantKind::TokenExchange => {
                let path = exchange.subject_token_file.as_ref().ok_or_else(|| {
                    Failure::Usage("--grant token_exchange needs --subject-token-file FILE".to_owned())
                })?;
                let subject = secrets.kept("--subject-token-file", path)?;
                let actor = exchange.actor_token_file.as_ref();
                let actor = actor.map(|path| secrets.kept("--actor-token-file", path)).transpose()?;
                let kind = token_type("--subject-token-type", exchange.subject_token_type.as_deref())?;
                let actor_kind = token_type("--actor-token-type", exchange.actor_token_type.as_deref())?;
                Ok(Self::Exchange { subject: (subject, kind), actor: actor.map(|actor| (actor, actor_kind)) })
            }
            GrantKind::AuthorizationCode => Err(elsewhere("a browser", "")),
            GrantKind::DeviceCode => Err(elsewhere("another device", " --device")),
        }
    }
}

fn elsewhere(place: &str, flag: &str) -> Failure {
    Failure::Usage(format!(
        "a person logs in with {place} first: rtauth login{flag} --store FILE …; then get tokens by --grant refresh_token \
         --store FILE"
    ))
}

/// Refuses flags of another grant than the one that was chosen: they would not be sent.
fn check_grant(grant: GrantKind, options: &OauthOptions) -> Result<(), Failure> {
    let (assertion, exchange) = (&options.assertion, &options.exchange);
    for (flag, given, owner) in [
        ("--refresh-token-file", options.refresh_token_file.is_some(), GrantKind::RefreshToken),
        ("--assertion-file", assertion.assertion_file.is_some(), GrantKind::JwtBearer),
        ("--assertion-key-file", assertion.assertion_key_file.is_some(), GrantKind::JwtBearer),
        ("--subject-token-file", exchange.subject_token_file.is_some(), GrantKind::TokenExchange),
    ] {
        if given && grant != owner {
            let (grant, owner) = (name(grant), name(owner));
            let text = format!(
                "{flag} is for --grant {owner}, not for {grant}; say --grant {owner}, or leave it out"
            );
            return Err(Failure::Usage(text));
        }
    }
    Ok(())
}

/// A type of RFC 8693 §3, by its short name too.
fn token_type(flag: &str, given: Option<&str>) -> Result<String, Failure> {
    match given.unwrap_or("access_token") {
        "access_token" => Ok(TokenExchange::ACCESS_TOKEN.to_owned()),
        "jwt" => Ok(TokenExchange::JWT.to_owned()),
        "id_token" => Ok(TokenExchange::ID_TOKEN.to_owned()),
        other if is_uri(other) => Ok(other.to_owned()),
        _ => Err(Failure::Usage(format!(
            "{flag} must be access_token, jwt, id_token or a URI, such as urn:ietf:params:oauth:token-type:saml2"
        ))),
    }
}

/// Whether it has a scheme, and no character that no URI has (RFC 3986 §3.1, §2).
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let begins = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let of_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    let of_rest = |letter: char| letter.is_ascii_graphic() && !"\"<>\\^`{|}".contains(letter);
    begins && scheme.chars().all(of_scheme) && !rest.is_empty() && rest.chars().all(of_rest)
}

/// What a token is asked for.
pub(crate) fn wanted(options: &WantedOptions) -> Result<Wanted, Failure> {
    let scope = options.scope.join(" ").parse();
    let mut wanted =
        Wanted::new().with_scope(scope.map_err(|error| Failure::Usage(format!("--scope: {error}")))?);
    for resource in &options.resource {
        let resource = wanted.with_resource(resource);
        wanted = resource.map_err(|error| Failure::Usage(format!("--resource: {error}")))?;
    }
    Ok(options.audience.iter().fold(wanted, Wanted::with_audience))
}

/// Where a client gets its tokens: one that shows a certificate, at the address for such where there is one.
pub(crate) fn token_endpoint<'a>(client: &Client, given: Option<&'a str>) -> Endpoint<'a> {
    let stated: fn(&ServerMetadata) -> Option<&String> = match client.method {
        ClientAuth::MutualTls => |metadata| {
            metadata.mtls_endpoint_aliases.token_endpoint.as_ref().or(metadata.token_endpoint.as_ref())
        },
        _ => |metadata| metadata.token_endpoint.as_ref(),
    };
    Endpoint { flag: "--token-url", given, stated }
}

/// The token endpoint at a URL.
pub(crate) fn token_url(url: &str, client: &Client) -> Result<TokenEndpoint, Failure> {
    let endpoint = TokenEndpoint::for_client(url, client.authentication.clone());
    endpoint.map_err(|error| Failure::Usage(format!("--token-url: {error}")))
}

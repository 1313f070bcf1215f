//! Getting one token: signing, exchanging, asking the callback or the auth URL. Nothing is kept here but the server's
//! clock.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use auth_core::ably::{
    ApiKey, ClientId, ErrorCode, Means, Nonce, TokenDetails, TokenParams, TokenPlan, TokenReply,
    TokenRequest, check_identity,
};
use auth_core::time::{Deadline, Now, Timestamp};
use auth_core::{Error, ErrorKind, Retry};
use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::server_clock::ServerClock;
use super::surroundings::Surroundings;
use super::wire::{Service, auth_url_request, read_auth_url, read_time, read_token};
use crate::told::{Asking, Told};
use crate::wire::server_time;
use crate::within::within;

/// The parts of a client that do not change.
pub(super) struct Core {
    pub(super) surroundings: Surroundings,
    pub(super) service: Service,
    pub(super) server_clock: ServerClock,
    pub(super) client_id: Option<ClientId>,
    pub(super) provider_timeout: Duration,
    /// Whoever is told, if anybody is.
    pub(super) told: Option<Told>,
}

/// A refused exchange: why, and what the reply said of the time.
struct Refused {
    error: Error,
    server_time: Option<Timestamp>,
}

/// Whoever is asked for tokens in the program's stead.
#[derive(Clone, Copy)]
enum Provider {
    Callback,
    Url,
}

impl Provider {
    const fn name(self) -> &'static str {
        match self {
            Self::Callback => "auth callback",
            Self::Url => "auth URL",
        }
    }
}

impl Core {
    pub(super) fn now(&self) -> Now {
        (self.surroundings.clock)()
    }

    pub(super) fn server_now(&self) -> Option<Timestamp> {
        self.server_clock.now(self.now())
    }

    pub(super) async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.surroundings.http.exchange(request).await
    }

    /// Asks for the server's time, and keeps it (RSA10k).
    pub(super) async fn query_time(&self) -> Result<Timestamp, Error> {
        let time = read_time(&self.exchange(self.service.time()?).await?)?;
        self.server_clock.heard(time, self.now());
        Ok(time)
    }

    pub(super) async fn sign(
        &self,
        key: &ApiKey,
        params: &TokenParams,
        query_time: bool,
    ) -> Result<TokenRequest, Error> {
        if query_time && params.timestamp().is_none() && self.server_now().is_none() {
            self.query_time().await?;
        }
        Ok(self.signed(key, params))
    }

    /// By the server's clock where it is known (RSA9d).
    fn signed(&self, key: &ApiKey, params: &TokenParams) -> TokenRequest {
        let now = self.now();
        let wall = self.server_clock.now(now).unwrap_or(now.wall);
        let random = (self.surroundings.random)();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(random.split_at(16).0);
        TokenRequest::sign(key, params, Now { wall, ..now }, Nonce::from_random(bytes))
    }

    /// The same as [`token`](Self::token), within the time that a [`TokenSource`](auth_core::TokenSource) has, for this client.
    pub(super) async fn token_in_time(
        &self,
        plan: TokenPlan,
        in_use: Option<Deadline>,
    ) -> Result<TokenDetails, Error> {
        let late = || {
            let text = "no token came within 50 s, all requests for it together; it may recover";
            Error::new(ErrorKind::Timeout, text)
        };
        let mut asking = Asking::begin(self.told.as_ref(), &*self.surroundings.clock, in_use);
        let details = self.within(LONGEST_FLIGHT, self.planned(plan, &mut asking), late).await;
        details
            .and_then(|details| {
                check_identity(self.client_id.as_ref(), details.client_id())?;
                Ok(details)
            })
            .inspect_err(|error| asking.failed(error))
    }

    /// Gets a token as planned (RSA8). The one in use lives until `in_use`.
    pub(super) async fn token(
        &self,
        plan: TokenPlan,
        in_use: Option<Deadline>,
    ) -> Result<TokenDetails, Error> {
        let mut asking = Asking::begin(self.told.as_ref(), &*self.surroundings.clock, in_use);
        self.planned(plan, &mut asking).await.inspect_err(|error| asking.failed(error))
    }

    async fn planned(&self, plan: TokenPlan, asking: &mut Asking<'_>) -> Result<TokenDetails, Error> {
        let TokenPlan { means, params, query_time, .. } = plan;
        match means {
            Means::Key(key) => self.by_key(&key, &params, query_time, asking).await,
            Means::Callback(callback) => {
                let reply = self.provided(Provider::Callback, callback.token(&params)).await?;
                self.details(Provider::Callback, checked(reply)?).await
            }
            Means::Url(url) => {
                let request = auth_url_request(&url, &params)?;
                let response = self.provided(Provider::Url, self.exchange(request)).await?;
                self.details(Provider::Url, read_auth_url(&response)?).await
            }
        }
    }

    /// Signs a request and exchanges it. One whose time the server does not accept is signed once more, with the
    /// server's own.
    async fn by_key(
        &self,
        key: &ApiKey,
        params: &TokenParams,
        query_time: bool,
        asking: &mut Asking<'_>,
    ) -> Result<TokenDetails, Error> {
        let request = self.sign(key, params, query_time).await?;
        let refused = match self.exchanged(&request).await {
            Err(refused) if refused.is(ErrorCode::TIMESTAMP_NOT_CURRENT) => refused,
            outcome => return outcome.map_err(|refused| refused.for_capability(params)),
        };
        if params.timestamp().is_some() {
            return Err(self.not_current("this program", &request, refused));
        }
        if let Err(cause) = self.query_time().await {
            return Err(self.not_current("this machine", &request, refused).with_source(cause));
        }
        asking.again(&refused.error);
        let request = self.signed(key, params);
        self.exchanged(&request).await.map_err(|refused| {
            if refused.is(ErrorCode::TIMESTAMP_NOT_CURRENT) {
                return self.not_current("this machine", &request, refused);
            }
            refused.for_capability(params)
        })
    }

    async fn details(&self, provider: Provider, reply: TokenReply) -> Result<TokenDetails, Error> {
        let request = match reply {
            TokenReply::Token(token) => return Ok(TokenDetails::new(token)),
            TokenReply::Details(details) => return Ok(details),
            TokenReply::Request(request) => request,
        };
        let who = provider.name();
        self.exchanged(&request).await.map_err(|refused| match refused.error.code().map(ErrorCode::new) {
            Some(ErrorCode::NONCE_REPLAYED) => ErrorCode::NONCE_REPLAYED
                .error(format!(
                    "the token request of the {who} was used already: its answer is cached; have it answer \
                     with Cache-Control: no-store, and sign anew each time"
                ))
                .with_source(refused.error),
            Some(ErrorCode::TIMESTAMP_NOT_CURRENT) => {
                self.not_current(&format!("whoever is behind the {who}"), &request, refused)
            }
            _ => refused.error,
        })
    }

    async fn exchanged(&self, request: &TokenRequest) -> Result<TokenDetails, Refused> {
        let unheard = |error| Refused { error, server_time: None };
        let response = self.exchange(self.service.request_token(request).map_err(unheard)?).await;
        let response = response.map_err(unheard)?;
        let server_time = server_time(response.headers());
        read_token(&response).map_err(|error| {
            // A refusal is one by its status (RSA4d), whatever number stands in it.
            let bare = response.status() == StatusCode::FORBIDDEN && !means_403(&error);
            let text = "the service refused to issue a token (status 403); the cause of this error says why";
            let error = if bare { ErrorCode::FORBIDDEN.error(text).with_source(error) } else { error };
            Refused { error, server_time }
        })
    }

    /// Code 40104, with both times in it.
    fn not_current(&self, signer: &str, request: &TokenRequest, refused: Refused) -> Error {
        let signed =
            request.timestamp().map_or(Cow::Borrowed("no time at all"), |time| time.to_string().into());
        let server = match self.server_now().or(refused.server_time) {
            Some(time) => format!("the server's clock says {time}"),
            None => format!(
                "the server, whose time is not known, refused it at {} by this machine's clock",
                self.now().wall
            ),
        };
        let text = format!(
            "{signer} signed the token request with {signed}, but {server}; correct the clock, and sign each request just \
             before it is used"
        );
        ErrorCode::TIMESTAMP_NOT_CURRENT.error(text).with_source(refused.error)
    }

    /// Within the time that a provider has (RSA4c, RSA4e).
    async fn provided<T>(
        &self,
        provider: Provider,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let limit = self.provider_timeout;
        let late = || {
            let text = format!("the {} did not answer within {limit:?}; it may recover", provider.name());
            Error::new(ErrorKind::Timeout, text)
        };
        self.within(limit, work, late).await.map_err(|cause| provider_failed(provider, cause))
    }

    /// Within this time, from the moment at which it has to be waited for.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, Error>>,
        late: impl Fn() -> Error,
    ) -> Result<T, Error> {
        within(&*self.surroundings.delay, limit, work, late).await
    }
}

impl Refused {
    fn is(&self, code: ErrorCode) -> bool {
        self.error.code() == Some(code.number())
    }

    /// A capability that was denied is named: it is what the caller has to change.
    fn for_capability(self, params: &TokenParams) -> Error {
        let asked = params.capability().filter(|_| self.is(ErrorCode::CAPABILITY));
        let Some(asked) = asked else { return self.error };
        let text = asked.canonical_text();
        let shown: String = text.chars().take(LONGEST_SHOWN).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        let text = format!(
            "the key allows nothing of what was asked for, {shown}{more}; ask for less, or extend the key"
        );
        ErrorCode::CAPABILITY.error(text).with_source(self.error)
    }
}

/// How long a request may take, all that is asked for it together.
pub(super) const LONGEST_FLIGHT: Duration = Duration::from_secs(50);
/// How much of a capability an error shows.
const LONGEST_SHOWN: usize = 500;

/// Code 40170, or the refusal that it is (RSA4d), with the cause behind it.
fn provider_failed(provider: Provider, cause: Error) -> Error {
    let name = provider.name();
    if is_refusal(&cause) {
        let own = cause.code().filter(|_| means_403(&cause)).map(ErrorCode::new);
        return own
            .unwrap_or(ErrorCode::FORBIDDEN)
            .error(format!("the {name} refused; whoever is behind it must allow this client"))
            .with_source(cause);
    }
    let text = format!("the {name} gave no token; its error is the cause of this one");
    ErrorCode::PROVIDER_FAILED.error(text).with_retry(cause.retry()).with_source(cause)
}

/// Whether an error is somebody's "no" (status 403), rather than a failure to answer: by an Ably number, by the bare
/// status that a token endpoint's refusal has, or as another client has it from its own provider.
pub(super) fn is_refusal(error: &Error) -> bool {
    let another = ErrorCode::AUTHENTICATION_FAILED.number();
    means_403(error)
        || error.code() == Some(StatusCode::FORBIDDEN.as_u16().into())
        || (error.code() == Some(another) && error.retry() == Retry::Never)
}

/// Whether its number is one of those that go with status 403.
fn means_403(error: &Error) -> bool {
    error.code().is_some_and(|code| ErrorCode::new(code).status() == 403)
}

/// What a program's callback answered, held to the same rules as an auth URL's answer (RSA4f).
fn checked(reply: TokenReply) -> Result<TokenReply, Error> {
    let length = match &reply {
        TokenReply::Token(token) => return TokenReply::from_text(token.expose()),
        TokenReply::Details(details) if details.token().is_empty() => {
            return Err(ErrorCode::PROVIDER_FAILED.error("the auth callback answered an empty token"));
        }
        TokenReply::Details(details) => details.to_json().expose().len(),
        TokenReply::Request(request) => request.to_json().expose().len(),
    };
    if length > TokenReply::LONGEST {
        return Err(ErrorCode::PROVIDER_FAILED.error("the auth callback's answer is longer than 128 KiB"));
    }
    Ok(reply)
}

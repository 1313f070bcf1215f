//! The settings of a gateway, each with its reason.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::Secret;
use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::{Recorder, Unobserved};
use auth_core::scope::Scopes;
use auth_http::endpoint::ably::ServedKey;
use auth_http::endpoint::optave::TokenServer;
use auth_http::endpoint::spatium::AuthorizationServer;
use ws_session::dialect::Dialect;

use crate::doors::Door;
use crate::optave;
use crate::{Application, Authenticator, Echo, Issuer, JwtAuthority, RateLimit};

/// The settings of a [`Gateway`](crate::Gateway).
#[derive(Clone)]
pub struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) clients: Vec<Client>,
    pub(crate) token_lifetime: Duration,
    pub(crate) refresh_grace: Duration,
    pub(crate) rate_limit: RateLimit,
    pub(crate) ably_keys: Vec<ServedKey>,
    pub(crate) ably_rate_limit: RateLimit,
    pub(crate) patience: Duration,
    pub(crate) most_connections: usize,
    pub(crate) issuer: Arc<dyn Issuer>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) application: Arc<dyn Application>,
    websockets: Vec<WebSocket>,
    pub(crate) optave: Option<Arc<Mutex<TokenServer>>>,
    pub(crate) spatium: Option<Arc<Mutex<AuthorizationServer>>>,
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) fingerprint_key: FingerprintKey,
    pub(crate) metrics: Option<Metrics>,
}

/// What is scraped, and where.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) listen: SocketAddr,
    pub(crate) text: Arc<dyn Fn() -> String + Send + Sync>,
}

/// The shortest lifetime of a token: a second, the resolution of a JWT.
pub const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);

/// The longest lifetime of a token: thirty days.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// The longest grace of a spent refresh token: a minute. A retry that comes later is no retry.
pub const LONGEST_REFRESH_GRACE: Duration = Duration::from_secs(60);

/// A dialect that is served at a path, and who reaches the verdicts if that is not everybody's authenticator.
#[derive(Clone)]
struct WebSocket {
    path: String,
    dialect: Arc<Dialect>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

impl WebSocket {
    fn new(path: impl Into<String>, dialect: Dialect, authenticator: Option<Arc<dyn Authenticator>>) -> Self {
        Self { path: path.into(), dialect: Arc::new(dialect), authenticator }
    }
}

/// An OAuth client that may obtain tokens.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) scope: Scopes,
    pub(crate) refresh_token: Option<Secret>,
}

impl Client {
    /// A client with the scopes that its tokens may have. With an empty secret it is refused whatever it presents.
    #[must_use]
    pub fn new(id: impl Into<String>, secret: Secret, scope: Scopes) -> Self {
        Self { id: id.into(), secret, scope, refresh_token: None }
    }

    /// The same client with a refresh token that it was given elsewhere, for example by a login in a browser.
    #[must_use]
    pub fn with_refresh_token(self, refresh_token: Secret) -> Self {
        Self { refresh_token: Some(refresh_token), ..self }
    }
}

impl Config {
    /// The defaults, with tokens as JWTs under a fresh random key, and no client yet.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        let authority = Arc::new(JwtAuthority::with_random_key());
        Self {
            listen,
            clients: Vec::new(),
            token_lifetime: Duration::from_secs(3_600),
            refresh_grace: Duration::from_secs(10),
            rate_limit: RateLimit::new(Duration::from_millis(200), 10),
            ably_keys: Vec::new(),
            ably_rate_limit: RateLimit::new(Duration::from_millis(10), 200),
            patience: Duration::from_secs(10),
            most_connections: 10_000,
            issuer: Arc::clone(&authority) as Arc<dyn Issuer>,
            authenticator: authority,
            application: Arc::new(Echo),
            websockets: vec![WebSocket::new("/ws", Dialect::genesys(), None)],
            optave: None,
            spatium: None,
            recorder: Arc::new(Unobserved),
            fingerprint_key: FingerprintKey::new(rand::random()),
            metrics: None,
        }
    }

    /// Adds a client.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// How long a token lives: an hour by default, from [`SHORTEST_LIFETIME`] to [`LONGEST_LIFETIME`]. A shorter life
    /// limits what a stolen token is good for, and costs a renewal each time.
    #[must_use]
    pub fn with_token_lifetime(self, token_lifetime: Duration) -> Self {
        Self { token_lifetime: token_lifetime.clamp(SHORTEST_LIFETIME, LONGEST_LIFETIME), ..self }
    }

    /// How long after it was redeemed a refresh token may be presented again by its client, for the same successor:
    /// 10 s by default, at most [`LONGEST_REFRESH_GRACE`], which is what a longer one is cut to.
    ///
    /// When the answer to a refresh is lost, the client holds a token that is spent and has never seen the next:
    /// without a grace its only way back is a login. FAPI 2.0 Security Profile §5.3.2.1 therefore wants a retry to be
    /// possible where tokens rotate. 10 s is the window in which the clients of this workspace retry. The alarm is
    /// only put off by it: a thief who presents the old token in time needs the client's secret as well, gets no line
    /// of descent of his own, and is found out once he or the owner is a step, or a grace, behind the other. The
    /// grace ends early once the successor was redeemed, and after it the old token revokes its family. Zero turns it
    /// off: right where theft is likelier than a lost answer.
    #[must_use]
    pub fn with_refresh_grace(self, refresh_grace: Duration) -> Self {
        Self { refresh_grace: refresh_grace.min(LONGEST_REFRESH_GRACE), ..self }
    }

    /// How often one client may ask for a token: five a second by default, ten at once.
    #[must_use]
    pub fn with_rate_limit(self, rate_limit: RateLimit) -> Self {
        Self { rate_limit, ..self }
    }

    /// Serves an Ably API key: its token requests, revocations, and whoever presents it or a token of it, over REST and over
    /// WebSockets at `/`. There, a request is Ably's if its query has the version of the protocol (`v`) or one of Ably's
    /// credentials, whatever else is spoken. A key of the same name takes the place of one that was added before. Without any
    /// key, none of this is served.
    ///
    /// A connection may be attached to 200 channels, sends frames of up to 256 KiB with messages of up to 64 KiB, and is let go
    /// when it is more than 256 messages, or a mebibyte, behind.
    #[must_use]
    pub fn with_ably_key(mut self, key: ServedKey) -> Self {
        self.ably_keys.retain(|served| served.name() != key.name());
        self.ably_keys.push(key);
        self
    }

    /// How often tokens may be asked for under one Ably key: a hundred a second by default, two hundred at once. All
    /// clients of an application share its key. Up to 273 a second, the nonces of a key can't fill the room that there is
    /// for them; what is signed beyond that is refused once they have.
    #[must_use]
    pub fn with_ably_rate_limit(self, rate_limit: RateLimit) -> Self {
        Self { ably_rate_limit: rate_limit, ..self }
    }

    /// How long a stranger may take over each step: an HTTP head, a request body, and the credential of a fresh
    /// WebSocket; and how long the [recorder](Self::with_recorder) may take over what waits for it. 10 s by default, the
    /// figure of the Genesys document.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How many connections there may be at once, at least one: 10,000 by default. Further ones wait to be accepted.
    #[must_use]
    pub fn with_most_connections(self, most_connections: usize) -> Self {
        Self { most_connections: most_connections.max(1), ..self }
    }

    /// Who makes the tokens.
    #[must_use]
    pub fn with_issuer(self, issuer: Arc<dyn Issuer>) -> Self {
        Self { issuer, ..self }
    }

    /// Who reaches the verdicts on them, wherever [nobody else](Self::with_websocket_and_authenticator) does.
    #[must_use]
    pub fn with_authenticator(self, authenticator: Arc<dyn Authenticator>) -> Self {
        Self { authenticator, ..self }
    }

    /// Accepts WebSockets of this dialect at this path, which begins with a slash: by default
    /// [`Dialect::genesys`] at `/ws`. It takes the place of the dialect that was spoken there before. The paths of the HTTP
    /// endpoints are not to be had: [`Gateway::bind`](crate::Gateway::bind) refuses them, and what is no path.
    ///
    /// The credential is looked for where the dialect places it, and acceptance, refusal, expiry and renewal are
    /// told in its words. A client must say all that the description's own messages say, and may say more. What only
    /// code of the dialect can read, such as a signature, is not read.
    #[must_use]
    pub fn with_websocket(self, path: impl Into<String>, dialect: Dialect) -> Self {
        self.with_door(WebSocket::new(path, dialect, None))
    }

    /// As [`with_websocket`](Self::with_websocket), where somebody else reaches the verdicts at this path.
    #[must_use]
    pub fn with_websocket_and_authenticator(
        self,
        path: impl Into<String>,
        dialect: Dialect,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        self.with_door(WebSocket::new(path, dialect, Some(authenticator)))
    }

    fn with_door(mut self, websocket: WebSocket) -> Self {
        self.websockets.retain(|served| served.path != websocket.path);
        self.websockets.push(websocket);
        self
    }

    /// All dialects that are served.
    pub(crate) fn doors(&self) -> Vec<Door> {
        let own = self.websockets.iter().map(|websocket| Door {
            path: websocket.path.clone(),
            dialect: Arc::clone(&websocket.dialect),
            authenticator: Arc::clone(websocket.authenticator.as_ref().unwrap_or(&self.authenticator)),
        });
        own.chain(self.optave.iter().flat_map(optave::doors)).collect()
    }

    /// Serves Spatium's authorization service at `/authorization/v1`. Clones of the configuration share its sessions. The
    /// [rate limit](Self::with_rate_limit) counts for each account and merchant, apart from that for the passwords that are
    /// tried under each user name, known or not, and for all wrong merchant keys together.
    #[must_use]
    pub fn with_spatium(self, server: AuthorizationServer) -> Self {
        Self { spatium: Some(Arc::new(Mutex::new(server))), ..self }
    }

    /// Serves Optave's token endpoint at `/auth/oauth2/token`, hands tokens to browsers at `/api/optave/ws-ticket` and
    /// `/api/optave-token`, and opens one WebSocket for each token, at `/`. Clones of the configuration share its memory of
    /// the tokens that were used. The [rate limit](Self::with_rate_limit) counts for each client, and for all browsers
    /// together.
    #[must_use]
    pub fn with_optave(self, server: TokenServer) -> Self {
        Self { optave: Some(Arc::new(Mutex::new(server))), ..self }
    }

    /// Who is told of each decision, and says when it is on record: nobody by default.
    ///
    /// The gateway waits for it before a token is handed out, before a connection is let in or renewed, and before a revocation is answered;
    /// where it can't be recorded, the answer is 503 with `Retry-After`, or close code 1013. What was begun then stands thus:
    /// the refresh token that was presented still serves; a token that opens one connection is spent, and a revocation has taken
    /// effect, which is recorded as soon as that can be done, by [`record_at`](Recorder::record_at), as of when it happened. A call
    /// that takes longer than the [patience](Self::with_patience) holds up no other record. Refusals are told without waiting. More than ten a second of one kind from one
    /// place, or a thousand from all, are summed up every 5 s.
    #[must_use]
    pub fn with_recorder(self, recorder: Arc<dyn Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// The key under which tokens are named in what is recorded: a random one by default. With one that is kept, the names are
    /// the same after a restart, and at every gateway that has it.
    #[must_use]
    pub fn with_fingerprint_key(self, fingerprint_key: FingerprintKey) -> Self {
        Self { fingerprint_key, ..self }
    }

    /// Serves this text at `/metrics` of an address of its own, apart from that of the gateway: what is scraped is nobody else's
    /// business. Whoever reaches the address can read it: let it be one of this machine, or of a network of your own. Nothing is
    /// served by default.
    #[must_use]
    pub fn with_metrics(self, listen: SocketAddr, text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { metrics: Some(Metrics { listen, text: Arc::new(text) }), ..self }
    }

    /// What answers the messages of authenticated connections: an echo by default.
    #[must_use]
    pub fn with_application(self, application: Arc<dyn Application>) -> Self {
        Self { application, ..self }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("listen", &self.listen)
            .field("clients", &self.clients)
            .field("token_lifetime", &self.token_lifetime)
            .field("refresh_grace", &self.refresh_grace)
            .field("rate_limit", &self.rate_limit)
            .field("ably_keys", &self.ably_keys)
            .field("ably_rate_limit", &self.ably_rate_limit)
            .field("patience", &self.patience)
            .field("most_connections", &self.most_connections)
            .finish_non_exhaustive()
    }
}

//! Spatium's authorization service as a server sees it: four calls, sessions that rotate, and their limits.
//!
//! What the vendor does not document is ours: the path of the refresh
//! ([`REFRESH_PATH`]), the body of an error (`requestId`, and `error` with `code` and
//! `message`), that security tokens serve as often as they are presented within their five minutes, and all lifetimes but the
//! permission token's 15 minutes.

mod call;
mod parties;
mod refusal;
mod sessions;
#[cfg(test)]
mod tests;
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::{Claims, Draft, KeySet, SignJws, Verifier};
use auth_core::scope::Scopes;
use auth_core::time::Now;
use auth_core::{Error, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use self::call::{ByFactors, ByKey, Credentials, Redeem, read};
pub use self::parties::{Account, Admit, Asking, Merchant};
use self::refusal::Refusal;
pub use self::sessions::Counts;
use self::sessions::{Holder, Session, Sessions};
use self::told::{Told, scopes};
use super::token::json as json_reply;
use super::{Decisions, hs256, verifier};
use crate::spatium::wire::{BY_FACTORS_PATH, BY_KEY_PATH, CREDENTIALS_PATH, REFRESH_PATH, REQUEST_ID};

/// The authorization service: who may have a session, and which sessions there are.
pub struct AuthorizationServer {
    key: Arc<dyn SignJws>,
    verifier: Verifier,
    accounts: Vec<Account>,
    merchants: Vec<Merchant>,
    permission_lifetime: Duration,
    refresh_lifetime: Duration,
    sessions: Sessions,
}

/// The longest grace of a spent refresh token: a minute. A retry that comes later is no retry.
pub const LONGEST_REFRESH_GRACE: Duration = Duration::from_secs(60);

/// Stands in every token, as the vendor has it.
const ISSUER: &str = "authorization-service";
const SECURITY: &str = "securityTokenSchema";
const PERMISSION: &str = "permissionTokenSchema";
const REFRESH: &str = "permissionRefreshTokenSchema";

/// How long a security token serves: time to gather the others.
const SECURITY_LIFETIME: Duration = Duration::from_secs(300);

/// The longest request id that is echoed; a UUID has 36 characters.
const LONGEST_REQUEST_ID: usize = 128;

impl AuthorizationServer {
    /// A service without accounts that signs by `key`, the public half of which is in `keys`.
    #[must_use]
    pub fn new(key: Arc<dyn SignJws>, keys: KeySet) -> Self {
        Self {
            key,
            verifier: verifier(keys, ISSUER),
            accounts: Vec::new(),
            merchants: Vec::new(),
            permission_lifetime: Duration::from_secs(900),
            refresh_lifetime: Duration::from_secs(30 * 86_400),
            sessions: Sessions::new(Duration::from_secs(10)),
        }
    }

    /// A service without accounts whose tokens are signed by HS256 with this key, which must be random, and secret.
    #[must_use]
    pub fn hs256(key: [u8; 32]) -> Self {
        let (key, keys) = hs256(key);
        Self::new(key, keys)
    }

    /// Adds a user.
    #[must_use]
    pub fn with_account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Adds a service.
    #[must_use]
    pub fn with_merchant(mut self, merchant: Merchant) -> Self {
        self.merchants.push(merchant);
        self
    }

    /// How long a permission token lives: 15 minutes by default, as the vendor's do.
    #[must_use]
    pub fn with_permission_lifetime(self, permission_lifetime: Duration) -> Self {
        Self { permission_lifetime, ..self }
    }

    /// How long a refresh token lives, and so a session that is not refreshed: 30 days by default.
    #[must_use]
    pub fn with_refresh_lifetime(self, refresh_lifetime: Duration) -> Self {
        Self { refresh_lifetime, ..self }
    }

    /// How long a spent refresh token may be presented again, for the same successor: 10 s by default, for a client that
    /// lost the answer, and at most [`LONGEST_REFRESH_GRACE`], which is what a longer one is cut to. It ends once the
    /// successor was redeemed.
    #[must_use]
    pub fn with_refresh_grace(mut self, grace: Duration) -> Self {
        self.sessions.grace = grace.min(LONGEST_REFRESH_GRACE);
        self
    }

    /// What became of the refresh tokens.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.sessions.counts()
    }

    /// Whether there is a call at this path below the URL of the service.
    #[must_use]
    pub fn serves(path: &str) -> bool {
        [CREDENTIALS_PATH, BY_FACTORS_PATH, BY_KEY_PATH, REFRESH_PATH].contains(&path)
    }

    /// Answers a request to `path` below the URL of the service. `random` must be fresh.
    pub fn respond(
        &mut self,
        now: Now,
        random: [u8; 32],
        path: &str,
        request: &Request<Bytes>,
        admit: Admit<'_>,
    ) -> Response<Bytes> {
        let mut ids = request.headers().get_all(REQUEST_ID).iter();
        let id = ids.next().map(|id| id.to_str().ok().filter(|id| id.len() <= LONGEST_REQUEST_ID));
        let mut told = Told::at(path);
        let answer = match (&id, ids.next()) {
            (Some(None), _) | (_, Some(_)) => Err(Refusal::BadRequest),
            _ => self.answer(now, random, path, request, admit, &mut told),
        };
        let id = id.flatten();
        let reply = match answer {
            Ok(data) => {
                let mut body = json!({ "data": data });
                if let Some(id) = id {
                    body["requestId"] = Value::from(id);
                }
                json_reply(StatusCode::OK, &body)
            }
            Err(refusal) => {
                told.refused(refusal);
                refusal.into_response(id)
            }
        };
        Decisions::tell(reply, told.decisions)
    }

    /// A reply with this refresh token never left, which is said once of each: where none did, the token before it may be
    /// presented again until one does. A token that is not the newest of its session changes nothing.
    pub fn unsent(&mut self, now: Now, refresh_token: &Secret) {
        let Ok(claims) = self.verified(now, refresh_token.expose(), REFRESH) else { return };
        if let (Some(holder), Some((token_id, jti))) =
            (Holder::of(&claims), claims.text("tokenId").zip(claims.token_id()))
        {
            self.sessions.unsent(&holder, token_id, jti);
        }
    }

    /// The reply to a request that can't be granted at the moment.
    #[must_use]
    pub fn unavailable() -> Response<Bytes> {
        Refusal::Unavailable.into_response(None)
    }

    fn answer(
        &mut self,
        now: Now,
        random: [u8; 32],
        path: &str,
        request: &Request<Bytes>,
        admit: Admit<'_>,
        told: &mut Told,
    ) -> Result<Value, Refusal> {
        if !Self::serves(path) {
            return Err(Refusal::NotFound);
        }
        if request.method() != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        match path {
            CREDENTIALS_PATH => self.security_token(now, random, &read(request)?, admit, told),
            BY_FACTORS_PATH => self.issue_by_factors(now, random, read(request)?, admit, told),
            BY_KEY_PATH => self.issue_by_key(now, random, read(request)?, admit, told),
            _ => self.refresh(now, random, &read(request)?, admit, told),
        }
    }

    fn security_token(
        &self,
        now: Now,
        random: [u8; 32],
        credentials: &Credentials,
        admit: Admit<'_>,
        told: &mut Told,
    ) -> Result<Value, Refusal> {
        let account = self.accounts.iter().find(|account| account.username == credentials.username);
        if let Some(account) = account {
            told.asks(&account.username);
        }
        // Before the password is looked at, and the same whether there is such a user: this is what bounds guessing.
        admit(Asking::Password(&credentials.username)).map_err(Refusal::TooManyRequests)?;
        // An unknown user costs a comparison as well.
        let password = account.map_or_else(|| Secret::from(""), |account| account.password.clone());
        let matches = password == credentials.password.0;
        let account = account.filter(|_| matches && !password.is_empty()).ok_or(Refusal::Unauthorized)?;
        let draft = Draft::new()
            .with_text("magic", SECURITY)
            .with_text("accountId", &account.username)
            .with_text("factor", "credentials")
            .with_lifetime(now.wall, SECURITY_LIFETIME)
            .with_issuer(ISSUER)
            .with_token_id(&name(&random[..16]));
        let token = self.sign(&draft)?;
        let reply = json!({ "securityToken": token.expose() });
        told.minted(token, None, Scopes::default(), SECURITY_LIFETIME);
        Ok(reply)
    }

    fn issue_by_factors(
        &mut self,
        now: Now,
        random: [u8; 32],
        wanted: ByFactors,
        admit: Admit<'_>,
        told: &mut Told,
    ) -> Result<Value, Refusal> {
        let mut username: Option<String> = None;
        for token in &wanted.security_tokens {
            let claims = self.verified(now, token.0.expose(), SECURITY)?;
            let of = claims.text("accountId").ok_or(Refusal::Unauthorized)?.to_owned();
            if username.as_ref().is_some_and(|username| *username != of) {
                return Err(Refusal::Unauthorized);
            }
            username = Some(of);
        }
        let username = username.ok_or(Refusal::BadRequest)?;
        told.asks(&username);
        let account = self.accounts.iter().find(|account| account.username == username);
        let account = account.ok_or(Refusal::Unauthorized)?;
        admit(Asking::Account(&username)).map_err(Refusal::TooManyRequests)?;
        if !wanted.session.permissions.iter().all(|permission| account.permissions.contains(permission)) {
            return Err(Refusal::Forbidden);
        }
        let session = self.sessions.establish(
            now,
            &random,
            Holder::Account(username),
            wanted.session,
            self.refresh_lifetime,
        )?;
        self.tokens(now, random, &session, told)
    }

    fn issue_by_key(
        &mut self,
        now: Now,
        random: [u8; 32],
        wanted: ByKey,
        admit: Admit<'_>,
        told: &mut Told,
    ) -> Result<Value, Refusal> {
        let key = &wanted.merchant_key.0;
        let merchant = self.merchants.iter().find(|merchant| merchant.key == *key && !key.is_empty());
        let asking = merchant.map_or(Asking::MerchantKey, |merchant| Asking::Merchant(&merchant.id));
        admit(asking).map_err(Refusal::TooManyRequests)?;
        let merchant = merchant.ok_or(Refusal::Unauthorized)?;
        told.asks(&merchant.id);
        if !wanted.session.permissions.iter().all(|permission| merchant.permissions.contains(permission)) {
            return Err(Refusal::Forbidden);
        }
        let holder = Holder::Merchant(merchant.id.clone());
        let session = self.sessions.establish(now, &random, holder, wanted.session, self.refresh_lifetime)?;
        self.tokens(now, random, &session, told)
    }

    fn refresh(
        &mut self,
        now: Now,
        random: [u8; 32],
        presented: &Redeem,
        admit: Admit<'_>,
        told: &mut Told,
    ) -> Result<Value, Refusal> {
        let claims = self.verified(now, presented.permission_refresh_token.0.expose(), REFRESH)?;
        let holder = Holder::of(&claims).ok_or(Refusal::Unauthorized)?;
        told.asks(holder.name());
        told.presents(&presented.permission_refresh_token.0);
        admit(holder.asking()).map_err(Refusal::TooManyRequests)?;
        let (token_id, jti) = claims.text("tokenId").zip(claims.token_id()).ok_or(Refusal::Unauthorized)?;
        let session = self.sessions.redeem(now, &holder, token_id, jti, self.refresh_lifetime)?;
        self.tokens(now, random, &session, told)
    }

    /// The two tokens of a session, with their doubled names.
    fn tokens(
        &self,
        now: Now,
        random: [u8; 32],
        session: &Session,
        told: &mut Told,
    ) -> Result<Value, Refusal> {
        let drafted = |magic: &str| {
            let draft = Draft::new().with_text("magic", magic);
            match &session.holder {
                Holder::Account(account) => draft.with_text("accountId", account).with_null("merchantId"),
                Holder::Merchant(merchant) => draft.with_null("accountId").with_text("merchantId", merchant),
            }
        };
        let permission = drafted(PERMISSION)
            .with_texts("permissions", &session.permissions)
            .with_lifetime(now.wall, self.permission_lifetime)
            .with_issuer(ISSUER)
            .with_token_id(&name(&random[16..]));
        // Of the step, not of the request: presented again within the grace, a token leads to the same successor.
        let refresh = drafted(REFRESH)
            .with_text("tokenId", &session.token_id)
            .with_lifetime(session.issued, self.refresh_lifetime)
            .with_issuer(ISSUER)
            .with_token_id(&session.jti());
        let expires = |from: auth_core::time::Timestamp, lifetime| {
            from.saturating_add(lifetime).as_millis().div_ceil(1_000)
        };
        let (permission, refresh) = (self.sign(&permission)?, self.sign(&refresh)?);
        let reply = json!({
            "permissionToken": {
                "permissionToken": permission.expose(),
                "issuer": ISSUER,
                "expiresAt": expires(now.wall, self.permission_lifetime),
            },
            "permissionRefreshToken": {
                "permissionRefreshToken": refresh.expose(),
                "issuer": ISSUER,
                "expiresAt": expires(session.issued, self.refresh_lifetime),
            },
        });
        told.minted(permission, Some(refresh), scopes(&session.permissions), self.permission_lifetime);
        Ok(reply)
    }

    fn verified(&self, now: Now, token: &str, magic: &str) -> Result<Claims, Refusal> {
        let claims = self.verifier.verify(token, now).map_err(|_| Refusal::Unauthorized)?.into_inner();
        if claims.text("magic") == Some(magic) { Ok(claims) } else { Err(Refusal::Unauthorized) }
    }

    fn sign(&self, draft: &Draft) -> Result<Secret, Refusal> {
        draft.signed_by(&*self.key).map_err(|_: Error| Refusal::Unavailable)
    }
}

/// Random bytes as text.
fn name(random: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key: _,
            verifier: _,
            accounts,
            merchants,
            permission_lifetime,
            refresh_lifetime,
            sessions: _,
        } = self;
        formatter
            .debug_struct("AuthorizationServer")
            .field("accounts", accounts)
            .field("merchants", merchants)
            .field("permission_lifetime", permission_lifetime)
            .field("refresh_lifetime", refresh_lifetime)
            .finish_non_exhaustive()
    }
}

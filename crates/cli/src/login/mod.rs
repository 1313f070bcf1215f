//! `rtauth login`: a person logs in, and what comes of it is kept in a file.

mod browser;
mod countdown;
mod device;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::renewal::{Policy, Record};
use auth_core::scope::Scopes;
use auth_core::{Demand, TokenSource as _};
use auth_http::grant::{Grant, Revocation};
use auth_http::manager::{TokenManager, TokioTimer};
use auth_http::store::{self, MemoryStore, TokenStore};
use auth_http::wire::{Dpop, RevocationEndpoint, TokenEndpoint, Wanted};
use clap::Args;

use self::show::Show;
use crate::exit::{self, Failure, complain};
use crate::patience::Patience;
use crate::source::{self, Client, ClientOptions, DpopOptions, Secrets, WantedOptions, network};

/// Logs a person in, with a browser or with a code that is typed on another device, and keeps the login in a file.
///
/// The login is a refresh token, which `rtauth token --grant refresh_token --store FILE` redeems from then on. An
/// older login in the file is replaced, not redeemed; to end it at the server too, `rtauth revoke` it first. The browser's answer comes to a port of this machine, and the code in
/// it can be redeemed by this command only (PKCE).
#[derive(Debug, Args)]
#[command(after_help = "\
What is printed is for the person who logs in, and nobody else: whoever has the page's URL, with the login's `state` in it, can
end the login, or log in at it as themselves; the tokens come to this command only. The browser is led there by a file of its
owner, not by its command line, which all users of this machine can read. The user code is for the person to type. No token is
printed.

With --json the lines are {\"event\":\"open\",\"url\":…} or {\"event\":\"user_code\",\"user_code\":…,\"verification_uri\":…}, and then
{\"event\":\"logged_in\",…}.

Exit code 0 once the login is in the file, 1 if it failed, 2 if the flags or a file are wrong, 3 if the person or the server
said no, 4 if nobody logged in in time, 130 if interrupted; after the person has logged in, it takes a second interruption to
lose the login.

Examples:

    rtauth login --issuer https://as.example.com --client-id app --scope 'openid offline_access' --store login.json
    rtauth login --device --issuer https://as.example.com --client-id app --store login.json
    rtauth login --authorization-url https://as.example.com/authorize --token-url https://as.example.com/token \\
        --client-id app --redirect-uri http://localhost:8400/callback --store login.json
    rtauth token --issuer https://as.example.com --client-id app --grant refresh_token --store login.json   # afterwards")]
pub(crate) struct LoginOptions {
    /// Where people log in; by default, where --issuer says that it is.
    #[arg(long, value_name = "URL", conflicts_with = "device")]
    authorization_url: Option<String>,

    /// The token endpoint; by default, where --issuer says that it is.
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,

    /// Show a code to be typed in a browser anywhere, for a machine without one (RFC 8628).
    #[arg(long)]
    device: bool,

    /// With --device: where such logins begin; by default, where --issuer says that it is.
    #[arg(long, value_name = "URL")]
    device_authorization_url: Option<String>,

    /// Where the browser brings the answer, as it is registered with the server: a URL of this machine. Without a port, a
    /// free one is taken.
    #[arg(long, value_name = "URL", conflicts_with = "device", default_value = "http://127.0.0.1/")]
    redirect_uri: String,

    /// Don't open the browser; somebody will open the URL.
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,

    #[command(flatten)]
    client: ClientOptions,

    #[command(flatten)]
    wanted: WantedOptions,

    #[command(flatten)]
    dpop: DpopOptions,

    /// The file that the login is kept in, for its owner only. There is no other way to get it: a token that is printed
    /// ends up in the terminal's memory.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,

    /// How long the person may take, in seconds, from 1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// One JSON object for each event.
    #[arg(long)]
    json: bool,
}

pub(crate) fn command(options: &LoginOptions) -> ExitCode {
    exit::run("login", login(options))
}

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);

/// What both ways to log in have in common.
struct Login<'a> {
    options: &'a LoginOptions,
    client: Client,
    wanted: Wanted,
    /// The same but for the scopes, which are asked for when the login begins: who redeems it later and names none gets
    /// those, so that its token is the one in the store.
    redeemed: Wanted,
    dpop: Option<Dpop>,
    show: Show,
}

async fn login(options: &LoginOptions) -> Result<(), Failure> {
    if options.device_authorization_url.is_some() && !options.device {
        let text = "--device-authorization-url is for --device; say --device, or leave it out";
        return Err(Failure::Usage(text.to_owned()));
    }
    network::allow("login", &options.client.network);
    let mut secrets = Secrets::default();
    let urls = [options.token_url.as_deref(), options.device_authorization_url.as_deref()];
    let client = Client::read("login", &options.client, &urls, &mut secrets, REQUEST)?;
    let wanted = source::wanted(&options.wanted)?;
    let dpop = source::dpop("login", &options.dpop, &mut secrets, true)?;
    let store = source::open_store(&options.store)?;
    let redeemed = wanted.clone().with_scope(Scopes::default());
    let login = Login { options, client, wanted, redeemed, dpop, show: Show::new(options.json) };
    if options.device {
        device::check(&login)?
    } else {
        browser::check(&login)?
    }

    let mut patience = Patience::of(Duration::from_secs(options.timeout))?;
    let LoggedIn { grant, revocation } = patience
        .within(async {
            // What would keep the login from being saved shows before anybody is asked.
            store::rehearse(&*store, &TokioTimer::start()).await?;
            if options.device { device::log_in(&login).await } else { browser::log_in(&login).await }
        })
        .await?;
    // The person has done their part: what came of it is not thrown away because that took them long.
    let record = patience.settle("login", login.keep(grant, &*store, revocation)).await??;
    if record.refresh_token.is_none() {
        complain(
            "login",
            "the server issued no refresh token, so this login ends with its token; ask for one, often by --scope offline_access",
        );
    }
    login.show.logged_in(&record, &options.store)?;
    patience.ended()
}

/// What a person's login comes to.
struct LoggedIn {
    /// What the token endpoint is asked with; the tokens are what it gives first.
    grant: Box<dyn Grant>,
    /// Where the login can be ended, if the server has said so.
    revocation: Option<String>,
}

/// The first tokens of a login, as a record for the store.
async fn redeem(grant: Box<dyn Grant>) -> Result<Record, Failure> {
    let kept = MemoryStore::new();
    let manager = TokenManager::builder(grant)
        .with_policy(Policy::new().with_flight(REQUEST))
        .with_store(Arc::new(kept.clone()))
        .spawn();
    manager.token(Demand::Current).await?;
    manager.shut_down().await;
    let record = kept.load().await?;
    record.ok_or_else(|| {
        Failure::Operation("store_failed: the login could not be kept; log in again".to_owned())
    })
}

impl Login<'_> {
    /// Redeems a login and puts it into the store. One that can't be kept is ended at the server, if that is possible.
    async fn keep(
        &self,
        grant: Box<dyn Grant>,
        store: &dyn TokenStore,
        revocation: Option<String>,
    ) -> Result<Record, Failure> {
        let record = redeem(grant).await?;
        if let Err(error) = store::replace(store, &TokioTimer::start(), record.clone()).await {
            let ended = match revocation {
                Some(url) => self.end(&url, &record).await,
                None => false,
            };
            complain(
                "login",
                if ended {
                    "the login could not be saved, and was ended at the server; mend the store, and log in again"
                } else {
                    "the login could not be saved, and lives on at the server: end it there, mend the store, and log in again"
                },
            );
            return Err(error.into());
        }
        Ok(record)
    }

    /// Whether a login is ended at the server.
    async fn end(&self, url: &str, record: &Record) -> bool {
        let Ok(endpoint) = RevocationEndpoint::new(url, self.client.authentication.clone()) else {
            return false;
        };
        let revocation = Revocation::new(endpoint, Arc::clone(&self.client.http));
        let access_token = record.access_token.as_ref().map(|token| &token.secret);
        revocation.log_out(record.refresh_token.as_ref(), access_token, async || Ok(())).await.is_ok()
    }

    /// The token endpoint at a URL, with the key that tokens are bound to.
    fn token_endpoint(&self, url: &str) -> Result<TokenEndpoint, Failure> {
        let endpoint = source::token_url(url, &self.client)?;
        Ok(match &self.dpop {
            Some(dpop) => endpoint.with_dpop(dpop.clone()),
            None => endpoint,
        })
    }
}

//! `rtauth token`: one token, from wherever the flags say, through the cache that all processes share.

mod details;
mod witness;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::scope::Scopes;
use auth_core::{Demand, Token};
use clap::Args;

use self::details::Details;
pub(crate) use self::witness::Witness;
use crate::exit::{self, Failure, complain};
use crate::patience::Patience;
use crate::profile::ProfileOptions;
use crate::source::{self, Live, Prepared, Secrets, Source, SourceOptions, Tokens, Watched, network};

/// Obtains a token and prints it as JSON: `token`, `issued` and `expires` in milliseconds since the epoch, `scope`, and
/// of Ably's tokens `capability` and `clientId`.
///
/// What is not known is left out. A token that is bound to a key has `tokenType`, "DPoP". The token goes to standard output
/// and nowhere else; what went wrong goes to standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Sources:

    --source   needs                                            takes besides              each token is
    static     --token-file                                                                as it is
    oauth      --token-url or --issuer, --client-id             what `OAuth source` lists  of an OAuth endpoint (the default)
    ably       --key-file                                       --client-id, --ttl …       of a client of Ably, by an API key
    auth-url   --token-url                                      --header, --param …        of Ably too: from who has the key
    optave     --token-url, --client-id, --client-secret-file   --client-auth              for one connection
    spatium    --token-url, --token-id, --permission            --security-token-file,     of an authorization session
                                                                --username …

All but static and optave take --store, --lead and --refresh. With ably and auth-url, --client-id is whom the token speaks
for, `*` for anybody. The spatium session in a --store is resumed; one is established only if there is none that lives.

Secrets come from files, standard input (`-`) or the environment (RTAUTH_CLIENT_SECRET, RTAUTH_REFRESH_TOKEN,
RTAUTH_ABLY_KEY), never from the command line, where other users of this machine see them. Plain http is for servers of this
machine only, unless --insecure says otherwise. The proxy variables of the environment (HTTPS_PROXY, NO_PROXY …) are heeded.

Exit code 0 with a token, 1 if there was none, 2 if the flags or a file are wrong, 3 if the server refused for good, 4 if no
answer came in time, 130 if interrupted.

Examples:

    rtauth token --token-url https://api.example.com/oauth/token --client-id abc --client-secret-file secret.txt
    printf %s \"$SECRET\" | rtauth token --issuer https://as.example.com --client-id abc --client-secret-file -
    rtauth token --issuer https://as.example.com --client-id abc --client-key-file key.pem --store tokens.json
    rtauth token --issuer https://as.example.com --client-id app --grant refresh_token --store login.json   # after rtauth login
    rtauth token --issuer https://as.example.com --client-id abc --client-key-file key.pem \\
        --grant token_exchange --subject-token-file user.jwt --subject-token-type jwt --audience calendar
    rtauth token --source static --token-file token.txt --json

Against a gateway at 127.0.0.1:8080 with the configuration of rtauth gateway --help:

    rtauth token --token-url http://127.0.0.1:8080/oauth/token --client-id abc123 --client-secret-file secret.txt
    rtauth token --source ably --token-url http://127.0.0.1:8080 --key-file key.txt --client-id alice --store ably.json
    rtauth token-request --key-file key.txt > request.json && python3 -m http.server 8081 &   # in place of a backend
    rtauth token --source auth-url --token-url http://127.0.0.1:8081/request.json --ably-url http://127.0.0.1:8080
    rtauth token --source optave --token-url http://127.0.0.1:8080/auth/oauth2 --client-id cid --client-secret-file optave.txt
    rtauth token --source spatium --token-url http://127.0.0.1:8080/authorization/v1 --token-id laptop --permission read \\
        --username alice --password-file alice.txt --store spatium.json")]
pub(crate) struct TokenOptions {
    #[command(flatten)]
    profile: ProfileOptions,

    #[command(flatten)]
    source: SourceOptions,

    /// How long all of it may take, in seconds, from 1 to 600.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = None::<&'static str>, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// One line instead of an indented object.
    #[arg(long, help_heading = None::<&'static str>)]
    json: bool,
}

pub(crate) fn command(options: &TokenOptions) -> ExitCode {
    exit::run("token", token(options))
}

async fn token(options: &TokenOptions) -> Result<(), Failure> {
    let timeout = Duration::from_secs(options.timeout);
    let wanted: Scopes = source::wanted(&options.source.oauth.wanted)?.scope().clone();
    network::allow("token", &options.source.client.network);
    let prepared = Prepared::read("token", &options.source, &mut Secrets::within(timeout), timeout)?;
    let mut patience = Patience::of(timeout)?;
    let print = |details: Details| exit::print(details.render(options.json).expose());
    let witness = Arc::new(Witness::default());
    match patience.within(prepared.open(Arc::clone(&witness) as _, None)).await? {
        Source::Fixed(token) => print(Details::fixed(token)),
        Source::Live(Live { tokens, store, told }) => {
            let obtained = patience
                .within(async {
                    let token = obtain(&*tokens, options.source.refresh, &witness).await?;
                    complain_of_scope(&token, &wanted);
                    Ok(Details::of(&token, &*store, &told, &witness).await)
                })
                .await;
            // Whatever came of it: a refresh token that was sent, or is not saved yet, is seen through.
            let printed = obtained.and_then(print);
            let settled = patience.settle("token", tokens.shut_down()).await;
            let outcome = printed.and(settled).and_then(|()| patience.ended());
            match (outcome, saved("token", &witness, &store)) {
                // A login that is lost is said to be, whatever else went wrong.
                (Err(failure), Err(lost)) => {
                    complain("token", lost);
                    Err(failure)
                }
                (outcome, saved) => outcome.and(saved),
            }
        }
    }
}

/// A token that lives: that of the store, unless it is due to be renewed, or `refresh` says that it was refused.
pub(crate) async fn obtain(tokens: &dyn Tokens, refresh: bool, witness: &Witness) -> Result<Token, Failure> {
    let token = tokens.token(Demand::Current).await?;
    let demand = match token.renew_in() {
        _ if tokens.is_new() || witness.issued(&token).is_some() => return Ok(token),
        _ if refresh => Demand::InsteadOf(token.generation()),
        // This process does not live to renew it in the background. If that fails, the old one will do.
        Some(Duration::ZERO) => Demand::NewerThan(token.generation()),
        _ => return Ok(token),
    };
    Ok(tokens.token(demand).await?)
}

/// Says what a token lacks that was asked for: a server may grant less without a word (RFC 6749 §3.3).
fn complain_of_scope(token: &Token, wanted: &Scopes) {
    let missing = token.scope().map(|granted| granted.missing(wanted)).unwrap_or_default();
    if !missing.is_empty() {
        let text = format!(
            "the token lacks {missing}: the server did not grant it; allow it to the client there, then --refresh"
        );
        complain("token", text);
    }
}

/// Whether what must outlive this process is on disk.
pub(crate) fn saved(command: &str, witness: &Witness, store: &Watched) -> Result<(), Failure> {
    let Some(kind) = witness.store_failure() else { return Ok(()) };
    let fault = store.fault().unwrap_or_else(|| match &*kind {
        // The file itself was fine: whoever is bound to it refused what is in it.
        "misconfigured" => {
            "misconfigured: it holds the tokens of another client, server or key; use another file".to_owned()
        }
        _ => format!("{kind}: it did not answer in time, or another process keeps its lock"),
    });
    if witness.has_lost_a_login() {
        return Err(Failure::Operation(format!(
            "the token is good, but the refresh token that came with it could not be saved, and the old one may be spent; mend \
             the disk, and log in again: {fault}"
        )));
    }
    complain(command, format_args!("the store could not be used, so the token is not shared: {fault}"));
    Ok(())
}

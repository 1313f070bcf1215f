//! `rtauth revoke`: ends tokens where their system has a way to.

mod ably;
mod oauth;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use auth_http::wire::TokenHint;
use clap::{Args, ValueEnum};

use crate::exit::{self, Failure};
use crate::patience::Patience;
use crate::source::{ClientOptions, Flag, Given, SourceKind, network};

/// Ends a login, a token, or whatever tokens a key has issued to somebody, at the server.
///
/// With --store the refresh token ends first, then the access token. Once one of them was sent, the file holds neither, whatever
/// the server says: programs that share it must log in again. Where nothing could be sent, and where the login is that of
/// another client, server or key, the file stays as it is. A token that the server does not know counts as ended.
#[derive(Debug, Args)]
#[command(after_help = "\
How tokens end:

    --source oauth    those of --store or --token-file, at the revocation endpoint (RFC 7009)
    --source ably     what the key has issued to each --target, or the token of --token-file. A target is clientId:…,
                      channel:… or revocationKey:…; Ably itself knows none that is one token and refuses that target,
                      the gateway ends it. Each target is told with what came of it
    --source spatium  the session ends when another is established by its token id, or when its refresh token expires:
                      Spatium documents no other way. What --store holds is removed, and the exit code is 1
    --source optave   by being used: each token opens one connection, and nothing is kept

Exit code 0 if the server said that they are ended, 1 if it failed, 2 if the flags or a file are wrong, 3 if it refused, be
it one target of several, 4 if no answer came in time, 130 if interrupted. After any but 0, take the tokens to be good at the
server still; with --source ably, those of the targets that were not told as revoked.

Examples:

    rtauth revoke --issuer https://as.example.com --client-id app --store login.json
    rtauth revoke --revocation-url https://as.example.com/revoke --token-url https://as.example.com/token \\
        --client-id app --store login.json
    rtauth revoke --revocation-url https://as.example.com/revoke --client-id abc --client-secret-file secret.txt \\
        --token-file token.txt
    rtauth revoke --source ably --key-file key.txt --target clientId:alice --target channel:chat --allow-reauth-margin
    rtauth revoke --source ably --ably-url http://127.0.0.1:8080 --key-file key.txt --token-file token.txt   # a gateway
    rtauth revoke --source spatium --store spatium.json")]
pub(crate) struct RevokeOptions {
    #[command(flatten)]
    given: Given,

    /// Where the tokens are from.
    #[arg(long, value_name = "KIND", default_value = "oauth")]
    source: SourceKind,

    /// End the login in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "token_file")]
    store: Option<PathBuf>,

    /// End the token in this file; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// How long all of it may take, in seconds, from 1 to 600; with --store, each request a third of that.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// {"event":"revoked","tokens":…} instead of a sentence; with --source ably {"event":"revoked","target":…} or
    /// {"event":"refused","target":…,"code":…} for each target.
    #[arg(long)]
    json: bool,

    /// What the token of --token-file is, so that the server need not search.
    #[arg(
        long,
        value_name = "KIND",
        default_value = "access_token",
        conflicts_with = "store",
        help_heading = "OAuth"
    )]
    hint: Hint,

    /// The revocation endpoint; by default, where --issuer says that it is.
    #[arg(long, value_name = "URL", help_heading = "OAuth")]
    revocation_url: Option<String>,

    /// With --store: the token endpoint that the login is from; by default, where --issuer says that it is. It is not asked for
    /// anything: a login is told from those of other servers by it.
    #[arg(long, value_name = "URL", conflicts_with = "token_file", help_heading = "OAuth")]
    token_url: Option<String>,

    /// With --store: the login is bound to the key of --dpop-key-file.
    #[arg(long, conflicts_with = "token_file", requires = "dpop_key_file", help_heading = "OAuth")]
    dpop: bool,

    /// That key: a private JWK, or PEM. A login is told from those of other keys by it.
    #[arg(long, value_name = "FILE", requires = "dpop", help_heading = "OAuth")]
    dpop_key_file: Option<PathBuf>,

    #[command(flatten, next_help_heading = "OAuth")]
    client: ClientOptions,

    #[command(flatten)]
    ably: ably::RevocationOptions,
}

/// Each flag that is not for all, and the sources that take it.
const FLAGS: &[Flag] = &[
    ("store", &[SourceKind::Oauth, SourceKind::Spatium]),
    ("token-file", &[SourceKind::Oauth, SourceKind::Ably]),
    ("ca-file", &[SourceKind::Oauth, SourceKind::Ably]),
    ("proxy", &[SourceKind::Oauth, SourceKind::Ably]),
    ("insecure", &[SourceKind::Oauth, SourceKind::Ably]),
    ("hint", &[SourceKind::Oauth]),
    ("revocation-url", &[SourceKind::Oauth]),
    ("token-url", &[SourceKind::Oauth]),
    ("dpop", &[SourceKind::Oauth]),
    ("dpop-key-file", &[SourceKind::Oauth]),
    ("issuer", &[SourceKind::Oauth]),
    ("client-id", &[SourceKind::Oauth]),
    ("client-secret-file", &[SourceKind::Oauth]),
    ("client-auth", &[SourceKind::Oauth]),
    ("client-key-file", &[SourceKind::Oauth]),
    ("client-certificate-file", &[SourceKind::Oauth]),
    ("client-certificate-key-file", &[SourceKind::Oauth]),
    ("ably-url", &[SourceKind::Ably]),
    ("key-file", &[SourceKind::Ably]),
    ("target", &[SourceKind::Ably]),
    ("issued-before", &[SourceKind::Ably]),
    ("allow-reauth-margin", &[SourceKind::Ably]),
];

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Hint {
    AccessToken,
    RefreshToken,
}

impl From<Hint> for TokenHint {
    fn from(hint: Hint) -> Self {
        match hint {
            Hint::AccessToken => Self::AccessToken,
            Hint::RefreshToken => Self::RefreshToken,
        }
    }
}

impl RevokeOptions {
    /// The store that is named, and is there.
    fn stored(&self, source: &str, needed: &str) -> Result<&Path, Failure> {
        let path = self.store.as_deref().ok_or_else(|| {
            Failure::Usage(format!("what is to be ended? --source {source} needs the {needed}"))
        })?;
        if !path.exists() {
            let text = format!("there is no {}; name the file that the login is in", path.display());
            return Err(Failure::Usage(text));
        }
        Ok(path)
    }
}

pub(crate) fn command(options: &RevokeOptions) -> ExitCode {
    exit::run("revoke", revoke(options))
}

async fn revoke(options: &RevokeOptions) -> Result<(), Failure> {
    network::allow("revoke", &options.client.network);
    let timeout = Duration::from_secs(options.timeout);
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    match options.source {
        SourceKind::Static => {
            return usage(
                "--source static says nothing of where the token is from; name its system, such as oauth",
            );
        }
        SourceKind::AuthUrl => {
            return usage(
                "whoever has the key revokes the tokens of an auth URL: --source ably --key-file FILE",
            );
        }
        SourceKind::Optave => {
            return usage(
                "a token of Optave ends with the one connection that it opens, or within minutes unused, and there is no \
                 other way to end it; nothing of it is kept here",
            );
        }
        SourceKind::Oauth | SourceKind::Ably | SourceKind::Spatium => {}
    }
    options.given.check(options.source, FLAGS)?;
    match options.source {
        SourceKind::Ably => ably::revoke(options, timeout).await,
        SourceKind::Spatium => forget(options, timeout).await,
        _ => oauth::revoke(options, timeout).await,
    }
}

/// Removes a session that can't be ended. That is no success: its refresh token goes on to be good.
async fn forget(options: &RevokeOptions, timeout: Duration) -> Result<(), Failure> {
    let path = options.stored("spatium", "--store FILE of a session")?;
    let mut patience = Patience::of(timeout)?;
    let (mut locked, record) = oauth::locked(path, &mut patience).await?;
    if record.refresh_token.is_none() && record.access_token.is_none() {
        return oauth::print(options, 0);
    }
    locked.save(&oauth::cleared(&record)).await?;
    Err(Failure::Operation(format!(
        "Spatium has no call that ends a session: {} holds it no more, but it lives at the service until its refresh token \
         expires; to end it now, establish another with the same --token-id",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_of_a_source_has_its_owners() {
        let command = RevokeOptions::augment_args(clap::Command::new("revoke"));
        let flags: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        let of_all = ["source", "timeout", "json"];
        for flag in flags.iter().filter(|flag| !of_all.contains(flag)) {
            assert_eq!(FLAGS.iter().filter(|(named, _)| named == flag).count(), 1, "--{flag}");
        }
        assert_eq!(flags.len(), FLAGS.len() + of_all.len(), "flags that there are not");
    }
}

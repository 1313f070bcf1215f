//! Revokes Ably tokens by the key that issued them (RSA17).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth_core::ably::{AuthOptions, RevocationRequest, RevocationTarget, TargetRefused, TargetRevoked};
use auth_core::time::Timestamp;
use auth_http::ably::{Auth, Surroundings, wire};
use auth_http::client::LARGEST_REPLY;
use clap::Args;

use super::RevokeOptions;
use crate::exit::{self, Failure};
use crate::patience::Patience;
use crate::source::ably::{api_key, wrong};
use crate::source::{self, Secrets};

/// Which of a key's tokens are to be revoked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ably")]
pub(super) struct RevocationOptions {
    /// Ably's REST endpoint, or that of who stands in for it; by default Ably's own.
    #[arg(long, value_name = "URL")]
    ably_url: Option<String>,

    /// The file that holds the API key that issued the tokens; `-` is standard input. Else the environment variable
    /// RTAUTH_ABLY_KEY.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Whose tokens: clientId:alice, channel:chat or revocationKey:team; may stand several times, up to 100.
    #[arg(long, value_name = "KIND:VALUE")]
    target: Vec<String>,

    /// Only tokens that were issued before this, in milliseconds since the Unix epoch, an hour ago at most; now if left out.
    #[arg(long, value_name = "MS")]
    issued_before: Option<u64>,

    /// Give live connections 30 s to come with another token.
    #[arg(long)]
    allow_reauth_margin: bool,
}

pub(super) async fn revoke(options: &RevokeOptions, timeout: Duration) -> Result<(), Failure> {
    let given = &options.ably;
    let mut secrets = Secrets::default();
    let request = request(options, &mut secrets)?;
    let key = api_key("--source ably", given.key_file.as_deref(), &mut secrets)?;
    let http =
        source::http(&options.client, &[given.ably_url.as_deref()], &mut secrets, timeout, LARGEST_REPLY)?;
    let auth = Auth::builder(AuthOptions::new().with_key(key), Surroundings::over(Arc::new(http)))
        .with_endpoint(given.ably_url.as_deref().unwrap_or(wire::PRIMARY_ENDPOINT))
        // To this machine only: other URLs must be https.
        .dangerous()
        .with_plaintext_keys()
        .build()
        .map_err(wrong("--ably-url"))?;
    let mut patience = Patience::of(timeout)?;
    let result = patience.within(async { Ok(auth.revoke_tokens(&request).await?) }).await?;
    let mut refused = false;
    for outcome in &result.results {
        let (Ok(TargetRevoked { target, .. }) | Err(TargetRefused { target, .. })) = outcome;
        refused |= outcome.is_err();
        tell(options, target, outcome)?;
    }
    if refused { Err(Failure::Refused) } else { Ok(()) }
}

fn request(options: &RevokeOptions, secrets: &mut Secrets) -> Result<RevocationRequest, Failure> {
    let given = &options.ably;
    let mut targets = Vec::new();
    for text in &given.target {
        let target = RevocationTarget::parse(text).map_err(wrong("--target"))?;
        if target.kind() == RevocationTarget::TOKEN {
            let text =
                "other users of this machine see a token on the command line; give it by --token-file FILE";
            return Err(Failure::Usage(format!("--target token:… {text}")));
        }
        targets.push(target);
    }
    if let Some(path) = &options.token_file {
        targets.push(RevocationTarget::token(secrets.read("--token-file", path)?));
    }
    if targets.is_empty() || targets.len() > RevocationRequest::MOST_TARGETS {
        let text = "what is to be ended? --source ably needs from 1 to 100 of --target KIND:VALUE, such as clientId:alice, \
                    and --token-file FILE";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut request = RevocationRequest::new(targets);
    if let Some(millis) = given.issued_before {
        request = request.with_issued_before(Timestamp::from_millis(millis));
    }
    Ok(if given.allow_reauth_margin { request.with_reauth_margin() } else { request })
}

/// Says what came of a target.
fn tell(
    options: &RevokeOptions,
    target: &RevocationTarget,
    outcome: &Result<TargetRevoked, TargetRefused>,
) -> Result<(), Failure> {
    let target = shown(target);
    match outcome {
        Ok(TargetRevoked { issued_before, applies_at, .. }) if options.json => {
            exit::print(serde_json::json!({
                "event": "revoked", "target": target,
                "issued_before": issued_before.as_millis(), "applies_at": applies_at.as_millis(),
            }))
        }
        Ok(TargetRevoked { issued_before, applies_at, .. }) => exit::print(format_args!(
            "{}: revoked what was issued before {issued_before}, from {applies_at} on",
            in_one_line(&target)
        )),
        Err(TargetRefused { error, .. }) if options.json => exit::print(serde_json::json!({
            "event": "refused", "target": target,
            "code": error.code.number(), "status": error.status,
        })),
        Err(TargetRefused { error, .. }) => {
            exit::print(format_args!("{}: refused: {}", in_one_line(&target), error.to_error()))
        }
    }
}

/// A target as it may be seen: a token is not.
fn shown(target: &RevocationTarget) -> String {
    match target.kind() {
        RevocationTarget::TOKEN => target.kind().to_owned(),
        kind => format!("{kind}:{}", target.value().expose()),
    }
}

/// Without what would move a terminal's cursor.
fn in_one_line(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

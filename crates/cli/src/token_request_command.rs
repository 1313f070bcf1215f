//! `rtauth token-request`: signs where the key is, for clients that must not have it.

use std::process::ExitCode;

use auth_core::ably::{ApiKey, Nonce, TokenRequest};
use auth_core::time::Timestamp;

use crate::args::TokenRequestOptions;
use crate::exit::{self, Failure};
use crate::source::ably::{token_params, wrong};
use crate::{clock, files};

pub(crate) fn command(options: &TokenRequestOptions) -> ExitCode {
    exit::ended("token-request", sign(options))
}

fn sign(options: &TokenRequestOptions) -> Result<(), Failure> {
    let key = files::secret_or_stdin(&options.key_file)?;
    let key = ApiKey::parse(key.expose()).map_err(wrong("--key-file"))?;
    let mut params = token_params(options.ttl, options.capability.as_deref(), options.client_id.as_deref())?;
    if let Some(timestamp) = options.timestamp {
        if timestamp > LATEST {
            let text =
                format!("--timestamp: milliseconds since the Unix epoch, at most {LATEST} (the year 9999)");
            return Err(Failure::Usage(text));
        }
        params = params.with_timestamp(Timestamp::from_millis(timestamp));
    }
    let nonce = match &options.nonce {
        Some(nonce) => Nonce::new(nonce.as_str()).map_err(wrong("--nonce"))?,
        None => Nonce::from_random(rand::random()),
    };
    exit::print(TokenRequest::sign(&key, &params, clock::now(), nonce).to_json().expose())
}

/// 9999-12-31T23:59:59.999Z.
const LATEST: u64 = 253_402_300_799_999;

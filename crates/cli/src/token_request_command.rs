//! `rtauth token-request`: signs where the key is, for clients that must not have it.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use auth_core::ably::{ApiKey, Nonce, TokenClientId, TokenParams, TokenRequest};
use auth_core::time::Timestamp;

use crate::args::TokenRequestOptions;
use crate::exit::{self, Failure};
use crate::{clock, files};

pub(crate) fn command(options: &TokenRequestOptions) -> ExitCode {
    exit::ended("token-request", sign(options))
}

fn sign(options: &TokenRequestOptions) -> Result<(), Failure> {
    let key = files::secret_or_stdin(&options.key_file)?;
    let key = ApiKey::parse(key.expose()).map_err(wrong("--key-file"))?;
    let mut params = TokenParams::new();
    if let Some(ttl) = options.ttl {
        let ttl = Duration::from_millis(ttl);
        if ttl > TokenRequest::LONGEST_TTL {
            let longest = TokenRequest::LONGEST_TTL.as_millis();
            return Err(Failure::Usage(format!("--ttl: a token lives a day at most; that is {longest} ms")));
        }
        params = params.with_ttl(ttl);
    }
    if let Some(capability) = &options.capability {
        params = params.with_capability(capability.parse().map_err(wrong("--capability"))?);
    }
    if let Some(client_id) = &options.client_id {
        params = params.with_client_id(TokenClientId::new(client_id).map_err(wrong("--client-id"))?);
    }
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

/// An option whose value can't be.
fn wrong<E: fmt::Display>(option: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Usage(format!("{option}: {error}"))
}

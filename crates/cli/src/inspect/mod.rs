//! `rtauth inspect`: what a token holds, whether it is valid, and what it allows.

mod batch;
mod report;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use auth_core::ably::{self, ApiKey};
use auth_core::capability::{Capability, Operation};
use auth_core::jwt::{self, Asymmetric, HmacKey, InvalidKey, KeySet};
use auth_core::scope::Scopes;

use self::report::{Needed, Report};
use self::verdict::Verdict;
use crate::args::InspectOptions;
use crate::exit::{self, Failure};
use crate::{clock, files};

pub(crate) fn command(options: &InspectOptions) -> ExitCode {
    exit::ended("inspect", run(options))
}

fn run(options: &InspectOptions) -> Result<(), Failure> {
    if options.batch {
        return batch::run();
    }
    if options.signature_only {
        let (token, keys) = (token(options)?, options.jwks.as_deref().map(jwks).transpose()?);
        let verdict = Verdict::of(&token, keys.unwrap_or(Err(InvalidKey::NoKeys)));
        exit::print(verdict.to_json())?;
        return if verdict.is_valid() { Ok(()) } else { Err(Failure::Refused) };
    }
    let required = Scopes::of(&options.require_scope)
        .map_err(|error| Failure::Usage(format!("--require-scope: {error}")))?;
    let needs = options.needs.iter().map(|need| split(need)).collect::<Result<Vec<_>, _>>()?;
    let stated = options.capability.as_deref().map(str::parse::<Capability>).transpose();
    let stated = stated.map_err(|error| Failure::Usage(format!("--capability: {error}")))?;

    let mut report = Report::default();
    let capability = match (&options.token, stated) {
        // A capability alone can be asked without a token.
        (None, Some(capability)) if options.require_scope.is_empty() && keys_of(options)?.is_none() => {
            Some(capability)
        }
        (_, stated) => {
            let token = token(options)?;
            if let Some(keys) = keys_of(options)? {
                report.signature(&Verdict::of(&token, keys));
            }
            if !options.require_scope.is_empty() {
                report.scopes(&token, &required, clock::now().wall);
            }
            match jwt::read(&token) {
                Ok(unverified) => {
                    report.token(&token, unverified.claims(), clock::now());
                    let own = || unverified.claims().capability().ok().flatten();
                    stated.or_else(own)
                }
                Err(rejection) if report.says_nothing() => {
                    let text = format!("{rejection} ({})", rejection.name());
                    return Err(Failure::Operation(text));
                }
                Err(rejection) => {
                    report.unreadable(rejection);
                    stated
                }
            }
        }
    };
    if !needs.is_empty() {
        let capability = capability.ok_or_else(|| {
            let text =
                "--needs: the token has no x-ably-capability that can be read; pass one with --capability";
            Failure::Usage(text.to_owned())
        })?;
        report.needs(needs.into_iter().map(|(channel, operation)| Needed {
            permitted: capability.permits(&channel, operation),
            channel,
            operation: operation.as_str(),
        }));
    }
    exit::print(report.render(options.json))?;
    if report.is_refused() { Err(Failure::Refused) } else { Ok(()) }
}

/// The token, without the white space that copying brings along.
fn token(options: &InspectOptions) -> Result<String, Failure> {
    match options.token.as_deref() {
        None | Some("-") => Ok(files::text(Path::new("-"))?.trim().to_owned()),
        Some(token) => Ok(token.to_owned()),
    }
}

/// A channel and an operation. A channel may have colons itself; no operation has one.
fn split(need: &str) -> Result<(String, Operation), Failure> {
    let wrong =
        || Failure::Usage(format!("--needs: {need:?} is not CHANNEL:OPERATION, such as chat:lobby:publish"));
    let (channel, operation) = need.rsplit_once(':').ok_or_else(wrong)?;
    if channel.is_empty() {
        return Err(wrong());
    }
    let operation = operation.parse().map_err(|error| Failure::Usage(format!("--needs: {error}")))?;
    Ok((channel.to_owned(), operation))
}

/// The keys to check the signature with, if there are any; a set that is refused is a verdict, not a mistake of usage.
fn keys_of(options: &InspectOptions) -> Result<Option<Result<KeySet, InvalidKey>>, Failure> {
    if let Some(path) = &options.jwks {
        return jwks(path).map(Some);
    }
    if let Some(path) = &options.key_file {
        let key = files::secret(path)?;
        let key =
            ApiKey::parse(key.expose()).map_err(|error| Failure::Usage(format!("--key-file: {error}")))?;
        return Ok(Some(Ok(ably::jwt_keys(&key))));
    }
    let Some(path) = &options.secret_file else { return Ok(None) };
    let secret = files::secret(path)?;
    let bytes = secret.expose().as_bytes();
    let weak = |error| Failure::Usage(format!("--secret-file: {error}"));
    let mut keys = KeySet::of(HmacKey::hs256(bytes).map_err(weak)?);
    for longer in [HmacKey::hs384(bytes), HmacKey::hs512(bytes)].into_iter().flatten() {
        keys = keys.with_key(longer).map_err(|error| Failure::Usage(format!("--secret-file: {error}")))?;
    }
    Ok(Some(Ok(keys)))
}

fn jwks(path: &Path) -> Result<Result<KeySet, InvalidKey>, Failure> {
    Ok(KeySet::parse(&files::text(path)?, &Asymmetric))
}

//! `rtauth inspect`: what a token holds, whether it is valid, and what it allows.

mod batch;
mod report;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use auth_core::Secret;
use auth_core::ably::{self, ApiKey};
use auth_core::capability::{Capability, Operation};
use auth_core::jwt::{self, Asymmetric, InvalidKey, KeySet};
use auth_core::scope::Scopes;

use self::report::Report;
use self::verdict::Verdict;
use crate::args::InspectOptions;
use crate::exit::{self, Failure};
use crate::{clock, files};

/// The keys that somebody named; a set that is refused is a verdict on it.
type Keys = Result<KeySet, InvalidKey>;

pub(crate) fn command(options: &InspectOptions) -> ExitCode {
    exit::ended("inspect", run(options))
}

fn run(options: &InspectOptions) -> Result<(), Failure> {
    if options.batch {
        return batch::run();
    }
    let asked = Asked::of(options)?;
    if options.signature_only {
        return signature_only(options, asked.keys);
    }
    let report = match asked {
        // A capability alone can be asked without a token.
        Asked { keys: None, capability: Some(_), .. }
            if options.token.is_none() && asked.scopes.is_none() =>
        {
            let mut report = Report::default();
            report.needs(asked.capability.as_ref(), asked.needs);
            report
        }
        asked => inspect(&token(options)?, asked)?,
    };
    exit::print(report.render(options.json))?;
    report.outcome()
}

/// What was asked of the token, its options read.
struct Asked {
    keys: Option<Keys>,
    scopes: Option<Scopes>,
    capability: Option<Capability>,
    needs: Vec<(String, Operation)>,
}

impl Asked {
    fn of(options: &InspectOptions) -> Result<Self, Failure> {
        let wrong =
            |option: &str, error: &dyn std::fmt::Display| Failure::Usage(format!("{option}: {error}"));
        let scopes = Scopes::of(&options.require_scope).map_err(|error| wrong("--require-scope", &error))?;
        let capability = options.capability.as_deref().map(str::parse).transpose();
        Ok(Self {
            keys: keys(options)?,
            scopes: Some(scopes).filter(|scopes| !scopes.is_empty()),
            capability: capability.map_err(|error| wrong("--capability", &error))?,
            needs: options.needs.iter().map(|need| split(need)).collect::<Result<_, _>>()?,
        })
    }
}

fn inspect(token: &Secret, asked: Asked) -> Result<Report, Failure> {
    let (text, now) = (token.expose(), clock::now());
    let mut report = Report::default();
    if let Some(keys) = asked.keys {
        report.signature(&Verdict::of(text, keys));
    }
    if let Some(required) = &asked.scopes {
        report.scopes(text, required, now.wall);
    }
    let mut capability = asked.capability;
    match jwt::read(text) {
        Ok(unverified) => {
            report.token(text, unverified.claims(), now.wall);
            if capability.is_none() {
                capability = ably::claimed_capability(unverified.claims()).unwrap_or_default();
            }
        }
        Err(rejection) if report.has_verdict() => report.unreadable(rejection),
        Err(rejection) => {
            return Err(Failure::Operation(format!("{rejection} ({})", rejection.name())));
        }
    }
    if !asked.needs.is_empty() {
        report.needs(capability.as_ref(), asked.needs);
    }
    Ok(report)
}

fn signature_only(options: &InspectOptions, keys: Option<Keys>) -> Result<(), Failure> {
    let token = token(options)?;
    let verdict = Verdict::of(token.expose(), keys.unwrap_or(Err(InvalidKey::NoKeys)));
    exit::print(verdict.to_json())?;
    if verdict.is_valid() { Ok(()) } else { Err(Failure::Refused) }
}

/// The token, without the white space that copying brings along.
fn token(options: &InspectOptions) -> Result<Secret, Failure> {
    match &options.token {
        Some(token) if token.expose() != "-" => Ok(token.clone()),
        _ => files::lines_or_stdin(Path::new("-")).map(|token| Secret::from(token.expose().trim())),
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

/// The keys to check the signature with, if any were named.
fn keys(options: &InspectOptions) -> Result<Option<Keys>, Failure> {
    let InspectOptions { jwks, secret_file, key_file, .. } = options;
    let Some(path) = jwks.as_ref().or(secret_file.as_ref()).or(key_file.as_ref()) else { return Ok(None) };
    let reads_token = options.token.as_ref().is_none_or(|token| token.expose() == "-");
    if path == Path::new("-") && reads_token {
        let text = "the token and the keys can't both come from standard input; name a file for one of them";
        return Err(Failure::Usage(text.to_owned()));
    }
    let content = files::lines_or_stdin(path)?;
    Ok(Some(if key_file.is_some() {
        let key = ApiKey::parse(content.expose());
        Ok(KeySet::of(ably::jwt_key(&key.map_err(|error| Failure::Usage(format!("--key-file: {error}")))?)))
    } else if secret_file.is_some() {
        let keys = KeySet::of_secret(content.expose().as_bytes());
        Ok(keys.map_err(|_| {
            let text =
                "--secret-file: a secret for HS256 has at least 32 bytes; for an Ably JWT, use --key-file";
            Failure::Usage(text.to_owned())
        })?)
    } else {
        match KeySet::parse(content.expose(), &Asymmetric) {
            Err(InvalidKey::Malformed) => {
                let text =
                    "--jwks: the file is no JWK and no JWK set (RFC 7517), or has two members of one name";
                return Err(Failure::Usage(text.to_owned()));
            }
            keys => keys,
        }
    }))
}

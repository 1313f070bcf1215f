//! Ably tokens from an auth URL: a backend that has the key.

use std::path::Path;
use std::time::Duration;

use auth_core::Secret;
use auth_core::ably::{AuthMethod, AuthOptions, AuthUrl};
use auth_http::ably::{Auth, wire};
use clap::{Args, ValueEnum};

use super::Needed as _;
use super::ably::{self, wrong};
use super::options::SourceOptions;
use super::secrets::Secrets;
use crate::exit::{Failure, complain};

/// How to ask an auth URL. What is asked for (--client-id, --ttl, --capability) goes along as parameters.
#[derive(Debug, Args)]
#[command(next_help_heading = "Auth URL source")]
pub(crate) struct AuthUrlOptions {
    /// Parameters in the query, or in a form.
    #[arg(long, value_name = "METHOD", ignore_case = true, default_value = "GET")]
    pub(crate) method: Method,

    /// A header to send; may stand several times.
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,

    /// A header whose value is a secret, in this file; `-` is standard input. May stand several times.
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) header_file: Vec<String>,

    /// A parameter to send; may stand several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,

    /// A parameter whose value is a secret, in this file; `-` is standard input. May stand several times.
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) param_file: Vec<String>,

    /// Where a token request that the auth URL answers with is exchanged; by default at Ably's own REST endpoint.
    #[arg(long, value_name = "URL")]
    pub(crate) ably_url: Option<String>,
}

/// How an auth URL is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Parameters in the query.
    #[value(name = "GET")]
    Get,
    /// Parameters in a form.
    #[value(name = "POST")]
    Post,
}

/// Headers that are secrets wherever they are sent.
pub(crate) const SECRET_HEADERS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];

/// The tokens of an auth URL.
pub(super) fn read(
    command: &str,
    options: &SourceOptions,
    secrets: &mut Secrets,
    timeout: Duration,
) -> Result<Auth, Failure> {
    let given = &options.auth_url;
    let url =
        options.token_url.as_deref().needed("auth-url", "--token-url URL, which answers with a token")?;
    let mut url = AuthUrl::new(url).with_method(match given.method {
        Method::Get => AuthMethod::Get,
        Method::Post => AuthMethod::Post,
    });
    for header in &given.header {
        let (name, value) = pair("--header", header, ':', "'NAME: VALUE'")?;
        if SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            complain(
                command,
                format_args!(
                    "other users of this machine see the value of --header {name}; use --header-file {name}=FILE"
                ),
            );
        }
        url = url.with_header(name, value.trim_start());
    }
    for file in &given.header_file {
        let (name, value) = named_secret("--header-file", file, secrets)?;
        url = url.with_header(name, value);
    }
    for param in &given.param {
        let (name, value) = pair("--param", param, '=', "NAME=VALUE")?;
        url = url.with_param(name, value);
    }
    for file in &given.param_file {
        let (name, value) = named_secret("--param-file", file, secrets)?;
        url = url.with_param(name, value);
    }
    // A URL or a header that can't be one shows before anything is sent.
    wire::auth_url_request(&url, &ably::params(options)?).map_err(wrong("--token-url"))?;
    let by_url = AuthOptions::new().with_auth_url(url);
    ably::client(by_url, ("--ably-url", given.ably_url.as_deref()), options, secrets, timeout)
}

/// The halves of a flag's value. What is wrong is not repeated: it may be a secret.
pub(crate) fn pair<'a>(
    flag: &str,
    text: &'a str,
    between: char,
    form: &str,
) -> Result<(&'a str, &'a str), Failure> {
    match text.split_once(between) {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Failure::Usage(format!("{flag} has a name and a value: {flag} {form}"))),
    }
}

/// A name, and the secret in the file beside it.
pub(crate) fn named_secret<'a>(
    flag: &'static str,
    text: &'a str,
    secrets: &mut Secrets,
) -> Result<(&'a str, Secret), Failure> {
    let (name, path) = pair(flag, text, '=', "NAME=FILE")?;
    Ok((name, secrets.read(flag, Path::new(path))?))
}

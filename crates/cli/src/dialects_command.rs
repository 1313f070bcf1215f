//! `rtauth dialects`: the dialects that are built in, and their descriptions to begin one's own from.

use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use ws_session::dialect::{CredentialUse, Dialect, Renewal, SubprotocolEntry, Template, Trigger};

use crate::exit::{self, Failure};

/// Lists the built-in dialects, or prints one as a description to begin a file of one's own from.
///
/// A dialect says how a service logs a WebSocket in, renews it and refuses it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:

    rtauth dialects
    rtauth dialects directus > mine.toml     # change it, and use it: rtauth connect --dialect-file mine.toml …")]
pub(crate) struct DialectsOptions {
    /// The dialect to print, as TOML.
    #[arg(value_parser = PossibleValuesParser::new(Dialect::names()), hide_possible_values = true)]
    name: Option<String>,

    /// One JSON object a line: name, token, renewal, once; or {"name":…,"toml":…}.
    #[arg(long)]
    json: bool,
}

pub(crate) fn command(options: &DialectsOptions) -> ExitCode {
    exit::ended("dialects", print(options))
}

fn print(options: &DialectsOptions) -> Result<(), Failure> {
    let Some(name) = &options.name else {
        return Dialect::names().try_for_each(|name| list(name, options.json));
    };
    let toml = named(name)?.to_toml();
    let toml = toml.map_err(|error| {
        Failure::Operation(format!(
            "{name} can't be written as a description: {error}; use it by --dialect {name}"
        ))
    })?;
    if options.json {
        return exit::print(json!({ "name": name, "toml": toml }));
    }
    exit::print(toml.trim_end())
}

/// The built-in dialect of a name.
pub(crate) fn named(name: &str) -> Result<Dialect, Failure> {
    Dialect::named(name).ok_or_else(|| Failure::Usage(format!("there is no dialect {name:?}")))
}

fn list(name: &str, json: bool) -> Result<(), Failure> {
    let Some(dialect) = Dialect::named(name) else { return Ok(()) };
    let (place, renewal) = (place(&dialect), renewal(&dialect.renewal));
    let once = dialect.credential_use == CredentialUse::Once;
    if json {
        return exit::print(json!({ "name": name, "token": place, "renewal": renewal, "once": once }));
    }
    let once = if once { ", once" } else { "" };
    exit::print(format_args!("{name:<22} token {place}{once}; {renewal}"))
}

/// Where the credential goes.
fn place(dialect: &Dialect) -> &'static str {
    let holds = |(_, template): &(String, Template)| {
        template.as_text().is_some_and(|text| text.contains("${credential"))
    };
    let placement = &dialect.placement;
    let in_subprotocol = |entry: &SubprotocolEntry| !matches!(entry, SubprotocolEntry::Name(_));
    if placement.is_url {
        "is the URL"
    } else if placement.headers.iter().any(holds) {
        "in a header"
    } else if placement.query.iter().any(holds) {
        "in the query"
    } else if placement.cookies.iter().any(holds) {
        "in a cookie"
    } else if placement.subprotocols.iter().any(in_subprotocol) {
        "as a subprotocol"
    } else {
        match dialect.login.first().map(|step| &step.on) {
            Some(Trigger::Open) => "in the first message",
            Some(_) => "in a message, once asked",
            None => "in a message",
        }
    }
}

/// How a fresh one reaches a live connection.
const fn renewal(renewal: &Renewal) -> &'static str {
    match renewal {
        Renewal::InBand { .. } => "renewed in band",
        Renewal::Reconnect { .. } => "renewed by reconnecting",
        _ => "needs no renewal",
    }
}

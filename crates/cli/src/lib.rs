//! The command line of realtime-auth, as a library so that its tests can play the demo against a broken counterpart.

mod args;
mod audit_command;
mod clock;
mod completions_command;
mod connect;
pub mod demo;
mod dialects_command;
mod environment;
mod exit;
mod files;
mod gateway_audit;
mod gateway_command;
mod gateway_metrics;
mod gateway_outlets;
mod gateway_systems;
mod inspect;
mod login;
mod patience;
mod profile;
mod revoke_command;
mod shown;
mod signals;
mod source;
mod token_command;
mod token_request_command;
mod trail;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};
pub use crate::exit::Failure;

/// Reads the arguments and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let given = match profile::expanded(std::env::args_os().collect()) {
        Ok(given) => given,
        Err((command, failure)) => return exit::ended(command, Err(failure)),
    };
    let arguments = match Arguments::try_parse_from(&given.words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let place = given.place_of(&error);
            // What can't be printed has its exit code all the same.
            let _ = error.print();
            if let Some(place) = place {
                let _ = writeln!(io::stderr(), "rtauth: {place}");
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match arguments.command {
        Command::Audit(options) => audit_command::command(&options),
        Command::Completions(options) => completions_command::command(&options),
        Command::Connect(options) => connect::command(&options),
        Command::Demo(options) => demo::command(&options, demo::gateway_config(options.listen)),
        Command::Dialects(options) => dialects_command::command(&options),
        Command::Gateway(options) => gateway_command::command(&options),
        Command::Inspect(options) => inspect::command(&options),
        Command::Login(options) => login::command(&options),
        Command::Revoke(options) => revoke_command::command(&options),
        Command::Token(options) => token_command::command(&options),
        Command::TokenRequest(options) => token_request_command::command(&options),
    }
}

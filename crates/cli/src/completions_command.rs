//! `rtauth completions`: what a shell needs to complete this command line.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Arguments;
use crate::exit::{self, Failure};

/// Prints the completions of this command line for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Where they go, for example:

    rtauth completions bash > ~/.local/share/bash-completion/completions/rtauth
    rtauth completions zsh > ~/.zfunc/_rtauth                   # a folder of $fpath
    rtauth completions fish > ~/.config/fish/completions/rtauth.fish
    rtauth completions elvish >> ~/.config/elvish/rc.elv
    rtauth completions powershell >> $PROFILE")]
pub(crate) struct CompletionsOptions {
    /// The shell.
    shell: Shell,
}

pub(crate) fn command(options: &CompletionsOptions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "rtauth", &mut script);
    let written = io::stdout().write_all(&script).and_then(|()| io::stdout().flush());
    let written =
        written.map_err(|error| Failure::Operation(format!("standard output can't be written: {error}")));
    exit::ended("completions", written)
}

//! Measures what things cost beside a bare way to do them, in one run; `cargo xtask bench` runs it.
//!
//! A case is a value: [`case::Case`] says what is measured and what must hold, each suite has a module with
//! its cases by subject, and [`measure`] runs any of them.

mod audit_log;
mod case;
mod core;
mod measure;
mod oauth;
mod plot;
mod report;
mod scale;
mod session;
mod tokens;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use self::case::Case;
use self::report::Line;

/// Counts what each side allocates; the same for both, so that it favours none.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Measures what things cost beside a bare way to do them.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which suite; all of them if none is named.
    suite: Option<Suite>,
    /// Print one line of JSON a case, and draw nothing.
    #[arg(long)]
    json: bool,
    /// What this process is to do for another, as JSON.
    #[arg(long, hide = true, conflicts_with_all = ["suite", "json"])]
    part: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Suite {
    /// The audit log: what observing costs, with hooks and without, how many records are made safe a second, and verifying them.
    Audit,
    /// The models without I/O.
    Core,
    /// Fetching a token from an OAuth endpoint.
    Oauth,
    /// Messages through a session. Linux only.
    Session,
    /// Ten thousand sessions of one process: their weight, what connecting costs, and all lost at once. Takes some minutes.
    Scale,
    /// Tokens in use: cached reads, and many machines at once.
    Tokens,
}

impl Suite {
    fn cases(self) -> Vec<Case> {
        match self {
            Self::Audit => audit_log::cases(),
            Self::Core => core::cases(),
            Self::Oauth => oauth::cases(),
            Self::Session => session::cases(),
            Self::Scale => scale::cases(),
            Self::Tokens => tokens::cases(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Core => "core",
            Self::Oauth => "oauth",
            Self::Session => "session",
            Self::Scale => "scale",
            Self::Tokens => "tokens",
        }
    }
}

fn main() -> ExitCode {
    let Arguments { suite, json, part } = Arguments::parse();
    if let Some(part) = part {
        return match serde_json::from_str::<scale::Part>(&part) {
            Ok(part) => {
                part.run();
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("this is no part; leave the option to the benches themselves: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let suites = suite.as_ref().map_or_else(|| Suite::value_variants(), std::slice::from_ref);
    let mut lines = Vec::new();
    for suite in suites {
        for case in suite.cases() {
            eprintln!("measuring {} {}", suite.name(), case.name());
            let line = Line::of(suite.name(), case);
            if json {
                println!("{}", line.json());
            }
            lines.push(line);
        }
    }
    if !json {
        print!("{}", report::table(&lines));
        match plot::draw(&lines) {
            Ok(paths) => paths.iter().for_each(|path| println!("{}", path.display())),
            Err(error) => eprintln!("could not write the plots, look at the folder `target`: {error}"),
        }
    }
    if lines.iter().all(|line| line.holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

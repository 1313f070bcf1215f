//! Writes the audit log of an hour that never was, always the same: three sessions with trouble, for the report and its picture.
//!
//! `audit-story DIRECTORY [--hostile]` makes a log and the verifier key beside it, in DIRECTORY.vkey. It shares no code with the
//! writer of logs, so that reading its log back compares two ways to the same bytes.

mod book;
mod plot;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (directory, is_hostile) = match arguments.as_slice() {
        [directory] => (directory, false),
        [directory, flag] if flag == "--hostile" => (directory, true),
        _ => {
            eprintln!("usage: audit-story DIRECTORY [--hostile]");
            return ExitCode::from(2);
        }
    };
    match book::write(Path::new(directory), &plot::hour(is_hostile)) {
        Ok(records) => {
            println!("{records}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("audit-story: {error}");
            ExitCode::FAILURE
        }
    }
}

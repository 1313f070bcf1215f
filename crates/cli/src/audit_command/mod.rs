//! `rtauth audit`: reading an audit log back.

mod commands;
mod destination;
mod options;
mod reading;
mod report;
mod tail;
mod trust;
mod vocabulary;
mod words;

use std::process::ExitCode;

use self::options::AuditCommand;
pub(crate) use self::options::AuditOptions;
use crate::exit;

pub(crate) fn command(options: &AuditOptions) -> ExitCode {
    match &options.command {
        AuditCommand::Verify(options) => exit::ended("audit verify", commands::verify(options)),
        AuditCommand::Export(options) => exit::ended("audit export", commands::export(options)),
        AuditCommand::Tail(options) => exit::run("audit tail", tail::tail(options)),
        AuditCommand::Report(options) => exit::ended("audit report", commands::report(options)),
        AuditCommand::Key(options) => exit::ended("audit key", commands::key(options)),
    }
}

//! Crashes of the audit log's writer: a package of its own takes the power, the process and the disk from it.

use std::path::Path;

use clap::Subcommand;

use crate::conformance::{Absent, debian, in_ci};
use crate::shell::{Done, Failed, cargo, version};

/// What is taken from the writer.
#[derive(Debug, Subcommand)]
pub(crate) enum Way {
    /// The power, at random moments: what a disk image holds then must hold all that was acknowledged. Needs root.
    PowerCut {
        /// How many times.
        #[arg(long, default_value_t = 50)]
        cuts: u32,
    },
    /// The process, at random moments, those of opening and of rotating among them.
    Kill {
        /// How many times.
        #[arg(long, default_value_t = 200)]
        times: u32,
    },
    /// Each system call of a session at its files: it fails once, and is the last once.
    Syscalls {
        /// How many of the faults of each session, drawn anew each time; all of them if it is not given.
        #[arg(long)]
        sample: Option<u32>,
    },
    /// Room on the disk: what each mode promises must hold while it is full, and after it is not. Needs root.
    DiskFull,
    /// The log itself, by a second process.
    OneWriter,
}

impl Way {
    fn arguments(&self) -> Vec<String> {
        match self {
            Self::PowerCut { cuts } => vec!["power-cut".to_owned(), format!("--cuts={cuts}")],
            Self::Kill { times } => vec!["kill".to_owned(), format!("--times={times}")],
            Self::Syscalls { sample: None } => vec!["syscalls".to_owned()],
            Self::Syscalls { sample: Some(sample) } => {
                vec!["syscalls".to_owned(), format!("--sample={sample}")]
            }
            Self::DiskFull => vec!["disk-full".to_owned()],
            Self::OneWriter => vec!["one-writer".to_owned()],
        }
    }

    /// What of the machine's it needs that is not there.
    fn missing(&self) -> Option<&'static str> {
        let needs_root = matches!(self, Self::PowerCut { .. } | Self::DiskFull);
        if !cfg!(target_os = "linux") {
            Some("Linux")
        } else if needs_root && !debian::is_root() {
            Some("root, to mount a file system")
        } else if matches!(self, Self::PowerCut { .. }) && !Path::new("/dev/loop-control").exists() {
            Some("/dev/loop-control, to mount an image")
        } else {
            None
        }
    }

    /// Makes sure of what Debian has packages of.
    fn provide(&self) -> Done<Result<(), Absent>> {
        match self {
            Self::PowerCut { .. } => debian::provide(&["e2fsprogs", "mount"], || {
                let there =
                    Path::new("/sbin/mkfs.ext4").exists() || Path::new("/usr/sbin/mkfs.ext4").exists();
                (!there).then_some("mkfs.ext4")
            }),
            Self::Syscalls { .. } => {
                debian::provide(&["strace"], || version("strace").is_none().then_some("strace"))
            }
            Self::Kill { .. } | Self::DiskFull | Self::OneWriter => Ok(Ok(())),
        }
    }
}

pub(crate) fn run(way: &Way) -> Done {
    let arguments = way.arguments();
    let absent = match way.missing() {
        Some(what) => Some(format!("it needs {what}")),
        None => way.provide()?.err().map(|Absent(reason)| reason),
    };
    if let Some(reason) = absent {
        let line = format!("{}: skipped, {reason}", arguments.first().map_or("", String::as_str));
        println!("{line}");
        return if in_ci() { Err(Failed(format!("CI is set, and {line}"))) } else { Ok(()) };
    }
    let mut command = cargo(&["run", "--quiet", "--release", "--locked", "-p", "realtime-auth-crash", "--"]);
    if command.args(arguments).status()?.success() {
        Ok(())
    } else {
        Err(Failed("the log did not keep its promise; see above".to_owned()))
    }
}

/// A few crashes of each kind, for the continuous integration.
pub(crate) fn a_few() -> Done {
    let ways = [
        Way::OneWriter,
        Way::Kill { times: 60 },
        Way::PowerCut { cuts: 12 },
        Way::Syscalls { sample: Some(100) },
        Way::DiskFull,
    ];
    ways.iter().try_for_each(run)
}

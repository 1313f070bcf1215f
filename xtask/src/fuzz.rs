//! cargo-fuzz: installed into `target/tools` at the version that is named here, then each target of `tests/fuzz`.
//!
//! A target is a file in `tests/fuzz/src/bin`, with its first inputs in `tests/fuzz/corpus`. What a run finds stays in
//! `target/fuzz`; `--merge` moves into the corpus what of it reaches code that the corpus does not.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{fs, thread, vec};

use clap::Args;

use crate::shell::{Done, Failed, cargo, read, root, run as run_command, version};
use crate::tool;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which target; each in turn if none is named.
    target: Option<String>,

    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Instead of running, adds to the corpus what earlier runs found, as far as it reaches new code.
    #[arg(long)]
    merge: bool,
}

impl Options {
    /// Each target for so long.
    pub(crate) const fn each_for(seconds: u64) -> Self {
        Self { target: None, seconds, merge: false }
    }
}

pub(crate) fn run(options: &Options) -> Done {
    let all = targets()?;
    let chosen: Vec<_> = match &options.target {
        Some(target) if all.contains(target) => vec![target.clone()],
        Some(target) => {
            return Err(Failed(format!("there is no fuzz target {target}; there are {}", all.join(", "))));
        }
        None => all,
    };
    let binaries = build()?;
    let waiting = Mutex::new(chosen.into_iter());
    let work = || {
        while let Some(target) = next(&waiting) {
            let folders = Folders::of(&target)?;
            let binary = binaries.join(&target);
            if options.merge { folders.merge(&binary)? } else { folders.run(&binary, options.seconds)? }
        }
        Ok(())
    };
    // A target has one thread: as many of them run at a time as there are processors.
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(Failed("a thread that ran fuzz targets panicked".to_owned())))
        });
        // Each is waited for; the first failure is what is told.
        done.collect::<Vec<_>>().into_iter().collect()
    })
}

fn next(waiting: &Mutex<vec::IntoIter<String>>) -> Option<String> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn source() -> PathBuf {
    root().join("tests").join("fuzz")
}

/// The names of the files in `src/bin`, in order.
fn targets() -> Done<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(source().join("src").join("bin"))? {
        targets.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// Builds all targets at once, and says where they are.
fn build() -> Done<PathBuf> {
    if version("c++").is_none() {
        return Err(Failed("libFuzzer is C++: install a compiler for it, such as g++".to_owned()));
    }
    let cargo_fuzz = tool::install("cargo-fuzz", VERSION)?;
    let manifest = source().join("Cargo.toml");
    // cargo-fuzz does not pass `--locked` on.
    run_command(cargo(&["fetch", "--quiet", "--locked", "--manifest-path"]).arg(manifest))?;
    let target = root().canonicalize()?.join("target").join("fuzz");
    let mut build = Command::new(cargo_fuzz);
    build.current_dir(root()).args(["fuzz", "build", "--fuzz-dir", "tests/fuzz"]);
    // Sanitizers and coverage are not stable yet; the toolchain has them all the same.
    run_command(build.arg("--target-dir").arg(&target).env("RUSTC_BOOTSTRAP", "1"))?;
    // It builds for a named target, so that build scripts are not instrumented.
    let compiler = read(Command::new("rustc").arg("-vV"))?;
    let triple = compiler.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    Ok(target.join(triple).join("release"))
}

const VERSION: &str = "0.13.2";

/// Where the inputs of one target are.
struct Folders {
    target: String,
    /// Committed.
    corpus: PathBuf,
    /// What reached new code, run by run.
    found: PathBuf,
    /// What failed.
    failed: PathBuf,
}

impl Folders {
    fn of(target: &str) -> Done<Self> {
        let ours = root().canonicalize()?.join("target").join("fuzz");
        let folders = Self {
            target: target.to_owned(),
            corpus: source().join("corpus").join(target),
            found: ours.join("found").join(target),
            failed: ours.join("failed").join(target),
        };
        fs::create_dir_all(&folders.found)?;
        fs::create_dir_all(&folders.failed)?;
        if folders.corpus.is_dir() {
            Ok(folders)
        } else {
            Err(Failed(format!("tests/fuzz/corpus/{target} is missing")))
        }
    }

    fn run(&self, binary: &Path, seconds: u64) -> Done {
        let mut command = Command::new(binary);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", self.failed.display()))
            .args(["-timeout=10", "-print_final_stats=1"])
            .args([&self.found, &self.corpus]);
        let printed = self.output(&mut command)?;
        let number = |name: &str| {
            let line = printed.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().last()).unwrap_or("?").to_owned()
        };
        let inputs = fs::read_dir(&self.corpus)?.count();
        println!(
            "{}: {} inputs in {seconds} s from a corpus of {inputs}, none failed",
            self.target,
            number("stat::number_of_executed_units:"),
        );
        Ok(())
    }

    fn merge(&self, binary: &Path) -> Done {
        let before = fs::read_dir(&self.corpus)?.count();
        self.output(Command::new(binary).arg("-set_cover_merge=1").args([&self.corpus, &self.found]))?;
        println!("{}: {} inputs added", self.target, fs::read_dir(&self.corpus)?.count() - before);
        Ok(())
    }

    /// What a target prints, which is of interest only when it fails.
    fn output(&self, command: &mut Command) -> Done<String> {
        let output = command.output()?;
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        Err(Failed(format!(
            "{printed}fuzz target {} failed; its input is in {}",
            self.target,
            self.failed.display()
        )))
    }
}

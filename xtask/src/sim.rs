//! The simulation: many seeds of `tests/sim`, one of them as a trace, or the planted bugs that it must find.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::limit::within;
use crate::shell::{Done, Failed, cargo, root};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which machine.
    name: Machine,
    /// How many seeds.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first of them; without `--seeds`, the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints what happened in the world of `--seed`, line by line.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Instead, plants each bug of tests/sim/mutants in a copy of the sources, and fails if the simulation misses one.
    #[arg(long, conflicts_with_all = ["seed", "trace"])]
    mutants: bool,
    /// How many seconds the simulation of one planted bug may take, and its build by itself; 600 if it is not given.
    ///
    /// One that takes longer is killed, and counts as an error: a bug is found where a property names it, and a slow machine is none.
    #[arg(long, requires = "mutants", value_name = "SECONDS")]
    limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    /// The renewal of tokens.
    Renewal,
    /// The session of a client, against the server's half.
    Session,
}

impl Options {
    /// So many seeds.
    pub(crate) const fn of(name: Machine, seeds: u64) -> Self {
        Self { name, seeds: Some(seeds), seed: None, trace: false, mutants: false, limit: None }
    }

    /// The planted bugs.
    pub(crate) const fn of_mutants(name: Machine) -> Self {
        Self { name, seeds: None, seed: None, trace: false, mutants: true, limit: None }
    }
}

impl Machine {
    const fn name(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Session => "session",
        }
    }
}

pub(crate) fn run(options: &Options) -> Done {
    if options.mutants {
        let limit = options.limit.map_or(LIMIT, Duration::from_secs);
        return mutants(options.name, options.seeds.unwrap_or(SEEDS_FOR_MUTANTS), limit);
    }
    let mut command = cargo(&["run", "--quiet", "--release", "--locked", "-p", PACKAGE, "--"]);
    command.arg(options.name.name());
    if let Some(seeds) = options.seeds {
        command.arg(format!("--seeds={seeds}"));
    }
    if let Some(seed) = options.seed {
        command.arg(format!("--seed={seed}"));
    }
    command.args(options.trace.then_some("--trace"));
    // Not by `shell::run`, which would print the command among the lines of the trace.
    if command.status()?.success() {
        Ok(())
    } else {
        Err(Failed("the simulation failed; see above".to_owned()))
    }
}

const PACKAGE: &str = "realtime-auth-sim";

/// What a simulation that is worth its name needs at most to find any of the bugs.
const SEEDS_FOR_MUTANTS: u64 = 6_000;

/// What each of them may take: many times what it does on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(600);

/// A simulation that never ends, as the control: it must not hold up the others.
const SPINS: (&str, &str, &str) = (
    "tests/sim/src/main.rs",
    "    let good = if trace {",
    "    while seeds != Some(0) {\n        std::hint::spin_loop();\n    }\n    let good = if trace {",
);

/// What that one may take.
const LIMIT_OF_CONTROL: Duration = Duration::from_secs(5);

/// What the simulation is built from.
const COPIED: [&str; 3] = ["crates/auth-core", "crates/ws-session", "tests/sim"];

/// A file of planted bugs.
#[derive(Debug, Deserialize)]
struct Mutants {
    mutant: Vec<Mutant>,
}

/// A bug: one replacement of text.
#[derive(Debug, Deserialize)]
struct Mutant {
    name: String,
    /// From the root of the workspace.
    file: PathBuf,
    find: String,
    replace: String,
    /// Why it is a bug, and where it was met.
    why: String,
}

/// What came of a simulation.
enum Run {
    /// It reached its end, and all holds.
    Holds,
    /// A property does not hold: what is said of it.
    Violates(String),
    /// It did not end in time, and was killed.
    Hangs,
}

/// Plants one bug after the other, in a copy that is built in one folder so that each build is a small one.
fn mutants(machine: Machine, seeds: u64, limit: Duration) -> Done {
    let path = root().join("tests/sim/mutants").join(machine.name()).with_extension("toml");
    let Mutants { mutant: mutants } = toml::from_str(&fs::read_to_string(path)?)?;
    let copy = Copy::new()?;
    println!("the copy without a bug, as the control");
    let proves_nothing = "so that the bugs would prove nothing";
    match copy.run(machine, seeds, limit)? {
        Run::Holds => {}
        Run::Violates(line) => return Err(Failed(format!("the control fails, {proves_nothing}: {line}"))),
        Run::Hangs => return Err(Failed(format!("the control takes more than {limit:?}, {proves_nothing}"))),
    }
    println!("the copy that never ends, as the other control");
    let (file, find, replace) = SPINS;
    let [name, why] = ["a simulation that never ends"; 2].map(str::to_owned);
    let spins = Mutant { name, file: file.into(), find: find.to_owned(), replace: replace.to_owned(), why };
    let spun = copy.run_with(&spins, machine, seeds, LIMIT_OF_CONTROL, limit)?;
    if !matches!(spun, Run::Hangs) {
        return Err(Failed(format!("a simulation that never ends has ended, {proves_nothing}")));
    }
    let mut survived = Vec::new();
    for mutant in &mutants {
        let (name, why) = (&mutant.name, &mutant.why);
        match copy.run_with(mutant, machine, seeds, limit, limit) {
            Ok(Run::Violates(line)) => {
                println!("found     {name}: {line}");
                continue;
            }
            Ok(Run::Holds) => println!("survived  {name}: {why}"),
            Ok(Run::Hangs) => println!("hung      {name}: killed after {limit:?}; {why}"),
            Err(Failed(reason)) => println!("broken    {name}: {reason}"),
        }
        survived.push(name.as_str());
    }
    println!("{} planted bugs, {} found", mutants.len(), mutants.len() - survived.len());
    if survived.is_empty() {
        Ok(())
    } else {
        Err(Failed(format!("the simulation missed {}", survived.join(", "))))
    }
}

/// A copy of what the simulation is built from, apart from the tree.
struct Copy {
    folder: PathBuf,
}

impl Copy {
    fn new() -> Done<Self> {
        let folder = root().canonicalize()?.join("target").join("mutants");
        let copy = Self { folder };
        for source in COPIED {
            copy_tree(&root().join(source), &copy.folder.join(source))?;
        }
        fs::copy(root().join("Cargo.lock"), copy.folder.join("Cargo.lock"))?;
        let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
        let members = manifest
            .split_once("members = [")
            .and_then(|(before, rest)| rest.split_once("\n]").map(|(_, after)| (before, after)));
        let Some((before, after)) = members else {
            return Err(Failed("Cargo.toml has no list of members".to_owned()));
        };
        let members = format!("members = {COPIED:?}");
        write_if_changed(&copy.folder.join("Cargo.toml"), &format!("{before}{members}{after}"))?;
        Ok(copy)
    }

    /// Plants a bug, runs the copy, and takes the bug out again.
    fn run_with(
        &self,
        mutant: &Mutant,
        machine: Machine,
        seeds: u64,
        limit: Duration,
        limit_of_build: Duration,
    ) -> Done<Run> {
        let original = self.plant(mutant)?;
        let built = self.build(limit_of_build);
        let run = built.and_then(|()| self.simulate(machine, seeds, limit));
        fs::write(self.folder.join(&mutant.file), original)?;
        run
    }

    /// Plants a bug: the file as it was.
    fn plant(&self, mutant: &Mutant) -> Done<String> {
        let path = self.folder.join(&mutant.file);
        let original = fs::read_to_string(&path)?;
        if original.matches(&mutant.find).count() != 1 {
            let file = mutant.file.display();
            return Err(Failed(format!("{}: {file} does not hold its text exactly once", mutant.name)));
        }
        fs::write(path, original.replace(&mutant.find, &mutant.replace))?;
        Ok(original)
    }

    fn run(&self, machine: Machine, seeds: u64, limit: Duration) -> Done<Run> {
        self.build(limit)?;
        self.simulate(machine, seeds, limit)
    }

    fn build(&self, limit: Duration) -> Done {
        let mut build = cargo(&["build", "--quiet", "--offline", "-p", PACKAGE]);
        build.current_dir(&self.folder).env("CARGO_TARGET_DIR", self.folder.join("target"));
        // Each bug is built anew: less optimization saves more time than the runs take.
        build.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
        // A bug leaves things unused.
        build.env("RUSTFLAGS", "-Awarnings");
        match within(limit, &mut build)? {
            Some(built) if built.status.success() => Ok(()),
            Some(built) => {
                let printed = String::from_utf8_lossy(&built.stderr).into_owned();
                Err(Failed(format!("the copy does not compile:\n{printed}")))
            }
            None => Err(Failed(format!("the copy is not built within {limit:?}"))),
        }
    }

    /// Runs the copy as it was built: the first violation, if it finds one.
    fn simulate(&self, machine: Machine, seeds: u64, limit: Duration) -> Done<Run> {
        let mut command = Command::new(self.folder.join("target").join("debug").join(PACKAGE));
        command.args([machine.name(), "--brief", "--seeds", &seeds.to_string()]);
        let Some(output) = within(limit, &mut command)? else { return Ok(Run::Hangs) };
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(Run::Holds);
        }
        let line = printed.lines().find(|line| line.contains(" violates ")).unwrap_or("it ended by a panic");
        Ok(Run::Violates(line.to_owned()))
    }
}

fn copy_tree(from: &Path, to: &Path) -> Done {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if from.is_dir() {
            copy_tree(&from, &to.join(name))?;
        } else {
            let text = fs::read(&from)?;
            let to = to.join(name);
            // What stays as it was need not be built again.
            if fs::read(&to).ok().as_ref() != Some(&text) {
                fs::write(to, text)?;
            }
        }
    }
    Ok(())
}

fn write_if_changed(path: &Path, text: &str) -> Done {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text)?;
    }
    Ok(())
}

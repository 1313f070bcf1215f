//! The promise of no I/O, kept by looking: without features, these crates depend on no runtime and on no source of
//! randomness, and they build.

use crate::shell::{Done, Failed, cargo, read, run as run_command};

/// The crates that promise it.
const PURE: [&str; 3] = ["auth-core", "auth-http", "ws-session"];

/// What none of them may depend on, directly or through others.
const IMPURE: [&str; 13] = [
    "async-std",
    "blocking",
    "futures-executor",
    "getrandom",
    "hyper",
    "hyper-util",
    "mio",
    "rand",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tungstenite",
];

/// Those that a program on another runtime would have beside its own.
const RUNTIMES: [&str; 5] = ["async-std", "hyper", "mio", "smol", "tokio"];

pub(crate) fn run() -> Done {
    for package in PURE {
        run_command(&mut cargo(&["build", "-p", package, "--no-default-features", "--locked"]))?;
        let found = impurities(package, &["--no-default-features"])?;
        if !found.is_empty() {
            return Err(Failed(format!("{package} without features depends on {}", found.join(", "))));
        }
        println!("{package} without features depends on no runtime");
    }
    for feature in ["blocking", "futures"] {
        let found = impurities("ws-session", &["--no-default-features", "--features", feature])?;
        if let Some(runtime) = found.iter().find(|name| RUNTIMES.contains(name)) {
            return Err(Failed(format!("ws-session with feature {feature} depends on {runtime}")));
        }
        println!("ws-session with feature {feature} depends on no runtime");
    }
    // The control: with its default features a driver does, and this check sees it.
    if impurities("ws-session", &[])?.is_empty() {
        return Err(Failed("the purity check finds no runtime where there is one".to_owned()));
    }
    Ok(())
}

fn impurities(package: &str, features: &[&str]) -> Done<Vec<&'static str>> {
    let tree = ["tree", "-e", "normal", "--prefix", "none", "--locked", "-p", package];
    let tree = read(cargo(&tree).args(features))?;
    let names: Vec<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    Ok(IMPURE.into_iter().filter(|name| names.contains(name)).collect())
}

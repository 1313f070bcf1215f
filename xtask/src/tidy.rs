//! What no lint can see: headers, lengths, layers, and facts that are stated once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shell::{Done, Failed, cargo, read, root};

/// The most lines that a file may have; beyond it, a file has two subjects.
const LONGEST_FILE: usize = 500;

/// Which crates of ours each crate may depend on: the picture in the README, as a table.
const LAYERS: [(&str, &[&str]); 14] = [
    ("auth-core", &[]),
    ("auth-http", &["auth-core"]),
    ("ws-session", &["auth-core"]),
    ("audit", &["auth-core"]),
    ("providers", &["auth-core", "auth-http", "ws-session", "audit"]),
    ("realtime-auth", &["auth-core", "auth-http", "ws-session", "audit", "providers"]),
    ("gateway", &["auth-core", "auth-http", "ws-session"]),
    ("rtauth", &["auth-core", "auth-http", "ws-session", "audit", "providers", "gateway"]),
    ("realtime-auth-examples", &["realtime-auth"]),
    (
        "realtime-auth-tests",
        &["auth-core", "auth-http", "ws-session", "audit", "providers", "realtime-auth", "gateway", "rtauth"],
    ),
    ("realtime-auth-benches", &["auth-core", "auth-http", "ws-session", "audit"]),
    ("realtime-auth-crash", &["auth-core", "audit"]),
    ("realtime-auth-sim", &["auth-core", "ws-session"]),
    ("xtask", &[]),
];

pub(crate) fn run() -> Done {
    let mut complaints = Vec::new();
    let mut sources = Vec::new();
    for folder in ["crates", "examples", "tests", "xtask"] {
        collect(&root().join(folder), &mut sources)?;
    }
    for path in &sources {
        check_source(path, &mut complaints)?;
    }
    check_layers(&mut complaints)?;
    check_facts(&mut complaints)?;
    check_named_tests(&mut complaints)?;
    check_sentences(&mut complaints)?;
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    if complaints.is_empty() {
        println!("{} sources and {} crates are tidy", sources.len(), LAYERS.len());
        Ok(())
    } else {
        Err(Failed(format!("tidy has {} complaints", complaints.len())))
    }
}

fn collect(folder: &Path, sources: &mut Vec<PathBuf>) -> Done {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            // The packages that are no members of the workspace may have been built where they are.
            if path.ends_with("target") {
                continue;
            }
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    Ok(())
}

fn check_source(path: &Path, complaints: &mut Vec<String>) -> Done {
    let text = fs::read_to_string(path)?;
    let name = path.strip_prefix(root()).unwrap_or(path).display();
    if !text.starts_with("//! ") {
        complaints.push(format!("{name} does not open with a sentence that says what it is"));
    }
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        complaints.push(format!("{name} has {lines} lines: two subjects?"));
    }
    // Spelled so that this file does not complain about itself.
    for (word, instead) in [(concat!("#[al", "low("), "#[expect("), (concat!("#![al", "low("), "#![expect(")]
    {
        if text.contains(word) {
            complaints.push(format!("{name} uses {word}…; say {instead}…, with a reason"));
        }
    }
    Ok(())
}

fn check_layers(complaints: &mut Vec<String>) -> Done {
    let metadata = read(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let ours: BTreeSet<_> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
            complaints.push(format!("{name} has no place in the table of layers"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter_map(|dependency| dependency["name"].as_str()) {
            if ours.contains(dependency) && !allowed.contains(&dependency) {
                complaints.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    Ok(())
}

/// Pages that say what is tested where.
const PAGES_THAT_NAME_TESTS: [&str; 4] = [
    "crates/realtime-auth/src/manual/oauth.md",
    "crates/auth-http/src/ably/points.md",
    "tests/suites/ably_realtime/mod.rs",
    "tests/suites/complaints/mod.rs",
];

/// The tests that such a page names, as `file.rs::function`, must exist.
fn check_named_tests(complaints: &mut Vec<String>) -> Done {
    for page in PAGES_THAT_NAME_TESTS {
        let text = fs::read_to_string(root().join(page))?;
        let named: Vec<_> = text.split('`').filter_map(|text| text.split_once(".rs::")).collect();
        if named.is_empty() {
            complaints.push(format!("{page} names no test"));
        }
        for (file, function) in named {
            let source = fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
            if !source.contains(&format!("fn {function}(")) {
                complaints.push(format!("{page} names {file}.rs::{function}, which does not exist"));
            }
        }
    }
    Ok(())
}

/// Suites that hold a document, each with a table of its sentences and their tests.
const SUITES_OF_SENTENCES: [&str; 3] = ["genesys", "optave", "spatium"];

/// The tests that such a table names, as `module::function` of the suite or of all suites, must exist.
fn check_sentences(complaints: &mut Vec<String>) -> Done {
    let suites = root().join("tests/suites");
    for suite in SUITES_OF_SENTENCES {
        let text = fs::read_to_string(suites.join(suite).join("mod.rs"))?;
        let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
        let named: Vec<_> =
            rows.flat_map(|row| row.split('`')).filter_map(|text| text.rsplit_once("::")).collect();
        if named.is_empty() {
            complaints.push(format!("the table of tests/suites/{suite} names no test"));
        }
        for (module, function) in named {
            let file = format!("{}.rs", module.replace("::", "/"));
            let exists = [suites.join(suite), suites.clone()].iter().any(|folder| {
                let source = fs::read_to_string(folder.join(&file)).unwrap_or_default();
                source.contains(&format!("fn {function}("))
            });
            if !exists {
                complaints
                    .push(format!("tests/suites/{suite} names {module}::{function}, which does not exist"));
            }
        }
    }
    Ok(())
}

/// Facts that stand in two places must be the same in both.
fn check_facts(complaints: &mut Vec<String>) -> Done {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let example = fs::read_to_string(root().join("examples").join("genesys.rs"))?;
    let facade = fs::read_to_string(root().join("crates/realtime-auth/src/lib.rs"))?;

    let program = example.split_once("use std::env;").map_or("", |(_, program)| program);
    if program.is_empty() || !readme.contains(program.trim_end()) {
        complaints.push("README.md does not show the program of examples/genesys.rs".to_owned());
    }
    let rust_version =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.split('"').next());
    if !rust_version.is_some_and(|version| readme.contains(&format!("Rust {version}"))) {
        complaints.push("README.md does not state the rust-version of Cargo.toml".to_owned());
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let introduction = facade.lines().skip(2).take_while(|line| *line != "//!").map(|line| &line[4..]);
    let introduction = words(&introduction.collect::<Vec<_>>().join(" "));
    if introduction.is_empty()
        || !words(&readme).windows(introduction.len()).any(|window| window == introduction)
    {
        complaints
            .push("README.md and the header of realtime-auth introduce themselves differently".to_owned());
    }
    for member in manifest.lines().filter_map(|line| line.trim().strip_prefix("\"crates/")) {
        let member = member.split('"').next().unwrap_or_default();
        let text = fs::read_to_string(root().join("crates").join(member).join("Cargo.toml"))?;
        if text.contains("rust-version = ") || text.contains("edition = ") {
            complaints.push(format!("crates/{member} states for itself what the workspace states"));
        }
    }
    Ok(())
}

//! auth-core in a program that enables both back ends of jsonwebtoken, where jsonwebtoken by itself panics.

use serde_json::Value;

use super::{Outcome, Report};
use crate::shell::{Done, cargo, read};

const MANIFEST: &str = "tests/both-backends/Cargo.toml";

pub(super) fn run() -> Done<Vec<Outcome>> {
    let told = ["run", "--quiet", "--locked", "--manifest-path", MANIFEST, "--target-dir", "target"];
    let told: Value = serde_json::from_str(&read(&mut cargo(&told))?)?;
    let tree = ["tree", "--locked", "--manifest-path", MANIFEST, "--prefix", "none", "--depth", "1"];
    let tree = read(&mut cargo(&tree))?;
    let version = tree.lines().find_map(|line| line.strip_prefix("jsonwebtoken v")).unwrap_or_default();
    let number = |name: &str| told[name].as_u64().unwrap_or_default() as usize;
    Ok(vec![Outcome::Ran(Report {
        peer: "jsonwebtoken",
        version: version.trim().to_owned(),
        cases: number("cases"),
        passed: number("passed"),
        counts: Vec::new(),
    })])
}

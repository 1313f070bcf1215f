//! auth-core in a program that enables both back ends of jsonwebtoken, where jsonwebtoken by itself panics.

use serde_json::Value;

use super::{Outcome, Report, peers};
use crate::shell::{Done, cargo, read};

const MANIFEST: &str = "tests/both-backends/Cargo.toml";

pub(super) fn run() -> Done<Vec<Outcome>> {
    let told = ["run", "--quiet", "--locked", "--manifest-path", MANIFEST, "--target-dir", "target"];
    let told: Value = serde_json::from_str(&read(&mut cargo(&told))?)?;
    let version = peers::cargo_version(MANIFEST, "jsonwebtoken")?;
    let number = |name: &str| told[name].as_u64().unwrap_or_default() as usize;
    Ok(vec![Outcome::Ran(Report {
        peer: "jsonwebtoken",
        version,
        cases: number("cases"),
        passed: number("passed"),
        counts: Vec::new(),
    })])
}

//! Verifies the examples of the RFCs in a program with both back ends of jsonwebtoken, which panics there by itself.

use std::error::Error;
use std::panic;

use auth_core::jwt::{Asymmetric, KeySet, verify_signature};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let examples: Vec<Value> = serde_json::from_str(include_str!("../../vectors/jws.json"))?;
    let valid = || examples.iter().filter(|example| example["expect"] == "valid");
    let verified = valid().filter(|example| verifies(example)).count();
    // The control: asked the usual way, jsonwebtoken does not know which back end is meant.
    panic::set_hook(Box::new(|_| {}));
    let theirs = panic::catch_unwind(|| {
        let key = jsonwebtoken::DecodingKey::from_secret(b"secret");
        jsonwebtoken::crypto::verify("AAAA", b"message", &key, jsonwebtoken::Algorithm::HS256).is_ok()
    });
    let cases = valid().count() + 1;
    println!("{}", json!({ "cases": cases, "passed": verified + usize::from(theirs.is_err()) }));
    Ok(())
}

fn verifies(example: &Value) -> bool {
    let keys = KeySet::parse(&example["jwk"].to_string(), &Asymmetric);
    let jws = example["jws"].as_str().unwrap_or_default();
    keys.is_ok_and(|keys| verify_signature(jws, &keys).is_ok())
}

//! What templates make of a credential, and that the other end takes it out again.

use auth_core::time::{Moment, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dialect::Captured;

fn filled(template: &Template, credential: Option<&str>, captures: &Captures) -> Result<String, Unplaceable> {
    let credential = credential.map(Secret::from);
    let now = Now { wall: Timestamp::from_millis(1_700_000_000_123), mono: Moment::ORIGIN };
    let fresh = Fresh { now, random: [0xff; 16] };
    let filling = Filling { credential: credential.as_ref(), captures, fresh, authenticator: None };
    template.render(&filling).map(|text| text.expose().to_owned())
}

fn rendered(template: &Template, credential: &str) -> Result<String, Unplaceable> {
    filled(template, Some(credential), &Captures::default())
}

#[test]
fn the_first_message_of_genesys_comes_out_as_its_document_has_it() {
    let template = Template::json(json!({"type": "auth", "token": "${credential}"}));
    let message: Value = serde_json::from_str(&rendered(&template, "abc").unwrap()).unwrap();
    assert_eq!(message, json!({"type": "auth", "token": "abc"}));
}

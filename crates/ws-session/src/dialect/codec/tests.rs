//! Frames as their protocols have them, read and written.

use serde_json::json;

use super::*;

fn values(codec: Codec, frame: &str) -> Vec<Value> {
    codec.read(Incoming::Text(frame)).into_iter().map(|read| read.value).collect()
}

fn written(codec: Codec, message: &str) -> String {
    codec.write(Secret::from(message)).text.expose().to_owned()
}

#[test]
fn a_frame_of_json_is_one_message() {
    assert_eq!(values(Codec::Json, r#"{"a":1}"#), [json!({"a": 1})]);
    assert_eq!(values(Codec::Json, "{} {}"), [Value::Null]);
    assert_eq!(written(Codec::Json, "{}"), "{}");
}

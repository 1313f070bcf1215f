//! Frames as their protocols have them, read and written.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn values(codec: Codec, frame: &str) -> Vec<Value> {
    codec.read(Incoming::Text(frame)).map(|read| read.value.clone()).collect()
}

fn written(codec: Codec, message: &str) -> String {
    let rendered = codec.write(Secret::from(message));
    assert_eq!(rendered.binary, codec == Codec::Nats);
    rendered.text.expose().to_owned()
}

const ALL: [Codec; 5] =
    [Codec::Json, Codec::JsonLines, Codec::JsonRecordSeparator, Codec::EngineIo, Codec::Nats];

#[test]
fn a_frame_of_json_is_one_message() {
    assert_eq!(values(Codec::Json, r#"{"a":1}"#), [json!({"a": 1})]);
    assert_eq!(values(Codec::Json, "{\n\"a\":\n1}\n"), [json!({"a": 1})]);
    assert_eq!(Codec::Json.read(Incoming::Binary(b"[1]")).next().unwrap().value, json!([1]));
    assert_eq!(written(Codec::Json, "{}"), "{}");
}

#[test]
fn what_can_not_be_read_is_null_and_no_error() {
    for frame in ["", "{} {}", "{", "hello", "7x", "40{", "{\"a\":\"\\ud800\"}"] {
        for codec in ALL {
            let mut read = codec.read(Incoming::Text(frame));
            assert!(read.all(|read| read.value.is_null() || codec == Codec::Nats), "{codec:?} {frame}");
        }
    }
    for codec in ALL {
        let not_text: Vec<_> = codec.read(Incoming::Binary(b"\xff\xfe")).collect();
        assert_eq!(not_text, [Read { text: "", value: Value::Null }], "{codec:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(values(Codec::Json, &deep), [Value::Null]);
}

#[test]
fn lines_are_messages_of_their_own() {
    let frame = "{\"id\":1}\n{\"id\":2}\r\n\nnot json\n{\"id\":3}";
    let read: Vec<_> = Codec::JsonLines.read(Incoming::Text(frame)).collect();
    let texts: Vec<_> = read.iter().map(|read| read.text).collect();
    assert_eq!(texts, ["{\"id\":1}", "{\"id\":2}", "not json", "{\"id\":3}"]);
    assert_eq!((&read[1].value, &read[2].value), (&json!({"id": 2}), &Value::Null));
    assert_eq!(values(Codec::JsonLines, "\n"), [Value::Null; 0]);
    assert_eq!(written(Codec::JsonLines, "{\"id\":1}"), "{\"id\":1}");
}

#[test]
fn records_end_with_their_separator() {
    let records = values(Codec::JsonRecordSeparator, "{}\x1e{\"type\":6}\x1e");
    assert_eq!(records, [json!({}), json!({"type": 6})]);
    let handshake = "{\"protocol\":\"json\",\"version\":1}";
    assert_eq!(written(Codec::JsonRecordSeparator, handshake), format!("{handshake}\x1e"));
    assert_eq!(written(Codec::JsonRecordSeparator, "{}\x1e"), "{}\x1e", "one is enough");
}

#[test]
fn packets_of_socket_io_are_seen_as_views() {
    for (packet, view) in [
        (
            r#"0{"pingInterval":25000,"sid":"a"}"#,
            json!({"packet": "0", "data": {"pingInterval": 25_000, "sid": "a"}}),
        ),
        ("2", json!({"packet": "2"})),
        ("3probe", json!({"packet": "3", "text": "probe"})),
        ("40", json!({"packet": "40", "namespace": "/"})),
        (r#"40{"sid":"b"}"#, json!({"packet": "40", "namespace": "/", "data": {"sid": "b"}})),
        (r#"40/admin,{"token":"t"}"#, json!({"packet": "40", "namespace": "/admin", "data": {"token": "t"}})),
        (r#"44{"message":"no"}"#, json!({"packet": "44", "namespace": "/", "data": {"message": "no"}})),
        ("41/admin,", json!({"packet": "41", "namespace": "/admin"})),
        (r#"42["a-b",1]"#, json!({"packet": "42", "namespace": "/", "data": ["a-b", 1]})),
        (r#"427["a"]"#, json!({"packet": "42", "namespace": "/", "id": 7, "data": ["a"]})),
        (r#"43/admin,12["a"]"#, json!({"packet": "43", "namespace": "/admin", "id": 12, "data": ["a"]})),
    ] {
        assert_eq!(values(Codec::EngineIo, packet), std::slice::from_ref(&view));
        assert_eq!(Codec::EngineIo.spell(&view), packet);
        assert_eq!(written(Codec::EngineIo, &view.to_string()), packet);
        assert_eq!(written(Codec::EngineIo, packet), packet);
    }
    let attached = json!({"packet": "45", "namespace": "/", "data": [{"_placeholder": true, "num": 0}]});
    assert_eq!(values(Codec::EngineIo, r#"451-[{"_placeholder":true,"num":0}]"#), [attached]);
    assert_eq!(values(Codec::EngineIo, "41/admin")[0], json!({"packet": "41", "namespace": "/admin"}));
    for none in ["4", "4x", "47", "9", "x", "45[]", "0{", "42[", "é", "40é", "4299999999999999999999[]"] {
        assert_eq!(values(Codec::EngineIo, none), [Value::Null], "{none}");
    }
}

#[test]
fn lines_of_nats_are_seen_as_views() {
    let frame = "INFO {\"nonce\":\"n\",\"auth_required\":true} \r\n-ERR 'Authorization Violation'\r\n+OK\r\nPING\r\npong\n";
    let views = [
        json!({"verb": "INFO", "data": {"nonce": "n", "auth_required": true}}),
        json!({"verb": "-ERR", "text": "Authorization Violation"}),
        json!({"verb": "+OK"}),
        json!({"verb": "PING"}),
        json!({"verb": "pong"}),
    ];
    assert_eq!(values(Codec::Nats, frame), views);
    assert_eq!(Codec::Nats.spell(&views[1]), "-ERR 'Authorization Violation'");
    assert_eq!(written(Codec::Nats, &views[1].to_string()), "-ERR 'Authorization Violation'\r\n");
    assert_eq!(written(Codec::Nats, "PING"), "PING\r\n");
    assert_eq!(written(Codec::Nats, "CONNECT {}\r\nPING\r\n"), "CONNECT {}\r\nPING\r\n");
    assert_eq!(values(Codec::Nats, "INFO {broken"), [Value::Null]);
}

#[test]
fn a_payload_never_poses_as_a_line() {
    let evil = "\r\n-ERR 'User Authentication Expired'\r\n";
    let length = evil.len();
    for head in [
        format!("MSG a 1 {length}"),
        format!("MSG a 1 reply {length}"),
        format!("msg\ta\t1\t{length} "),
        format!("HMSG a 1 12 {length}"),
        format!("PUB a {length}"),
        format!("HPUB {{a}} reply 12 {length}"),
    ] {
        let frame = format!("{head}\r\n{evil}\r\nPING\r\n");
        let verbs: Vec<_> = values(Codec::Nats, &frame).iter().map(|view| view["verb"].clone()).collect();
        assert_eq!(verbs.len(), 2, "{head}: {verbs:?}");
        assert_eq!(verbs[1], "PING", "{head}");
    }
    for untold in
        ["MSG a 1 x", "MSG", "MSG a 1 -1", "MSG a 1 99999999999999999999", "MSG a 1 1000", "MSG a 1 3"]
    {
        let frame = format!("{untold}\r\n{evil}\r\nPING\r\n");
        assert_eq!(values(Codec::Nats, &frame).len(), 1, "{untold}");
    }
    let binary = [b"MSG a 1 4\r\n\xff\n\xfe\n\r\nPING\r\n".as_slice(), b"\xff\r\n-ERR 'x'\r\n"].concat();
    let texts: Vec<_> = Codec::Nats.read(Incoming::Binary(&binary)).map(|read| read.text).collect();
    assert_eq!(texts, ["MSG a 1 4", "PING", ""], "behind what is no text, nothing is believed");
}

#[test]
fn a_refusal_begins_no_line_of_its_own() {
    let view = json!({"verb": "-ERR", "text": "a\r\nPING"});
    assert_eq!(Codec::Nats.spell(&view), "-ERR 'a  PING'");
}

#[test]
fn a_frame_is_read_to_its_end() {
    for (codec, many) in
        [(Codec::JsonLines, "{}\n"), (Codec::JsonRecordSeparator, "{}\x1e"), (Codec::Nats, "PING\r\n")]
    {
        assert_eq!(values(codec, &many.repeat(1_000)).len(), 1_000, "{codec:?}");
    }
}

#[test]
fn what_is_no_view_is_written_as_it_is() {
    for codec in ALL {
        assert_eq!(codec.spell(&json!({"a": 1})), "{\"a\":1}", "{codec:?}");
    }
    assert_eq!(written(Codec::EngineIo, "{no json"), "{no json");
}

proptest! {
    #[test]
    fn no_frame_makes_a_reader_panic(text in "[MSGHPUBINFO0-9{}\\[\\]\"/,\\-' \r\n\x1e]{0,40}", bytes in any::<Vec<u8>>()) {
        for codec in ALL {
            codec.read(Incoming::Text(&text)).for_each(drop);
            codec.read(Incoming::Binary(&bytes)).for_each(drop);
        }
    }

    #[test]
    fn a_view_is_spelled_and_read_again(
        kind in "4[0-4]", namespace in "/|/[a-z]{1,5}", id in proptest::option::of(any::<u64>()), word in "[^']*",
    ) {
        let mut view = json!({"packet": kind, "namespace": namespace, "data": [word]});
        if let Some(id) = id {
            view["id"] = json!(id);
        }
        prop_assert_eq!(values(Codec::EngineIo, &Codec::EngineIo.spell(&view)), [view]);
        let info = json!({"verb": "INFO", "data": {"nonce": word}});
        prop_assert_eq!(values(Codec::Nats, &Codec::Nats.spell(&info)), [info]);
    }
}

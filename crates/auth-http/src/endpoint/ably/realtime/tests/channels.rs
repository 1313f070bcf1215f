//! What a connection may do on channels.

use super::*;

fn attach(channel: &str) -> Value {
    json!({ "action": 10, "channel": channel })
}

fn publish(channel: &str, serial: u64, messages: &Value) -> Value {
    json!({ "action": 15, "channel": channel, "msgSerial": serial, "messages": messages })
}

/// The facts, 5.9 and 2.5.
#[test]
fn a_channel_is_attached_within_the_capability_and_fails_alone_otherwise() {
    let mut server = Server::new();
    let token = server.token(0, 60_000, &alice());
    let mut connection = server.live(1, &token);
    let came = server.say(&mut connection, 2, &attach("chat:a"));
    assert_eq!(in_short(&came), ["join chat:a", "11"]);
    assert_eq!((&came[1]["channel"], &came[1]["flags"]), (&json!("chat:a"), &json!(983_040)));
    let came = server.say(&mut connection, 3, &attach("news"));
    assert_eq!(came[1]["flags"], 786_432, "subscribe only");
    for (channel, code, status) in [("secret", 40_160, 401), ("", 40_010, 400), (":a", 40_010, 400)] {
        let came = server.say(&mut connection, 4, &attach(channel));
        assert_eq!(in_short(&came), [format!("9 {code}")]);
        assert_eq!((&came[0]["channel"], &came[0]["error"]["statusCode"]), (&json!(channel), &json!(status)));
    }
    let wanted = json!({ "action": 10, "channel": "news", "flags": 1 << 17 });
    assert_eq!(in_short(&server.say(&mut connection, 5, &wanted)), ["leave news", "9 40160"]);
    assert!(connection.hears("chat:a", None), "the connection and its other channels go on");
    let detach = json!({ "action": 12, "channel": "chat:a" });
    assert_eq!(in_short(&server.say(&mut connection, 6, &detach)), ["leave chat:a", "13"]);
    assert_eq!(in_short(&server.say(&mut connection, 7, &detach)), ["13"]);
    assert!(!connection.hears("chat:a", None));
}

#[test]
fn a_connection_hears_what_it_may_subscribe_to_and_its_own_only_with_echo() {
    let mut server = Server::new();
    let token = server.token(0, 60_000, &alice());
    let mut connection = server.live(1, &token);
    let mut silent = server.open(1, &format!("access_token={}&echo=false", token.expose()));
    for connection in [&mut connection, &mut silent] {
        server.say(connection, 2, &attach("chat:a"));
        server.say(connection, 2, &json!({ "action": 10, "channel": "chat:b", "flags": 1 << 17 }));
        assert!(connection.hears("chat:a", Some("another")) && connection.hears("chat:a", None));
        assert!(!connection.hears("chat:b", Some("another")), "it did not ask to subscribe");
        assert!(!connection.hears("chat:c", Some("another")));
    }
    assert!(connection.hears("chat:a", Some("me")));
    assert!(!silent.hears("chat:a", Some("me")));
}

/// The facts, 5.9: the first serial is 0, and is written out.
#[test]
fn what_is_published_is_stamped_and_acknowledged_or_refused_by_its_serial() {
    let mut server = Server::new();
    let token = server.token(0, 60_000, &alice());
    let mut connection = server.live(1, &token);
    let messages = json!([{ "name": "greet", "data": "{}", "encoding": "json", "action": 0, "size": 7 }, { "id": "own" }]);
    let came = server.say(&mut connection, 2, &publish("chat:a", 0, &messages));
    assert_eq!(in_short(&came), ["1", "published"]);
    assert_eq!((&came[0]["msgSerial"], &came[0]["count"]), (&json!(0), &json!(1)));
    let frame: Value = serde_json::from_str(came[1]["published"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&frame["action"], &frame["channel"], &frame["connectionId"]),
        (&json!(15), &json!("chat:a"), &json!("me"))
    );
    assert_eq!((&frame["id"], &frame["timestamp"]), (&json!("me:0"), &json!(START + 2)));
    let serial = frame["messages"][0]["serial"].clone();
    assert_eq!(
        frame["messages"][0],
        json!({
            "name": "greet", "data": "{}", "encoding": "json", "clientId": "alice", "action": 0,
            "serial": serial, "version": { "serial": serial, "timestamp": START + 2 },
        })
    );
    assert_eq!((&frame["messages"][1]["id"], &came[0]["res"][0]["serials"][0]), (&json!("own"), &serial));
    assert_ne!(frame["messages"][1]["serial"], serial);

    let long = "x".repeat(65_537);
    for (channel, messages, code) in [
        ("news", json!([{}]), 40_160),
        ("", json!([{}]), 40_010),
        ("chat:a", json!([]), 40_000),
        ("chat:a", json!([5]), 40_000),
        ("chat:a", json!([{ "action": 1, "serial": "x" }]), 40_000),
        ("chat:a", json!([{ "clientId": "bob" }]), 40_012),
        ("chat:a", json!([{ "clientId": 5 }]), 40_012),
        ("chat:a", json!([{ "data": long }]), 40_009),
        ("chat:a", json!([{ "data": &long[1..] }, { "name": "x" }]), 40_009),
    ] {
        let came = server.say(&mut connection, 3, &publish(channel, 7, &messages));
        assert_eq!(in_short(&came), [format!("2 {code}")], "{channel}");
        assert_eq!((&came[0]["msgSerial"], &came[0]["count"]), (&json!(7), &json!(1)));
    }
    let came = server.say(&mut connection, 4, &publish("chat:a", 8, &json!([{ "data": &long[1..] }])));
    assert_eq!(in_short(&came), ["1", "published"], "the control: 64 KiB are not too much");
    assert!(came[1]["published"].as_str().unwrap().contains(r#""id":"me:1""#), "each has a name of its own");
}

#[test]
fn what_is_published_at_once_is_bounded_in_number_and_by_what_a_frame_can_hold() {
    let mut server = Server::new();
    let token = server.token(0, 60_000, &alice());
    let mut connection = server.live(1, &token);
    let mut came = |messages: Vec<Value>| {
        in_short(&server.say(&mut connection, 2, &publish("chat:a", 0, &json!(messages))))
    };
    assert_eq!(came(vec![json!({}); 1_000]), ["1", "published"]);
    assert_eq!(came(vec![json!({}); 1_001]), ["2 40009"]);
    let id = "x".repeat(LARGEST_FRAME - 1_024);
    assert_eq!(
        came(vec![json!({ "id": id })]),
        ["1", "published"],
        "no size counts it, and a frame holds it"
    );
    assert_eq!(came(vec![json!({ "id": id, "encoding": &id[..1_024] })]), ["2 40009"]);
}

#[test]
fn presence_is_acknowledged_for_a_client_with_a_name_and_the_capability() {
    let mut server = Server::new();
    let enter = |channel: &str, member: Value| json!({ "action": 14, "channel": channel, "msgSerial": 3, "presence": [member] });
    let mut came = |params: &TokenParams, frame: Value| {
        let token = server.token(0, 60_000, params);
        let mut connection = server.live(1, &token);
        in_short(&server.say(&mut connection, 2, &frame))
    };
    assert_eq!(came(&alice(), enter("chat:a", json!({ "action": 2 }))), ["1"]);
    assert_eq!(came(&alice(), enter("chat:a", json!({ "action": 2, "clientId": "bob" }))), ["2 40012"]);
    assert_eq!(came(&alice(), enter("chat:a", json!(5))), ["2 40000"]);
    assert_eq!(came(&alice(), enter("news", json!({ "action": 2 }))), ["2 40160"]);
    assert_eq!(came(&TokenParams::new(), enter("chat:a", json!({ "action": 2 }))), ["2 40012"]);
    assert_eq!(came(&alice(), json!({ "action": 21, "channel": "chat:a", "msgSerial": 1 })), ["2 40000"]);
}

/// RTC8a1, and the facts 5.6: the error of a channel comes after CONNECTED.
#[test]
fn after_a_renewal_channels_that_lost_everything_fail_and_others_get_what_is_left() {
    let mut server = Server::new();
    let wide = server.token(0, 60_000, &alice());
    let narrow = with_capability(alice(), r#"{"chat:b":["subscribe"],"chat:c":["*"]}"#);
    let narrow = server.token(0, 60_000, &narrow);
    let mut connection = server.live(1, &wide);
    for channel in ["chat:a", "chat:b", "chat:c"] {
        server.say(&mut connection, 2, &attach(channel));
    }
    let came = server.authorize(&mut connection, 3, &narrow);
    assert_eq!(in_short(&came), ["renewed", "4", "leave chat:a", "9 40160", "11"]);
    assert_eq!(came[3]["channel"], "chat:a");
    assert_eq!((&came[4]["channel"], &came[4]["flags"]), (&json!("chat:b"), &json!(786_432 | 4)));
    assert!(!connection.hears("chat:a", None) && connection.hears("chat:b", None));
    assert_eq!(in_short(&server.say(&mut connection, 4, &publish("chat:b", 0, &json!([{}])))), ["2 40160"]);
    // And back: it gets again what it asked for, and a channel that failed can be attached.
    let came = server.authorize(&mut connection, 5, &wide);
    assert_eq!(in_short(&came), ["renewed", "4", "11"]);
    assert_eq!(came[2]["flags"], 983_040 | 4);
    assert_eq!(in_short(&server.say(&mut connection, 6, &attach("chat:a"))), ["join chat:a", "11"]);
}

#[test]
fn a_connection_has_room_for_so_many_channels() {
    let mut server = Server::new();
    let token = server.token(0, 60_000, &alice());
    let mut connection = server.live(1, &token);
    for number in 0..MOST_CHANNELS {
        assert_eq!(in_short(&server.say(&mut connection, 2, &attach(&format!("chat:{number}"))))[1], "11");
    }
    assert_eq!(in_short(&server.say(&mut connection, 3, &attach("chat:one-more"))), ["9 90010"]);
    assert_eq!(in_short(&server.say(&mut connection, 3, &attach("chat:0"))), ["11"], "it is there already");
    server.say(&mut connection, 4, &json!({ "action": 12, "channel": "chat:0" }));
    assert_eq!(in_short(&server.say(&mut connection, 5, &attach("chat:one-more")))[1], "11");
}

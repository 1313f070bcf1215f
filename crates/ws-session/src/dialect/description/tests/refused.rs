//! What is refused, where that is said to be, and what is said to do.

use super::{LEAST, refusal};
use crate::dialect::Dialect;

/// Expects a complaint about a description: the line, the key, and a part of the advice.
fn complains(text: &str, line: usize, place: &str, advice: &str) {
    let error = refusal(text);
    let said = error.to_string();
    assert_eq!((error.line(), error.place()), (Some(line), place), "{said}\n{text}");
    assert!(said.contains(advice), "{said:?} does not say {advice:?}\n{text}");
}

/// As [`complains`], of what follows the two lines of [`LEAST`].
fn complains_behind_least(more: &str, line: usize, place: &str, advice: &str) {
    complains(&format!("{LEAST}{more}"), line + 2, place, advice);
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    complains("name = \"x\"\nplace = {\n", 2, "", "this is no TOML");
    complains("name = \"x\"\nname = \"y\"\n", 2, "", "this is no TOML");
}

#[test]
fn a_name_is_wanted_by_which_people_can_call_it() {
    complains("place.query.token = \"${credential}\"", 1, "", "`name` is missing");
    for name in ["", "two words", "line\\nend", &"x".repeat(65)] {
        complains(&format!("\nname = \"{name}\""), 2, "name", "without blanks");
    }
    complains("name = 4", 1, "name", "this must be a text");
}

#[test]
fn unknown_keys_are_refused_wherever_they_stand() {
    for (more, line, place) in [
        ("colour = 1", 1, "colour"),
        ("[place]\nheader = {}", 2, "place.header"),
        ("[[login]]\nsend = \"x\"\nwait = 1", 3, "login[0].wait"),
        ("[accept]\nmessage = {}\nwithin = 1", 3, "accept.within"),
        ("[capture]\nidle = \"/x\"", 2, "capture.idle"),
        ("[renew]\nhow = \"never\"\nsend = \"x\"", 3, "renew.send"),
        ("[renew]\nhow = \"reconnect\"\naccepted = []", 3, "renew.accepted"),
        ("[renew]\nhow = \"in_band\"\nsend = \"${credential}\"\noverlap = true", 4, "renew.overlap"),
        ("[ping]\nsend = \"x\"\nevery_s = 1", 3, "ping.every_s"),
        ("reply = { on = { \"/a\" = 1 }, send = \"x\", once = true }", 1, "reply.once"),
        (
            "[[rule]]\ntimeout = true\nmeans = \"expired\"\n[[rule]]\ncode = 1\ntransport = true\nmeans = \"expired\"",
            5,
            "rule[1].code",
        ),
        ("heartbeat = { \"/a\" = { equals = 1 } }", 1, "heartbeat.\"/a\".equals"),
    ] {
        let text = match more.starts_with("[place]") {
            true => format!("name = \"x\"\n\n{more}"),
            false => format!("{LEAST}{more}"),
        };
        complains(&text, line + 2, place, "is not known here; there are `");
    }
}

#[test]
fn replies_that_can_not_be_told_apart_are_not_promised() {
    for codec in ["engine_io", "nats"] {
        let more = format!("codec = \"{codec}\"\n[request]\nid = \"/id\"");
        complains_behind_least(&more, 2, "request", "leave this out");
    }
}

#[test]
fn unknown_words_are_refused_with_those_that_there_are() {
    for (more, line, place, advice) in [
        ("codec = \"msgpack\"", 1, "codec", "\"engine_io\""),
        ("use = \"twice\"", 1, "use", "\"once\""),
        ("reconnect = \"later\"", 1, "reconnect", "\"fresh\""),
        ("ping = \"pong\"", 1, "ping", "\"frame\""),
        ("renew.how = \"retry\"", 1, "renew.how", "\"in_band\""),
        ("renew = { how = \"reconnect\", when = \"late\" }", 1, "renew.when", "\"at_expiry\""),
        ("[rule]\ntimeout = true\nmeans = \"retry\"", 3, "rule.means", "\"transient\""),
        ("[rule]\ntimeout = true\nphase = \"open\"\nmeans = \"expired\"", 3, "rule.phase", "\"renewing\""),
        (
            "[rule]\ntimeout = true\nphase = [\"live\", \"open\"]\nmeans = \"expired\"",
            3,
            "rule.phase[1]",
            "\"renewing\"",
        ),
    ] {
        complains_behind_least(more, line, place, advice);
    }
}

#[test]
fn a_credential_must_go_somewhere_and_nowhere_twice() {
    complains("name = \"x\"\n[place]\nquery = { v = \"1\" }", 2, "place", "the credential goes nowhere");
    let error = refusal("name = \"x\"");
    assert!(error.to_string().contains("the credential goes nowhere"), "{error}");
    complains_behind_least("place.url = true", 1, "place.url", "the credential is the URL already");
    for (more, line, place) in [
        ("[[reply]]\non = { \"/a\" = 1 }\nsend = \"${credential}\"", 3, "reply[0].send"),
        ("ping.send = { token = \"${credential}\" }", 1, "ping.send"),
    ] {
        complains_behind_least(more, line, place, "and nowhere else");
    }
}

#[test]
fn placeholders_that_nothing_fills_are_refused() {
    for (more, line, place, advice) in [
        ("ping.send = { id = \"${id}\" }", 1, "ping.send", "use ${credential}"),
        ("ping.send = { id = \"${uuid|hex}\" }", 1, "ping.send", "is no encoding"),
        ("ping.send = \"${uuid\"", 1, "ping.send", "has no end"),
        ("ping.send = { \"${uuid}\" = 1 }", 1, "ping.send", "only values may have one"),
        ("ping.send = { id = \"${session_id}\" }", 1, "ping.send", "say under `capture`"),
        ("place.headers.X-Session = \"${session_id}\"", 1, "place.headers.X-Session", "has said nothing yet"),
        (
            "place.query.nonce = \"${nonce}\"\naccept.message = {}\ncapture.named.nonce = \"/nonce\"",
            1,
            "place.query.nonce",
            "is no placeholder",
        ),
        ("place.subprotocols = [\"v1\", \"x.${token}\"]", 1, "place.subprotocols[1]", "is no placeholder"),
    ] {
        complains_behind_least(more, line, place, advice);
    }
}

#[test]
fn what_can_not_stand_in_an_upgrade_is_refused() {
    for (more, line, place, advice) in [
        ("place.headers.\"X Token\" = \"1\"", 1, "place", "RFC 9110"),
        ("place.headers.Host = \"example.com\"", 1, "place", "one of the upgrade's own"),
        ("place.headers.X-A = \"a\\nb\"", 1, "place", "visible ASCII"),
        ("place.headers.X-A = \"a\"\nplace.headers.x-a = \"b\"", 2, "place", "twice"),
        ("place.cookies.sid = \"a;b\"", 1, "place", "RFC 6265"),
        ("place.subprotocols = [\"a b\"]", 1, "place", "RFC 6455"),
        (
            "place.subprotocols = [\"v1\", \"v1\"]",
            1,
            "place",
            "names a header, a parameter, a cookie or a subprotocol twice",
        ),
        (
            "place.subprotocols = \"token.${credential}\"",
            1,
            "place.subprotocols",
            "name a protocol that the server may select",
        ),
        ("place.query.\"\" = \"x\"", 1, "place.query.\"\"", "a name is missing"),
        ("place.query.x = 4", 1, "place.query.x", "a table, an array or a text"),
    ] {
        let text = format!("{LEAST}{more}");
        let error = refusal(&text);
        let said = error.to_string();
        assert!(said.contains(advice), "{said:?} does not say {advice:?}\n{text}");
        assert_eq!(error.place(), place, "{said}");
        // What the upgrade as a whole does not take is said of `place`, which begins in the second line.
        assert_eq!(error.line(), Some(if place == "place" { 2 } else { line + 2 }), "{said}");
    }
}

#[test]
fn places_in_messages_are_json_pointers() {
    let advice = "JSON pointer (RFC 6901)";
    for (more, line, place) in [
        ("heartbeat = { type = \"x\" }", 1, "heartbeat.type"),
        ("heartbeat = { \"/a~2\" = \"x\" }", 1, "heartbeat.\"/a~2\""),
        ("heartbeat = { \"/a~\" = \"x\" }", 1, "heartbeat.\"/a~\""),
        ("accept.message = {}\ncapture.session_id = \"sessionId\"", 2, "capture.session_id"),
        ("accept.message = {}\ncapture.named.nonce = \"$.nonce\"", 2, "capture.named.nonce"),
    ] {
        complains_behind_least(more, line, place, advice);
    }
    complains_behind_least(
        "accept.message = {}\ncapture.idle_s = \"\"",
        2,
        "capture.idle_s",
        "a place in the message",
    );
    for name in ["credential", "Nonce", "a-b", "session_id", "\"\""] {
        let more = format!("accept.message = {{}}\n[capture]\nnamed = {{ {name} = \"/a\" }}");
        let error = refusal(&format!("{LEAST}{more}"));
        assert!(error.to_string().contains("the name of a capture is"), "{error}");
    }
}

#[test]
fn matchers_that_match_everything_or_nothing_are_refused() {
    for (more, place, advice) in [
        ("heartbeat = {}", "heartbeat", "match every message"),
        ("rule = { message = {}, means = \"expired\" }", "rule.message", "match every message"),
        ("reply = { on = {}, send = \"x\" }", "reply.on", "match every message"),
        ("renew = { how = \"reconnect\", asked_by = [{}] }", "renew.asked_by[0]", "match every message"),
        ("accept.message = []", "accept.message", "no message would ever"),
        ("heartbeat = { \"/a\" = [] }", "heartbeat.\"/a\"", "none of these ever matches"),
        ("heartbeat = { \"/a\" = [[1]] }", "heartbeat.\"/a\"[0]", "json ="),
        ("heartbeat = { \"/a\" = {} }", "heartbeat.\"/a\"", "say one of"),
        ("heartbeat = { \"/a\" = { exists = true, contains = \"x\" } }", "heartbeat.\"/a\"", "say one of"),
        ("heartbeat = { \"/a\" = { contains = \"\" } }", "heartbeat.\"/a\".contains", "the empty one"),
        ("heartbeat = { \"/a\" = { between = [2, 1] } }", "heartbeat.\"/a\".between", "runs backwards"),
        ("heartbeat = { \"/a\" = { between = [2] } }", "heartbeat.\"/a\".between", "the two ends"),
        ("heartbeat = { \"/a\" = { json = \"{\" } }", "heartbeat.\"/a\".json", "the text of a JSON value"),
        ("heartbeat = { \"/a\" = 2026-11-21 }", "heartbeat.\"/a\"", "JSON has no dates"),
        ("heartbeat = { \"/a\" = nan }", "heartbeat.\"/a\"", "JSON has no such number"),
        ("heartbeat = { \"/a\" = 9223372036854775808 }", "heartbeat.\"/a\"", "64 bits"),
    ] {
        complains_behind_least(more, 1, place, advice);
    }
}

#[test]
fn codes_are_legal_and_run_forwards() {
    for (on, place, advice) in [
        ("close = \"4999-4500\"", "rule.close", "runs backwards"),
        ("close = 999", "rule.close", "from 1000 to 4999"),
        ("close = -1", "rule.close", "from 1000 to 4999"),
        ("close = 70000", "rule.close", "from 1000 to 4999"),
        ("close = [4400, \"4000-5000\"]", "rule.close[1]", "from 1000 to 4999"),
        ("close = 1006", "rule.close", "write \"none\""),
        ("close = []", "rule.close", "name a code"),
        ("close = \"4xxx\"", "rule.close", "or \"none\""),
        ("close = true", "rule.close", "an integer"),
        ("status = 600", "rule.status", "from 100 to 599"),
        ("status = \"none\"", "rule.status", "a range such as"),
        ("close = 4000\nreason = \"\"", "rule.reason", "the empty one"),
        ("status = 401\nreason = \"x\"", "rule.reason", "only a `close` has a reason"),
        ("status = 401\nclose = 4401", "rule", "say one of"),
        ("timeout = false", "rule.timeout", "leave it away"),
        ("phase = \"live\"", "rule", "say one of"),
        ("timeout = true\nphase = []", "rule.phase", "leave it away"),
    ] {
        let error = refusal(&format!("{LEAST}[rule]\nmeans = \"expired\"\n{on}"));
        assert!(error.to_string().contains(advice), "{error} does not say {advice:?}");
        assert_eq!(error.place(), place, "{error}");
    }
    complains_behind_least("[rule]\nclose = 4401", 1, "rule", "`means` is missing");
}

#[test]
fn times_are_integers_of_a_unit_more_than_nothing_and_at_most_a_day() {
    for (time, place, advice) in [
        ("within_s = 0", "accept.within_s", "at most a day"),
        ("within_s = -1", "accept.within_s", "at most a day"),
        ("within_s = 86401", "accept.within_s", "at most a day"),
        ("within_ms = 86400001", "accept.within_ms", "at most a day"),
        ("within_s = \"10s\"", "accept.within_s", "an integer"),
        ("within_s = 1.5", "accept.within_s", "an integer"),
        ("within_s = 1\nwithin_ms = 1000", "accept.within_ms", "said twice"),
    ] {
        let error = refusal(&format!("{LEAST}[accept]\nmessage = {{}}\n{time}"));
        assert!(error.to_string().contains(advice), "{error} does not say {advice:?}");
        assert_eq!(error.place(), place, "{error}");
    }
}

#[test]
fn the_end_of_a_credential_has_one_place_in_one_known_form() {
    for (keys, place, advice) in [
        ("expires_at = \"/end\"", "capture.expires_at", "`expires_at_rfc3339`"),
        ("expires_at_iso8601 = \"/end\"", "capture.expires_at_iso8601", "`expires_at_rfc3339`"),
        ("expires_at_us = \"/end\"", "capture.expires_at_us", "is not known here"),
        ("expires_at_s = 600", "capture.expires_at_s", "this must be a text"),
        ("expires_at_ms = { at = \"/end\" }", "capture.expires_at_ms", "this must be a text"),
        ("expires_at_rfc3339 = \"end\"", "capture.expires_at_rfc3339", "JSON pointer (RFC 6901)"),
        ("expires_at_rfc3339 = \"\"", "capture.expires_at_rfc3339", "a place in the message"),
        ("expires_in_s = \"/a\"\nexpires_at_s = \"/b\"", "capture.expires_at_s", "said twice"),
        ("expires_in_ms = \"/a\"\nexpires_at_rfc3339 = \"/a\"", "capture.expires_at_rfc3339", "said twice"),
        ("expires_at_s = \"/a\"\nexpires_at_ms = \"/b\"", "capture.expires_at_ms", "said twice"),
    ] {
        let error = refusal(&format!("{LEAST}accept.message = {{}}\n[capture]\n{keys}"));
        assert!(error.to_string().contains(advice), "{error} does not say {advice:?}");
        assert_eq!(error.place(), place, "{error}");
    }
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let first = "login.send = { token = \"${credential}\" }\n";
    for (more, line, place, advice) in [
        (first, 1, "login", "say under `accept`"),
        ("capture.session_id = \"/a\"", 1, "capture", "says nothing that could be captured"),
        ("accept.within_s = 1", 1, "accept", "`message` is missing"),
        ("renew = { how = \"in_band\" }", 1, "renew", "`send` is missing"),
        ("renew = { how = \"in_band\", send = { a = 1 } }", 1, "renew.send", "holds no credential"),
        (
            "use = \"once\"\nrenew = { how = \"in_band\", send = \"${credential}\" }",
            2,
            "renew.how",
            "serves once",
        ),
        ("renew = { how = \"reconnect\", when = \"when_asked\" }", 1, "renew.when", "nobody ever asks"),
        (
            "rule = { timeout = true, phase = \"login\", means = \"expired\" }",
            1,
            "rule[0].phase",
            "no login behind it",
        ),
        (
            "rule = { timeout = true, phase = \"renewing\", means = \"expired\" }",
            1,
            "rule[0].phase",
            "nothing is renewed in band",
        ),
        (
            "rule = { status = 401, phase = \"live\", means = \"expired\" }",
            1,
            "rule[0].phase",
            "a status answers the upgrade",
        ),
        (
            "rule = { message = { \"/a\" = 1 }, phase = \"upgrade\", means = \"expired\" }",
            1,
            "rule[0].phase",
            "no messages before",
        ),
        ("ping.send = \"\"", 1, "ping.send", "the message is empty"),
        ("ping = { send = \"x\", send_json = \"{}\" }", 1, "ping.send_json", "said twice"),
        ("codec = \"nats\"\nping.send = { type = \"ping\" }", 2, "ping.send", "a table with `verb`"),
        ("codec = \"engine_io\"\nping.send = { packet = 2 }", 2, "ping.send", "a table with `packet`"),
    ] {
        complains_behind_least(more, line, place, advice);
    }
}

#[test]
fn a_rule_that_is_never_reached_is_refused() {
    let rule = |on: &str| format!("[[rule]]\n{on}\nmeans = \"expired\"\n");
    for (earlier, later) in [
        ("close = \"4000-4999\"", "close = 4403"),
        ("close = [\"none\", 4403]", "close = 4403\nreason = \"x\"\nafter_s = 4"),
        ("status = \"400-499\"", "status = [401, \"403-404\"]\nphase = \"upgrade\""),
        ("message = { \"/a\" = 1 }", "message = { \"/a\" = 1 }\nphase = \"live\""),
        ("timeout = true\nafter_s = 1", "timeout = true\nafter_s = 2"),
    ] {
        let text = format!("{LEAST}{}{}", rule(earlier), rule(later));
        let error = refusal(&text);
        assert_eq!(error.place(), "rule[1]", "{error}\n{text}");
        assert!(error.to_string().contains("put the narrower one first"), "{error}");
        // The other way round, both have something to decide.
        let turned = format!("{LEAST}{}{}", rule(later), rule(earlier));
        assert!(Dialect::from_toml(&turned).is_ok(), "{:?}\n{turned}", Dialect::from_toml(&turned));
    }
}

#[test]
fn a_file_that_is_too_long_or_too_deep_is_refused_before_it_costs_anything() {
    let long = format!("{LEAST}# {}", "x".repeat(64 * 1024));
    assert!(refusal(&long).to_string().contains("64 KiB"));
    let just_right = &long[..64 * 1024];
    assert!(Dialect::from_toml(just_right).is_ok());
    let deep = 10_000;
    for text in [
        format!("{LEAST}ping.send = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("{LEAST}ping.send = {}1{}", "{a=".repeat(deep), "}".repeat(deep)),
        format!("{LEAST}ping.send{} = 1", ".a".repeat(deep)),
        format!("{LEAST}[ping{}]", ".a".repeat(deep)),
        format!("{LEAST}ping.send = {}{}", "[".repeat(40), "]".repeat(40)),
        format!("{LEAST}ping.send_json = '{}{}'", "[".repeat(deep), "]".repeat(deep)),
    ] {
        let error = refusal(&text);
        let said = error.to_string();
        assert!(matches!(error.line(), Some(3) | None), "{said}");
        let reasons = ["recursion", "nested too deeply", "the text of a JSON value"];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{said}");
    }
}

#[test]
fn a_complaint_does_not_repeat_more_of_a_file_than_a_few_words() {
    let word = "x".repeat(10_000);
    for more in [format!("codec = \"{word}\""), format!("{word} = 1")] {
        let said = refusal(&format!("{LEAST}{more}")).to_string();
        assert!(said.contains('…') && said.len() < 320, "{said}");
    }
}

//! Any order of frames, verdicts and times: nobody is live who should not be, and what is heard was granted.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Attach(usize),
    Detach(usize),
    Publish(usize),
    Enter(usize),
    /// `AUTH` with one of the tokens.
    Authorize(usize),
    Revoke(bool),
    Frame(String),
}

const CHANNELS: [&str; 5] = ["chat:a", "chat:b", "news", "secret", ":bad"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..20_000).prop_map(Step::Pass),
        (0..CHANNELS.len()).prop_map(Step::Attach),
        (0..CHANNELS.len()).prop_map(Step::Detach),
        (0..CHANNELS.len()).prop_map(Step::Publish),
        (0..CHANNELS.len()).prop_map(Step::Enter),
        (0_usize..5).prop_map(Step::Authorize),
        any::<bool>().prop_map(Step::Revoke),
        r#"\{"action":[0-9]{1,2}(,"(id|channel|msgSerial|flags|auth|messages)":(null|1|"a"|\[\]|\{\}))?\}"#
            .prop_map(Step::Frame),
        "\\PC{0,20}".prop_map(Step::Frame),
    ]
}

/// What a connection may do, as its verdicts tell: a second reckoning beside the machine's own.
struct Granted {
    caller: Caller,
    token: Secret,
}

proptest! {
    #[test]
    fn nobody_is_live_or_heard_who_should_not_be(
        steps in prop::collection::vec(step(), 1..60),
        first in 0_usize..5,
    ) {
        let mut server = Server::new();
        let tokens = [
            server.token(0, 60_000, &alice()),
            server.token(0, 5_000, &alice()),
            server.token(0, 600_000, &with_capability(alice(), r#"{"chat:b":["subscribe"]}"#)),
            server.token(0, 600_000, &TokenParams::new()),
            Secret::from("fake"),
        ];
        let mut now = 1;
        let mut connection = server.open(now, &format!("access_token={}", tokens[first].expose()));
        let verdict = caller_of_token(&server.records, at(now), &tokens[first]);
        let mut granted = verdict.ok().map(|caller| Granted { caller, token: tokens[first].clone() });
        let mut joined = BTreeSet::new();
        check(&mut connection, &mut joined, granted.as_ref())?;

        for step in steps {
            let channel_frame = |action: u8, channel: usize, member: &str| {
                json!({ "action": action, "channel": CHANNELS[channel], "msgSerial": 1, member: [{}] })
            };
            let frame = match step {
                Step::Pass(millis) => {
                    now += millis;
                    connection.heard();
                    None
                }
                Step::Revoke(with_margin) => {
                    server.revoke(now, "alice", with_margin);
                    connection.recheck(at(now), |token| caller_of_token(&server.records, at(now), token));
                    None
                }
                Step::Attach(channel) => Some(channel_frame(10, channel, "none")),
                Step::Detach(channel) => Some(channel_frame(12, channel, "none")),
                Step::Publish(channel) => Some(channel_frame(15, channel, "messages")),
                Step::Enter(channel) => Some(channel_frame(14, channel, "presence")),
                Step::Authorize(token) => {
                    // What the first one was for binds the later ones.
                    let verdict = caller_of_token(&server.records, at(now), &tokens[token]).ok();
                    let current = granted.take().filter(|granted| still(&server, now, granted));
                    granted = current.zip(verdict).and_then(|(granted, caller)| {
                        let same = granted.caller.client_id == caller.client_id;
                        same.then(|| Granted { caller, token: tokens[token].clone() })
                    });
                    Some(json!({ "action": 17, "auth": { "accessToken": tokens[token].expose() } }))
                }
                Step::Frame(text) => {
                    connection.receive(at(now), &text, |token| {
                        caller_of_token(&server.records, at(now), token)
                    });
                    None
                }
            };
            if let Some(frame) = frame {
                connection.receive(at(now), &frame.to_string(), |token| {
                    caller_of_token(&server.records, at(now), token)
                });
            }
            connection.tick(at(now));
            granted = granted.filter(|granted| still(&server, now, granted));
            check(&mut connection, &mut joined, granted.as_ref())?;
        }
    }
}

/// Whether a token is good now.
fn still(server: &Server, millis: u64, granted: &Granted) -> bool {
    caller_of_token(&server.records, at(millis), &granted.token).is_ok()
}

/// Does all that is due, and looks at what it comes to.
fn check(
    connection: &mut Connection,
    joined: &mut BTreeSet<String>,
    granted: Option<&Granted>,
) -> Result<(), TestCaseError> {
    let mut closed = false;
    loop {
        prop_assert!(!closed || matches!(connection.poll(), Output::Wait(None)), "a close is the last");
        if closed {
            break;
        }
        match connection.poll() {
            Output::Join { channel } => prop_assert!(joined.insert(channel), "joined twice"),
            Output::Leave { channel } => prop_assert!(joined.remove(&channel), "left what it had not joined"),
            Output::Publish(publication) => {
                let granted = granted.expect("who is not live publishes nothing");
                prop_assert!(granted.caller.require(Operation::Publish, &publication.channel).is_ok());
            }
            Output::Close => closed = true,
            Output::Wait(deadline) => {
                prop_assert_eq!(deadline.is_some(), connection.application().is_some());
                break;
            }
            Output::Send(_) | Output::SendBinary(_) | Output::Ping | Output::Renewed => {}
        }
    }
    // It may have ended for less, such as a frame that is none.
    if granted.is_none() {
        prop_assert!(connection.application().is_none(), "live without a token that is good");
    }
    if connection.application().is_some() {
        for channel in CHANNELS {
            let heard = connection.hears(channel, None);
            prop_assert!(!heard || joined.contains(channel), "heard without listening");
            let granted = granted.expect("who is live has a token that is good");
            prop_assert!(!heard || granted.caller.require(Operation::Subscribe, channel).is_ok());
        }
    }
    Ok(())
}

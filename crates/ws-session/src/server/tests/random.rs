//! Whatever a client sends, in whatever order, and whatever the verdicts are: what must hold of every connection.

use std::time::Duration;

use auth_core::Secret;
use auth_core::time::{Deadline, Now};
use proptest::prelude::*;

use super::peer::Peer;
use crate::dialect::{Captures, Dialect, Filling, Fresh, Incoming, Ping, Renewal, Template};
use crate::server::{Output, Received, Refusal, ServerSession, Terms, Upgrade};

/// What happens to a connection.
#[derive(Debug, Clone)]
enum Happening {
    /// The client sends these, in one frame.
    Says {
        what: Vec<Saying>,
        binary: bool,
    },
    /// The verdict comes, if one is due.
    Decided(Result<Duration, Refusal>),
    Revoked,
    /// Time passes by both clocks, or the monotonic one stands still.
    Passes {
        time: Duration,
        suspended: bool,
    },
}

/// Something that a client may say, rightly or not.
#[derive(Debug, Clone)]
enum Saying {
    /// The step of the login with this index, as far as there is one.
    Step(usize),
    Renewal,
    Ping,
    Reply,
    Text(String),
}

fn saying() -> impl Strategy<Value = Saying> {
    prop_oneof![
        4 => (0_usize..3).prop_map(Saying::Step),
        3 => Just(Saying::Renewal),
        1 => Just(Saying::Ping),
        1 => Just(Saying::Reply),
        1 => prop_oneof![Just("hello"), Just("{}"), Just(""), Just("\n"), Just("{\"type\":\"auth\"}"), Just("42[]")]
            .prop_map(|text| Saying::Text(text.to_owned())),
        1 => ".{0,20}".prop_map(Saying::Text),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let refusal = prop_oneof![
        Just(Refusal::rejected("no")),
        Just(Refusal::expired("no")),
        Just(Refusal::forbidden("no")),
        Just(Refusal::unreachable("no"))
    ];
    let verdict = prop_oneof![4 => (0_u64..100).prop_map(|life| Ok(Duration::from_secs(life))), 1 => refusal.prop_map(Err)];
    prop_oneof![
        4 => (prop::collection::vec(saying(), 1..3), prop::bool::weighted(0.1))
            .prop_map(|(what, binary)| Happening::Says { what, binary }),
        4 => verdict.prop_map(Happening::Decided),
        1 => Just(Happening::Revoked),
        3 => (0_u64..20_000, prop::bool::weighted(0.2)).prop_map(|(time, suspended)| {
            Happening::Passes { time: Duration::from_millis(time), suspended }
        }),
    ]
}

/// A connection, and what it must keep to.
struct Checked {
    dialect: Dialect,
    server: ServerSession,
    now: Now,
    grace: Duration,
    /// Whether a verdict is due.
    verifying: bool,
    /// When the newest accepted credential, and its grace, end.
    end: Option<Deadline>,
    answered: u32,
    closed: u32,
}

impl Checked {
    fn new(dialect: Dialect, with_credential: bool) -> Self {
        let now = Peer::new(Dialect::genesys()).now;
        let mut terms = Terms::of(&dialect);
        let in_band = matches!(dialect.renewal, Renewal::InBand { .. });
        terms.grace = Duration::from_secs(if in_band { 5 } else { 0 });
        let mut upgrade = Upgrade::read(&dialect, "/", []);
        upgrade.credential = upgrade.credential.or_else(|| with_credential.then(|| Secret::from("t1")));
        let server = ServerSession::new(now, dialect.clone(), terms, "s1".to_owned(), upgrade);
        let mut checked = Self {
            dialect,
            server,
            now,
            grace: terms.grace,
            verifying: false,
            end: None,
            answered: 0,
            closed: 0,
        };
        checked.poll();
        checked
    }

    fn poll(&mut self) {
        loop {
            let output = self.server.poll();
            if let Output::Wait(deadline) = output {
                let late = deadline.is_some_and(|deadline| deadline.passed(self.now));
                assert!(!late, "what is due is done: a driver would spin");
                break;
            }
            assert_eq!(self.closed, 0, "nothing behind the end: {output:?}");
            match output {
                Output::Accept => self.answered += 1,
                Output::Refuse { status, .. } => {
                    assert!((400..600).contains(&status), "{status}");
                    self.answered += 1;
                    self.closed += 1;
                }
                Output::Verify { credential, renewal } => {
                    assert!(!self.verifying, "one credential at a time");
                    assert!(!credential.is_empty());
                    assert_eq!(renewal, self.server.is_live());
                    self.verifying = true;
                }
                Output::Close { code, .. } => {
                    assert!(code.is_none_or(|code| (1000..5000).contains(&code)));
                    self.closed += 1;
                }
                Output::Send { .. } | Output::Deliver { .. } => assert_eq!(self.answered, 1, "{output:?}"),
                Output::Wait(_) => {}
            }
        }
        assert!(self.answered <= 1 && self.closed <= 1);
        if self.server.is_live() {
            let end = self.end.expect("nobody is live without a credential that was accepted");
            assert!(!end.passed(self.now), "nobody lives longer than a credential and its grace");
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Says { what, binary } => {
                let frame = what.iter().map(|what| self.frame(what)).collect::<Vec<_>>().concat();
                let incoming =
                    if *binary { Incoming::Binary(frame.as_bytes()) } else { Incoming::Text(&frame) };
                let was_live = self.server.is_live();
                let received = self.server.receive(self.now, incoming).unwrap();
                // The last message of a login without a credential may let what stands behind it in.
                let live = was_live || self.server.is_live();
                assert!(live || received == Received::Consumed, "nothing is delivered before acceptance");
                let is_credential = what.iter().any(|what| matches!(what, Saying::Renewal));
                let in_band = matches!(self.dialect.renewal, Renewal::InBand { .. });
                let seen = in_band && is_credential && what.len() == 1 && !binary;
                assert!(!seen || received == Received::Consumed, "no credential is delivered: {frame}");
            }
            Happening::Decided(verdict) => {
                let due = std::mem::take(&mut self.verifying);
                self.server.decided(self.now, *verdict).unwrap();
                if let (true, Ok(life)) = (due, verdict)
                    && !life.is_zero()
                {
                    self.end = Some(self.now.expiry(*life + self.grace));
                }
            }
            Happening::Revoked => self.server.revoked(self.now).unwrap(),
            Happening::Passes { time, suspended } => {
                self.now.wall = self.now.wall.saturating_add(*time);
                if !suspended {
                    self.now.mono = auth_core::time::Moment::since_origin(self.now.mono.elapsed() + *time);
                }
                self.server.tick(self.now).unwrap();
            }
        }
        self.poll();
    }

    fn frame(&self, what: &Saying) -> String {
        let template = match (what, &self.dialect.renewal, &self.dialect.ping) {
            (Saying::Text(text), ..) => return text.clone(),
            (Saying::Step(index), ..) => self.dialect.login.get(*index).map(|step| &step.send),
            (Saying::Renewal, Renewal::InBand { send, .. }, _) => Some(send),
            (Saying::Ping, _, Ping::Message(ping)) => Some(ping),
            (Saying::Reply, ..) => self.dialect.replies.first().map(|reply| &reply.send),
            _ => None,
        };
        let text = template.map_or_else(|| "nothing".to_owned(), |template| self.render(template));
        // Several may stand in one frame, on a line each, where lines are spoken.
        if self.dialect.codec == crate::dialect::Codec::JsonLines { text + "\n" } else { text }
    }

    fn render(&self, template: &Template) -> String {
        let credential = Secret::from("t2");
        let captures = Captures::default();
        let fresh = Fresh { now: self.now, random: [7; 16] };
        let filling =
            Filling { credential: Some(&credential), captures: &captures, fresh, authenticator: None };
        let rendered = template.render(&filling).map(|text| self.dialect.codec.write(text).text);
        rendered.map_or_else(|_| "unknown capture".to_owned(), |text| text.expose().to_owned())
    }
}

fn dialect() -> impl Strategy<Value = Dialect> {
    let names: Vec<_> = Dialect::names().collect();
    prop::sample::select(names).prop_map(|name| Dialect::named(name).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_happens_nobody_is_live_who_should_not_be(
        dialect in dialect(),
        with_credential in any::<bool>(),
        happenings in prop::collection::vec(happening(), 0..40),
    ) {
        let mut checked = Checked::new(dialect, with_credential);
        for happening in &happenings {
            checked.happen(happening);
        }
    }
}

#[test]
fn what_happens_at_random_gets_everywhere() {
    // The control: without it, a test that never comes beyond the login would pass as well.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut live, mut renewed, mut refused, mut closed) = (0, 0, 0, 0);
    for _ in 0..2_000 {
        let mut value =
            |strategy: BoxedStrategy<Happening>| strategy.new_tree(&mut runner).unwrap().current();
        let mut checked = Checked::new(Dialect::genesys(), false);
        for _ in 0..20 {
            let before = checked.server.is_live();
            let happening = value(happening().boxed());
            let due = checked.verifying;
            checked.happen(&happening);
            live += u32::from(!before && checked.server.is_live());
            renewed += u32::from(before && due && !checked.verifying && checked.server.is_live());
            refused += u32::from(!before && due && checked.closed > 0);
            closed += u32::from(before && checked.closed > 0);
        }
    }
    assert!(live > 25 && renewed > 25 && refused > 25 && closed > 25, "{live} {renewed} {refused} {closed}");
}

//! Every built-in dialect, played by its description alone: the client's half of the same description understands it.

use std::time::Duration;

use auth_core::Secret;

use super::peer::{LIFE, Peer};
use crate::dialect::{
    Acceptance, Captures, Dialect, Failure, Filling, Fresh, Incoming, Occurrence, Phase, Renewal, Template,
    Trigger, Verdict,
};
use crate::server::{Output, Refusal, ServerSession, Terms, Upgrade};

/// What a client sees of what a server says.
#[derive(Debug, Default)]
struct Heard {
    messages: Vec<serde_json::Value>,
    verify: Option<String>,
    accepted: bool,
    refused: Option<u16>,
    closed: Option<(Option<u16>, String)>,
}

struct Client {
    peer: Peer,
    dialect: Dialect,
    captures: Captures,
}

impl Client {
    /// A client whose upgrade holds this credential where the dialect wants one.
    fn connecting(dialect: Dialect, credential: Option<&str>) -> Self {
        let mut peer = Peer::new(Dialect::new("none"));
        let captures = Captures::default();
        let mut upgrade = Upgrade::read(&dialect, "/", []);
        if let Some(credential) = credential {
            let is_url = dialect.placement.is_url;
            let scheme = if is_url { "wss://example.com/" } else { "" };
            let credential = Secret::from(format!("{scheme}{credential}"));
            let fresh = Fresh { now: peer.now, random: [7; 16] };
            let filling =
                Filling { credential: Some(&credential), captures: &captures, fresh, authenticator: None };
            let request = dialect.upgrade("wss://example.com/ws", &filling).unwrap();
            let offered: Vec<_> = request.subprotocols().iter().map(Secret::expose).collect();
            let offered = offered.join(", ");
            let mut headers: Vec<_> =
                request.headers().iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
            if !offered.is_empty() {
                headers.push(("sec-websocket-protocol", &offered));
            }
            let url = request.url().expose();
            upgrade = Upgrade::read(&dialect, url.trim_start_matches("wss://example.com"), headers);
            request.check_selected(upgrade.subprotocol.as_deref()).unwrap();
        }
        let terms = Terms::of(&dialect);
        peer.server = ServerSession::new(peer.now, dialect.clone(), terms, "s1".to_owned(), upgrade);
        Self { peer, dialect, captures }
    }

    fn hear(&mut self) -> Heard {
        let mut heard = Heard::default();
        loop {
            match self.peer.server.poll() {
                Output::Verify { credential, .. } => heard.verify = Some(credential.expose().to_owned()),
                Output::Accept => heard.accepted = true,
                Output::Refuse { status, .. } => heard.refused = Some(status),
                Output::Send { text, .. } => {
                    let read: Vec<_> = self.dialect.codec.read(Incoming::Text(&text)).collect();
                    assert_eq!(read.len(), 1, "{text}");
                    let value = read[0].value.clone();
                    self.captures.take(self.peer.now, &self.dialect.captured, &value);
                    heard.messages.push(value);
                }
                Output::Deliver { text } => panic!("{text}"),
                Output::Close { code, reason } => heard.closed = Some((code, reason.into_owned())),
                Output::Wait(_) => return heard,
            }
        }
    }

    fn send(&mut self, template: &Template, credential: &str) -> Heard {
        let credential = Secret::from(credential);
        let fresh = Fresh { now: self.peer.now, random: [7; 16] };
        let filling =
            Filling { credential: Some(&credential), captures: &self.captures, fresh, authenticator: None };
        let frame = self.dialect.codec.write(template.render(&filling).unwrap());
        let text = frame.text.expose();
        let incoming = if frame.binary { Incoming::Binary(text.as_bytes()) } else { Incoming::Text(text) };
        let _ = self.peer.server.receive(self.peer.now, incoming).unwrap();
        self.hear()
    }

    /// Goes through the login until a verdict on the last credential is wanted, saying "good" to that of the upgrade before others.
    fn log_in(&mut self, verdict: Result<Duration, Refusal>) -> Heard {
        let steps = self.dialect.login.clone();
        let mut heard = self.hear();
        if let Some(credential) = heard.verify.take() {
            assert!(credential == "t.1-x" || self.dialect.placement.is_url, "{credential}");
            let last = !steps.iter().any(|step| step.send.has_credential());
            self.peer.server.decided(self.peer.now, if last { verdict } else { Ok(LIFE) }).unwrap();
            heard = self.hear();
        }
        for step in steps {
            if let Trigger::Message(matcher) = &step.on {
                assert!(heard.messages.iter().any(|said| matcher.matches(said)), "{heard:?}");
            }
            if heard.closed.is_some() || heard.refused.is_some() {
                return heard;
            }
            heard = self.send(&step.send, "t.1-x");
        }
        if let Some(credential) = heard.verify.take() {
            assert_eq!(credential, "t.1-x");
            self.peer.server.decided(self.peer.now, verdict).unwrap();
            heard = self.hear();
        }
        heard
    }

    fn verdict(&self, phase: Phase, failure: &Failure) -> Verdict {
        self.dialect.verdict(&Occurrence { phase, elapsed: Duration::ZERO, failure })
    }
}

fn each(test: impl Fn(&str, Client)) {
    let mut tried = 0;
    for name in Dialect::names() {
        test(name, Client::connecting(Dialect::named(name).unwrap(), Some("t.1-x")));
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn a_good_credential_is_in_and_announced_in_every_dialect() {
    each(|name, mut client| {
        let heard = client.log_in(Ok(LIFE));
        assert!(client.peer.server.is_live(), "{name}: {heard:?}");
        match &client.dialect.acceptance {
            Acceptance::Upgrade => assert!(heard.accepted, "{name}"),
            Acceptance::Message { any_of, .. } => {
                let said = heard.messages.last().unwrap();
                assert!(any_of.iter().any(|matcher| matcher.matches(said)), "{name}: {said}");
            }
        }
        assert_eq!((heard.closed, heard.refused), (None, None), "{name}");
        let is_known = client.captures.session_id().is_some();
        assert_eq!(is_known, client.dialect.captured.session_id.is_some(), "{name}: {:?}", client.captures);
        if client.dialect.captured.expires_in.is_some() {
            assert_eq!(client.captures.expires_in(), Some(LIFE), "{name}");
        }
    });
}

#[test]
fn a_refused_credential_is_understood_as_a_refusal_in_every_dialect() {
    for refusal in [Refusal::rejected("no"), Refusal::expired("no"), Refusal::forbidden("no")] {
        each(|name, mut client| {
            let heard = client.log_in(Err(refusal));
            assert!(!client.peer.server.is_live(), "{name}");
            let (phase, failure) = match (heard.messages.last(), heard.refused, heard.closed) {
                (Some(said), ..) => (Phase::Login, Failure::Message(said.clone())),
                (_, Some(status), _) => (Phase::Upgrade, Failure::Status(status)),
                (_, _, Some((code, reason))) => (Phase::Login, Failure::Closed { code, reason }),
                (None, None, None) => panic!("{name} says nothing"),
            };
            let understood = client.verdict(phase, &failure);
            let refused = [Verdict::Rejected, Verdict::Expired, Verdict::Forbidden];
            // SignalR has one word for all that goes wrong with its handshake.
            assert!(refused.contains(&understood) || name == "signalr", "{name}: {failure:?} {understood:?}");
            if let (Some(said), Acceptance::Message { any_of, .. }) =
                (heard.messages.last(), &client.dialect.acceptance)
            {
                assert!(!any_of.iter().any(|matcher| matcher.matches(said)), "{name}: {said}");
            }
        });
    }
}

#[test]
fn a_renewal_is_answered_in_every_dialect_that_renews_in_band() {
    let renewed = std::cell::Cell::new(0);
    each(|name, mut client| {
        let Renewal::InBand { send, accepted, .. } = client.dialect.renewal.clone() else { return };
        client.log_in(Ok(LIFE));
        let heard = client.send(&send, "t2");
        assert_eq!(heard.verify.as_deref(), Some("t2"), "{name}");
        client.peer.server.decided(client.peer.now, Ok(2 * LIFE)).unwrap();
        let heard = client.hear();
        if !accepted.is_empty() {
            let said = heard.messages.last().unwrap();
            assert!(accepted.iter().any(|matcher| matcher.matches(said)), "{name}: {said}");
        }
        renewed.set(renewed.get() + 1);
    });
    assert!(renewed.get() > 3, "{renewed:?}");
}

#[test]
fn no_dialect_lets_anybody_in_without_a_credential() {
    for name in Dialect::names() {
        let dialect = Dialect::named(name).unwrap();
        if dialect.placement.is_url {
            continue;
        }
        let steps = dialect.login.clone();
        let mut client = Client::connecting(dialect, None);
        client.hear();
        for step in steps.iter().filter(|step| !step.send.has_credential()) {
            client.send(&step.send, "");
        }
        client.peer.sleep(Duration::from_secs(60));
        assert!(!client.peer.server.is_live(), "{name}");
        assert_eq!(client.peer.server.decided(client.peer.now, Ok(LIFE)), Ok(()));
        assert!(!client.peer.server.is_live(), "{name}");
    }
}

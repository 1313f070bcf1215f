//! The service: each connection a server half of the dialect, with verdicts that come late, fickle closes, and HTTP in between.

use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};
use ws_session::dialect::{Failure, Incoming, UpgradeRequest, Verdict};
use ws_session::server::{Output, Refusal, ServerSession, Terms, Upgrade};

use super::dialects::{HURRY, LATE};
use super::link::{Down, Up};
use super::properties::Property;
use super::world::{Event, World};
use crate::clock::{At, Clocks, DAY, MILLI, MINUTE, SECOND, duration, length};

/// An upgrade request as it is on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    url: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn of(upgrade: &UpgradeRequest) -> Self {
        let own = |(name, value): &(String, auth_core::Secret)| (name.clone(), value.expose().to_owned());
        let mut headers: Vec<_> = upgrade.headers().iter().map(own).collect();
        let offered: Vec<_> = upgrade.subprotocols().iter().map(auth_core::Secret::expose).collect();
        if !offered.is_empty() {
            headers.push(("Sec-WebSocket-Protocol".to_owned(), offered.join(", ")));
        }
        Self { url: upgrade.url().expose().to_owned(), headers }
    }

    /// All of it, to be searched for a credential.
    pub(crate) fn text(&self) -> String {
        let headers = self.headers.iter().map(|(_, value)| value.as_str());
        [self.url.as_str()].into_iter().chain(headers).collect::<Vec<_>>().join("\n")
    }
}

impl World {
    fn server_now(&self) -> Now {
        Now {
            wall: Timestamp::from_millis(Clocks::server(self.clocks.at, 0)),
            mono: Moment::since_origin(duration(self.clocks.at)),
        }
    }

    /// An upgrade reaches the server.
    pub(crate) fn reach(&mut self, link: usize) {
        let Some(request) = self.links[link].upgrade.take() else { return };
        let calm = self.is_calm();
        let plan = &self.plan.server;
        if !calm && self.serving.per_mille(plan.status) {
            let (status, retry_after) = self.draw_status();
            return self.send_down(link, Down::Gone { failure: Failure::Status(status), retry_after });
        }
        self.links[link].mute = !calm && self.serving.per_mille(plan.silent);
        let path = request.url.split_once("//").map_or("", |(_, rest)| rest);
        let path = path.find('/').map_or("/", |at| &path[at..]);
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let upgrade = Upgrade::read(&self.plan.dialect, path, headers);
        let mut terms = Terms::of(&self.plan.dialect).with_patience(duration(plan.patience));
        terms.ask_before = duration(plan.ask_before);
        terms.grace = duration(plan.grace);
        let name = format!("session-{link}");
        let now = self.server_now();
        let session = ServerSession::new(now, self.plan.dialect.clone(), terms, name, upgrade);
        self.links[link].server = Some(Box::new(session));
        self.serve_link(link);
    }

    fn draw_status(&mut self) -> (u16, Option<Duration>) {
        let kind = self.serving.below(1_000);
        if kind < self.plan.server.fatal {
            self.coverage.saw("server: final status");
            return (self.serving.pick([302, 400, 404, 426]), None);
        }
        match kind % 6 {
            0 => {
                self.coverage.saw("server: 401 or 403");
                (self.serving.pick([401, 403]), None)
            }
            1 => {
                self.coverage.saw("server: 429");
                (429, None)
            }
            2 => {
                self.coverage.saw("server: Retry-After");
                let wait = self.serving.spread(1, 600);
                (self.serving.pick([429, 503]), Some(Duration::from_secs(wait)))
            }
            _ => {
                self.coverage.saw("server: 5xx");
                (self.serving.pick([408, 425, 500, 502, 503, 504]), None)
            }
        }
    }

    /// Lets the server of a connection say what it has to say.
    fn serve_link(&mut self, link: usize) {
        for _ in 0..32 {
            let Some(server) = &mut self.links[link].server else { return };
            let (output, live) = (server.poll(), server.is_live());
            if !matches!(output, Output::Wait(_)) {
                let epoch = self.links[link].epoch.number();
                self.note(format_args!("server {epoch} > {output:?}"));
            }
            match output {
                Output::Verify { credential, renewal } => {
                    let token = self.index_of(credential.expose());
                    self.verify(link, token, renewal);
                }
                Output::Accept => {
                    self.send_down(link, Down::Accepted);
                }
                Output::Refuse { status, .. } => {
                    let failure = Failure::Status(status);
                    self.send_down(link, Down::Gone { failure, retry_after: None });
                    self.links[link].server = None;
                    return;
                }
                Output::Send { text, .. } => {
                    let text = self.understated(text);
                    self.send_down(link, Down::Text(text));
                }
                Output::Deliver { .. } => {}
                Output::Close { code, reason } => {
                    self.coverage.saw("server: closes by its rules");
                    self.close_from_server(link, code, &reason);
                    return;
                }
                Output::Wait(deadline) => {
                    self.links[link].was_live |= live;
                    self.links[link].server_timer += 1;
                    if let Some(deadline) = deadline {
                        let serial = self.links[link].server_timer;
                        let left = length(deadline.remaining(self.server_now()));
                        let at = self.clocks.at.saturating_add(left).saturating_add(MILLI);
                        self.schedule(at, Event::ServerWake { link, serial });
                    }
                    return;
                }
            }
        }
        self.violate(Property::Progress, "the server says more than 32 things to one input".to_owned());
    }

    /// The end of a connection by its server: nothing that is on its way to it is read any more.
    fn close_from_server(&mut self, link: usize, code: Option<u16>, reason: &str) {
        let failure = Failure::Closed { code, reason: reason.to_owned() };
        self.links[link].faulted = true;
        self.links[link].server = None;
        self.send_down(link, Down::Gone { failure, retry_after: None });
    }

    /// A credential wants a verdict.
    fn verify(&mut self, link: usize, token: Option<usize>, renewal: bool) {
        self.coverage.saw(if renewal { "server: verifies a renewal" } else { "server: verifies" });
        if self.links[link].mute || (!self.is_calm() && self.serving.per_mille(self.plan.server.silent)) {
            self.coverage.saw(if renewal {
                "server: never answers a renewal"
            } else {
                "server: never answers a login"
            });
            return;
        }
        let at = self.clocks.at + self.serving.spread(MILLI, self.plan.server.slowest);
        self.schedule(at, Event::Verdict { link, token });
    }

    /// The verdict is known.
    pub(crate) fn decide(&mut self, link: usize, token: Option<usize>) {
        let at = self.clocks.at;
        let calm = self.is_calm();
        let verdict = self.verdict_on(token, calm);
        let renewal = self.links[link].was_live;
        if let Some(token) = token {
            self.issued[token].seen = true;
        }
        let now = self.server_now();
        if self.links[link].server.is_none() {
            return;
        }
        if let Ok(left) = verdict {
            self.links[link].server_end = Some(at.saturating_add(length(left)));
        }
        self.coverage.saw(match (verdict.is_ok(), renewal) {
            (true, false) => "server: accepts a login",
            (true, true) => "server: accepts a renewal",
            (false, false) => "server: refuses a login",
            (false, true) => "server: refuses a renewal",
        });
        let decided = self.links[link].server.as_mut().map(|server| server.decided(now, verdict));
        if let Some(Err(misuse)) = decided {
            return self.violate(Property::Server, format!("{misuse}"));
        }
        self.serve_link(link);
        if verdict.is_ok() && !calm && self.serving.per_mille(self.plan.server.fickle) {
            self.coverage.saw("server: accepts and then closes");
            let at = at + self.serving.spread(MILLI, 2 * MINUTE);
            self.schedule(at, Event::Kick { link });
        }
    }

    fn verdict_on(&mut self, token: Option<usize>, calm: bool) -> Result<Duration, Refusal> {
        let at = self.clocks.at;
        let Some(token) = token.map(|token| &self.issued[token]) else {
            return Err(Refusal::expired("no such token"));
        };
        let left = token.ends.map_or(400 * DAY, |ends| ends.saturating_sub(at));
        if token.revoked {
            Err(Refusal::expired("revoked"))
        } else if token.unwelcome && !calm {
            self.coverage.saw("server: refuses a good token");
            Err(Refusal::expired("not this one"))
        } else if left == 0 {
            self.coverage.saw("server: saw an expired token");
            Err(Refusal::expired("expired"))
        } else if self.plan.is_once() && token.seen {
            Err(Refusal::expired("used before"))
        } else {
            Ok(duration(left.min(self.plan.server.grants.unwrap_or(At::MAX))))
        }
    }

    /// Something reaches the server.
    pub(crate) fn up(&mut self, link: usize, frame: Up) {
        let now = self.server_now();
        let mute = self.links[link].mute;
        self.check_server(link);
        let Some(server) = &mut self.links[link].server else { return };
        match frame {
            Up::Text(text) => {
                if let Err(misuse) = server.receive(now, Incoming::Text(&text)).map(drop) {
                    self.violate(Property::Server, format!("{misuse}"));
                }
                if text.contains("\"ping\"") && !mute {
                    self.send_down(link, Down::Text("{\"type\":\"pong\"}".to_owned()));
                }
                self.serve_link(link);
            }
            Up::User(number) => {
                let text = format!("{{\"say\":{number}}}");
                if let Err(misuse) = server.receive(now, Incoming::Text(&text)).map(drop) {
                    self.violate(Property::Server, format!("{misuse}"));
                }
                self.arrive(link, number);
                self.serve_link(link);
            }
            Up::Ping => self.send_down(link, Down::Pong),
            Up::Close => {
                self.links[link].server = None;
                if !mute {
                    let failure = Failure::Closed { code: Some(1000), reason: String::new() };
                    self.send_down(link, Down::Gone { failure, retry_after: None });
                }
            }
            Up::Reset => self.links[link].server = None,
        }
    }

    pub(crate) fn server_wakes(&mut self, link: usize, serial: u64) {
        let now = self.server_now();
        if self.links[link].server_timer != serial {
            return;
        }
        self.check_server(link);
        let Some(server) = &mut self.links[link].server else { return };
        if let Err(misuse) = server.tick(now) {
            self.violate(Property::Server, format!("{misuse}"));
        }
        self.serve_link(link);
    }

    /// The server keeps nobody beyond the end of a credential and the grace.
    fn check_server(&mut self, link: usize) {
        let renews = !matches!(self.plan.dialect.renewal, ws_session::dialect::Renewal::Never);
        let live = self.links[link].server.as_ref().is_some_and(|server| server.is_live());
        let end = self.links[link].server_end.map(|end| end.saturating_add(self.plan.server.grace));
        if renews && live && end.is_some_and(|end| self.clocks.at > end + SECOND) {
            self.violate(Property::Server, format!("connection {link} is live beyond its credential"));
        }
    }

    /// The server closes, with any code.
    pub(crate) fn kick(&mut self, link: usize) {
        if self.links[link].server.is_none() || self.is_calm() {
            return;
        }
        let fatal = self.serving.per_mille(self.plan.server.fatal * 4);
        let code = if fatal {
            self.coverage.saw("server: final close");
            Some(self.serving.pick([1002, 1003, 1007, 1010, 3003, 3500, 3999, 4003, 4403, 4500, 4999]))
        } else {
            self.serving.pick([
                None,
                Some(1000),
                Some(1001),
                Some(1008),
                Some(1009),
                Some(1011),
                Some(1012),
                Some(1013),
                Some(1014),
                Some(3000),
                Some(3008),
                Some(4000),
                Some(4001),
                Some(4401),
                Some(4499),
                Some(HURRY),
                Some(HURRY),
                Some(LATE),
            ])
        };
        let reason = self.serving.pick(["", "", "because", "slow down, please"]);
        self.coverage.saw(if reason.is_empty() {
            "server: closes without a reason"
        } else {
            "server: closes with a reason"
        });
        let epoch = self.links[link].epoch.number();
        self.note(format_args!("server {epoch} closes: {code:?} {reason:?}"));
        self.close_from_server(link, code, reason);
    }

    /// The server revokes the credential of a live connection.
    pub(crate) fn revoke(&mut self, link: usize) {
        let now = self.server_now();
        let Some(token) = self.links[link].presented.last().copied() else { return };
        let Some(server) = self.links[link].server.as_mut().filter(|server| server.is_live()) else { return };
        self.issued[token].revoked = true;
        self.coverage.saw("server: revokes");
        if let Err(misuse) = server.revoked(now) {
            self.violate(Property::Server, format!("{misuse}"));
        }
        self.serve_link(link);
    }

    /// What a close means in this dialect, to see that each class was met.
    pub(crate) fn saw_verdict(&mut self, verdict: Verdict) {
        self.coverage.saw(match verdict {
            Verdict::Transient => "verdict: transient",
            Verdict::RateLimited => "verdict: rate limited",
            Verdict::ReconnectNow => "verdict: reconnect now",
            Verdict::Expired => "verdict: expired",
            Verdict::AuthenticationTimeout => "verdict: authentication timeout",
            Verdict::Rejected => "verdict: rejected",
            Verdict::Forbidden => "verdict: forbidden",
            Verdict::Misuse => "verdict: misuse",
            _ => "verdict: another",
        });
    }
}

//! The session with what its host can't keep for it: tokens by their tickets, and upgrades until they are answered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use auth_core::backoff::Backoff;
use auth_core::time::{Moment, Now, Timestamp};
use auth_core::token::Generation;
use auth_core::{Demand, Error, ErrorKind, Retry, Secret, Token};
use ws_session::dialect::{Dialect, Failure, Fresh, Incoming, UpgradeRequest};
use ws_session::machine::{self, Config, DialectMessage, Epoch, Received, Session, Ticket};

use crate::wire::{Answer, Input, Output, Request, Settings, millis};

pub(crate) struct Guest {
    session: Session,
    url: String,
    /// The request for a token that is not answered yet, and its number on the wire.
    wanted: Option<(u64, Ticket)>,
    requests: u64,
    /// Tokens that may yet be presented.
    tokens: Vec<(Ticket, Token)>,
    /// The last one, to tell a new one by.
    last: Option<(Secret, Generation)>,
    epochs: BTreeMap<u64, Epoch>,
    upgrades: BTreeMap<Epoch, UpgradeRequest>,
}

/// Takes an input; `None` if it makes no sense.
pub(crate) fn step(guest: &mut Option<Guest>, request: Request) -> Option<Answer> {
    let now = Now {
        wall: Timestamp::from_millis(request.wall_ms),
        mono: Moment::since_origin(Duration::from_millis(request.mono_ms)),
    };
    if let Input::New { url, dialect, seed, settings } = request.input {
        let guest = guest.insert(Guest::new(url, &dialect, seed, &settings)?);
        return Some(guest.answer(None, Vec::new(), false));
    }
    guest.as_mut()?.take(request.input, Fresh { now, random: request.random })
}

impl Guest {
    fn new(url: String, dialect: &str, seed: u64, settings: &Settings) -> Option<Self> {
        let dialect = Dialect::named(dialect)?;
        // A browser's sockets send no pings, and one session has one socket after the other.
        let mut config = Config::new().without_ping_frames().without_overlap();
        if let Some(answer) = settings.answer_ms {
            config = config.with_answer_timeout(Duration::from_millis(answer));
        }
        if let Some(open) = settings.open_ms {
            config = config.with_open_timeout(Duration::from_millis(open));
        }
        if let Some([first, longest]) = settings.backoff_ms {
            config = config
                .with_backoff(Backoff::new(Duration::from_millis(first), Duration::from_millis(longest)));
        }
        if let Some(keep_alive) = settings.keep_alive_ms {
            config = config.with_keep_alive(Some(Duration::from_millis(keep_alive)));
        }
        Some(Self {
            session: Session::new(dialect, config, seed),
            url,
            wanted: None,
            requests: 0,
            tokens: Vec::new(),
            last: None,
            epochs: BTreeMap::new(),
            upgrades: BTreeMap::new(),
        })
    }

    fn take(&mut self, input: Input, fresh: Fresh) -> Option<Answer> {
        let (mut inputs, mut outputs) = (VecDeque::new(), Vec::new());
        let mut deliver = false;
        match input {
            Input::New { .. } => return None,
            Input::Start => inputs.push_back(machine::Input::Start),
            Input::Close => inputs.push_back(machine::Input::Close),
            Input::Renew => inputs.push_back(machine::Input::Renew),
            Input::NetworkChanged => inputs.push_back(machine::Input::NetworkChanged),
            Input::Tick => inputs.push_back(machine::Input::Tick),
            Input::Token { ticket, token, expires_in_ms, renew_in_ms } => {
                // The answer to a request that is void says nothing.
                if let Some((_, ticket)) = self.wanted.take_if(|(number, _)| *number == ticket) {
                    let token = self.token(token, expires_in_ms, renew_in_ms);
                    let result = Ok(self.session.facts(&token));
                    self.tokens.push((ticket, token));
                    inputs.push_back(machine::Input::Token { ticket, result });
                }
            }
            Input::NoToken { ticket, is_final } => {
                if let Some((_, ticket)) = self.wanted.take_if(|(number, _)| *number == ticket) {
                    let retry = if is_final { Retry::Never } else { Retry::Backoff };
                    let error = Error::new(ErrorKind::Transport, "the program's own source has no token");
                    let result = Err(error.with_retry(retry));
                    inputs.push_back(machine::Input::Token { ticket, result });
                }
            }
            Input::Opened { epoch, protocol } => {
                if let Some(&epoch) = self.epochs.get(&epoch) {
                    let selected = (!protocol.is_empty()).then_some(protocol.as_str());
                    let upgrade = self.upgrades.remove(&epoch);
                    if upgrade.is_some_and(|upgrade| upgrade.check_selected(selected).is_ok()) {
                        inputs.push_back(machine::Input::Opened { epoch });
                    } else {
                        outputs.push(Output::Abort { epoch: epoch.number() });
                        inputs.push_back(ended(epoch, Failure::Subprotocol));
                    }
                }
            }
            Input::Ended { epoch, code, reason } => {
                let failure = match code {
                    // What a browser says when there was no close frame; before the upgrade, whatever the reason.
                    1006 | 1015 => Failure::Transport,
                    1005 => Failure::Closed { code: None, reason },
                    code => Failure::Closed { code: Some(code), reason },
                };
                inputs.extend(self.epochs.get(&epoch).map(|&epoch| ended(epoch, failure)));
            }
            Input::Text { epoch, text } => {
                deliver = self.receive(epoch, Incoming::Text(&text), fresh.now);
            }
            Input::Binary { epoch, bytes } => {
                deliver = self.receive(epoch, Incoming::Binary(&bytes), fresh.now);
            }
        }
        self.run(inputs, outputs, fresh, deliver)
    }

    fn receive(&mut self, epoch: u64, incoming: Incoming<'_>, now: Now) -> bool {
        let Some(&epoch) = self.epochs.get(&epoch) else { return false };
        self.session.receive(now, epoch, incoming) == Ok(Received::Deliver)
    }

    /// Hands the inputs to the machine, with those that follow from what it wants and can't be had.
    fn run(
        &mut self,
        mut inputs: VecDeque<machine::Input>,
        mut outputs: Vec<Output>,
        fresh: Fresh,
        deliver: bool,
    ) -> Option<Answer> {
        loop {
            if let Some(input) = inputs.pop_front() {
                if let machine::Input::Ended { epoch, .. } = &input {
                    self.epochs.remove(&epoch.number());
                    self.upgrades.remove(epoch);
                }
                self.session.handle(fresh.now, input).ok()?;
            }
            let deadline = loop {
                match self.session.poll() {
                    machine::Output::FetchToken { ticket, demand } => {
                        self.requests += 1;
                        self.wanted = Some((self.requests, ticket));
                        let fresh = demand != Demand::Current;
                        outputs.push(Output::FetchToken { ticket: self.requests, fresh });
                    }
                    machine::Output::Forget { ticket } => self.tokens.retain(|(held, _)| *held != ticket),
                    machine::Output::Open { epoch, ticket } => match self.open(epoch, ticket, fresh) {
                        Ok(output) => outputs.push(output),
                        Err(failure) => inputs.push_back(ended(epoch, failure)),
                    },
                    machine::Output::Send { epoch, message, ticket } => {
                        match self.message(epoch, message, ticket, fresh) {
                            Ok(output) => outputs.push(output),
                            Err(_) => inputs.push_back(machine::Input::Unplaceable { epoch, message }),
                        }
                    }
                    machine::Output::Farewell { epoch } => {
                        let message = DialectMessage::Farewell;
                        match self.message(epoch, message, None, fresh) {
                            Ok(output) => outputs.push(output),
                            Err(_) => inputs.push_back(machine::Input::Unplaceable { epoch, message }),
                        }
                    }
                    // It was told that there are no ping frames.
                    machine::Output::Ping { .. } => {}
                    machine::Output::Close { epoch } => outputs.push(Output::Close { epoch: epoch.number() }),
                    machine::Output::Abort { epoch } => {
                        self.epochs.remove(&epoch.number());
                        self.upgrades.remove(&epoch);
                        outputs.push(Output::Abort { epoch: epoch.number() });
                    }
                    machine::Output::Event(event) => {
                        outputs.push(Output::Event { event: serde_json::to_value(event).ok()? });
                    }
                    machine::Output::Wait(deadline) => break deadline,
                }
            };
            if inputs.is_empty() {
                let wait = deadline.map(|deadline| deadline.remaining(fresh.now));
                return Some(self.answer(wait, outputs, deliver));
            }
        }
    }

    fn open(&mut self, epoch: Epoch, ticket: Ticket, fresh: Fresh) -> Result<Output, Failure> {
        let credential = self.credential(Some(ticket)).ok_or(Failure::Unplaceable)?;
        let upgrade =
            self.session.upgrade(&self.url, &credential, fresh).map_err(|_| Failure::Unplaceable)?;
        // JavaScript's constructor takes a URL and subprotocols, and nothing else.
        if !upgrade.headers().is_empty() {
            return Err(Failure::Unplaceable);
        }
        let output = Output::Open {
            epoch: epoch.number(),
            url: upgrade.url().expose().to_owned(),
            subprotocols: upgrade.subprotocols().iter().map(|entry| entry.expose().to_owned()).collect(),
        };
        self.epochs.insert(epoch.number(), epoch);
        self.upgrades.insert(epoch, upgrade);
        Ok(output)
    }

    fn message(
        &self,
        epoch: Epoch,
        message: DialectMessage,
        ticket: Option<Ticket>,
        fresh: Fresh,
    ) -> Result<Output, Failure> {
        let credential = self.credential(ticket);
        let rendered = self.session.message(epoch, message, credential.as_ref(), fresh);
        let rendered = rendered.map_err(|_| Failure::Unplaceable)?;
        let text = rendered.text.expose().to_owned();
        Ok(Output::Send { epoch: epoch.number(), text, binary: rendered.binary })
    }

    fn credential(&self, ticket: Option<Ticket>) -> Option<Secret> {
        let held = self.tokens.iter().find(|(held, _)| Some(*held) == ticket);
        held.map(|(_, token)| token.secret().clone())
    }

    /// The token with its number: another text is a newer one.
    fn token(&mut self, text: String, expires_in_ms: Option<u64>, renew_in_ms: Option<u64>) -> Token {
        let secret = Secret::from(text);
        let generation = match &self.last {
            Some((last, generation)) if last.expose() == secret.expose() => *generation,
            Some((_, generation)) => generation.next(),
            None => Generation::NONE.next(),
        };
        self.last = Some((secret.clone(), generation));
        let mut token = Token::new(secret).with_generation(generation);
        if let Some(expires_in) = expires_in_ms {
            token = token.with_expires_in(Duration::from_millis(expires_in));
        }
        if let Some(renew_in) = renew_in_ms {
            token = token.with_renew_in(Duration::from_millis(renew_in));
        }
        token
    }

    fn answer(&self, wait: Option<Duration>, outputs: Vec<Output>, deliver: bool) -> Answer {
        Answer {
            outputs,
            wait_ms: wait.map(millis),
            state: format!("{:?}", self.session.state()).to_lowercase(),
            live: self.session.live().map(Epoch::number),
            deliver,
            error: self.session.error().map(ToString::to_string),
        }
    }
}

const fn ended(epoch: Epoch, failure: Failure) -> machine::Input {
    machine::Input::Ended { epoch, failure, retry_after: None }
}

//! Whatever happens in whatever order: the machine never sits with nothing under way and nothing to wait for, never has
//! two connections, and ends once.

use std::time::Duration;

use auth_core::time::Moment;
use auth_core::token::Generation;
use auth_core::{AuthEvent, ErrorKind, Secret, Token};

use super::world::{World, closed, outage};
use super::*;
use crate::dialect::{Dialect, Failure, Incoming};

/// A small generator, for choices only.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What is under way, as a driver would know it.
#[derive(Default)]
struct Underway {
    ticket: Option<Ticket>,
    opening: Option<Epoch>,
    open: Option<Epoch>,
    connections: u32,
    lost: u32,
    ended: u32,
    wait: Option<Deadline>,
}

impl Underway {
    fn act(&mut self, client: &mut Session) {
        loop {
            match client.poll() {
                Output::FetchToken { ticket, .. } => self.ticket = Some(ticket),
                Output::Open { epoch, .. } => {
                    assert!(self.open.is_none() && self.opening.is_none(), "two connections");
                    self.opening = Some(epoch);
                    self.connections += 1;
                }
                Output::Send { epoch, .. } | Output::Ping { epoch } | Output::Farewell { epoch } => {
                    assert_eq!(self.open, Some(epoch), "sent to nobody");
                }
                Output::Forget { .. } => {}
                Output::Close { epoch } => assert_eq!(self.open, Some(epoch), "closed nobody"),
                Output::Abort { .. } => (self.open, self.opening) = (None, None),
                Output::Event(AuthEvent::ConnectionLost { .. }) => self.lost += 1,
                Output::Event(AuthEvent::SessionClosed { .. } | AuthEvent::SessionFailed { .. }) => {
                    self.ended += 1
                }
                Output::Event(_) => {}
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    return;
                }
            }
        }
    }
}

fn token(choices: &mut Choices, generation: &mut Generation) -> Result<TokenFacts, auth_core::Error> {
    match choices.below(12) {
        0 | 1 => return Err(outage()),
        2 if choices.below(10) == 0 => return Err(auth_core::Error::new(ErrorKind::InvalidGrant, "log in")),
        3 | 4 => {}
        _ => *generation = generation.next(),
    }
    let mut token = Token::new(Secret::from("x")).with_generation(*generation);
    if choices.below(3) > 0 {
        token = token.with_expires_in(Duration::from_secs(choices.below(300)));
    }
    if choices.below(2) > 0 {
        token = token.with_renew_in(Duration::from_secs(choices.below(200)));
    }
    Ok(TokenFacts::from(&token))
}

#[test]
fn random_inputs_never_leave_a_session_stuck_or_ended_twice() {
    let failures: [Failure; 5] = [
        Failure::Transport,
        closed(4401),
        Failure::Status(401),
        Failure::Closed { code: None, reason: String::new() },
        closed(1012),
    ];
    const TEXTS: [&str; 3] = [r#"{"type":"auth","status":"ok"}"#, r#"{"type":"auth","status":"error"}"#, "x"];
    for seed in 0..1_000 {
        let mut choices = Choices((seed + 1_u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut client = Session::new(Dialect::genesys(), Config::new(), seed);
        let (mut now, mut generation) = (World::new().now, Generation::NONE);
        let mut underway = Underway::default();
        for step in 0..200 {
            let pick = |choices: &mut Choices, length: usize| choices.below(length as u64) as usize;
            let input = match choices.below(10) {
                0 if choices.below(2) == 0 => Input::Present { generation },
                0 => Input::Start,
                1 if choices.below(20) == 0 => Input::Close,
                2 | 3 if underway.ticket.is_some() => {
                    let ticket = underway.ticket.take().unwrap();
                    Input::Token { ticket, result: token(&mut choices, &mut generation) }
                }
                4 | 5 if underway.opening.is_some() => {
                    underway.open = underway.opening.take();
                    Input::Opened { epoch: underway.open.unwrap() }
                }
                6 if underway.open.is_some() || underway.opening.is_some() => {
                    let epoch = underway.open.take().or_else(|| underway.opening.take()).unwrap();
                    let failure = failures[pick(&mut choices, failures.len())].clone();
                    Input::Ended { epoch, failure, retry_after: None }
                }
                7 | 8 if underway.open.is_some() => {
                    let text = TEXTS[pick(&mut choices, TEXTS.len())];
                    let _ = client.receive(now, underway.open.unwrap(), Incoming::Text(text)).unwrap();
                    underway.act(&mut client);
                    continue;
                }
                _ => {
                    let elapsed = Duration::from_millis(choices.below(40_000));
                    now.mono = Moment::since_origin(now.mono.elapsed() + elapsed);
                    now.wall = now.wall.saturating_add(elapsed);
                    Input::Tick
                }
            };
            client.handle(now, input).unwrap();
            underway.act(&mut client);
            let state = client.state();
            let stuck = underway.wait.is_none() && !matches!(state, State::Initialized | State::Connected);
            assert!(state.is_final() || !stuck, "seed {seed}, step {step}: {state:?} waits for nothing");
            if state.is_final() {
                assert!(underway.open.is_none() && underway.opening.is_none(), "seed {seed}: left open");
            }
            assert_eq!(underway.ended, u32::from(state.is_final()), "seed {seed}, step {step}");
            assert!(underway.lost <= underway.connections, "seed {seed}: more losses than connections");
        }
    }
}

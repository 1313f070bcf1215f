//! The blocking driver as the subject of a story: it runs on the story's own thread, whenever the story waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ws_session::Error;
use ws_session::driver::blocking::{Message, Session, Target, Unsent};
use ws_session::machine::State;

use super::log::{Log, PATIENCE, Seen};
use super::subject::{Plan, Subject};

pub(super) struct Blocking {
    session: Session,
    read: VecDeque<String>,
    log: Log,
}

pub(super) fn open(plan: Plan) -> Box<dyn Subject> {
    let session = Session::builder(Target::new(&plan.url).unwrap(), plan.dialect, plan.source)
        .with_config(plan.config)
        .with_observer(Arc::new(plan.log.clone()))
        .open();
    Box::new(Blocking { session, read: VecDeque::new(), log: plan.log })
}

impl Blocking {
    /// Runs the session for a moment, or until a message comes; says whether it lives.
    fn run(&mut self) -> bool {
        let message = self.session.next(Duration::from_millis(10));
        let lives = message.is_ok();
        self.read.extend(message.ok().flatten().map(|message| message.as_text().unwrap().to_owned()));
        lives
    }
}

impl Subject for Blocking {
    fn overlaps(&self) -> bool {
        false
    }

    fn says_goodbye(&self) -> bool {
        true
    }

    fn send(&mut self, text: &str) {
        let mut message = Message::from(text);
        while let Err(full) = self.session.send(message) {
            assert_eq!(full.reason(), Unsent::QueueFull);
            message = full.into_message().unwrap();
            self.run();
        }
    }

    fn next(&mut self) -> Option<String> {
        if let Some(text) = self.read.pop_front() {
            return Some(text);
        }
        match self.session.next(PATIENCE) {
            Ok(Some(message)) => Some(message.as_text().unwrap().to_owned()),
            Ok(None) => self.log.in_vain("a message"),
            Err(_) => None,
        }
    }

    fn until(&mut self, what: &str, seen: &dyn Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log.wait(Duration::ZERO, seen) {
            assert!(Instant::now() < deadline, "waited in vain until {what}; {:#?}", self.log.seen());
            if !self.run() {
                // It has ended: what is left to see happens without it.
                self.log.wait(PATIENCE, seen);
            }
        }
    }

    fn leave_alone(&mut self, time: Duration, meanwhile: &dyn Fn()) {
        meanwhile();
        self.log.wait(time, |_| false);
    }

    fn renew(&mut self) {
        self.session.renew();
    }

    fn state(&self) -> State {
        self.session.state()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.session.close()
    }

    fn error(&mut self) -> Option<Error> {
        self.session.error().cloned()
    }

    fn returned(&mut self, count: usize) -> Vec<(String, bool)> {
        let deadline = Instant::now() + PATIENCE;
        let mut returned = Vec::new();
        while returned.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} messages came back", returned.len());
            returned.extend(self.session.take_returned().map(|back| {
                let may_have_arrived = back.may_have_arrived();
                (back.into_message().unwrap().as_text().unwrap().to_owned(), may_have_arrived)
            }));
            self.run();
        }
        returned
    }
}

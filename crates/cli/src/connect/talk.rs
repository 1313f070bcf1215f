//! The session while it lasts: what goes out, what comes in, and what ends it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::time::Timestamp;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{Interval, interval};
use ws_session::driver::polled::Session;
use ws_session::driver::{Message, SendError};

use super::ends::Ends;
use super::input::{self, Input};
use super::lines::{Line, Payload, kind, wire_code};
use super::options::ConnectOptions;
use super::printer::{Bottom, Printer};
use super::story::{Story, Told};
use super::words::{Mark, Style};
use super::{ended, show};
use crate::clock;
use crate::exit::Failure;
use crate::signals::Signals;

/// A session, and everybody who has to do with it.
pub(super) struct Talk {
    pub(super) session: Session,
    pub(super) events: UnboundedReceiver<AuthEvent>,
    pub(super) signals: Signals,
    pub(super) story: Story,
    pub(super) style: Style,
    pub(super) printer: Printer,
    pub(super) ends: Ends,
    /// When a token expires of which the session does not know.
    pub(super) expires: Option<Timestamp>,
    pub(super) json: bool,
    /// What is told once it is connected.
    pub(super) hint: Option<String>,
    /// How long a reader may take nothing once the session has ended: for ever, unless somebody wants it to end.
    pub(super) patience: Option<Duration>,
}

/// What the session came to.
enum Step {
    Message(Message),
    Returned(SendError),
    /// All that was to be sent is with the operating system.
    Settled,
    Ended,
}

/// What happens next.
enum Next {
    Step(Step),
    Event(AuthEvent),
    Input(Input),
    Signal,
    /// It was not authenticated, and in what time.
    Impatient(String),
    Over,
    /// Nobody reads standard output, or it can't be written.
    Broken,
    Tick,
}

/// What waits to be sent, and where it comes from.
struct Outgoing {
    messages: VecDeque<Message>,
    input: Option<Receiver<Input>>,
    ticks: Interval,
}

/// Where it stands with the end.
#[derive(Default)]
struct Ending {
    /// Nothing more is to be sent.
    settling: bool,
    closing: bool,
    unsent: usize,
    failure: Option<Failure>,
}

impl Talk {
    pub(super) async fn until_it_ends(
        &mut self,
        options: &ConnectOptions,
        reads: bool,
    ) -> Result<(), Failure> {
        let mut outgoing = Outgoing {
            messages: options.send.iter().map(|text| text.as_str().into()).collect(),
            input: reads.then(input::read),
            ticks: interval(SECOND),
        };
        let ends_with_input = options.ends_with_input();
        let mut had_input = input::is_typed();
        let mut ending = Ending::default();
        loop {
            match self.next(&mut outgoing, &ending).await {
                Next::Step(Step::Message(message)) => self.received(&message).await,
                Next::Step(Step::Returned(returned)) => self.returned(returned, &mut ending),
                Next::Step(Step::Settled) | Next::Broken => self.close(&mut ending).await,
                Next::Over => {
                    self.patience = Some(PATIENCE);
                    self.close(&mut ending).await;
                }
                Next::Step(Step::Ended) => break,
                Next::Event(event) => self.happened(&event).await,
                Next::Input(Input::Line(line)) => {
                    had_input = true;
                    self.printer.typed(self.style.message(&line));
                    outgoing.messages.push_back(line.into());
                }
                Next::Input(Input::End) => {
                    outgoing.input = None;
                    ending.settling = ends_with_input && had_input;
                }
                Next::Input(Input::Bad(what)) => {
                    outgoing.input = None;
                    ending.failure = Some(Failure::Operation(format!("{what}; it was not sent")));
                    ending.settling = true;
                }
                Next::Signal if ending.closing || !self.story.was_connected() => {
                    self.patience = Some(IMPATIENCE);
                    return Err(Failure::Interrupted);
                }
                Next::Signal => {
                    self.patience = Some(PATIENCE);
                    self.close(&mut ending).await;
                }
                Next::Impatient(time) => {
                    self.patience = Some(PATIENCE);
                    return Err(self.gives_up(&time));
                }
                Next::Tick => self.redraw(),
            }
            self.collect(&mut ending);
        }
        while let Ok(event) = self.events.try_recv() {
            self.tell(&event);
        }
        self.end(outgoing.messages, ending)
    }

    async fn next(&mut self, outgoing: &mut Outgoing, ending: &Ending) -> Next {
        let Self { session, events, signals, story, style, printer, ends, .. } = self;
        let Outgoing { messages, input, ticks } = outgoing;
        let mut input = input.as_mut().filter(|_| !ending.closing && !ending.settling);
        let (settles, connected) = (ending.settling && !ending.closing, story.was_connected());
        let mut room = pin!(printer.room());
        let mut has_room = false;
        // Where there are many of both, a line and a message by turns.
        let mut is_turn_of_line = messages.is_empty();
        let stepping = poll_fn(|cx| {
            if std::mem::take(&mut is_turn_of_line)
                && let Poll::Ready(line) = poll_line(input.as_deref_mut(), cx)
            {
                return Poll::Ready(Next::Input(line));
            }
            has_room = has_room || room.as_mut().poll(cx).is_ready();
            match poll(session, messages, settles, has_room, cx) {
                Poll::Ready(step) => Poll::Ready(Next::Step(step)),
                // What waited has gone, which wakes nobody.
                Poll::Pending if messages.is_empty() => poll_line(input.as_deref_mut(), cx).map(Next::Input),
                Poll::Pending => Poll::Pending,
            }
        });
        tokio::select! {
            biased;
            () = signals.next() => Next::Signal,
            () = printer.broken(), if !ending.closing => Next::Broken,
            Some(event) = events.recv() => Next::Event(event),
            time = ends.next(connected), if !ending.closing => time.map_or(Next::Over, Next::Impatient),
            _ = ticks.tick(), if style.bottom != Bottom::None => Next::Tick,
            next = stepping => next,
        }
    }

    /// Tells of an event. What came over a connection is printed before its loss.
    async fn happened(&mut self, event: &AuthEvent) {
        if is_end(event) {
            // Over another connection more may come all the time.
            for _ in 0..READ_AHEAD {
                let message = poll_fn(|cx| Poll::Ready(waiting(&mut self.session, cx))).await;
                let Some(message) = message else { break };
                self.print(&message);
            }
        }
        self.tell(event);
        self.redraw();
    }

    fn tell(&mut self, event: &AuthEvent) {
        let told = self.story.event(event);
        show(&self.printer, told);
        if self.story.was_connected() {
            show(&self.printer, self.hint.take().map(Told::Note).into_iter().collect());
        }
    }

    /// Prints a message, behind the events that came before it.
    async fn received(&mut self, message: &Message) {
        while let Ok(event) = self.events.try_recv() {
            if is_end(&event) {
                self.print(message);
                return self.happened(&event).await;
            }
            self.tell(&event);
        }
        self.print(message);
    }

    fn print(&self, message: &Message) {
        let payload = Payload::of(message);
        let line = match (self.json, payload) {
            (true, payload) => Line::Message(payload).render(),
            (false, Payload { text: Some(text), .. }) => self.style.message(text),
            (false, Payload { base64, .. }) => base64.unwrap_or_default(),
        };
        self.printer.message(line);
    }

    async fn close(&mut self, ending: &mut Ending) {
        // What it comes after is told before it.
        while let Ok(event) = self.events.try_recv() {
            self.happened(&event).await;
        }
        if !std::mem::replace(&mut ending.closing, true) {
            show(&self.printer, self.story.closes());
            self.session.close();
        }
    }

    /// It was never authenticated, and nobody waits any longer.
    fn gives_up(&mut self, time: &str) -> Failure {
        let reason = self.story.reason().unwrap_or("nothing came of it yet");
        // Some reasons say themselves what to do.
        let advice = if reason.contains("; ") { "" } else { "; check the URL, the dialect and the source" };
        let text = format!("not authenticated {time}: {reason}{advice}");
        show(&self.printer, self.story.fails("timeout", None, &text));
        Failure::TimedOut(format!("timeout: {text}"))
    }

    /// Tells of the messages that came back.
    fn collect(&mut self, ending: &mut Ending) {
        let returned: Vec<_> = self.session.take_returned().collect();
        for returned in returned {
            self.returned(returned, ending);
        }
    }

    fn returned(&self, returned: SendError, ending: &mut Ending) {
        let may_have_arrived = returned.may_have_arrived();
        if let Some(message) = returned.into_message() {
            self.unsent(&message, may_have_arrived, ending);
        }
    }

    fn unsent(&self, message: &Message, may_have_arrived: bool, ending: &mut Ending) {
        if self.json {
            let Payload { text, base64 } = Payload::of(message);
            self.printer.line(Line::Unsent { text, base64, may_have_arrived }.render());
        } else if may_have_arrived {
            let text = "a message may not have arrived: the connection broke while it was being sent";
            show(&self.printer, vec![Told::Note(self.style.note(Mark::Setback, text))]);
        }
        if !may_have_arrived {
            ending.unsent += 1;
        }
    }

    fn end(&mut self, left: VecDeque<Message>, mut ending: Ending) -> Result<(), Failure> {
        self.collect(&mut ending);
        for message in &left {
            self.unsent(message, false, &mut ending);
        }
        if let Some(error) = self.session.error().cloned() {
            let failure = ended(&error);
            let kind = kind(&error);
            let text = failure.to_string();
            let message = text.strip_prefix(&format!("{kind}: ")).unwrap_or(&text);
            show(&self.printer, self.story.fails(&kind, wire_code(&error), message));
            return Err(failure);
        }
        match (ending.failure, ending.unsent) {
            (Some(failure), _) => Err(failure),
            (None, 0) => Ok(()),
            (None, 1) => {
                Err(Failure::Operation("a message was not sent: there was no connection".to_owned()))
            }
            (None, count) => {
                Err(Failure::Operation(format!("{count} messages were not sent: there was no connection")))
            }
        }
    }

    fn redraw(&self) {
        if self.style.bottom == Bottom::None {
            return;
        }
        let left = self.session.valid_for();
        let left = left.or_else(|| Some(self.expires?.saturating_since(clock::now().wall)));
        self.printer.status(self.style.status(&self.story, left, self.session.round_trip()));
    }
}

/// How often the line at the bottom changes.
const SECOND: Duration = Duration::from_secs(1);

/// How long a reader may take nothing of what was told once the session was to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The same when it is to end at once.
const IMPATIENCE: Duration = Duration::from_millis(200);

/// As many messages as a session reads before they are taken.
const READ_AHEAD: usize = 64;

/// Whether nothing comes behind it over the same connection.
const fn is_end(event: &AuthEvent) -> bool {
    matches!(
        event,
        AuthEvent::ConnectionLost { .. } | AuthEvent::SessionClosed { .. } | AuthEvent::SessionFailed { .. }
    )
}

/// A message that is there already.
fn waiting(session: &mut Session, cx: &mut Context<'_>) -> Option<Message> {
    match Pin::new(session).poll_next(cx) {
        Poll::Ready(message) => message,
        Poll::Pending => None,
    }
}

/// The next line, if any is wanted.
fn poll_line(input: Option<&mut Receiver<Input>>, cx: &mut Context<'_>) -> Poll<Input> {
    match input {
        Some(input) => input.poll_recv(cx).map(|line| line.unwrap_or(Input::End)),
        None => Poll::Pending,
    }
}

fn poll(
    session: &mut Session,
    messages: &mut VecDeque<Message>,
    settles: bool,
    has_room: bool,
    cx: &mut Context<'_>,
) -> Poll<Step> {
    let mut session = Pin::new(session);
    while !messages.is_empty() {
        match session.as_mut().poll_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(returned)) => return Poll::Ready(Step::Returned(returned)),
            Poll::Pending => break,
        }
        if let Some(message) = messages.pop_front()
            && let Err(returned) = session.as_mut().start_send(message)
        {
            return Poll::Ready(Step::Returned(returned));
        }
    }
    let settles = settles && messages.is_empty();
    if settles || !has_room {
        // This does all that there is to do, but take messages.
        match session.as_mut().poll_flush(cx) {
            Poll::Ready(Ok(())) if settles => return Poll::Ready(Step::Settled),
            Poll::Ready(Err(returned)) => return Poll::Ready(Step::Returned(returned)),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
    }
    // What a session that has ended leaves is little.
    if !has_room && !session.state().is_final() {
        return Poll::Pending;
    }
    session.poll_next(cx).map(|message| message.map_or(Step::Ended, Step::Message))
}

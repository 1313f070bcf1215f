//! The futures driver as the subject of a story: polled by smol, on a thread of its own.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_sink::Sink as _;
use smol::stream::Stream as _;
use ws_session::Error;
use ws_session::driver::futures::{Functions, Message, Runtime, SendError, Server, Session, Target};
use ws_session::machine::State;

use super::log::{Log, PATIENCE, Seen};
use super::subject::{Plan, Subject};

pub(super) struct OnSmol {
    orders: smol::channel::Sender<Order>,
    messages: Receiver<String>,
    returned: Receiver<(String, bool)>,
    status: Arc<Mutex<(State, Option<Error>)>>,
    thread: Option<JoinHandle<()>>,
    log: Log,
}

enum Order {
    Send(String),
    Renew,
    /// Leaves the session alone for so long, and tells that this has begun.
    Rest(Duration, mpsc::Sender<()>),
    Close,
}

/// What the thread of a session works with.
struct Polled {
    session: Session,
    orders: Pin<Box<smol::channel::Receiver<Order>>>,
    to_send: VecDeque<Message>,
    messages: mpsc::Sender<String>,
    returned: mpsc::Sender<(String, bool)>,
    status: Arc<Mutex<(State, Option<Error>)>>,
}

fn runtime() -> Arc<dyn Runtime> {
    let connect = |server: Server| async move {
        let stream = smol::net::TcpStream::connect((server.host(), server.port())).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    Arc::new(Functions::new(connect, |duration| async move {
        smol::Timer::after(duration).await;
    }))
}

pub(super) fn open(plan: Plan) -> Box<dyn Subject> {
    let session = Session::builder(Target::new(&plan.url).unwrap(), plan.dialect, plan.source)
        .with_config(plan.config)
        .with_observer(Arc::new(plan.log.clone()))
        .build(runtime());
    let (orders, taken) = smol::channel::unbounded();
    let (messages, delivered) = mpsc::channel();
    let (returned, given_back) = mpsc::channel();
    let status = Arc::new(Mutex::new((State::Initialized, None)));
    let mut polled = Polled {
        session,
        orders: Box::pin(taken),
        to_send: VecDeque::new(),
        messages,
        returned,
        status: Arc::clone(&status),
    };
    let thread = thread::spawn(move || smol::block_on(std::future::poll_fn(|cx| polled.poll(cx))));
    let log = plan.log;
    Box::new(OnSmol { orders, messages: delivered, returned: given_back, status, thread: Some(thread), log })
}

impl Polled {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(order) = self.orders.as_mut().poll_next(cx) {
            match order {
                Some(Order::Send(text)) => self.to_send.push_back(text.into()),
                Some(Order::Renew) => self.session.renew(),
                Some(Order::Rest(time, begin)) => {
                    begin.send(()).unwrap();
                    thread::sleep(time);
                }
                Some(Order::Close) => {
                    self.send(cx);
                    self.session.close();
                }
                // The story drops the session.
                None => return Poll::Ready(()),
            }
        }
        self.send(cx);
        while let Poll::Ready(message) = Pin::new(&mut self.session).poll_next(cx) {
            let Some(message) = message else {
                self.publish();
                return Poll::Ready(());
            };
            // A story that reads no more is no matter.
            let _ = self.messages.send(message.as_text().unwrap().to_owned());
        }
        self.publish();
        Poll::Pending
    }

    fn send(&mut self, cx: &mut Context<'_>) {
        while !self.to_send.is_empty() && Pin::new(&mut self.session).poll_ready(cx).is_ready() {
            let sent =
                self.to_send.pop_front().map(|message| Pin::new(&mut self.session).start_send(message));
            if let Some(Err(back)) = sent {
                self.give_back(back);
            }
        }
    }

    fn publish(&mut self) {
        let returned: Vec<_> = self.session.take_returned().collect();
        returned.into_iter().for_each(|back| self.give_back(back));
        *self.status.lock().unwrap() = (self.session.state(), self.session.error().cloned());
    }

    fn give_back(&self, back: SendError) {
        let may_have_arrived = back.may_have_arrived();
        let text = back.into_message().unwrap().as_text().unwrap().to_owned();
        let _ = self.returned.send((text, may_have_arrived));
    }
}

impl OnSmol {
    fn order(&self, order: Order) {
        // One that has ended takes none.
        let _ = self.orders.try_send(order);
    }
}

impl Subject for OnSmol {
    fn overlaps(&self) -> bool {
        true
    }

    fn says_goodbye(&self) -> bool {
        false
    }

    fn send(&mut self, text: &str) {
        self.order(Order::Send(text.to_owned()));
    }

    fn next(&mut self) -> Option<String> {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(text) => Some(text),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => self.log.in_vain("a message"),
        }
    }

    fn until(&mut self, what: &str, seen: &dyn Fn(&Seen) -> bool) {
        assert!(self.log.wait(PATIENCE, seen), "waited in vain until {what}; {:#?}", self.log.seen());
    }

    fn leave_alone(&mut self, time: Duration, meanwhile: &dyn Fn()) {
        let (begin, begun) = mpsc::channel();
        self.order(Order::Rest(time, begin));
        begun.recv_timeout(PATIENCE).unwrap();
        meanwhile();
        // What comes next waits for the session, wherever it is.
        thread::sleep(time);
    }

    fn renew(&mut self) {
        self.order(Order::Renew);
    }

    fn state(&self) -> State {
        self.status.lock().unwrap().0
    }

    fn close(&mut self) -> Result<(), Error> {
        self.order(Order::Close);
        self.thread.take().unwrap().join().unwrap();
        self.status.lock().unwrap().1.clone().map_or(Ok(()), Err)
    }

    fn error(&mut self) -> Option<Error> {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.status.lock().unwrap().1.clone()
    }

    fn returned(&mut self, count: usize) -> Vec<(String, bool)> {
        (0..count).map(|_| self.returned.recv_timeout(PATIENCE).unwrap()).collect()
    }
}

impl Drop for OnSmol {
    fn drop(&mut self) {
        // The thread drops the session, and ends.
        self.orders.close();
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking(), "the session's thread ends");
        }
    }
}

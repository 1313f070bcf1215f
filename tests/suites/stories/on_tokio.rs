//! The tokio driver as the subject of a story: its task runs on a thread of the runtime.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc as queue;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use ws_session::Error;
use ws_session::driver::tokio::{Session, Target};
use ws_session::machine::State;

use super::log::{Log, PATIENCE, Seen};
use super::subject::{Plan, Subject};

pub(super) struct OnTokio {
    runtime: Runtime,
    session: Option<Session>,
    driver: JoinHandle<()>,
    to_send: queue::UnboundedSender<(String, Sender<()>)>,
    returned: Receiver<(String, bool)>,
    ended: Mutex<Option<Result<(), Error>>>,
    log: Log,
}

pub(super) fn open(plan: Plan) -> Box<dyn Subject> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let entered = runtime.enter();
    let session = Session::builder(Target::new(&plan.url).unwrap(), plan.dialect, plan.source)
        .with_config(plan.config)
        .with_observer(Arc::new(plan.log.clone()))
        .build();
    drop(entered);
    let (session, driver) = session;
    let driver = runtime.spawn(driver.run());
    let (to_send, taken) = queue::unbounded_channel();
    let (give_back, returned) = mpsc::channel();
    runtime.spawn(send_in_order(session.sender(), taken, give_back));
    let session = Some(session);
    Box::new(OnTokio { runtime, session, driver, to_send, returned, ended: Mutex::default(), log: plan.log })
}

/// Sends as one who does not wait for what became of one message before the next.
async fn send_in_order(
    sender: ws_session::driver::tokio::Sender,
    mut taken: queue::UnboundedReceiver<(String, Sender<()>)>,
    give_back: Sender<(String, bool)>,
) {
    let mut sending: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
    poll_fn(|cx| {
        let mut begun = Vec::new();
        while let Poll::Ready(order) = taken.poll_recv(cx) {
            let Some((text, order)) = order else { return Poll::Ready(()) };
            begun.push(order);
            let (sender, give_back) = (sender.clone(), give_back.clone());
            sending.push(Box::pin(async move {
                if let Err(error) = sender.send(text).await {
                    let may_have_arrived = error.may_have_arrived();
                    let text = error.into_message().unwrap().as_text().unwrap().to_owned();
                    // A story that is over wants nothing back.
                    let _ = give_back.send((text, may_have_arrived));
                }
            }));
        }
        sending.retain_mut(|sending| sending.as_mut().poll(cx).is_pending());
        // Each has its place in the session's queue now.
        begun.into_iter().for_each(|order| order.send(()).unwrap());
        Poll::Pending
    })
    .await;
}

impl OnTokio {
    fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }
}

impl Subject for OnTokio {
    fn overlaps(&self) -> bool {
        true
    }

    fn says_goodbye(&self) -> bool {
        true
    }

    fn send(&mut self, text: &str) {
        let (order, begun) = mpsc::channel();
        self.to_send.send((text.to_owned(), order)).unwrap();
        begun.recv_timeout(PATIENCE).unwrap();
    }

    fn next(&mut self) -> Option<String> {
        let Self { runtime, session, log, .. } = self;
        let next = session.as_mut().unwrap().next();
        let next = runtime.block_on(async { timeout(PATIENCE, next).await });
        let next = next.unwrap_or_else(|_| log.in_vain("a message"));
        next.map(|message| message.as_text().unwrap().to_owned())
    }

    fn until(&mut self, what: &str, seen: &dyn Fn(&Seen) -> bool) {
        assert!(self.log.wait(PATIENCE, seen), "waited in vain until {what}; {:#?}", self.log.seen());
    }

    fn leave_alone(&mut self, time: Duration, meanwhile: &dyn Fn()) {
        let (begin, begun) = mpsc::channel();
        let log = self.log.clone();
        // The runtime has one worker, and this holds it.
        let held = self.runtime.spawn(async move {
            begin.send(()).unwrap();
            log.wait(time, |_| false);
        });
        begun.recv_timeout(PATIENCE).unwrap();
        meanwhile();
        self.runtime.block_on(held).unwrap();
    }

    fn renew(&mut self) {
        self.session().renew();
    }

    fn state(&self) -> State {
        self.session.as_ref().map_or(State::Closed, Session::state)
    }

    fn close(&mut self) -> Result<(), Error> {
        let session = self.session.take().unwrap();
        let closed = self.runtime.block_on(async { timeout(PATIENCE, session.close()).await.unwrap() });
        *self.ended.lock().unwrap() = Some(closed.clone());
        closed
    }

    fn error(&mut self) -> Option<Error> {
        if self.ended.lock().unwrap().is_none() {
            // The only way to learn why a session has failed.
            let _ = self.close();
        }
        self.ended.lock().unwrap().clone().and_then(Result::err)
    }

    fn returned(&mut self, count: usize) -> Vec<(String, bool)> {
        (0..count).map(|_| self.returned.recv_timeout(PATIENCE).unwrap()).collect()
    }
}

impl Drop for OnTokio {
    fn drop(&mut self) {
        // The runtime ends after what the session's end leaves to its driver.
        drop(self.session.take());
        let ended = self.runtime.block_on(async { timeout(PATIENCE, &mut self.driver).await });
        assert!(ended.is_ok() || std::thread::panicking(), "the driver ends with its session");
    }
}

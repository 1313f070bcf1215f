//! Doing one thing for a while, and counting.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::client::{Bare, Connection, LARGEST_TEXT, Server};
use super::fast::Fast;
use super::ours::{Handle, Polled};
use super::{By, Load};

pub(super) struct Measured {
    /// Messages for each second that both ends were at work, one processor between them.
    pub(super) rate: f64,
    /// What a message took of this end, in nanoseconds.
    pub(super) nanoseconds: f64,
}

/// Until buffers have their sizes, and branches are known.
const WARM_UP: Duration = Duration::from_millis(150);

const MEASURED: Duration = Duration::from_millis(350);

pub(super) async fn measure(by: By, load: Load, connections: usize, window: usize, size: usize) -> Measured {
    // Large messages are what its defaults are good at: all clients have such a server then.
    let server = Server::start(by == By::Defaults || size > LARGEST_TEXT);
    let count = Rc::new(Cell::new(0));
    for _ in 0..connections {
        let count = Rc::clone(&count);
        match by {
            By::Polled => begin(Polled::connect(&server, load, size).await, load, window, size, count),
            By::Handle => begin(Handle::connect(&server, load, size).await, load, window, size, count),
            By::Tuned => begin(Bare::connect(&server, load, size, false).await, load, window, size, count),
            By::Defaults => begin(Bare::connect(&server, load, size, true).await, load, window, size, count),
            By::Fast => begin(Fast::connect(&server, load, size).await, load, window, size, count),
        }
    }
    tokio::time::sleep(WARM_UP).await;
    // Not by the clock: what others do on the same processor meanwhile is nobody's merit here.
    let (counted, own, served) = (count.get(), worked("self"), worked(&server.process()));
    tokio::time::sleep(MEASURED).await;
    let messages = (count.get() - counted) as f64;
    let (own, served) = (worked("self") - own, worked(&server.process()) - served);
    Measured { rate: messages / (own + served) * 1e9, nanoseconds: own / messages }
}

fn begin(
    connection: impl Connection + 'static,
    load: Load,
    window: usize,
    size: usize,
    count: Rc<Cell<u64>>,
) {
    tokio::task::spawn_local(run(connection, load, window, size, count));
}

async fn run(mut connection: impl Connection, load: Load, window: usize, size: usize, count: Rc<Cell<u64>>) {
    match load {
        Load::Echo => {
            for _ in 0..window {
                connection.answer().await;
            }
            loop {
                assert_eq!(connection.receive().await, size);
                count.set(count.get() + 1);
                connection.answer().await;
            }
        }
        Load::Receive => {
            connection.answer().await;
            loop {
                assert_eq!(connection.receive().await, size);
                count.set(count.get() + 1);
            }
        }
        Load::Send => loop {
            connection.feed().await;
            count.set(count.get() + 1);
        },
    }
}

/// What a process has taken of a processor, in nanoseconds.
#[expect(clippy::expect_used, reason = "nothing else says what a process did")]
fn worked(process: &str) -> f64 {
    let told = std::fs::read_to_string(format!("/proc/{process}/schedstat")).expect("this bench needs Linux");
    told.split(' ').next().and_then(|number| number.parse().ok()).expect("nanoseconds come first")
}

//! A session on a computer whose clocks a test sets, and that it may put to sleep.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use auth_core::TokenSource;
use auth_core::time::Now;
use auth_http::manager::Timer as _;
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::wrong_clocks::WrongClocks;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use ws_session::dialect::Dialect;
use ws_session::driver::polled::{ByteStream, Runtime, Session, Task};
use ws_session::driver::tokio::{self as on_tokio, Server, Target};
use ws_session::machine::Config;

use super::scene::{Peer, Pipes};

/// Tokio, but for its clocks.
struct Computer {
    runtime: on_tokio::Runtime,
    clocks: WrongClocks,
}

impl Runtime for Computer {
    fn connect(&self, server: Server) -> Task<io::Result<Box<dyn ByteStream>>> {
        self.runtime.connect(server)
    }

    fn sleep(&self, duration: Duration) -> Task<()> {
        self.clocks.sleep(duration)
    }

    fn now(&self) -> Now {
        self.clocks.now()
    }

    fn random(&self) -> [u8; 16] {
        self.runtime.random()
    }
}

/// A session in the dialect `genesys` that is polled all the time; it ends with this.
pub(super) struct Clocked {
    peers: UnboundedReceiver<Peer>,
    polling: JoinHandle<()>,
    pub(super) recorder: Recorder,
}

impl Clocked {
    pub(super) fn open(clocks: &WrongClocks, source: Arc<dyn TokenSource>, config: Config) -> Self {
        let (pipes, peers) = Pipes::of(64 * 1024);
        let computer = Computer { runtime: on_tokio::Runtime::new(pipes), clocks: clocks.clone() };
        let recorder = Recorder::default();
        let target = Target::new("ws://127.0.0.1/ws").unwrap();
        let builder = Session::builder(target, Dialect::genesys(), source).with_config(config);
        let builder = builder.with_observer(Arc::new(recorder.clone()));
        let mut session = builder.build(Arc::new(computer));
        let polling = tokio::spawn(async move { while session.next().await.is_some() {} });
        Self { peers, polling, recorder }
    }

    /// The other end of the next connection.
    pub(super) async fn peer(&mut self) -> Peer {
        self.peers.recv().await.expect("the session has ended")
    }
}

impl Drop for Clocked {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

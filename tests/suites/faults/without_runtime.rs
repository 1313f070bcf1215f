//! The same faults where whoever calls the session runs it.

use std::time::Instant;

use ws_session::driver::blocking::{Message, Session as Blocking};

use super::*;

/// A session with what it told.
pub(super) struct Called {
    pub(super) session: Blocking,
    pub(super) recorder: Recorder,
    pub(super) tokens: Arc<Tokens>,
}

impl Called {
    fn open(target: Target, dialect: Dialect, config: Config) -> Self {
        let (recorder, tokens) = (Recorder::default(), Arc::new(Tokens::default()));
        let session = Blocking::builder(target, dialect, tokens.clone())
            .with_config(config)
            .with_observer(Arc::new(recorder.clone()))
            .open();
        Self { session, recorder, tokens }
    }

    pub(super) fn lost(&self) -> usize {
        self.recorder.count(|event| matches!(event, AuthEvent::ConnectionLost { .. }))
    }

    /// Calls it until it has failed, or is where it should be. What comes meanwhile is nobody's.
    fn run(&mut self, at_rest: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while self.session.next(Duration::from_millis(5)).is_ok() && !at_rest(self) {
            assert!(begun.elapsed() < PATIENCE, "it comes nowhere: {:?}", self.recorder);
        }
    }

    /// Sends a text, and hears it again.
    fn is_served(&mut self) {
        let text = Message::from("still here");
        self.session.send(text.clone()).unwrap();
        assert_eq!(self.session.next(PATIENCE).unwrap(), Some(text), "{:?}", self.recorder);
    }
}

/// Runs a session on a thread of its own until it rests, looks at it there, and closes it.
pub(super) async fn called(
    target: Target,
    dialect: Dialect,
    config: Config,
    at_rest: impl Fn(&Called) -> bool + Send + 'static,
    look: impl FnOnce(&mut Called) + Send + 'static,
) {
    let calling = tokio::task::spawn_blocking(move || {
        let mut called = Called::open(target, dialect, config);
        called.run(at_rest);
        look(&mut called);
        let error = called.session.close().err().map(|error| format!("{error} {error:?}"));
        let told = format!("{error:?} {:?}", called.recorder.events());
        assert!(!told.contains(CANARY), "{told}");
    });
    calling.await.unwrap();
}

/// As [`ends_as_the_table_says`](super::ends_as_the_table_says).
pub(super) async fn ends(
    transport: &Transport,
    disposition: Disposition,
    dialect: Dialect,
    failure: Failure,
    server: FlawedServer,
) {
    let connected = |called: &Called| called.session.state() == State::Connected && called.lost() >= 2;
    let (state, connections, refused) = match disposition {
        Disposition::Fatal => (State::Failed, 1, 0),
        Disposition::RetryWithFreshToken => (State::Failed, 2, 1),
        _ => (State::Connected, 3, 0),
    };
    let what = failure.clone();
    called(transport.target(server.address()), dialect, config(), connected, move |called| {
        let told = format!("without a runtime, {what:?} as {disposition:?}: {:?}", called.recorder);
        assert_eq!(called.session.state(), state, "{told}");
        assert_eq!(called.lost(), connections.min(2), "{told}");
        // Who fails for good has no use for another token.
        if disposition != Disposition::Fatal {
            assert_eq!(called.tokens.refused.load(Ordering::SeqCst), refused, "{told}");
        }
    })
    .await;
    assert_eq!(server.connections(), connections, "without a runtime, {failure:?}");
    assert!(timeout(PATIENCE, server.until_idle()).await.is_ok(), "{failure:?} left a socket");
}

/// A session that loses its first `harmed` connections is served by a later one.
pub(super) async fn survives(target: Target, harmed: usize, config: Config) {
    let connected =
        move |called: &Called| called.session.state() == State::Connected && called.lost() >= harmed;
    called(target, Dialect::genesys(), config, connected, Called::is_served).await;
}

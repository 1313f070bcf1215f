//! Being asked to end: by Ctrl-C, by SIGTERM, or by a terminal that went away.

use std::io;

/// Listens from the moment it is made: a signal that comes earlier than the first [`next`](Self::next) is not lost.
#[cfg(unix)]
pub(crate) struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Ready once somebody asks this process to end.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Listens to Ctrl-C, the one such signal that there is on every system.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// Ready once somebody asks this process to end.
    pub(crate) async fn next(&mut self) {
        // Without a handler the signal ends the process by itself.
        let _ = tokio::signal::ctrl_c().await;
    }
}

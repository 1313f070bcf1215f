//! Being asked to end: by Ctrl-C, by SIGTERM, or by a terminal that went away.

use std::io;
#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use auth_core::time::Timestamp;

#[cfg(unix)]
use crate::clock;

/// What somebody asks of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    ToEnd,
    #[cfg_attr(not(unix), expect(dead_code, reason = "no signal asks for it there"))]
    ToReopen,
}

/// Listens from the moment it is made: a signal that comes earlier than the first [`next`](Self::next) is not lost.
#[cfg(unix)]
pub(crate) struct Signals {
    signals: [tokio::signal::unix::Signal; 3],
    /// When the last one came that other programs send.
    asked: Option<Timestamp>,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        Ok(Self { signals, asked: None })
    }

    /// Ready once somebody asks this process to end. Who presses Ctrl-C twice asks twice; a program does not that signals
    /// a process and its group, as `timeout` does, or a shell beside its terminal.
    pub(crate) async fn next(&mut self) {
        while self.asked(false).await == Asked::ToReopen {}
    }

    /// The same, and ready for a hangup too; with `reopens` that asks to open files anew, as it does of a service.
    pub(crate) async fn asked(&mut self, reopens: bool) -> Asked {
        let [interrupt, terminate, hangup] = &mut self.signals;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Asked::ToEnd,
                _ = terminate.recv() => {}
                _ = hangup.recv() => if reopens {
                    return Asked::ToReopen;
                },
            }
            let now = clock::now().wall;
            let is_echo = self.asked.is_some_and(|asked| now.saturating_since(asked) < ECHO);
            if !is_echo {
                self.asked = Some(now);
                return Asked::ToEnd;
            }
        }
    }
}

/// How long a signal may come once more without being another.
#[cfg(unix)]
const ECHO: Duration = Duration::from_secs(1);

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

    /// The same: here no signal asks for anything else.
    pub(crate) async fn asked(&mut self, _reopens: bool) -> Asked {
        self.next().await;
        Asked::ToEnd
    }
}

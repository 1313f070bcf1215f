//! How long a command waits for others: until its time is over, or somebody asks it to end.

use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::Sleep;

use crate::exit::{Failure, complain};
use crate::signals::Signals;

/// One deadline for all that a command waits for.
pub(crate) struct Patience {
    limit: Duration,
    over: Pin<Box<Sleep>>,
    signals: Signals,
    interrupted: bool,
}

impl Patience {
    /// Begins to wait. From here on Ctrl-C is heard here: what reads standard input comes before.
    pub(crate) fn of(limit: Duration) -> Result<Self, Failure> {
        let signals =
            Signals::listen().map_err(|error| Failure::Operation(format!("no signal handler: {error}")))?;
        Ok(Self { limit, over: Box::pin(tokio::time::sleep(limit)), signals, interrupted: false })
    }

    /// Waits for `work`, which is dropped at the end of the patience.
    pub(crate) async fn within<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.signals.next() => {
                self.interrupted = true;
                Err(Failure::Interrupted)
            }
            () = &mut self.over => Err(Failure::TimedOut(format!(
                "timeout: nothing came of it in {} s; try again later, or raise --timeout",
                self.limit.as_secs()
            ))),
        }
    }

    /// Waits for what bounds its own time and would lose something if it were cut off: only who asks twice ends it, and is
    /// told so. Whether somebody asked once is for [`ended`](Self::ended) to say.
    pub(crate) async fn settle<T>(
        &mut self,
        command: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut work = pin!(work);
        let mut told = false;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = std::future::ready(()), if self.interrupted && !told => {
                    told = true;
                    complain(command, "ending once the tokens are safe; interrupt again to end at once and lose them");
                }
                () = self.signals.next() => {
                    if self.interrupted {
                        return Err(Failure::Interrupted);
                    }
                    self.interrupted = true;
                }
            }
        }
    }

    /// Whether somebody asked for the end.
    pub(crate) fn ended(&self) -> Result<(), Failure> {
        if self.interrupted { Err(Failure::Interrupted) } else { Ok(()) }
    }
}

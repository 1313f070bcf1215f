//! When a session ends, if nobody ends it before.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::options::ConnectOptions;

/// The times at which a session ends, counted from the start.
pub(super) struct Ends {
    patience: Pin<Box<Sleep>>,
    limit: Duration,
    lasts: Option<Pin<Box<Sleep>>>,
}

impl Ends {
    pub(super) fn new(options: &ConnectOptions) -> Self {
        Self {
            patience: Box::pin(sleep(options.timeout)),
            limit: options.timeout,
            lasts: options.lasts.map(|lasts| Box::pin(sleep(lasts))),
        }
    }

    /// Ready when a session should have been authenticated: in time, and before it is over. Says which it was.
    pub(super) async fn impatient(&mut self) -> String {
        tokio::select! {
            () = &mut self.patience => format!("within {} s (--timeout)", self.limit.as_secs_f64()),
            () = over(&mut self.lasts) => "before the time of --for was over".to_owned(),
        }
    }

    /// Ready when a session ends: one that is connected when it has lasted long enough, any other as by
    /// [`impatient`](Self::impatient).
    pub(super) async fn next(&mut self, connected: bool) -> Option<String> {
        if connected {
            over(&mut self.lasts).await;
            return None;
        }
        Some(self.impatient().await)
    }
}

async fn over(lasts: &mut Option<Pin<Box<Sleep>>>) {
    match lasts {
        Some(lasts) => lasts.await,
        None => pending().await,
    }
}

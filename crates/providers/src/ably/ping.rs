//! `ping()`: a HEARTBEAT to the server, and back (RTN13).

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use auth_core::ably::ErrorCode;
use auth_core::{Error, ErrorKind};
use serde_json::json;
use ws_session::driver::tokio::RequestError;
use ws_session::machine::State;

use super::Realtime;

const HEARTBEAT: u8 = 0;

const DISCONNECTED: ErrorCode = ErrorCode::new(80_003);

impl Realtime {
    /// Sends a HEARTBEAT, and waits for the answer to it: how long that took. Where the client connects, or is to connect again, that is
    /// waited for first (RTN13d).
    ///
    /// # Errors
    ///
    /// Where there is no connection, nor will be soon (RTN13b): [`Misconfigured`](ErrorKind::Misconfigured) if none was opened,
    /// [`Closed`](ErrorKind::Closed), code 80002 if it is suspended, or why it failed. Code 80003 if it is lost before the answer, and code
    /// 50003 if there was none within 10 s (RTN13c).
    pub async fn ping(&self) -> Result<Duration, Error> {
        let control = self.connection().control.clone();
        let control = control.ok_or_else(|| {
            Error::new(ErrorKind::Misconfigured, "there is no connection to ping; connect first")
        })?;
        let mut gone = pin!(control.reaches(|state| matches!(state, State::Suspended | State::Closing)));
        let mut answered = pin!(async {
            control.reaches(|state| state == State::Connected).await;
            control.time_of_request(&json!({ "action": HEARTBEAT })).await
        });
        let answer = poll_fn(|cx| match gone.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => answered.as_mut().poll(cx).map(Some),
        });
        let text = match answer.await {
            Some(Ok(took)) => return Ok(took),
            Some(Err(RequestError::TimedOut { .. })) => {
                return Err(ErrorCode::TIMEOUT.error("the ping was not answered within 10 s; ping again"));
            }
            Some(Err(error)) => error.to_string(),
            None => "there is no connection to ping; connect, and ping again".to_owned(),
        };
        Err(self.0.identity.why(&control, DISCONNECTED, text))
    }
}

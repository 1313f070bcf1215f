//! A line on the terminal that says how long there still is; gone when the wait is over, however it ends.

use std::io::{self, Write as _};
use std::pin::pin;
use std::time::Duration;

/// How often it changes.
const SECOND: Duration = Duration::from_secs(1);

/// Waits for `work`, and shows meanwhile what is left of `left`, if it is to be shown.
pub(super) async fn during<T>(work: impl Future<Output = T>, mut left: Duration, is_shown: bool) -> T {
    let mut work = pin!(work);
    let _line = is_shown.then(|| Line);
    let mut seconds = tokio::time::interval(SECOND);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = seconds.tick(), if is_shown => {
                let seconds = left.as_secs();
                // If nobody reads that, nothing is lost.
                let _ = write!(io::stderr(), "\r\u{1b}[KWaiting for you to log in; {}:{:02} left", seconds / 60, seconds % 60);
                left = left.saturating_sub(SECOND);
            }
        }
    }
}

/// Exists while the line may be there, and wipes it.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        let _ = write!(io::stderr(), "\r\u{1b}[K");
    }
}

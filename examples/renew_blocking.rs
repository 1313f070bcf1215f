//! A token that stays fresh without any executor: the driver takes a thread, and so may a grant that blocks.
#![expect(clippy::disallowed_methods, reason = "an example runs the driver on a thread of its own")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use realtime_auth::core::oauth::TokenResponse;
use realtime_auth::core::renewal::Attempt;
use realtime_auth::core::{Demand, Error, Secret};
use realtime_auth::http::grant::Grant;
use realtime_auth::http::manager::TokenManager;

/// Issues tokens without asking anybody; a real one would use a blocking HTTP client.
struct Counting(AtomicU32);

#[async_trait::async_trait]
impl Grant for Counting {
    async fn obtain(&self, _attempt: &Attempt) -> Result<TokenResponse, Error> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let token = TokenResponse::new(Secret::from(format!("token {number}")));
        Ok(token.with_expires_in(Duration::from_secs(3_600)))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (tokens, driver) = TokenManager::builder(Counting(AtomicU32::new(0))).build_blocking();
    let driver = thread::spawn(move || driver.run());
    let token = tokens.token_blocking(Demand::Current)?;
    // A server refuses the token: the next is not the same.
    let token = tokens.token_blocking(Demand::InsteadOf(token.generation()))?;
    println!("renewed without an executor: {}", token.secret().expose()); // never print a real one
    tokens.shut_down_blocking();
    driver.join().map_err(|_| "the driver panicked")?;
    Ok(())
}

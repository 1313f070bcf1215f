//! A token that stays fresh on smol: the five lines that a runtime other than tokio takes, and a grant of one's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use realtime_auth::core::oauth::TokenResponse;
use realtime_auth::core::renewal::Attempt;
use realtime_auth::core::time::Now;
use realtime_auth::core::{Demand, Error, Secret, TokenSource as _};
use realtime_auth::http::grant::Grant;
use realtime_auth::http::manager::{Sleep, StdClock, Timer, TokenManager};

struct SmolTimer(StdClock);

impl Timer for SmolTimer {
    fn now(&self) -> Now {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(async move {
            smol::Timer::after(duration).await;
        })
    }
}

/// Issues tokens without asking anybody; a real one would use an HTTP client of smol's world.
struct Counting(AtomicU32);

#[async_trait::async_trait]
impl Grant for Counting {
    async fn obtain(&self, _attempt: &Attempt) -> Result<TokenResponse, Error> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let token = TokenResponse::new(Secret::from(format!("token {number}")));
        Ok(token.with_expires_in(Duration::from_secs(2)))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let timer = Arc::new(SmolTimer(StdClock::start()));
    let (tokens, driver) = TokenManager::builder(Counting(AtomicU32::new(0))).build_on(timer);
    smol::block_on(async {
        let driver = smol::spawn(driver.run());
        let mut changes = tokens.changes();
        tokens.token(Demand::Current).await?; // a use, for which it is renewed in the background
        changes.changed().await?;
        changes.changed().await?;
        let token = tokens.token(Demand::Current).await?;
        println!("renewed on smol: {}", token.secret().expose()); // never print a real one
        tokens.shut_down().await;
        driver.await;
        Ok(())
    })
}

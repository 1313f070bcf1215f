//! Driving the renewal machine by hand: no runtime, no sockets, and a clock that is made up. This is all that a driver
//! does, around its own way of waiting; `renew_on_smol` and `renew_blocking` show the one that is there.

use std::time::Duration;

use realtime_auth::core::fingerprint::FingerprintKey;
use realtime_auth::core::oauth::TokenResponse;
use realtime_auth::core::renewal::{Caller, Input, Output, Policy, Renewal};
use realtime_auth::core::time::{Moment, Now, Timestamp};
use realtime_auth::core::{Demand, Secret};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut renewal = Renewal::new(Policy::new(), FingerprintKey::new([7; 32]), 42);
    let (mut requests, mut served) = (0, 0);
    // A day in steps of a minute, with somebody asking for a token at each.
    for minute in 0..24 * 60 {
        let elapsed = Duration::from_secs(minute * 60);
        let now = Now {
            wall: Timestamp::from_millis(1_700_000_000_000).saturating_add(elapsed),
            mono: Moment::since_origin(elapsed),
        };
        let caller = Caller::new(minute);
        let mut input = Some(Input::Demanded { caller, demand: Demand::Current, patience: None });
        while let Some(next) = input.take() {
            renewal.handle(now, next)?;
            loop {
                match renewal.poll() {
                    Output::Fetch { ticket, .. } => {
                        requests += 1; // here a driver would ask its token endpoint
                        let response = TokenResponse::new(Secret::from(format!("token {requests}")));
                        let response = response.with_expires_in(Duration::from_secs(3_600));
                        input = Some(Input::Issued { ticket, response });
                    }
                    Output::Serve { .. } => served += 1, // and here it would answer its caller
                    Output::Wait(_) | Output::Done => break,
                    _ => {} // its observer and its readers would like to know, and a store if there is one
                }
            }
        }
    }
    assert_eq!(served, 24 * 60);
    println!("a day of tokens that live for an hour took {requests} requests");
    Ok(())
}

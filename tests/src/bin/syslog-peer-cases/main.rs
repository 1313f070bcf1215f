//! Our syslog sink at rsyslog: our side of `cargo xtask conformance syslog`.
//!
//! Its input is a line of JSON: the program, a folder for what it writes, and how long it is stopped. Its output is a line a case.

mod forgery;
mod interruption;
mod ledger;
mod rsyslog;
mod transport;

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use realtime_auth_tests::verdict;
use serde::Deserialize;

#[derive(Debug, Parser)]
struct Arguments {
    peer: Peer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peer {
    Rsyslog,
}

#[derive(Debug, Deserialize)]
struct Settings {
    program: PathBuf,
    folder: PathBuf,
    stop_seconds: u64,
}

impl Settings {
    const fn stop(&self) -> Duration {
        Duration::from_secs(self.stop_seconds)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let _ = Arguments::parse();
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let settings: Settings = serde_json::from_str(&line)?;
    let settings = &settings;
    verdict::run!(
        settings,
        [
            transport::tcp_brings_every_entry,
            transport::tls_brings_every_entry,
            transport::a_unix_stream_brings_every_entry,
            transport::unix_datagrams_bring_every_entry,
            forgery::a_value_that_looks_like_a_record_stays_a_value,
            forgery::control_characters_in_a_message_end_nothing,
            forgery::without_a_count_of_octets_the_same_messages_forge_records,
            interruption::a_receiver_that_is_stopped_gets_nothing_twice_and_is_told_of_every_hole,
            interruption::a_receiver_that_is_restarted_gets_nothing_twice_and_is_told_what_is_in_doubt,
        ]
    );
    Ok(())
}

//! The suites, in one binary: linking costs more than running.
#![expect(clippy::disallowed_methods, reason = "tests spawn what they test beside themselves")]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod ably;
mod ably_realtime;
mod ably_server;
mod blocking;
mod canary;
mod cli;
mod client;
mod complaints;
mod crash;
mod deadly;
mod demo;
mod faraway;
mod faults;
mod gateway;
mod gateway_dialects;
mod gateway_records;
mod genesys;
mod manager;
mod manager_callers;
mod manager_drivers;
mod manager_ending;
mod manager_readers;
mod optave;
mod providers_network;
mod providers_records;
mod session;
mod signatures;
mod spatium;
mod stories;
mod storm;

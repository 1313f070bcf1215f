//! The harness of the cross-crate tests: grants, stores and a token endpoint by script, counterparts that misbehave, a
//! certificate authority, a port that refuses, proxies, time by hand, a recorder, an ear for what is logged, and what
//! the cases at a peer say.

pub mod authority;
pub mod by_hand;
pub mod closed_port;
pub mod counterparts;
pub mod ear;
pub mod fault_proxy;
pub mod faulty_disk;
pub mod flawed_server;
pub mod http2;
pub mod piped_server;
pub mod proxy;
pub mod raw_server;
pub mod raw_socket;
pub mod recorder;
pub mod relay;
pub mod rotating;
pub mod script;
pub mod scripted_grant;
pub mod scripted_store;
pub mod turns;
pub mod verdict;
pub mod wrong_clocks;

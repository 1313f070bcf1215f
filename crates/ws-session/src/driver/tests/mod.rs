//! The drivers over pipes in memory, in virtual time: what a machine alone can't show.
#![expect(clippy::disallowed_methods, reason = "tests spawn what they test beside themselves")]

mod ably;
mod alone;
mod budget;
mod dialing;
mod events;
mod flow;
mod halves;
mod peer;
mod queue;
mod requests;
mod resume;
mod time;

use std::sync::Arc;

use auth_core::TokenSource;
use tokio::sync::mpsc::UnboundedReceiver;

use self::peer::{Diary, Peer, Pipes};
use crate::dialect::Dialect;
use crate::driver::Target;
use crate::driver::tokio::{Builder, Session};

/// A session in a dialect whose connections are pipes of this capacity, and the ends of those.
fn session_of(
    dialect: Dialect,
    capacity: usize,
    source: Arc<dyn TokenSource>,
) -> (Builder, UnboundedReceiver<Peer>, Diary) {
    let (pipes, peers) = Pipes::new(capacity);
    let diary = Diary::default();
    let target = Target::new("ws://127.0.0.1/ws").unwrap();
    let builder = Session::builder(target, dialect, source).with_dialer(pipes).with_seed(1);
    (builder.with_observer(Arc::new(diary.clone())), peers, diary)
}

fn session(source: Arc<dyn TokenSource>) -> (Builder, UnboundedReceiver<Peer>, Diary) {
    session_of(Dialect::genesys(), 64 * 1024, source)
}

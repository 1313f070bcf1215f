//! One end of a connection, as a process that `cargo xtask bench session` starts: a server, or a client that starts its server.

mod client;
mod fast;
mod load;
mod ours;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// One end of a connection; both share the first processor, so that what is measured is what both take of it.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    end: End,
}

#[derive(Debug, Subcommand)]
enum End {
    /// Answers until its standard input ends, and prints its port first.
    Server {
        /// Leave the codec's buffers as they come.
        #[arg(long)]
        defaults: bool,
    },
    /// Prints how many messages a second there were, and how many nanoseconds of this process each took.
    Client {
        by: By,
        load: Load,
        connections: usize,
        /// How many messages are under way at once, on each connection.
        window: usize,
        /// How long a message is, in bytes.
        size: usize,
    },
}

/// Who holds the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// A session that its owner polls.
    Polled,
    /// The handle of a session that has a task.
    Handle,
    /// tokio-tungstenite, with a read buffer of 16 KiB.
    Tuned,
    /// tokio-tungstenite as it comes, and a server of it.
    Defaults,
    /// fastwebsockets as it comes.
    Fast,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Load {
    /// Each message comes back, and is answered by another.
    Echo,
    /// The server sends what it can.
    Receive,
    /// The client does.
    Send,
}

#[expect(clippy::expect_used, reason = "an end without a runtime measures nothing")]
fn main() -> ExitCode {
    let Arguments { end } = Arguments::parse();
    #[cfg(target_os = "linux")]
    {
        let mut first = rustix::thread::CpuSet::new();
        first.set(0);
        rustix::thread::sched_setaffinity(None, &first).expect("a thread may be kept to one processor");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        match end {
            End::Server { defaults } => server::serve(defaults).await,
            End::Client { by, load, connections, window, size } => {
                let measured = load::measure(by, load, connections, window, size).await;
                println!("{} {}", measured.rate, measured.nanoseconds);
            }
        }
    });
    ExitCode::SUCCESS
}

//! A proxy for tests that harms what passes through it: at a byte, in a direction, in a way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::raw_server::RawServer;

/// A proxy on a free loopback port; it ends with this.
#[derive(Debug)]
pub struct FaultProxy {
    server: RawServer,
    traffic: Arc<Traffic>,
}

/// What happens to a connection, in each direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Harm {
    /// From the client to the server.
    pub up: Fault,
    /// From the server to the client.
    pub down: Fault,
}

/// What happens to one direction of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// After so many bytes both ends are reset.
    Reset(usize),
    /// After so many bytes both ends are told that there will be no more.
    Cut(usize),
    /// After so many bytes nothing more passes, the end of the stream neither.
    Stall(usize),
    /// Each byte goes out by itself, this long after the one before it.
    Trickle(Duration),
}

/// What has passed.
#[derive(Debug, Default)]
struct Traffic {
    open: watch::Sender<usize>,
    up: AtomicUsize,
    down: AtomicUsize,
}

/// How a direction ended.
enum End {
    /// Its sender has no more to say, and its reader knows.
    Finished,
    /// Both ends shall be told that there is no more.
    Cut,
    /// Both ends shall be reset.
    Reset,
}

impl FaultProxy {
    /// A proxy to the server at `target`; `harm` says what happens to each connection, by its number: 1 is the first.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn to(
        target: SocketAddr,
        harm: impl Fn(usize) -> Harm + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let traffic = Arc::new(Traffic::default());
        let counted = Arc::clone(&traffic);
        let server = RawServer::serve(move |client, number| {
            let (harm, traffic) = (harm(number), Arc::clone(&counted));
            traffic.open.send_modify(|open| *open += 1);
            async move {
                let relayed = relay(client, target, harm, &traffic).await;
                traffic.open.send_modify(|open| *open -= 1);
                relayed
            }
        });
        Ok(Self { server: server.await?, traffic })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// How many bytes it has passed on: to the server, and to the client.
    #[must_use]
    pub fn passed(&self) -> (usize, usize) {
        (self.traffic.up.load(Ordering::SeqCst), self.traffic.down.load(Ordering::SeqCst))
    }

    /// Waits until no client has a connection open.
    pub async fn until_idle(&self) {
        // Fails once the proxy has ended, which happens when this is dropped.
        let _ = self.traffic.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

/// Passes on what comes, and ends no sooner than the client has closed its end, or was reset.
async fn relay(mut client: TcpStream, target: SocketAddr, harm: Harm, traffic: &Traffic) -> io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    let (client_reader, client_writer) = client.split();
    let (server_reader, server_writer) = server.split();
    let end = {
        let up = pass(client_reader, server_writer, harm.up, &traffic.up);
        let down = pass(server_reader, client_writer, harm.down, &traffic.down);
        let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
        let stalled = [harm.up, harm.down].iter().any(|fault| matches!(fault, Fault::Stall(_)));
        tokio::select! {
            end = &mut up => match end {
                // A client that closes at a stall is not heard on the other side, and all there is to wait for.
                End::Finished if !stalled => down.await,
                end => end,
            },
            end = &mut down => match end {
                End::Finished => up.await,
                end => end,
            },
        }
    };
    match end {
        End::Finished => Ok(()),
        End::Cut => {
            let _ = server.shutdown().await;
            client.shutdown().await?;
            // Until the client has closed too.
            while client.read(&mut [0; 4_096]).await? > 0 {}
            Ok(())
        }
        End::Reset => {
            client.set_zero_linger()?;
            server.set_zero_linger()
        }
    }
}

/// Passes one direction on, as far as its fault lets it.
async fn pass(
    mut reader: ReadHalf<'_>,
    mut writer: WriteHalf<'_>,
    fault: Fault,
    passed: &AtomicUsize,
) -> End {
    let limit = match fault {
        Fault::Reset(limit) | Fault::Cut(limit) | Fault::Stall(limit) => limit,
        Fault::None | Fault::Trickle(_) => usize::MAX,
    };
    let mut count = 0;
    let mut buffer = [0; 4_096];
    loop {
        if count == limit {
            match fault {
                Fault::Reset(_) => return End::Reset,
                Fault::Cut(_) => return End::Cut,
                // What comes now is swallowed, and the end with it.
                _ => while matches!(reader.read(&mut buffer).await, Ok(1..)) {},
            }
            return End::Finished;
        }
        let wanted = buffer.len().min(limit - count);
        let length = match reader.read(&mut buffer[..wanted]).await {
            Ok(0) => return if writer.shutdown().await.is_ok() { End::Finished } else { End::Reset },
            Ok(length) => length,
            Err(_) => return End::Reset,
        };
        count += length;
        let written = match fault {
            Fault::Trickle(pause) => trickle(&mut writer, &buffer[..length], pause).await,
            _ => writer.write_all(&buffer[..length]).await,
        };
        if written.is_err() {
            return End::Reset;
        }
        passed.fetch_add(length, Ordering::SeqCst);
    }
}

async fn trickle(writer: &mut WriteHalf<'_>, bytes: &[u8], pause: Duration) -> io::Result<()> {
    for byte in bytes {
        writer.write_all(&[*byte]).await?;
        if pause.is_zero() {
            // The other end's turn to read.
            yield_now().await;
        } else {
            sleep(pause).await;
        }
    }
    Ok(())
}

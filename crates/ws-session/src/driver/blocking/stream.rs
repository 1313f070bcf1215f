//! A socket with two patiences, one to read and one to write, and TLS over it that can do either while the other waits.
//!
//! To a socket with a timeout each call is as to one that does not block: it does something, or says that it would block.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use auth_core::time::Deadline;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::clock::Clock;
use crate::driver::head::Head;

/// A byte stream, and the head of what comes on it.
pub(super) struct Stream {
    bytes: Bytes,
    head: Head,
    /// Bytes came since somebody asked.
    heard: bool,
}

/// A byte stream, encrypted or not.
pub(super) enum Bytes {
    Plain(Tcp),
    Encrypted(Box<Tls>),
}

/// A socket, and how long it may take.
pub(super) struct Tcp {
    socket: TcpStream,
    clock: Clock,
    time: Time,
    /// It has taken bytes since somebody asked.
    wrote: bool,
}

/// How long a socket may take.
enum Time {
    /// All that opens it.
    Opening(Deadline),
    /// One call of the codec's, which may need many of the socket's: a peer can dribble.
    Call { patience: Duration, reading: Option<Deadline>, writing: Option<Deadline> },
}

/// TLS whose reading does not wait for its writing, as that of `rustls::Stream` does: a peer that does not read until we
/// do would stop both.
pub(super) struct Tls {
    connection: ClientConnection,
    tcp: Tcp,
}

/// The shortest timeout that sockets know: zero would mean none at all.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long a write waits for a peer to read before it is our turn to read.
const WRITE_PATIENCE: Duration = Duration::from_millis(20);

/// How long the rest of a frame may take after its first bytes: what the system holds already is read, even without patience.
const REST_OF_A_FRAME: Duration = Duration::from_millis(20);

impl Stream {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { bytes, head: Head::new(), heard: false }
    }

    fn tcp(&mut self) -> &mut Tcp {
        match &mut self.bytes {
            Bytes::Plain(tcp) => tcp,
            Bytes::Encrypted(tls) => &mut tls.tcp,
        }
    }

    /// Whether any bytes came since this was asked last: those of a frame that is not whole yet count too.
    pub(super) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Whether the system has taken any bytes since this was asked last.
    pub(super) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.tcp().wrote)
    }

    /// Begins a call of the codec's: how long its reading may wait, however many pieces it is read in.
    pub(super) fn begin_call(&mut self, patience: Duration) {
        self.tcp().time = Time::Call { patience, reading: None, writing: None };
    }
}

impl Tcp {
    pub(super) const fn opening(socket: TcpStream, clock: Clock, until: Deadline) -> Self {
        Self { socket, clock, time: Time::Opening(until), wrote: false }
    }

    /// How long the next read may wait. The first one of a call has a look, whatever its patience.
    fn read_patience(&mut self) -> io::Result<Duration> {
        let now = self.clock.now();
        let left = match &mut self.time {
            Time::Opening(until) => until.remaining(now),
            Time::Call { reading: Some(until), .. } => until.remaining(now),
            Time::Call { patience, reading, .. } => {
                *reading = Some(now.timer((*patience).max(REST_OF_A_FRAME)));
                return Ok((*patience).max(SHORTEST));
            }
        };
        if left.is_zero() { Err(ErrorKind::WouldBlock.into()) } else { Ok(left.max(SHORTEST)) }
    }

    /// How long the next write may wait.
    fn write_patience(&mut self) -> io::Result<Duration> {
        let now = self.clock.now();
        let left = match &mut self.time {
            Time::Opening(until) => until.remaining(now),
            Time::Call { writing, .. } => {
                writing.get_or_insert_with(|| now.timer(WRITE_PATIENCE)).remaining(now)
            }
        };
        if left.is_zero() { Err(ErrorKind::WouldBlock.into()) } else { Ok(left.max(SHORTEST)) }
    }
}

impl Tls {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>, tcp: Tcp) -> io::Result<Self> {
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Self { connection, tcp })
    }

    /// Shakes hands. A fault of the peer's is an error whose cause is a [`rustls::Error`].
    pub(super) fn handshake(&mut self) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.connection.complete_io(&mut self.tcp)?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut self.tcp)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| {
            let patience = self.read_patience()?;
            self.socket.set_read_timeout(Some(patience))?;
            self.socket.read(buffer)
        })
    }
}

impl Write for Tcp {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        uninterrupted(|| {
            let patience = self.write_patience()?;
            self.socket.set_write_timeout(Some(patience))?;
            let written = self.socket.write(buffer)?;
            self.wrote |= written > 0;
            Ok(written)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            self.connection.read_tls(&mut self.tcp)?;
            let processed = self.connection.process_new_packets();
            // An alert, or the answer to a change of keys; it goes out now or with the next flush.
            match self.write_out() {
                Err(error) if error.kind() != ErrorKind::WouldBlock && processed.is_ok() => {
                    return Err(error);
                }
                _ => processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?,
            };
        }
    }
}

impl Write for Tls {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut taken = self.connection.writer().write(buffer)?;
        if taken == 0 {
            self.write_out()?;
            taken = self.connection.writer().write(buffer)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { bytes, head, heard } = self;
        let read =
            if head.is_over() { bytes.read(buffer) } else { head.read(buffer, |piece| bytes.read(piece)) }?;
        *heard |= read > 0;
        Ok(read)
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes.flush()
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Encrypted(tls) => tls.read(buffer),
        }
    }
}

impl Write for Bytes {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(buffer),
            Self::Encrypted(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Encrypted(tls) => tls.flush(),
        }
    }
}

/// Calls a socket until no signal comes between. Platforms disagree on what a timeout of a socket is called.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err(ErrorKind::WouldBlock.into()),
            done => return done,
        }
    }
}

/// Ends a socket that another thread may be waiting for.
pub(super) fn end(socket: &TcpStream) {
    // One that is not connected any more is what this is for.
    let _ = socket.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_a_signal_interrupts_is_made_again() {
        let interrupted = || Err(ErrorKind::Interrupted.into());
        let mut answers = vec![Ok(7), interrupted(), interrupted()];
        assert_eq!(uninterrupted(|| answers.pop().unwrap()).unwrap(), 7);
        // The controls: what else may come is told.
        for (told, heard) in [
            (ErrorKind::TimedOut, ErrorKind::WouldBlock),
            (ErrorKind::WouldBlock, ErrorKind::WouldBlock),
            (ErrorKind::ConnectionReset, ErrorKind::ConnectionReset),
        ] {
            assert_eq!(uninterrupted(|| Err(told.into())).unwrap_err().kind(), heard);
        }
    }
}

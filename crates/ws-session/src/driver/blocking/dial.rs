//! Opening a connection, on a thread of its own: a name server, a handshake and an upgrade may each take long, and whoever
//! calls the session has a patience of their own. Redirects are never followed.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_core::time::Deadline;
use tungstenite::HandshakeError;
use tungstenite::WebSocket;

use super::clock::Clock;
use super::stream::{Bytes, Stream, Tcp, Tls, end};
use crate::dialect::{Failure, UpgradeRequest};
use crate::driver::Target;
use crate::driver::wire::{self, NotOpened};

pub(super) type Socket = WebSocket<Stream>;

/// What an attempt to open a connection needs.
pub(super) struct Dial {
    pub(super) target: Target,
    pub(super) upgrade: UpgradeRequest,
    pub(super) clock: Clock,
    pub(super) until: Deadline,
}

/// Ends the attempt when it is dropped: at once where there is a socket, and as soon as there is one elsewhere.
#[derive(Default, Clone)]
pub(super) struct Abandon(Arc<Mutex<Attempt>>);

#[derive(Default)]
struct Attempt {
    abandoned: bool,
    socket: Option<TcpStream>,
}

impl Abandon {
    pub(super) fn abandon(&self) {
        let mut attempt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempt.abandoned = true;
        if let Some(socket) = attempt.socket.take() {
            end(&socket);
        }
    }

    /// Lets go of the socket: it is the session's now, unless it was given up in the meantime.
    fn finish(&self) -> Result<(), NotOpened> {
        let mut attempt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempt.socket = None;
        if attempt.abandoned { Err(NotOpened::transport()) } else { Ok(()) }
    }

    fn watch(&self, socket: &TcpStream) -> Result<(), NotOpened> {
        let mut attempt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempt.socket = Some(socket.try_clone().map_err(|_| NotOpened::transport())?);
        if attempt.abandoned { Err(NotOpened::transport()) } else { Ok(()) }
    }

    fn is_abandoned(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abandoned
    }
}

impl Dial {
    /// Opens the connection. The request is dropped with this, and the credential with it.
    pub(super) fn run(self, abandon: &Abandon) -> Result<Box<Socket>, NotOpened> {
        let request = wire::request(&self.upgrade)?;
        let server =
            self.target.server(self.upgrade.url().expose()).map_err(|error| NotOpened::server(&error))?;
        // The name server's time is the platform's; a session that gives up meanwhile leaves the thread to it.
        let addresses = (server.host.as_str(), server.port).to_socket_addrs();
        let addresses: Vec<_> = addresses.map_err(|_| NotOpened::transport())?.collect();
        let tcp = self.connect(&addresses, abandon)?;
        tcp.set_nodelay(true).map_err(|_| NotOpened::transport())?;
        abandon.watch(&tcp)?;
        let tcp = Tcp::opening(tcp, self.clock, self.until);
        let bytes = match server.tls {
            None => Bytes::Plain(tcp),
            Some((config, name)) => {
                let mut tls = Tls::new(config, name, tcp).map_err(|error| NotOpened::tls(&error))?;
                tls.handshake().map_err(|error| NotOpened::tls(&error))?;
                Bytes::Encrypted(Box::new(tls))
            }
        };
        let limits = wire::limits()
            .max_message_size(Some(wire::LARGEST_OF_A_LOGIN))
            .max_frame_size(Some(wire::LARGEST_OF_A_LOGIN));
        let upgraded = tungstenite::client::client_with_config(request, Stream::new(bytes), Some(limits));
        let (socket, response) = upgraded.map_err(|error| match error {
            HandshakeError::Failure(error) => NotOpened::upgrade(error),
            HandshakeError::Interrupted(_) => NotOpened::by(Failure::Timeout),
        })?;
        wire::check(&self.upgrade, &response)?;
        abandon.finish()?;
        Ok(Box::new(socket))
    }

    /// The first address that answers, each with its share of the time: one that is dead must leave some to the others.
    fn connect(&self, addresses: &[SocketAddr], abandon: &Abandon) -> Result<TcpStream, NotOpened> {
        for (tried, address) in addresses.iter().enumerate() {
            let left = self.until.remaining(self.clock.now());
            if abandon.is_abandoned() || left.is_zero() {
                break;
            }
            let share = wire::share(left, addresses.len() - tried);
            if let Ok(socket) = TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
                return Ok(socket);
            }
        }
        Err(NotOpened::transport())
    }
}

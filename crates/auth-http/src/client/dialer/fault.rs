//! Why no connection came about: the phase that failed, with whom, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use auth_core::{Error, ErrorKind};

/// A step on the way to a connection; each has its own deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// From the name to its addresses.
    Resolution,
    /// From the addresses to a TCP connection.
    Connecting,
    /// From a connection to the proxy, if there is one, to a tunnel through it.
    Proxy,
    /// From bytes to encrypted bytes.
    Tls,
}

/// Whose name, address or certificate it was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Server,
    Proxy,
}

/// What happened in a phase.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The phase took longer than this.
    TimedOut(Duration),
    /// The system, or TLS, said no.
    Failed(io::Error),
    /// The proxy answered with this status instead of a tunnel.
    Status(u16),
    /// The proxy answered with something that is no answer.
    NoHttp,
    /// The URL asks for what this client does not do.
    Unsupported(&'static str),
}

/// A dial that failed. Nothing of the request was sent.
#[derive(Debug)]
pub(crate) struct Fault {
    phase: Phase,
    peer: Peer,
    cause: Cause,
}

impl Fault {
    pub(super) fn new(phase: Phase, peer: Peer, cause: Cause) -> Self {
        Self { phase, peer, cause }
    }

    pub(super) fn unsupported(why: &'static str) -> Self {
        Self::new(Phase::Resolution, Peer::Server, Cause::Unsupported(why))
    }

    /// Whether it is about the server, not about a proxy.
    pub(crate) fn is_the_servers(&self) -> bool {
        self.peer == Peer::Server
    }

    /// The error as the caller meets it, without its source.
    pub(crate) fn to_error(&self) -> Error {
        Error::new(self.kind(), self.to_string()).without_effect()
    }

    fn kind(&self) -> ErrorKind {
        match self.cause {
            Cause::TimedOut(_) => ErrorKind::Timeout,
            Cause::Unsupported(_) => ErrorKind::Misconfigured,
            // A server error is the proxy's way to say that it can't reach the server; anything else is a verdict.
            Cause::Status(status) if status >= 500 => ErrorKind::Transport,
            Cause::Status(_) => ErrorKind::Misconfigured,
            // An untrusted certificate among them: a captive portal shows one until somebody has logged in.
            Cause::Failed(_) | Cause::NoHttp => ErrorKind::Transport,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = match self.peer {
            Peer::Server => "server",
            Peer::Proxy => "proxy",
        };
        let what = match (self.phase, &self.cause) {
            (_, Cause::Unsupported(why)) => return formatter.write_str(why),
            (_, Cause::Status(407)) => {
                return formatter.write_str(
                    "the proxy wants other credentials (status 407); put them into its URL, \
                     as in http://user:password@proxy:3128",
                );
            }
            (_, Cause::Status(status)) if *status >= 500 => {
                return write!(
                    formatter,
                    "the proxy can't reach the server (status {status}); check the URL's host, \
                     or exempt it from the proxy"
                );
            }
            (_, Cause::Status(status)) => {
                return write!(
                    formatter,
                    "the proxy refused a tunnel to the server (status {status}); allow CONNECT to its port there, \
                     or exempt the server from the proxy"
                );
            }
            (_, Cause::NoHttp) => {
                return formatter
                    .write_str("the proxy's answer is not HTTP; check the proxy's URL and its port");
            }
            (Phase::Resolution, Cause::TimedOut(_)) => "name was not resolved",
            (Phase::Resolution, Cause::Failed(_)) => "name can't be resolved",
            (Phase::Connecting, Cause::TimedOut(_)) => "addresses did not answer",
            (Phase::Connecting, Cause::Failed(_)) => "addresses accept no connection",
            (Phase::Proxy, Cause::TimedOut(_)) => "tunnel was not opened",
            (Phase::Proxy, Cause::Failed(_)) => "connection broke before it opened a tunnel",
            (Phase::Tls, Cause::TimedOut(_)) => "TLS handshake was not finished",
            (Phase::Tls, Cause::Failed(_)) => "TLS handshake failed",
        };
        write!(formatter, "the {peer}'s {what}")?;
        if let Cause::TimedOut(limit) = self.cause {
            write!(formatter, " within {limit:?}")?;
        }
        formatter.write_str(match self.phase {
            Phase::Resolution => "; check the host in its URL, and the network's DNS",
            Phase::Connecting => "; check the host and port in its URL, and the firewalls on the way",
            Phase::Proxy => "; check that it is an HTTP proxy, and that it can reach the server",
            Phase::Tls => {
                "; check that its certificate is for the URL's host, and from an authority in the roots"
            }
        })
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Failed(error) => Some(error),
            Cause::TimedOut(_) | Cause::Status(_) | Cause::NoHttp | Cause::Unsupported(_) => None,
        }
    }
}

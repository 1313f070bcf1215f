//! Where a native program hears from the browser (RFC 8252 §7.3): a port of this machine, for one login.

mod bound;
mod head;
mod page;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use auth_core::{Error, ErrorKind, Secret};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use self::bound::Place;
use self::head::{Head, LARGEST_HEAD};
use self::page::Page;
use crate::wire::{AuthorizationCode, PendingLogin};

/// A port on loopback that waits for the answer to one login.
///
/// Bind it before the login begins: the redirect URI names its port. Then show the login's URL to a person, and
/// [`wait`](Self::wait); how long is up to you. When this is dropped, the port is free.
///
/// ```no_run
/// use std::time::Duration;
///
/// use auth_http::freshness::SystemFreshness;
/// use auth_http::redirect::RedirectListener;
/// use auth_http::wire::{AuthorizationEndpoint, Wanted};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = RedirectListener::bind("http://127.0.0.1/callback").await?; // on a free port
/// let endpoint =
///     AuthorizationEndpoint::new("https://as.example.com/authorize", "client-id", listener.redirect_uri())?;
/// let login = endpoint.begin(Wanted::new().with_scope("calendar:read".parse()?), &SystemFreshness);
/// println!("Open {} in a browser.", login.url());
/// let code = tokio::time::timeout(Duration::from_secs(300), listener.wait(&login)).await??;
/// # Ok(())
/// # }
/// ```
///
/// # Who else may knock
///
/// Any web page can have a browser send requests here, and any program of this machine can. So the only request that
/// counts has the login's state, which nobody else knows; all others get a page and change nothing. A request under another host
/// name than the redirect URI's is not looked at (DNS rebinding). A head has 16 KiB at most, a connection five seconds, and
/// eight are served at once: one more takes the place of the oldest that has not sent its head yet. The pages are fixed texts:
/// nothing of a request is repeated.
pub struct RedirectListener {
    listeners: Vec<TcpListener>,
    place: Place,
    /// What the browser asked for that brought the answer, until somebody has waited for it to the end: the browser asks once.
    heard: Mutex<Option<Secret>>,
}

/// How many connections are served at once. A browser opens one or two, and some that it never uses.
const MOST_CONNECTIONS: usize = 8;

/// How long a request may take to arrive, and its answer to leave.
const CONNECTION_TIME: Duration = Duration::from_secs(5);

impl RedirectListener {
    /// Listens where `redirect_uri` says: an `http` URL whose host is `127.0.0.1`, `[::1]` or `localhost`, as it is registered
    /// with the server. Without a port it is a free one, which servers must allow (RFC 8252 §7.3). `localhost` is listened
    /// to on both addresses that it may stand for.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](ErrorKind::Misconfigured) when the URI is not such, or the port is in use.
    pub async fn bind(redirect_uri: &str) -> Result<Self, Error> {
        let (listeners, place) = bound::bind(redirect_uri).await?;
        Ok(Self { listeners, place, heard: Mutex::default() })
    }

    /// The redirect URI with the port that is listened on: what the login must name.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        self.place.uri()
    }

    /// Waits for the browser to bring the answer to `login`. It has been shown its page when this returns.
    ///
    /// The future may be dropped; waiting again goes on, and gives the answer if it has come already.
    ///
    /// # Errors
    ///
    /// Those of [`PendingLogin::read`] for an answer that has the login's state: that the server or a person refused;
    /// [`Transport`](ErrorKind::Transport) when no connection can be accepted any more.
    pub async fn wait(&self, login: &PendingLogin) -> Result<AuthorizationCode, Error> {
        if let Some(outcome) = self.heard(login) {
            return outcome;
        }
        let mut connections = Connections::default();
        poll_fn(|context| self.poll(&mut connections, login, context)).await
    }

    fn poll<'a>(
        &'a self,
        connections: &mut Connections<'a>,
        login: &'a PendingLogin,
        context: &mut Context<'_>,
    ) -> Poll<Result<AuthorizationCode, Error>> {
        let Connections { asking, answered } = connections;
        loop {
            let mut index = 0;
            while let Some(connection) = asking.get_mut(index) {
                match connection.as_mut().poll(context) {
                    Poll::Ready(Some((stream, head))) => {
                        answered.push(Box::pin(self.answer(stream, head, login)))
                    }
                    Poll::Ready(None) => {}
                    Poll::Pending => {
                        index += 1;
                        continue;
                    }
                }
                drop(asking.remove(index));
            }
            let mut index = 0;
            while let Some(connection) = answered.get_mut(index) {
                match connection.as_mut().poll(context) {
                    Poll::Ready(Some(outcome)) => return Poll::Ready(outcome),
                    Poll::Ready(None) => drop(answered.swap_remove(index)),
                    Poll::Pending => index += 1,
                }
            }
            // Further ones wait in the kernel until one of these has ended.
            if answered.len() >= MOST_CONNECTIONS {
                return Poll::Pending;
            }
            match self.poll_accept(context) {
                Poll::Ready(Ok(stream)) => asking.push(Box::pin(asked(stream))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            // A browser asks as soon as it is connected: whoever has waited longest is the least likely to be one.
            if asking.len() + answered.len() > MOST_CONNECTIONS {
                drop(asking.remove(0));
            }
        }
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<Result<TcpStream, Error>> {
        for listener in &self.listeners {
            loop {
                match listener.poll_accept(context) {
                    Poll::Ready(Ok((stream, _))) => return Poll::Ready(Ok(stream)),
                    // It was gone before it was accepted.
                    Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
                    Poll::Ready(Err(error)) => {
                        let text = "the browser's answer can't be accepted; begin the login again";
                        return Poll::Ready(Err(Error::new(ErrorKind::Transport, text).with_source(error)));
                    }
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }

    /// The answer to a login, if the browser has brought it; then it is forgotten.
    fn heard(&self, login: &PendingLogin) -> Option<Result<AuthorizationCode, Error>> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = heard.take_if(|target| login.recognizes(target.expose()))?;
        Some(login.read(answer.expose()))
    }

    /// Shows a page for a request; `Some` if it brought the answer.
    async fn answer(
        &self,
        mut stream: impl AsyncWrite + Unpin,
        head: Vec<u8>,
        login: &PendingLogin,
    ) -> Option<Result<AuthorizationCode, Error>> {
        let (page, is_answer) = self.judge(&head, login);
        // The answer counts, whether or not the browser waits for the page.
        let _ = tokio::time::timeout(CONNECTION_TIME, async {
            stream.write_all(page.response().as_bytes()).await?;
            stream.shutdown().await
        })
        .await;
        // Another page may have left before that of the answer.
        if is_answer { self.heard(login) } else { None }
    }

    /// The page for a request, and whether that is the answer to the login, which is kept then.
    fn judge(&self, head: &[u8], login: &PendingLogin) -> (Page, bool) {
        let target = match Head::parse(head).and_then(|head| self.place.target(&head)) {
            Ok(target) => target,
            Err(page) => return (page, false),
        };
        if !login.recognizes(target) {
            return (Page::Stranger, false);
        }
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Secret::from(target));
        let page = match login.read(target) {
            Ok(_) => Page::Done,
            Err(error) if error.kind() == ErrorKind::Refused => Page::Refused,
            Err(_) => Page::Failed,
        };
        (page, true)
    }
}

impl fmt::Debug for RedirectListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedirectListener({})", self.redirect_uri())
    }
}

/// The connections that are served.
#[derive(Default)]
struct Connections<'a> {
    /// Those whose request has not come yet, or not all of it; the oldest first.
    asking: Vec<Serving<'a, (TcpStream, Vec<u8>)>>,
    /// Those that get their page.
    answered: Vec<Serving<'a, Result<AuthorizationCode, Error>>>,
}

/// What a connection comes to, if to anything.
type Serving<'a, T> = Pin<Box<dyn Future<Output = Option<T>> + Send + 'a>>;

/// A connection, and the head of the request that came over it in time.
async fn asked(mut stream: TcpStream) -> Option<(TcpStream, Vec<u8>)> {
    let head = tokio::time::timeout(CONNECTION_TIME, read(&mut stream)).await.ok()??;
    Some((stream, head))
}

/// The head of a request; `None` when the peer leaves before its end.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 2_048];
    while head.len() <= LARGEST_HEAD {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => {
                head.extend_from_slice(&buffer[..read]);
                if head::is_whole(&head, read) {
                    break;
                }
            }
        }
    }
    Some(head)
}

#[cfg(test)]
mod tests;

//! The race of a server's addresses (RFC 8305): a dead one costs a quarter of a second, not the whole of the time.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// How long an address has before the next is tried as well (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// How long one of several addresses has at all: longer than five handshakes that got lost on the way, and less than the session's own limit.
const LONGEST: Duration = Duration::from_secs(20);

/// The addresses by turns, one of each family, first the family that the resolver put first (RFC 8305 §4).
pub(super) fn interleaved(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut preferred = Vec::new();
    let mut others = Vec::new();
    for address in addresses {
        let is_preferred =
            preferred.first().is_none_or(|first: &SocketAddr| first.is_ipv6() == address.is_ipv6());
        if is_preferred { &mut preferred } else { &mut others }.push(address);
    }
    let mut order = Vec::with_capacity(preferred.len() + others.len());
    let mut others = others.into_iter();
    for address in preferred {
        order.push(address);
        order.extend(others.next());
    }
    order.extend(others);
    order
}

/// Connects to whichever of the addresses answers first, each with a [`HEAD_START`] on the next. Those that lose are dropped.
///
/// # Errors
///
/// What the first of them failed with, once all have.
pub(super) async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    mut connect: impl FnMut(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    if let [alone] = addresses[..] {
        // The session's own limit will do.
        return connect(alone).await;
    }
    let mut waiting = addresses.into_iter();
    let mut running = Vec::new();
    let mut first_failure = None;
    loop {
        match waiting.next() {
            Some(address) => running.push(Box::pin(timeout(LONGEST, connect(address)))),
            None if running.is_empty() => {
                let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                return Err(first_failure.unwrap_or_else(none));
            }
            None => {}
        }
        let finished = if waiting.len() == 0 {
            finished(&mut running).await
        } else {
            // Whoever has used up its head start runs on beside the next.
            let Ok(finished) = timeout(HEAD_START, finished(&mut running)).await else { continue };
            finished
        };
        match finished.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(connected) => return Ok(connected),
            Err(failure) => _ = first_failure.get_or_insert(failure),
        }
    }
}

/// What the first of these to finish came to; it is taken out.
async fn finished<F: Future>(running: &mut Vec<Pin<Box<F>>>) -> F::Output {
    poll_fn(|cx| {
        for index in 0..running.len() {
            if let Poll::Ready(outcome) = running[index].as_mut().poll(cx) {
                drop(running.swap_remove(index));
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    const DEAD: &str = "192.0.2.1:443";
    const REFUSING: &str = "192.0.2.2:443";
    const ALIVE: &str = "192.0.2.3:443";

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Who wins, and after how long.
    #[expect(clippy::disallowed_methods, reason = "a test's clock")]
    async fn winner(texts: &[&str]) -> (io::Result<String>, Duration) {
        let begun = Instant::now();
        let connected = race(addresses(texts), async |address| match address.to_string() {
            dead if dead == DEAD => pending().await,
            refusing if refusing == REFUSING => Err(io::ErrorKind::ConnectionRefused.into()),
            alive => Ok(alive),
        });
        let connected = connected.await;
        (connected, begun.elapsed())
    }

    #[test]
    fn families_take_turns_and_the_resolvers_favourite_goes_first() {
        let order = |texts: &[&str]| {
            interleaved(addresses(texts)).iter().map(|address| address.port()).collect::<Vec<_>>()
        };
        assert_eq!(order(&["[::1]:1", "[::1]:2", "[::1]:3", "1.1.1.1:4", "1.1.1.1:5"]), [1, 4, 2, 5, 3]);
        assert_eq!(order(&["1.1.1.1:1", "[::1]:2", "[::1]:3", "[::1]:4"]), [1, 2, 3, 4]);
        assert!(order(&[]).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_address_costs_a_quarter_of_a_second_and_one_that_refuses_nothing() {
        let (won, took) = winner(&[DEAD, REFUSING, DEAD, ALIVE]).await;
        assert_eq!((won.unwrap().as_str(), took), (ALIVE, 2 * HEAD_START));
    }

    #[tokio::test(start_paused = true)]
    async fn each_address_has_its_limit_and_the_first_failure_is_told() {
        let (lost, took) = winner(&[DEAD, REFUSING]).await;
        assert_eq!((lost.unwrap_err().kind(), took), (io::ErrorKind::ConnectionRefused, LONGEST));
        let (none, _) = winner(&[]).await;
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

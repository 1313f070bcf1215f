//! The race of a server's addresses (RFC 8305): a dead one costs a quarter of a second, not a timeout.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// How long an address has before the next is tried as well (RFC 8305 §5: 250 ms). Longer than a handshake across
/// an ocean, so that the second family is seldom bothered; shorter than anybody notices.
pub(super) const HEAD_START: Duration = Duration::from_millis(250);

/// The addresses by turns, one of each family, first the family that the resolver put first (RFC 8305 §4).
pub(super) fn interleaved(addresses: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    let six_first = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (preferred, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == six_first);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut order = Vec::with_capacity(preferred.len() + others.len());
    loop {
        match (preferred.next(), others.next()) {
            (None, None) => return order,
            (one, other) => {
                order.extend(one.into_iter().chain(other).map(|address| SocketAddr::new(address, port)));
            }
        }
    }
}

/// Connects to whichever of `addresses` answers first, each with a [`HEAD_START`] on the next; those that lose are
/// dropped, which closes them.
///
/// # Errors
///
/// What the first of them failed with, once all have failed.
pub(super) async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    mut connect: impl FnMut(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.into_iter();
    let mut running = Vec::new();
    let mut first_failure = None;
    loop {
        match waiting.next() {
            Some(address) => running.push(Box::pin(connect(address))),
            None if running.is_empty() => return Err(first_failure.unwrap_or_else(no_address)),
            None => {}
        }
        let finished = if waiting.len() == 0 {
            finished(&mut running).await
        } else {
            // Whoever has used up its head start runs on beside the next.
            let Ok(finished) = timeout(HEAD_START, finished(&mut running)).await else { continue };
            finished
        };
        match finished {
            Ok(connected) => return Ok(connected),
            Err(failure) => {
                first_failure.get_or_insert(failure);
            }
        }
    }
}

/// What the first of `running` to finish came to; it is taken out.
async fn finished<T, F: Future<Output = T>>(running: &mut Vec<Pin<Box<F>>>) -> T {
    poll_fn(|context| {
        for index in 0..running.len() {
            if let Poll::Ready(outcome) = running[index].as_mut().poll(context) {
                drop(running.swap_remove(index));
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    })
    .await
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use tokio::time::sleep;

    use super::super::tests::elapsed;
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn socket(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 443))
    }

    fn refused() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    /// Says when it is dropped before it has finished.
    struct Cancelled<'a>(&'a RefCell<Vec<SocketAddr>>, SocketAddr);

    impl Drop for Cancelled<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }

    #[test]
    fn families_take_turns_and_the_resolvers_favourite_goes_first() {
        let order = |texts: &[&str]| {
            interleaved(addresses(texts), 443).iter().map(|a| a.ip().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["::1", "::2", "::3", "1.1.1.1", "1.1.1.2"]),
            ["::1", "1.1.1.1", "::2", "1.1.1.2", "::3"]
        );
        assert_eq!(order(&["1.1.1.1", "1.1.1.2", "::1"]), ["1.1.1.1", "::1", "1.1.1.2"]);
        assert_eq!(order(&["::1"]), ["::1"]);
        assert!(order(&[]).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_costs_a_quarter_of_a_second() {
        let winner = race(vec![socket(1), socket(2)], async |address| {
            if address == socket(1) { pending().await } else { Ok(address) }
        });
        let (winner, took) = elapsed(winner).await;
        assert_eq!((winner.unwrap(), took), (socket(2), HEAD_START));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_lets_the_next_start_at_once() {
        let winner =
            race(
                vec![socket(1), socket(2)],
                async |address| {
                    if address == socket(1) { Err(refused()) } else { Ok(address) }
                },
            );
        let (winner, took) = elapsed(winner).await;
        assert_eq!((winner.unwrap(), took), (socket(2), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_address_still_wins_over_a_slower_second_which_is_cancelled() {
        let cancelled = RefCell::new(Vec::new());
        let winner = race(vec![socket(1), socket(2), socket(3)], |address| {
            let guard = Cancelled(&cancelled, address);
            async move {
                sleep(Duration::from_millis(if address == socket(1) { 300 } else { 400 })).await;
                std::mem::forget(guard);
                Ok(address)
            }
        });
        assert_eq!(winner.await.unwrap(), socket(1));
        assert_eq!(*cancelled.borrow(), [socket(2)], "the second was under way, the third never started");
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_first_failure_is_the_answer() {
        let failed = race(vec![socket(1), socket(2)], async |address| {
            let kind = if address == socket(1) {
                io::ErrorKind::NetworkUnreachable
            } else {
                io::ErrorKind::ConnectionRefused
            };
            Err::<(), _>(io::Error::from(kind))
        });
        assert_eq!(failed.await.unwrap_err().kind(), io::ErrorKind::NetworkUnreachable);
        let none = race(Vec::new(), async |_| Ok(())).await;
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

//! Syslog over real sockets, to receivers that are slow, deaf, gone or rude: nothing is doubled, and the accounts are exact.

use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::thread::{self, JoinHandle};

use auth_core::AuthEvent;
use auth_core::backoff::Backoff;
use auth_core::time::Timestamp;

use super::super::{HookCounts, Outlet, Running};
use super::*;

const BOUND: Duration = Duration::from_secs(60);
const QUICK: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));

fn entry(sequence: u64) -> Arc<Entry> {
    let event = Event::Auth(AuthEvent::SessionClosed { lasted: None });
    Arc::new(Entry::new(sequence, Timestamp::from_millis(sequence), None, event))
}

/// `sequence name`, the range of a hole or a doubt, and something to make it long.
fn message(entry: &Entry) -> String {
    let range = match &entry.event {
        Event::Trail(
            TrailEvent::EventsDropped { from_seq, to_seq, count }
            | TrailEvent::EventsInDoubt { from_seq, to_seq, count },
        ) => format!("{from_seq} {to_seq} {count}"),
        _ => "- - -".to_owned(),
    };
    format!("{} {} {range} {}", entry.sequence, entry.event.name(), "x".repeat(1_000))
}

/// What a receiver read from one connection.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    entries: Vec<u64>,
    /// From, to, and how many.
    dropped: Vec<[u64; 3]>,
    in_doubt: Vec<[u64; 3]>,
}

/// The whole messages of a stream, and how many bytes of another were begun.
fn heard(stream: &mut impl Read) -> (Heard, usize) {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut bytes);
    let (mut heard, mut rest) = (Heard::default(), &bytes[..]);
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
        let Some(message) = rest.get(space + 1..space + 1 + length) else { break };
        heard.note(std::str::from_utf8(message).unwrap());
        rest = &rest[space + 1 + length..];
    }
    (heard, rest.len())
}

impl Heard {
    fn note(&mut self, message: &str) {
        let words: Vec<_> = message.split(' ').collect();
        let range = || [2, 3, 4].map(|word: usize| words[word].parse().unwrap());
        match words[1] {
            "events_dropped" => self.dropped.push(range()),
            "events_in_doubt" => self.in_doubt.push(range()),
            _ => self.entries.push(words[0].parse().unwrap()),
        }
    }
}

/// A receiver beside the test.
#[expect(clippy::disallowed_methods, reason = "a test waits for it")]
fn aside<T: Send + 'static>(receiver: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(receiver)
}

fn start(syslog: Syslog) -> Running {
    Outlet::sink("syslog", syslog).backoff(QUICK).start().unwrap()
}

fn offer(running: &Running, sequences: impl Iterator<Item = u64>) {
    sequences.for_each(|sequence| running.offer(&entry(sequence)));
}

fn settled(counts: HookCounts) -> HookCounts {
    let HookCounts { accepted, delivered, queued, dropped, dead_lettered, .. } = counts;
    assert_eq!((accepted, queued), (delivered + dropped + dead_lettered, 0), "{counts:?}");
    counts
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn a_receiver_is_given_every_entry_framed_by_its_length() {
    let (listener, address) = listen();
    let receiver = aside(move || heard(&mut listener.accept().unwrap().0));
    let running = start(Syslog::tcp(&address, message));
    offer(&running, 1..=2_000);
    assert_eq!(settled(running.close(BOUND)).delivered, 2_000);
    let (heard, torn) = receiver.join().unwrap();
    assert_eq!((heard.entries, torn), ((1..=2_000).collect(), 0));
    assert_eq!(heard.in_doubt, [[0; 3]; 0]);
}

#[test]
fn a_receiver_that_does_not_read_is_waited_for_on_the_same_connection() {
    // A unix socket holds less than a batch, so that a call can't end while nobody reads.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("syslog");
    let listener = UnixListener::bind(&path).unwrap();
    let outlet = Outlet::sink("syslog", Syslog::unix(&path, message)).deadline(Duration::from_millis(1));
    let running = outlet.backoff(QUICK).queue(1_000).start().unwrap();
    running.offer(&entry(1));
    let (mut stream, _) = listener.accept().unwrap();
    // The deadline passes many times.
    let mut last = 1;
    while running.hook().counts().delivered == 0 || running.hook().counts().dropped < 20_000 {
        last += 1;
        running.offer(&entry(last));
    }
    assert!(running.hook().counts().delivered < 200);
    let receiver = aside(move || heard(&mut stream));
    let counts = settled(running.close(BOUND));
    let (heard, torn) = receiver.join().unwrap();
    assert_eq!((heard.entries.len() as u64, torn), (counts.delivered, 0));
    assert!(heard.entries.is_sorted_by(|one, next| one < next), "none twice");
    let told: u64 = heard.dropped.iter().map(|[_, _, count]| count).sum();
    assert_eq!((told, heard.entries.len() as u64 + told), (counts.dropped, last));
    assert_eq!((heard.in_doubt, counts.retries), (Vec::new(), 0));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "there was one connection");
}

#[test]
fn what_went_down_with_a_connection_is_told_on_the_next_and_not_sent_again() {
    let (listener, address) = listen();
    let running = start(Syslog::tcp(&address, message));
    offer(&running, 1..=100);
    let (mut first, _) = listener.accept().unwrap();
    // The beginning of a message, and then a reset: the rest is unread.
    first.read_exact(&mut [0; 5_500]).unwrap();
    let receiver = aside(move || {
        let mut second = listener.accept().unwrap().0;
        heard(&mut second)
    });
    drop(first);
    offer(&running, 101..=1_000);
    let counts = settled(running.close(BOUND));
    assert_eq!((counts.delivered, counts.dropped, counts.dead_lettered), (1_000, 0, 0));
    let (heard, torn) = receiver.join().unwrap();
    let [[1, to, count]] = heard.in_doubt[..] else { panic!("{:?}", heard.in_doubt) };
    assert_eq!((to, torn), (count, 0));
    assert!(to >= 5, "the first five were read");
    assert_eq!(heard.entries, (to + 1..=1_000).collect::<Vec<_>>());
}

#[test]
fn nobody_who_listens_makes_dead_letters_and_none_is_lost() {
    let (listener, address) = listen();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let outlet = Outlet::sink("syslog", Syslog::tcp(&address, message)).backoff(QUICK).dead_letter(&path);
    let running = outlet.start().unwrap();
    offer(&running, 1..=1_000);
    assert_eq!(settled(running.close(BOUND)).dead_lettered, 1_000);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1_000);
}

#[test]
fn a_receiver_that_accepts_and_never_reads_does_not_hold_up_closing() {
    let (listener, address) = listen();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let outlet = Outlet::sink("syslog", Syslog::tcp(&address, message)).queue(50_000).dead_letter(&path);
    let running = outlet.start().unwrap();
    running.offer(&entry(1));
    let (mut stream, _) = listener.accept().unwrap();
    offer(&running, 2..=50_000);
    let counts = settled(running.close(Duration::from_secs(1)));
    assert!(counts.dead_lettered > 0 && counts.dropped == 0, "{counts:?}");
    // What it was told of as delivered is there, and nothing else is whole.
    let (heard, _) = heard(&mut stream);
    assert_eq!(heard.entries, (1..=counts.delivered).collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_closes_what_it_accepts_is_told_nothing() {
    let (listener, address) = listen();
    let receiver = aside(move || {
        let refused = (0..10).map(|_| {
            let mut stream = listener.accept().unwrap().0;
            stream.shutdown(Shutdown::Write).unwrap();
            heard(&mut stream)
        });
        refused.collect::<Vec<_>>()
    });
    let running = start(Syslog::tcp(&address, message));
    running.offer(&entry(1));
    assert!(receiver.join().unwrap().into_iter().all(|heard| heard == (Heard::default(), 0)));
    let counts = settled(running.close(BOUND));
    assert_eq!((counts.delivered, counts.dropped), (0, 1));
}

#[test]
fn a_receiver_that_talks_back_is_not_listened_to() {
    let (listener, address) = listen();
    let receiver = aside(move || {
        let mut stream: TcpStream = listener.accept().unwrap().0;
        stream.write_all(&[b'x'; 100_000]).unwrap();
        heard(&mut stream)
    });
    let running = start(Syslog::tcp(&address, message));
    offer(&running, 1..=1_000);
    assert_eq!(settled(running.close(BOUND)).delivered, 1_000);
    assert_eq!(receiver.join().unwrap().0.entries.len(), 1_000);
}

#[test]
fn a_unix_socket_is_a_stream_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("syslog");
    let listener = UnixListener::bind(&path).unwrap();
    let receiver = aside(move || heard(&mut listener.accept().unwrap().0));
    let running = start(Syslog::unix(&path, message));
    offer(&running, 1..=2_000);
    assert_eq!(settled(running.close(BOUND)).delivered, 2_000);
    assert_eq!(receiver.join().unwrap().0.entries, (1..=2_000).collect::<Vec<_>>());
}

#[test]
fn a_datagram_is_a_message_and_one_that_is_too_long_is_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let render = |entry: &Entry| {
        let long = entry.sequence == 500 && matches!(entry.event, Event::Auth(_));
        if long { "x".repeat(10 << 20) } else { message(entry) }
    };
    let running = start(Syslog::unix_datagram(&path, render));
    offer(&running, 1..=1_000);
    let (mut heard, mut space) = (Heard::default(), [0; 2_000]);
    while heard.entries.last() != Some(&1_000) {
        let length = receiver.recv(&mut space).unwrap();
        heard.note(std::str::from_utf8(&space[..length]).unwrap());
    }
    let counts = settled(running.close(BOUND));
    assert_eq!((counts.delivered, counts.dropped), (999, 1));
    assert_eq!((heard.entries.len(), heard.dropped, heard.in_doubt), (999, vec![[500, 500, 1]], vec![]));
}

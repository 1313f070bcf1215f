//! Reading ahead of the codec, while much comes in.

use std::io;

use crate::driver::wire;

/// Bytes that were read, and that the codec has not asked for yet.
///
/// The codec zero-fills as much as it may read before each read, and keeps it: what suits an idle connection takes a large message, or many, in
/// small bites. So it is left with [`BITE`], and gets its bites from here while there is more than one of them.
pub(super) struct Ahead {
    /// None at all, until a read has filled what the codec offered.
    bytes: Vec<u8>,
    taken: usize,
    read: usize,
    /// The last read filled all that there was for it: there may be more than one can take.
    full: bool,
    /// How many bytes came since the stream last had none, at most [`BITE`].
    lately: usize,
}

/// What the codec reads at once, in bytes. A connection on which no more comes at a time needs nothing else.
pub(super) const BITE: usize = 4 * 1024;

/// How many times as much is read at once after a read that was full.
const MORE: usize = 16;

/// How much is read at once at most, in bytes: less costs large messages that are only read, more costs those that are answered in kind.
const MOST: usize = wire::LARGEST_MESSAGE / 2;

impl Ahead {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), taken: 0, read: 0, full: false, lately: 0 }
    }

    /// Reads as [`io::Read::read`] does, from a stream that is read by `read`.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.taken == self.read {
            if std::mem::take(&mut self.full) {
                self.bytes = vec![0; (self.bytes.len().max(BITE) * MORE).min(MOST)];
            }
            let direct = self.bytes.is_empty();
            let into = if direct { &mut *buffer } else { &mut self.bytes };
            let room = into.len();
            let length = read(into).inspect_err(|_| self.wait())?;
            self.full = length == room && room < MOST;
            self.lately = (self.lately + length).min(BITE);
            if direct {
                return Ok(length);
            }
            (self.taken, self.read) = (0, length);
        }
        let length = buffer.len().min(self.read - self.taken);
        buffer[..length].copy_from_slice(&self.bytes[self.taken..][..length]);
        self.taken += length;
        Ok(length)
    }

    /// Nothing is there to read. Where little came, such as the answer to a ping, little is expected.
    fn wait(&mut self) {
        let lately = std::mem::take(&mut self.lately);
        if (1..BITE).contains(&lately) {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};

    use proptest::prelude::*;
    use tungstenite::error::Error as CodecError;
    use tungstenite::protocol::{Role, WebSocketConfig};
    use tungstenite::{Message, WebSocket};

    use super::*;

    /// A stream that has so many bytes at a time; none means that it has nothing for now.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        pieces: Vec<usize>,
        ahead: Ahead,
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Self { bytes, at, pieces, ahead } = self;
            ahead.read(buffer, |into| {
                let left = &bytes[*at..];
                // What is left comes at once, and then the stream waits for ever.
                let piece = pieces.pop().unwrap_or(left.len());
                let length = piece.min(left.len()).min(into.len());
                if length == 0 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                into[..length].copy_from_slice(&left[..length]);
                *at += length;
                Ok(length)
            })
        }
    }

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a client's codec reads, when what a server sent comes in these pieces, and how much is held in the end.
    fn received(sent: &[Vec<u8>], mut pieces: Vec<usize>) -> (Vec<Vec<u8>>, usize) {
        let mut server = WebSocket::from_raw_socket(io::Cursor::new(Vec::new()), Role::Server, None);
        for message in sent {
            server.write(Message::binary(message.clone())).unwrap();
        }
        server.flush().unwrap();
        let bytes = server.into_inner().into_inner();
        pieces.reverse();
        let stream = Pieces { bytes, at: 0, pieces, ahead: Ahead::new() };
        let config = WebSocketConfig::default().read_buffer_size(BITE);
        let mut client = WebSocket::from_raw_socket(stream, Role::Client, Some(config));
        let mut received = Vec::new();
        loop {
            match client.read() {
                Ok(message) => received.push(message.into_data().to_vec()),
                Err(CodecError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    let Pieces { bytes, at, pieces, ahead } = client.get_ref();
                    if *at == bytes.len() && pieces.is_empty() {
                        return (received, ahead.bytes.len());
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_however_messages_are_cut(
            lengths in prop::collection::vec(prop_oneof![0..200_usize, 3_900..4_300_usize, 0..600_000_usize], 0..12),
            pieces in prop::collection::vec(prop_oneof![0..3_usize, 0..5_000_usize, Just(BITE), 0..300_000_usize], 0..80),
        ) {
            let numbered = |length: usize| (0..length).map(|at| (at * 31 + at / 251 + length) as u8).collect();
            let sent: Vec<Vec<u8>> = lengths.into_iter().map(numbered).collect();
            prop_assert!(received(&sent, pieces).0 == sent, "the messages differ");
        }
    }

    #[test]
    fn what_a_large_message_needed_is_given_back_when_something_small_comes() {
        let (large, small) = (vec![1; 100_000], vec![2; 64]);
        assert_eq!(received(std::slice::from_ref(&small), vec![]).1, 0, "nothing is held for little");
        assert_eq!(received(std::slice::from_ref(&large), vec![]).1, MOST, "more of the kind may come");
        // A head of ten bytes and the large message, a pause, a head of two and the small one.
        let pieces = vec![BITE, BITE * MORE, 100_010 - BITE - BITE * MORE, 0, 66];
        assert_eq!(received(&[large, small], pieces).1, 0);
    }
}

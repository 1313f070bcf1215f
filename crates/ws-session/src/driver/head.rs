//! The head of an upgrade's answer, gathered before the codec sees it.

use std::io;

use zeroize::Zeroize as _;

/// The codec takes a head that comes in many small pieces for an attack: it gets all of it at once.
pub(super) struct Head {
    /// The head, and what came right behind it. Wiped, as a server may repeat a credential in it; the codec's own copy is not.
    bytes: Vec<u8>,
    gathering: bool,
}

/// A longer head is no answer, in bytes; the codec sees to that.
const LARGEST: usize = 64 * 1024;

impl Head {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), gathering: true }
    }

    /// Whether all of it is with the codec: what comes now is read as it comes.
    pub(super) const fn is_over(&self) -> bool {
        !self.gathering && self.bytes.is_empty()
    }

    /// Reads as [`io::Read::read`] does, from a stream that is read by `read`; until it [is over](Self::is_over).
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        while self.gathering {
            let mut piece = [0; 1_024];
            let length = read(&mut piece)?;
            if self.bytes.capacity() - self.bytes.len() < length {
                // A vector that grows by itself leaves what it held behind.
                let mut longer = Vec::with_capacity(2 * self.bytes.capacity() + length);
                longer.extend_from_slice(&self.bytes);
                self.bytes.zeroize();
                self.bytes = longer;
            }
            let seen = self.bytes.len().saturating_sub(3);
            self.bytes.extend_from_slice(&piece[..length]);
            piece[..length].zeroize();
            let is_whole = self.bytes[seen..].windows(4).any(|end| end == b"\r\n\r\n");
            // Nothing else has such an end.
            let is_http = self.bytes.iter().zip(b"HTTP/").all(|(byte, expected)| byte == expected);
            self.gathering = length > 0 && !is_whole && is_http && self.bytes.len() < LARGEST;
        }
        let length = buffer.len().min(self.bytes.len());
        buffer[..length].copy_from_slice(&self.bytes[..length]);
        self.bytes.drain(..length);
        if self.is_over() {
            // Not kept for as long as the connection lives.
            self.bytes.zeroize();
            self.bytes = Vec::new();
        }
        Ok(length)
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader of `answer` in pieces of this length reads, in calls of 4 KiB.
    fn read(answer: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut head = Head::new();
        let mut pieces = answer.chunks(piece);
        let mut read = Vec::new();
        while !head.is_over() {
            let mut buffer = [0; 4_096];
            let length = head.read(&mut buffer, |into| {
                let piece = pieces.next().unwrap_or_default();
                into[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            });
            read.push(buffer[..length.unwrap()].to_vec());
        }
        assert_eq!(head.bytes.capacity(), 0, "nothing is kept");
        read
    }

    #[test]
    fn a_head_comes_at_once_however_small_its_pieces_are() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
        for piece in 1..head.len() {
            assert_eq!(read(head, piece), [head.to_vec()], "{piece}");
        }
        let more = [&head[..], b"\x81\x02hi"].concat();
        assert_eq!(read(&more, 1_024), std::slice::from_ref(&more), "with what came right behind it");
    }

    #[test]
    fn what_is_no_head_is_not_waited_for() {
        assert_eq!(read(b"220 smtp", 8), [b"220 smtp"]);
        assert_eq!(read(b"HTTP/1.1 101", 4), [b"HTTP/1.1 101"], "the end of the stream");
        assert_eq!(read(b"", 1), [b""]);
        let endless = b"HTTP/1.1 101 Switching Protocols\r\n".repeat(4_000);
        assert_eq!(read(&endless, 1_024).concat().len(), LARGEST);
    }
}

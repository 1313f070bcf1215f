//! What was written to a connection and may not have been read: what is in doubt when it breaks.

use std::collections::VecDeque;

use super::super::machine::Gap;

/// The entries of the last so many bytes of a connection.
#[derive(Debug, Default)]
pub(super) struct Window {
    written: VecDeque<(Gap, usize)>,
    bytes: usize,
}

/// Entries are kept in groups of about so many bytes, so that a window is some hundred groups and not as many entries.
const GROUP: usize = 64 * 1024;

impl Window {
    /// These were written, in so many bytes; what is further back than `reach` has been read.
    pub(super) fn wrote(&mut self, gap: Gap, bytes: usize, reach: usize) {
        self.bytes += bytes;
        match self.written.back_mut().filter(|(_, held)| *held < GROUP) {
            Some((last, held)) => {
                *last = Gap::joined(Some(*last), Some(gap)).unwrap_or(gap);
                *held += bytes;
            }
            None => self.written.push_back((gap, bytes)),
        }
        while let Some((_, oldest)) = self.written.front().filter(|(_, oldest)| self.bytes - oldest >= reach)
        {
            self.bytes -= oldest;
            self.written.pop_front();
        }
    }

    /// All of it; the next connection begins with nothing.
    pub(super) fn take(&mut self) -> Option<Gap> {
        self.bytes = 0;
        self.written.drain(..).fold(None, |all, (gap, _)| Gap::joined(all, Some(gap)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_buffers_can_not_hold_any_more_was_read() {
        let mut window = Window::default();
        for sequence in 1..=10_000 {
            window.wrote(Gap { from: sequence, to: sequence, count: 1 }, 500, 1_000_000);
        }
        let gap = window.take().unwrap();
        // Rounded up to whole groups: rather an entry too many in doubt than one too few.
        assert!((2_000..2_300).contains(&gap.count), "{gap:?}");
        assert_eq!((gap.to, gap.to - gap.from + 1), (10_000, gap.count));
        assert_eq!(window.take(), None);
    }
}

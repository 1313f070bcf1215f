//! A record of text that stays below a length: long values end in a mark, and what finds no room is said to be missing.

/// A record under construction.
#[derive(Debug)]
pub(super) struct Line {
    text: String,
    limit: usize,
    cut: bool,
}

/// The most bytes of one value, escaped: a [`Label`](auth_core::observe::Label) of 128 characters always fits.
const LONGEST_VALUE: usize = 512;

/// Stands where a value was cut.
const MARK: char = '…';

impl Line {
    /// Begins with `text`, which is escaped already, and grows to `limit` bytes at most.
    pub(super) const fn new(text: String, limit: usize) -> Self {
        Self { text, limit, cut: false }
    }

    /// Adds `value` between `before` and `after`, each character as `escape` writes it; leaves all of it out where there is no room.
    pub(super) fn add(&mut self, before: &str, value: &str, after: &str, escape: fn(char, &mut String)) {
        let start = self.text.len() + before.len();
        let end = self.limit.saturating_sub(after.len()).min(start + LONGEST_VALUE);
        if end < start + 2 * MARK.len_utf8() {
            self.cut = true;
            return;
        }
        self.text.push_str(before);
        // The last place from which the mark still fits, which is never inside an escape.
        let mut fits = start;
        for character in value.chars() {
            if self.text.len() + MARK.len_utf8() <= end {
                fits = self.text.len();
            }
            escape(character, &mut self.text);
            if self.text.len() > end {
                self.text.truncate(fits);
                self.text.push(MARK);
                self.cut = true;
                break;
            }
        }
        self.text.push_str(after);
    }

    /// Whether something was cut or left out.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The record, with `end` after it, for which the limit left room.
    pub(super) fn finish(mut self, end: &str) -> String {
        self.text.push_str(end);
        self.text
    }
}

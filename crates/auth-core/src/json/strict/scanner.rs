//! The scanner of the strict reader: what JSON allows (RFC 8259), and where each value stands.

use alloc::string::String;
use alloc::vec::Vec;

use super::{DEEPEST, Kind, Malformed, Member, Place, Span};

/// Reads a text once, from its front to its end.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    resolved: String,
    /// The names of the objects that are open, innermost last; those of the outermost are among its members.
    names: Vec<Place>,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, resolved: String::new(), names: Vec::new() }
    }

    /// The strings that had escapes, one after the other.
    pub(super) fn into_resolved(self) -> String {
        self.resolved
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(Malformed::Syntax) }
    }

    /// Reads an object, whose opening brace is next, at a depth that counts it.
    pub(super) fn object(&mut self, depth: usize, mut member: impl FnMut(Member)) -> Result<(), Malformed> {
        if depth > DEEPEST {
            return Err(Malformed::TooDeep);
        }
        self.take(b'{')?;
        self.space();
        let first = self.names.len();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let name = self.string()?;
            if depth > 1 {
                self.names.push(name);
            }
            self.space();
            self.take(b':')?;
            self.space();
            let value = self.value(depth + 1)?;
            member(Member { name, value });
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(Malformed::Syntax),
            }
        }
        self.at += 1;
        let names = self.names.get(first..).unwrap_or_default();
        if self.has_equal_names(names.iter().copied()) {
            return Err(Malformed::Duplicate);
        }
        self.names.truncate(first);
        Ok(())
    }

    pub(super) fn array(&mut self, depth: usize, mut element: impl FnMut(Span)) -> Result<(), Malformed> {
        if depth > DEEPEST {
            return Err(Malformed::TooDeep);
        }
        self.take(b'[')?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let start = self.at;
            self.value(depth + 1)?;
            element(Span::new(start, self.at));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(Malformed::Syntax),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads any value. `depth` is what it counts if it is an object or an array.
    pub(super) fn value(&mut self, depth: usize) -> Result<Place, Malformed> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => {
                self.object(depth, |_| ())?;
                Ok(self.since(start, Kind::Object))
            }
            Some(b'[') => {
                self.array(depth, |_| ())?;
                Ok(self.since(start, Kind::Array))
            }
            Some(b't') => self.word("true").map(|()| self.since(start, Kind::True)),
            Some(b'f') => self.word("false").map(|()| self.since(start, Kind::False)),
            Some(b'n') => self.word("null").map(|()| self.since(start, Kind::Null)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(Malformed::Syntax),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        let found = self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if !found {
            return Err(Malformed::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<Place, Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            integer = false;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
            integer = false;
        }
        let place = self.since(start, Kind::Number);
        // An integer of up to 300 digits is finite.
        let finite = (integer && self.at - start <= 300)
            || place.span.of(self.text).parse::<f64>().is_ok_and(f64::is_finite);
        if finite { Ok(place) } else { Err(Malformed::NumberRange) }
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(Malformed::Syntax) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Place, Malformed> {
        self.take(b'"')?;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        self.at += ordinary(rest);
        match self.peek() {
            Some(b'"') => {
                let place = self.since(start, Kind::Text);
                self.at += 1;
                Ok(place)
            }
            Some(b'\\') => self.resolve(start),
            _ => Err(Malformed::Syntax),
        }
    }

    /// Reads the rest of a string that has an escape, and resolves the whole of it.
    fn resolve(&mut self, start: usize) -> Result<Place, Malformed> {
        let first = self.resolved.len();
        let mut plain = start;
        loop {
            match self.peek() {
                Some(end @ (b'"' | b'\\')) => {
                    self.resolved.push_str(Span::new(plain, self.at).of(self.text));
                    self.at += 1;
                    if end == b'"' {
                        let span = Span::new(first, self.resolved.len());
                        return Ok(Place { kind: Kind::ResolvedText, span });
                    }
                    let character = self.escape()?;
                    self.resolved.push(character);
                    plain = self.at;
                }
                Some(0..=0x1f) | None => return Err(Malformed::Syntax),
                Some(_) => self.at += 1,
            }
        }
    }

    /// The character that an escape stands for; its backslash has been read.
    fn escape(&mut self) -> Result<char, Malformed> {
        let letter = self.peek().ok_or(Malformed::Syntax)?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                let code = match unit {
                    0xd800..=0xdbff => {
                        self.word("\\u").map_err(|_| Malformed::LoneSurrogate)?;
                        let low = self.unit()?;
                        if !(0xdc00..=0xdfff).contains(&low) {
                            return Err(Malformed::LoneSurrogate);
                        }
                        0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
                    }
                    _ => unit,
                };
                char::from_u32(code).ok_or(Malformed::LoneSurrogate)?
            }
            _ => return Err(Malformed::Syntax),
        })
    }

    fn unit(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(Malformed::Syntax)?;
        let mut unit = 0;
        for digit in digits {
            unit = unit << 4 | char::from(*digit).to_digit(16).ok_or(Malformed::Syntax)?;
        }
        self.at += 4;
        Ok(unit)
    }

    /// Whether two of these names are equal. While they are few, each is compared with those before it that could be its
    /// equals; else they are sorted: an object of many members must not cost the square of their number.
    pub(super) fn has_equal_names(&self, names: impl ExactSizeIterator<Item = Place> + Clone) -> bool {
        if names.len() <= 16 {
            let mut marks = 0_u64;
            return names.clone().enumerate().any(|(index, name)| {
                let name = self.name(name);
                let mark = 1 << mark(name);
                let seen = marks & mark != 0;
                marks |= mark;
                seen && names.clone().take(index).any(|earlier| self.name(earlier) == name)
            });
        }
        let mut sorted: Vec<&str> = names.map(|name| self.name(name)).collect();
        sorted.sort_unstable();
        sorted.windows(2).any(|pair| pair.first() == pair.last())
    }

    fn name(&self, place: Place) -> &str {
        place.text(self.text, &self.resolved)
    }

    const fn since(&self, start: usize, kind: Kind) -> Place {
        Place { kind, span: Span::new(start, self.at) }
    }
}

/// How many bytes at the front are no quotation mark, no backslash and no control. Whole chunks are looked at at once,
/// without a branch for each byte, which compilers turn into a few vector instructions.
fn ordinary(bytes: &[u8]) -> usize {
    const CHUNK: usize = 16;
    let special = |byte: &u8| (*byte == b'"') | (*byte == b'\\') | (*byte < 0x20);
    let is_ordinary = |chunk: &&[u8]| !chunk.iter().fold(false, |found, byte| found | special(byte));
    let skipped = bytes.chunks_exact(CHUNK).take_while(is_ordinary).count() * CHUNK;
    let rest = bytes.get(skipped..).unwrap_or_default();
    skipped + rest.iter().take_while(|byte| !special(byte)).count()
}

/// A number below 64 that is the same for equal names, and mostly differs for others.
fn mark(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let at = |index: usize| bytes.get(index).copied().map_or(0, u32::from);
    (at(0) * 7 + at(1) * 3 + at(2) + bytes.len() as u32) % 64
}

//! Text of strangers as a terminal may be given it: without what would act upon it, or turn the text around it about.

use std::borrow::Cow;

/// The character, or U+FFFD where it is a control character or one that changes the direction of text.
pub(crate) const fn harmless(character: char) -> char {
    match character {
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    }
}

/// Text in one line.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    replaced(text, harmless)
}

/// Text that may have several lines, as a message with an excerpt of a file has.
pub(crate) fn shown_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |character| if matches!(character, '\n' | '\t') { character } else { harmless(character) })
}

fn replaced(text: &str, as_shown: impl Fn(char) -> char) -> Cow<'_, str> {
    if text.chars().all(|character| as_shown(character) == character) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(as_shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_acts_upon_a_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}31m\r\n\u{202e}b\u{2066}\u{7f}\u{61c}ü";
        assert_eq!(
            shown(hostile),
            "a\u{fffd}[2J\u{fffd}31m\u{fffd}\u{fffd}\u{fffd}b\u{fffd}\u{fffd}\u{fffd}ü"
        );
        assert_eq!(shown_lines("a\n\tb\r"), "a\n\tb\u{fffd}");
        assert!(matches!(shown("plain ü"), Cow::Borrowed(_)), "the control");
    }
}

//! What a terminal shows, as a picture: text with the escape sequences of its colours in, SVG out.

use std::fmt::Write as _;

/// A piece of a line in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    text: String,
    style: Style,
}

/// How a piece looks, as far as our own programs go (ECMA-48 §8.3.117).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    color: Option<u8>,
    faint: bool,
    bold: bool,
}

/// The width of a character and the height of a line, in pixels at [`SIZE`].
const CELL: (f64, f64) = (8.43, 20.0);
const SIZE: u32 = 14;
/// Around the text, and above it, where a window has its title.
const MARGIN: f64 = 16.0;
const TITLE: f64 = 34.0;

/// A picture of a terminal of so many columns that shows `screen`. `title` says what it shows to whoever can't see it.
pub(super) fn picture(screen: &str, columns: usize, title: &str) -> String {
    let lines: Vec<_> = screen.lines().map(runs).collect();
    let width = MARGIN.mul_add(2.0, cells(columns) * CELL.0);
    let height = TITLE + cells(lines.len()).mul_add(CELL.1, MARGIN);
    let title = escaped(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" \
         rx=\"8\" fill=\"#16181d\"/>\n"
    );
    for (place, color) in [(18, "#ff5f57"), (38, "#febc2e"), (58, "#28c840")] {
        let _ = writeln!(svg, "<circle cx=\"{place}\" cy=\"17\" r=\"6\" fill=\"{color}\"/>");
    }
    let _ = writeln!(
        svg,
        "<g font-family=\"ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"{SIZE}\" \
         xml:space=\"preserve\">"
    );
    for (row, line) in lines.iter().enumerate() {
        let y = TITLE + cells(row + 1).mul_add(CELL.1, -5.0);
        let mut column = 0;
        for run in line {
            let wide = run.text.chars().count();
            if !run.text.trim().is_empty() {
                let (x, length) = (cells(column).mul_add(CELL.0, MARGIN), cells(wide) * CELL.0);
                let weight = if run.style.bold { " font-weight=\"bold\"" } else { "" };
                let (fill, text) = (run.style.fill(), escaped(&run.text));
                // Each piece where its column is, whatever font there is.
                let _ = writeln!(
                    svg,
                    "<text x=\"{x:.2}\" y=\"{y:.0}\" textLength=\"{length:.2}\" fill=\"{fill}\"{weight}>{text}</text>"
                );
            }
            column += wide;
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// What `screen` says without its colours.
pub(super) fn plain(screen: &str) -> String {
    let line =
        |line: &str| runs(line).into_iter().map(|run| run.text).collect::<String>().trim_end().to_owned();
    screen.lines().map(line).collect::<Vec<_>>().join("\n")
}

impl Style {
    /// The same after a sequence `ESC [ parameters m`.
    fn after(self, parameters: &str) -> Self {
        parameters.split(';').fold(self, |style, parameter| match parameter.parse().unwrap_or(0) {
            0 => Self::default(),
            1 => Self { bold: true, ..style },
            2 => Self { faint: true, ..style },
            22 => Self { bold: false, faint: false, ..style },
            color @ 30..=37 => Self { color: Some(color), ..style },
            39 => Self { color: None, ..style },
            _ => style,
        })
    }

    const fn fill(self) -> &'static str {
        match (self.color, self.faint) {
            (Some(31), _) => "#ff7b72",
            (Some(32), _) => "#56d364",
            (Some(33), _) => "#e3b341",
            (Some(34), _) => "#79c0ff",
            (Some(_) | None, true) => "#9ba3af",
            (Some(_) | None, false) => "#e6edf3",
        }
    }
}

/// The pieces of a line. Other sequences than those of styles show nothing.
fn runs(line: &str) -> Vec<Run> {
    let (mut runs, mut style) = (Vec::<Run>::new(), Style::default());
    let mut rest = line;
    while !rest.is_empty() {
        let text = &rest[..rest.find('\x1b').unwrap_or(rest.len())];
        match runs.last_mut().filter(|run| run.style == style) {
            Some(run) => run.text.push_str(text),
            None if text.is_empty() => {}
            None => runs.push(Run { text: text.to_owned(), style }),
        }
        rest = &rest[text.len()..];
        let Some(sequence) = rest.strip_prefix('\x1b') else { continue };
        let sequence = sequence.strip_prefix('[').unwrap_or(sequence);
        let end = sequence.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(sequence.len());
        let (parameters, after) = sequence.split_at(end);
        if after.starts_with('m') {
            style = style.after(parameters);
        }
        rest = after.get(1..).unwrap_or_default();
    }
    runs
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number of cells; no terminal has so many that it would not be exact.
fn cells(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_falls_into_pieces_of_one_style() {
        let line = "\x1b[32m✓\x1b[39m \x1b[2mfaint\x1b[0m <b>\x1b[1;31mred\x1b[m";
        let run = |text: &str, color, faint, bold| Run {
            text: text.to_owned(),
            style: Style { color, faint, bold },
        };
        assert_eq!(
            runs(line),
            [
                run("✓", Some(32), false, false),
                run(" ", None, false, false),
                run("faint", None, true, false),
                run(" <b>", None, false, false),
                run("red", Some(31), false, true),
            ]
        );
        assert_eq!(plain(line), "✓ faint <b>red");
        assert_eq!(plain("a\x1b[?25l\x1b(b  \nc"), "a\nc", "what shows nothing");
    }

    #[test]
    fn a_picture_has_each_piece_at_its_column_and_no_mark_up_of_a_strangers() {
        let svg = picture("ab\x1b[31m<script>\x1b[0m\n\n  x", 80, "\"one\" & two");
        assert!(svg.contains("x=\"16.00\" y=\"49\" textLength=\"16.86\" fill=\"#e6edf3\">ab<"), "{svg}");
        assert!(
            svg.contains("x=\"32.86\" y=\"49\" textLength=\"67.44\" fill=\"#ff7b72\">&lt;script&gt;<"),
            "{svg}"
        );
        assert!(svg.contains("y=\"89\"") && !svg.contains("y=\"69\""), "{svg}");
        assert!(svg.contains("<title>&quot;one&quot; &amp; two</title>"), "{svg}");
    }
}

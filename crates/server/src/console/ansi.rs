//! A line of a log as HTML: colours and weights as a terminal would show them, everything else that
//! could move a cursor or do worse dropped, and all text escaped.

use std::fmt::Write;
use vte::{Params, Parser, Perform};

/// Longer lines are cut for the page; the log itself has all of it.
pub(super) const SHOWN_BYTES_MAX: usize = 8 * 1024;

/// Makes a line's HTML. What a carriage return has written over is not shown, as on a terminal.
pub(super) fn html(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    let last = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    // Colours that were set before the carriage return are still on behind it.
    let before = &line[..line.len() - last.len()];
    let cut = last.floor_char_boundary(SHOWN_BYTES_MAX);
    let mut drawer = Drawer::default();
    let mut parser = Parser::new();
    if before.len() <= SHOWN_BYTES_MAX {
        drawer.mute = true;
        parser.advance(&mut drawer, before.as_bytes());
        drawer.mute = false;
    }
    parser.advance(&mut drawer, &last.as_bytes()[..cut]);
    drawer.close();
    let mut html = drawer.html;
    if cut < last.len() {
        let more = super::words::size((last.len() - cut) as u64);
        let _ = write!(html, "<i class=cut>… {more} more</i>");
    }
    html
}

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    faint: bool,
    italic: bool,
    underlined: bool,
    ink: Option<Colour>,
    paper: Option<Colour>,
}

/// A colour of the palette, which is the page's style's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Colour(u8);

impl Look {
    fn classes(self) -> String {
        let mut classes = String::new();
        let mut add = |class: &str| {
            if !classes.is_empty() {
                classes.push(' ');
            }
            classes.push_str(class);
        };
        for (is_on, class) in
            [(self.bold, "b"), (self.faint, "f"), (self.italic, "i"), (self.underlined, "u")]
        {
            if is_on {
                add(class);
            }
        }
        if let Some(Colour(number)) = self.ink {
            add(&format!("c{number}"));
        }
        if let Some(Colour(number)) = self.paper {
            add(&format!("p{number}"));
        }
        classes
    }
}

#[derive(Default)]
struct Drawer {
    html: String,
    look: Look,
    /// The look of the span that is open.
    open: Option<Look>,
    /// Looks are followed, and nothing is drawn.
    mute: bool,
}

impl Drawer {
    fn close(&mut self) {
        if self.open.take().is_some() {
            self.html.push_str("</span>");
        }
    }

    fn text(&mut self, letter: char) {
        if self.mute {
            return;
        }
        let wanted = (self.look != Look::default()).then_some(self.look);
        if wanted != self.open {
            self.close();
            if let Some(look) = wanted {
                let _ = write!(self.html, "<span class=\"{}\">", look.classes());
                self.open = Some(look);
            }
        }
        match letter {
            '<' => self.html.push_str("&lt;"),
            '>' => self.html.push_str("&gt;"),
            '&' => self.html.push_str("&amp;"),
            '"' => self.html.push_str("&quot;"),
            // What turns the direction of text could make a line say what it does not.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.html.push('\u{fffd}'),
            letter => self.html.push(letter),
        }
    }

    fn dress(&mut self, parameters: &Params) {
        let mut groups = parameters.iter();
        while let Some(group) = groups.next() {
            match group {
                [0] | [] => self.look = Look::default(),
                [1] => self.look.bold = true,
                [2] => self.look.faint = true,
                [3] => self.look.italic = true,
                [4] => self.look.underlined = true,
                [22] => (self.look.bold, self.look.faint) = (false, false),
                [23] => self.look.italic = false,
                [24] => self.look.underlined = false,
                [39] => self.look.ink = None,
                [49] => self.look.paper = None,
                [code @ 30..=37] => self.look.ink = palette(code - 30),
                [code @ 90..=97] => self.look.ink = palette(code - 90 + 8),
                [code @ 40..=47] => self.look.paper = palette(code - 40),
                [code @ 100..=107] => self.look.paper = palette(code - 100 + 8),
                [38] => self.look.ink = longer(&mut groups),
                [48] => self.look.paper = longer(&mut groups),
                [38, rest @ ..] => self.look.ink = colour(rest),
                [48, rest @ ..] => self.look.paper = colour(rest),
                _ => {}
            }
        }
    }
}

impl Perform for Drawer {
    fn print(&mut self, letter: char) {
        self.text(letter);
    }

    fn execute(&mut self, byte: u8) {
        if byte == b'\t' {
            self.text('\t');
        }
    }

    fn csi_dispatch(&mut self, parameters: &Params, between: &[u8], _: bool, action: char) {
        if action == 'm' && between.is_empty() {
            self.dress(parameters);
        }
    }
}

fn palette(number: u16) -> Option<Colour> {
    u8::try_from(number).ok().map(Colour)
}

/// A colour whose parts follow as parameters of their own: `38;5;N` or `38;2;R;G;B`.
fn longer<'p>(groups: &mut impl Iterator<Item = &'p [u16]>) -> Option<Colour> {
    let mut next = || groups.next().and_then(|group| group.first().copied());
    match next()? {
        5 => colour(&[5, next()?]),
        2 => colour(&[2, next()?, next()?, next()?]),
        _ => None,
    }
}

/// The nearest of the sixteen colours that the style has.
fn colour(parts: &[u16]) -> Option<Colour> {
    match *parts {
        [5, number @ 0..16] => palette(number),
        [5, number @ 16..232] => {
            let level = |step: u16| if step == 0 { 0 } else { 55 + step * 40 };
            let cube = number - 16;
            nearest(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        [5, number @ 232..256] => {
            let grey = 8 + (number - 232) * 10;
            nearest(grey, grey, grey)
        }
        [2, red, green, blue] | [2, _, red, green, blue] => nearest(red, green, blue),
        _ => None,
    }
}

fn nearest(red: u16, green: u16, blue: u16) -> Option<Colour> {
    let most = red.max(green).max(blue);
    let least = red.min(green).min(blue);
    if most.saturating_sub(least) < 40 {
        return palette(match most {
            0..64 => 0,
            64..160 => 8,
            160..230 => 7,
            _ => 15,
        });
    }
    let middle = least + (most - least) / 2;
    let bit = |part: u16, bit: u16| if part > middle { bit } else { 0 };
    let bright = if most > 200 && least > 80 { 8 } else { 0 };
    palette(bit(red, 1) + bit(green, 2) + bit(blue, 4) + bright)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(html(line), expected, "{line:?}");
    }

    #[test]
    fn markup_is_text() {
        check(
            "<script>alert(1)</script> & \"x\"",
            "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;",
        );
        check("\x1b[31m<b>\x1b[0m", "<span class=\"c1\">&lt;b&gt;</span>");
    }

    #[test]
    fn colours_and_weights_are_classes() {
        check("\x1b[1;32mok\x1b[0m done", "<span class=\"b c2\">ok</span> done");
        check("\x1b[91mx\x1b[39my", "<span class=\"c9\">x</span>y");
        check("\x1b[38;5;196mx", "<span class=\"c1\">x</span>");
        check("\x1b[38;2;0;0;200mx", "<span class=\"c4\">x</span>");
        check("\x1b[48:2::255:255:255mx", "<span class=\"p15\">x</span>");
    }

    #[test]
    fn what_moves_a_cursor_or_worse_is_dropped() {
        check("\x1b[2J\x1b[1;1Hx", "x");
        check("\x1b]0;title\x07x", "x");
        check("\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\", "link");
        check("\x1bPq#0\x1b\\x\x07\x08", "x");
        check("a\u{202e}b", "a\u{fffd}b");
    }

    #[test]
    fn a_carriage_return_writes_over() {
        check("10%\r50%\r100%\n", "100%");
        check("\x1b[33m10%\r20%", "<span class=\"c3\">20%</span>");
        check("all\r\n", "all");
        check("\r", "");
    }

    #[test]
    fn a_very_long_line_is_cut_and_says_so() {
        let long = "é".repeat(SHOWN_BYTES_MAX);
        let shown = html(&long);
        assert!(
            shown.ends_with("<i class=cut>… 8.0 KiB more</i>"),
            "{}",
            &shown[shown.len() - 60..]
        );
    }
}

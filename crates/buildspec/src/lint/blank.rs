//! A shell's text with what it does not look into made blank.

/// Stands for every byte of what is quoted or substituted: a part of a word that is no word.
pub(super) const FILLER: char = '\u{1}';

/// What a part of a text is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Single,
    Double,
    Ansi,
    Backtick,
    Parentheses,
    Braces,
}

/// A text made blank.
pub(super) struct Blanked {
    /// The text, byte for byte, with quoted and substituted parts filled with [`FILLER`], and with
    /// comments and here-documents blank.
    pub(super) plain: String,
    /// Where each `${` that the shell looks into begins, here-documents aside.
    pub(super) expansions: Vec<usize>,
}

/// Makes a text blank.
pub(super) fn blanked(text: &str) -> Blanked {
    let mut blanker = Blanker { out: String::with_capacity(text.len()), ..Blanker::default() };
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let taken = blanker.take(rest, char);
        rest = &rest[taken..];
    }
    Blanked { plain: blanker.out, expansions: blanker.expansions }
}

#[derive(Default)]
struct Blanker {
    out: String,
    expansions: Vec<usize>,
    inside: Vec<Inside>,
    before: Option<char>,
    /// The ends of the here-documents that begin with the next line, and whether tabs may precede.
    documents: Vec<(String, bool)>,
}

impl Blanker {
    /// Looks at what begins with `char` and says how many bytes that was.
    fn take(&mut self, rest: &str, char: char) -> usize {
        let taken = match self.inside.last() {
            Some(inside) => self.take_inside(*inside, rest, char),
            None => self.take_outside(rest, char),
        };
        self.before = rest[..taken].chars().next_back();
        taken
    }

    fn take_outside(&mut self, rest: &str, char: char) -> usize {
        let at_word =
            self.before.is_none_or(|before| before.is_whitespace() || ";&|(".contains(before));
        match char {
            '#' if at_word => return self.blank(rest, rest.find('\n').unwrap_or(rest.len()), ' '),
            '\n' if !self.documents.is_empty() => return self.skip_documents(rest),
            '<' if rest.starts_with("<<")
                && !rest.starts_with("<<<")
                && self.before != Some('<') =>
            {
                if let Some(taken) = self.begin_document(rest) {
                    return taken;
                }
            }
            _ => {}
        }
        if let Some(taken) = self.open(rest, char) {
            return taken;
        }
        match char {
            '\\' => self.escape(rest),
            '(' if matches!(self.before, Some('=' | '<' | '>')) => {
                self.inside.push(Inside::Parentheses);
                self.blank(rest, 1, FILLER)
            }
            _ => {
                self.out.push(char);
                char.len_utf8()
            }
        }
    }

    fn take_inside(&mut self, inside: Inside, rest: &str, char: char) -> usize {
        let closes = match inside {
            Inside::Single | Inside::Ansi => '\'',
            Inside::Double => '"',
            Inside::Backtick => '`',
            Inside::Parentheses => ')',
            Inside::Braces => '}',
        };
        if char == closes {
            self.inside.pop();
            return self.blank(rest, char.len_utf8(), FILLER);
        }
        match inside {
            Inside::Single => {}
            Inside::Ansi | Inside::Backtick if char == '\\' => return self.escape(rest),
            Inside::Ansi | Inside::Backtick => {}
            Inside::Double => {
                if char != '\''
                    && let Some(taken) = self.open(rest, char)
                {
                    return taken;
                }
                if char == '\\' {
                    return self.escape(rest);
                }
            }
            Inside::Parentheses | Inside::Braces => {
                if let Some(taken) = self.open(rest, char) {
                    return taken;
                }
                match char {
                    '\\' => return self.escape(rest),
                    '(' if inside == Inside::Parentheses => self.inside.push(Inside::Parentheses),
                    _ => {}
                }
            }
        }
        self.blank(rest, char.len_utf8(), FILLER)
    }

    /// Enters quotes or a substitution, if they begin here.
    fn open(&mut self, rest: &str, char: char) -> Option<usize> {
        let (inside, taken) = match char {
            '\'' => (Inside::Single, 1),
            '"' => (Inside::Double, 1),
            '`' => (Inside::Backtick, 1),
            '$' if rest.starts_with("$(") => (Inside::Parentheses, 2),
            '$' if rest.starts_with("${") => (Inside::Braces, 2),
            '$' if rest.starts_with("$'") && self.inside.is_empty() => (Inside::Ansi, 2),
            _ => return None,
        };
        if inside == Inside::Braces {
            self.expansions.push(self.out.len());
        }
        self.inside.push(inside);
        Some(self.blank(rest, taken, FILLER))
    }

    fn escape(&mut self, rest: &str) -> usize {
        let mut chars = rest.chars();
        let taken = chars.by_ref().take(2).map(char::len_utf8).sum();
        // A line that ends with a backslash goes on: there is nothing between the two.
        let filler =
            if rest[1..].starts_with('\n') && self.inside.is_empty() { ' ' } else { FILLER };
        self.blank(rest, taken, filler)
    }

    fn blank(&mut self, rest: &str, taken: usize, filler: char) -> usize {
        debug_assert!(rest.is_char_boundary(taken));
        self.out.extend(std::iter::repeat_n(filler, taken));
        taken
    }

    /// Notes the end of the here-document that a line announces.
    fn begin_document(&mut self, rest: &str) -> Option<usize> {
        let behind = rest[2..].strip_prefix('-');
        let tabs = behind.is_some();
        let word = behind.unwrap_or(&rest[2..]).trim_start_matches([' ', '\t']);
        let quote = word.chars().next().filter(|char| matches!(char, '\'' | '"'));
        let (end, length) = match quote {
            Some(quote) => {
                let end = word[1..].split(quote).next()?;
                (end, end.len() + 2)
            }
            None => {
                let end = word.split([' ', '\t', '\n', ';', '&', '|', '<', '>', ')']).next()?;
                (end, end.len())
            }
        };
        let taken = rest.len() - word.len() + length;
        if end.is_empty() || taken > rest.len() {
            return None;
        }
        self.documents.push((end.trim_start_matches('\\').to_owned(), tabs));
        Some(self.blank(rest, taken, FILLER))
    }

    /// Skips the here-documents that begin behind this line end.
    fn skip_documents(&mut self, rest: &str) -> usize {
        let mut taken = 0;
        for (end, tabs) in std::mem::take(&mut self.documents) {
            while taken < rest.len() {
                let line = rest[taken + 1..].split('\n').next().unwrap_or_default();
                taken += 1 + line.len();
                let line = line.strip_suffix('\r').unwrap_or(line);
                if end == if tabs { line.trim_start_matches('\t') } else { line } {
                    break;
                }
            }
        }
        self.blank(rest, taken, ' ')
    }
}

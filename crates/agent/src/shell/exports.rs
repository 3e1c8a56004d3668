//! Reads what a shell saves: the lines of `export -p`, in the dialects of dash, BusyBox, bash, ksh and
//! zsh, and behind them the line of `pwd`.

/// What a shell saved.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// The exported variables that have values, in the order they were printed.
    pub(super) variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether each of them is exported and nothing else, such as fixed or a number.
    pub(super) is_plain: bool,
    /// The folder; empty when the shell does not know it, and none when the text is torn.
    pub(super) folder: Option<Vec<u8>>,
    /// How many bytes of the text are about variables.
    pub(super) text_bytes: usize,
}

/// Reads what a shell saved. Lines of variables that it cannot read it leaves out, and says that they
/// are not plain.
pub(super) fn read(text: &[u8]) -> Saved {
    let mut words = Words { rest: text };
    let mut saved = Saved { is_plain: true, ..Saved::default() };
    loop {
        saved.text_bytes = text.len() - words.rest.len();
        if let Some(b'/' | b'\n') = words.rest.first() {
            saved.folder = words.rest.strip_suffix(b"\n").map(<[u8]>::to_vec);
            return saved;
        }
        let Some(line) = words.next_line() else { return saved };
        let kind = line.first().map(Vec::as_slice).unwrap_or_default();
        let options = line.iter().skip(1).filter(|word| word.starts_with(b"-"));
        let declared = line.iter().skip(1).find(|word| !word.starts_with(b"-"));
        saved.is_plain &= kind == b"export" || options.clone().all(|option| option == b"-x");
        // An array's value is not what a program would find in its environment.
        let is_array =
            options.clone().any(|option| option.contains(&b'a') || option.contains(&b'A'));
        let is_declaration = matches!(kind, b"export" | b"declare" | b"typeset");
        let Some(declared) = declared.filter(|_| is_declaration && !is_array) else { continue };
        if let Some(equals) = declared.iter().position(|byte| *byte == b'=') {
            let (name, value) = declared.split_at(equals);
            saved.variables.push((name.to_vec(), value[1..].to_vec()));
        }
    }
}

struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    /// The words of the next line, quotes resolved; a quoted line end does not end a line.
    fn next_line(&mut self) -> Option<Vec<Vec<u8>>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut line = Vec::new();
        let mut word: Option<Vec<u8>> = None;
        while let Some(byte) = self.take() {
            match byte {
                b'\n' => break,
                b' ' | b'\t' => line.extend(word.take()),
                b'\'' => self.single_quoted(word.get_or_insert_default()),
                b'"' => self.double_quoted(word.get_or_insert_default()),
                b'$' if self.rest.first() == Some(&b'\'') => {
                    self.take();
                    self.ansi_quoted(word.get_or_insert_default());
                }
                b'\\' => word.get_or_insert_default().extend(self.take()),
                byte => word.get_or_insert_default().push(byte),
            }
        }
        line.extend(word);
        Some(line)
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn single_quoted(&mut self, word: &mut Vec<u8>) {
        while let Some(byte) = self.take() {
            if byte == b'\'' {
                return;
            }
            word.push(byte);
        }
    }

    fn double_quoted(&mut self, word: &mut Vec<u8>) {
        while let Some(byte) = self.take() {
            match byte {
                b'"' => return,
                b'\\' => match self.take() {
                    Some(escaped @ (b'$' | b'`' | b'"' | b'\\')) => word.push(escaped),
                    Some(b'\n') | None => {}
                    Some(other) => word.extend([b'\\', other]),
                },
                byte => word.push(byte),
            }
        }
    }

    fn ansi_quoted(&mut self, word: &mut Vec<u8>) {
        while let Some(byte) = self.take() {
            match byte {
                b'\'' => return,
                b'\\' => self.ansi_escape(word),
                byte => word.push(byte),
            }
        }
    }

    fn ansi_escape(&mut self, word: &mut Vec<u8>) {
        let Some(escape) = self.take() else { return };
        let byte = match escape {
            b'a' => 7,
            b'b' => 8,
            b'e' | b'E' => 27,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'x' => self.number(16, 2, 0),
            digit @ b'0'..=b'7' => self.number(8, 2, digit - b'0'),
            other => other,
        };
        word.push(byte);
    }

    /// Up to `digits_max` more digits after a value that the first of them gave.
    fn number(&mut self, base: u8, digits_max: usize, first: u8) -> u8 {
        let mut value = first;
        for _ in 0..digits_max {
            let digit = self.rest.first().and_then(|byte| char::from(*byte).to_digit(base.into()));
            let Some(digit) = digit else { break };
            let digit = u8::try_from(digit).expect("a digit is below its base");
            value = value.wrapping_mul(base).wrapping_add(digit);
            self.take();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::{Saved, read};

    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = read(text.as_bytes());
        let found: Vec<_> = found
            .variables
            .iter()
            .map(|(name, value)| (str::from_utf8(name).unwrap(), str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_dialect_gives_the_same_values() {
        check(
            "export A='it'\"'\"'s'\nexport B='two\nlines'\nexport C\nexport D=''\n",
            &[("A", "it's"), ("B", "two\nlines"), ("D", "")],
        );
        check(
            "export A=\"it's\"\nexport B=\"a\\$b\\`c\\\"d\\\\e\\f\"\n",
            &[("A", "it's"), ("B", "a$b`c\"d\\e\\f")],
        );
        check(
            "declare -x A=\"two\nlines\"\ndeclare -x B\ndeclare -rx C=\"r\"\ndeclare -ax D=([0]=\"x\")\n",
            &[("A", "two\nlines"), ("C", "r")],
        );
        check(
            "declare -x A=$'tab\\there\\001\\x41'\nexport B=$'it\\'s'\nexport C=plain\\ word\n",
            &[("A", "tab\there\u{1}A"), ("B", "it's"), ("C", "plain word")],
        );
    }

    #[test]
    fn the_folder_stands_behind_the_variables() {
        let folder = |text: &str| {
            let Saved { folder, text_bytes, is_plain, .. } = read(text.as_bytes());
            (folder.map(|folder| String::from_utf8(folder).unwrap()), text_bytes, is_plain)
        };
        let of = |folder: &str, bytes| (Some(folder.to_owned()), bytes, true);
        assert_eq!(folder("export A='1\n/2'\n/usr\n"), of("/usr", 16));
        assert_eq!(folder("export A\n/a b\nc\n"), of("/a b\nc", 9));
        assert_eq!(folder("export A\n\n"), of("", 9));
        assert_eq!(folder("export A='1'\n"), (None, 13, true));
        assert_eq!(folder("export A='1'\n/us"), (None, 13, true));
        assert_eq!(folder("declare -x A=\"1\"\n/\n"), of("/", 17));
        let fixed = folder("declare -x A=\"1\"\ndeclare -rx B=\"2\"\n/\n");
        assert_eq!(fixed, (Some("/".to_owned()), 35, false));
    }

    #[test]
    fn a_torn_file_gives_what_was_whole() {
        check("export A='1'\nexport B='2", &[("A", "1"), ("B", "2")]);
        check("", &[]);
    }
}

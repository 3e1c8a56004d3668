//! A command's text as a shell would divide it: into statements, and these into simple commands.
//!
//! This is no parser: what it cannot follow it says nothing about.

use super::blank::{Blanked, blanked};
use std::ops::Range;

/// A command's text, divided.
pub(crate) struct Script<'t> {
    pub(super) text: &'t str,
    /// The text as [`blanked`] leaves it.
    pub(super) plain: String,
    /// Where each `${` begins.
    pub(super) expansions: Vec<usize>,
    /// What stands at the top level, in order.
    pub(super) statements: Vec<Statement>,
    /// Every simple command, also those inside loops and conditions, in order.
    pub(super) commands: Vec<Simple>,
}

/// What ends with `;`, `&` or a line.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) bytes: Range<usize>,
    /// Which of [`Script::commands`] are in it.
    pub(super) commands: Range<usize>,
    /// Whether it is a condition, a loop, a group or a function.
    pub(super) is_compound: bool,
    /// Whether it defines a function.
    pub(super) is_function: bool,
    /// Whether a failure in it is looked after with `||`.
    pub(super) has_or: bool,
    pub(super) end: End,
}

/// What ends a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Semicolon,
    Line,
    Background,
    Text,
}

/// The words of a program and its arguments.
#[derive(Debug, Default)]
pub(super) struct Simple {
    pub(super) words: Vec<Range<usize>>,
    /// Whether its output goes into the next one.
    pub(super) is_piped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Word,
    Semicolon,
    DoubleSemicolon,
    Line,
    And,
    Or,
    Pipe,
    Background,
    Open,
    Close,
}

/// What has been begun and not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    Condition,
    Loop,
    Case,
    Braces,
    Parentheses,
}

impl<'t> Script<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let Blanked { plain, expansions } = blanked(text);
        let (statements, commands) = Divider::new(&plain).divide();
        Self { text, plain, expansions, statements, commands }
    }

    /// The text of a range.
    pub(super) fn said(&self, bytes: &Range<usize>) -> &'t str {
        &self.text[bytes.clone()]
    }

    /// The simple commands of a statement.
    pub(super) fn commands_of(&self, statement: &Statement) -> &[Simple] {
        &self.commands[statement.commands.clone()]
    }

    /// The words of a simple command as a shell sees them, quoted parts as fillers.
    pub(super) fn words<'a>(&'a self, simple: &'a Simple) -> impl Iterator<Item = &'a str> {
        simple.words.iter().map(|word| &self.plain[word.clone()])
    }

    /// The program that a simple command runs, behind variables that are set for it and such.
    pub(super) fn program<'a>(&'a self, simple: &'a Simple) -> Option<&'a str> {
        let mut words = self.words(simple);
        words.find(|word| !is_assignment(word) && !matches!(*word, "sudo" | "time" | "exec"))
    }
}

/// Whether a word sets a variable.
pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let name = name.strip_suffix('+').unwrap_or(name);
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Goes through the tokens once.
struct Divider<'p> {
    plain: &'p str,
    statements: Vec<Statement>,
    commands: Vec<Simple>,
    simple: Simple,
    begun: Vec<Begun>,
    /// Where the statement began, and what is known of it.
    start: Option<usize>,
    first_command: usize,
    is_compound: bool,
    is_function: bool,
    has_or: bool,
    at_command: bool,
    /// Whether the words are those of `for` and `case`, which run nothing.
    is_head: bool,
    last_end: usize,
}

impl<'p> Divider<'p> {
    fn new(plain: &'p str) -> Self {
        Self {
            plain,
            statements: Vec::new(),
            commands: Vec::new(),
            simple: Simple::default(),
            begun: Vec::new(),
            start: None,
            first_command: 0,
            is_compound: false,
            is_function: false,
            has_or: false,
            at_command: true,
            is_head: false,
            last_end: 0,
        }
    }

    /// None of either when the text does not end what it begins.
    fn divide(mut self) -> (Vec<Statement>, Vec<Simple>) {
        let mut at = 0;
        while let Some((token, bytes)) = next_token(self.plain, at) {
            at = bytes.end;
            self.take(token, bytes.clone());
            if matches!(token, Token::Word | Token::Open | Token::Close) {
                self.last_end = bytes.end;
            }
        }
        self.end_command();
        self.end_statement(End::Text);
        match self.begun.is_empty() {
            true => (self.statements, self.commands),
            false => (Vec::new(), Vec::new()),
        }
    }

    fn take(&mut self, token: Token, bytes: Range<usize>) {
        match token {
            Token::Word => self.word(bytes),
            Token::Open => {
                self.start.get_or_insert(bytes.start);
                if !self.at_command && self.simple.words.len() == 1 {
                    self.is_function = true;
                    self.simple = Simple::default();
                }
                self.begun.push(Begun::Parentheses);
                self.is_compound = true;
                self.at_command = true;
            }
            Token::Close => {
                // What stands before it in `case` is a pattern.
                self.is_head = self.begun.last() == Some(&Begun::Case);
                self.end_command();
                if self.begun.last() == Some(&Begun::Parentheses) {
                    self.begun.pop();
                }
                self.at_command = true;
            }
            Token::And => self.end_command(),
            Token::Or => {
                self.end_command();
                self.has_or |= self.begun.is_empty();
            }
            Token::Pipe => {
                self.simple.is_piped = true;
                self.end_command();
            }
            Token::Semicolon => self.separate(End::Semicolon),
            Token::Line => self.separate(End::Line),
            Token::Background => self.separate(End::Background),
            Token::DoubleSemicolon => self.end_command(),
        }
    }

    fn separate(&mut self, end: End) {
        // A line may end behind `&&` and `|`, and behind the name of a function.
        let goes_on = end == End::Line && (self.is_open_function() || self.simple_is_awaited());
        self.end_command();
        if self.begun.is_empty() && !goes_on {
            self.end_statement(end);
        }
    }

    fn is_open_function(&self) -> bool {
        self.is_function && self.plain[..self.last_end].ends_with(')')
    }

    /// Whether an operator stands before, behind which a command must come.
    fn simple_is_awaited(&self) -> bool {
        self.simple.words.is_empty()
            && self.start.is_some_and(|start| self.last_end > start)
            && self.plain[self.last_end..].trim_start_matches([' ', '\t']).starts_with(['&', '|'])
    }

    fn word(&mut self, bytes: Range<usize>) {
        let word = &self.plain[bytes.clone()];
        self.start.get_or_insert(bytes.start);
        if self.is_function && word == "{" {
            self.end_command();
        }
        if !self.at_command {
            self.simple.words.push(bytes);
            return;
        }
        let begins = match word {
            "if" => Some(Begun::Condition),
            "while" | "until" | "for" | "select" => Some(Begun::Loop),
            "case" => Some(Begun::Case),
            "{" => Some(Begun::Braces),
            _ => None,
        };
        if let Some(begun) = begins {
            self.begun.push(begun);
            self.is_compound = true;
            self.is_head = matches!(word, "for" | "select" | "case");
            self.at_command = !self.is_head;
            return;
        }
        let ends = match word {
            "fi" => Some(Begun::Condition),
            "done" => Some(Begun::Loop),
            "esac" => Some(Begun::Case),
            "}" => Some(Begun::Braces),
            _ => None,
        };
        if ends.is_some() && self.begun.last().copied() == ends {
            self.begun.pop();
            return;
        }
        match word {
            "then" | "else" | "elif" | "do" | "in" => {}
            "function" => {
                self.is_function = true;
                self.is_compound = true;
                self.at_command = false;
                self.simple.words.push(bytes);
            }
            _ => {
                self.at_command = false;
                self.simple.words.push(bytes);
            }
        }
    }

    fn end_command(&mut self) {
        self.at_command = true;
        let simple = std::mem::take(&mut self.simple);
        let is_head = std::mem::take(&mut self.is_head);
        if !simple.words.is_empty() && !is_head {
            self.commands.push(simple);
        }
    }

    fn end_statement(&mut self, end: End) {
        let commands = self.first_command..self.commands.len();
        self.first_command = self.commands.len();
        if let Some(start) = self.start.take() {
            self.statements.push(Statement {
                bytes: start..self.last_end,
                commands,
                is_compound: self.is_compound,
                is_function: self.is_function,
                has_or: self.has_or,
                end,
            });
        }
        (self.is_compound, self.is_function, self.has_or) = (false, false, false);
    }
}

fn next_token(plain: &str, from: usize) -> Option<(Token, Range<usize>)> {
    let skipped = plain[from..].find(|char: char| !matches!(char, ' ' | '\t' | '\r'))?;
    let start = from + skipped;
    let rest = &plain[start..];
    let operators = [
        ("\n", Token::Line),
        (";;", Token::DoubleSemicolon),
        (";&", Token::DoubleSemicolon),
        (";", Token::Semicolon),
        ("&&", Token::And),
        ("||", Token::Or),
        ("|", Token::Pipe),
        ("(", Token::Open),
        (")", Token::Close),
    ];
    if let Some((text, token)) = operators.iter().find(|(text, _)| rest.starts_with(text)) {
        return Some((*token, start..start + text.len()));
    }
    if rest.starts_with('&') && !rest.starts_with("&>") {
        return Some((Token::Background, start..start + 1));
    }
    let mut before = '\0';
    let end = rest.find(|char: char| {
        // `>&2`, `&>file` and `2>|file` are parts of a redirection.
        let redirects = matches!(char, '&' | '|') && matches!(before, '>' | '<');
        let ends = matches!(char, ' ' | '\t' | '\r' | '\n' | ';' | '|' | '(' | ')')
            || char == '&' && before != '\0';
        before = char;
        ends && !redirects
    });
    Some((Token::Word, start..start + end.unwrap_or(rest.len())))
}

//! Output becomes log lines, each with the place in the journal where it ends.
//!
//! The place makes a restart exact: a line that the log already has is known by it, however the
//! output was cut into records.

use agent_protocol::Timestamp;

/// The most bytes of one log event. AWS: longer lines become several events.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// One line of a build's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When its end was printed.
    pub at: Timestamp,
    /// The text, with the line end it came with. Bytes that are no UTF-8 are shown as U+FFFD.
    pub text: String,
    /// The journal's offset after its last byte.
    pub position: u64,
}

/// Finds the line ends in a build's output.
#[derive(Debug)]
pub struct Lines {
    pending: Vec<u8>,
    pending_at: Timestamp,
    pending_end: u64,
    logged: u64,
}

impl Lines {
    /// A splitter for a log that has everything up to the journal's offset `logged`.
    pub fn new(logged: u64) -> Self {
        Self { pending: Vec::new(), pending_at: Timestamp::default(), pending_end: 0, logged }
    }

    /// Takes output whose first byte stands at the journal's offset `start`, and adds the lines
    /// that it completes to `out`.
    pub fn push(&mut self, at: Timestamp, start: u64, bytes: &[u8], out: &mut Vec<Line>) {
        // A clock that is set back must not put a line before those that a reader has seen: it
        // goes on behind them.
        self.pending_at = self.pending_at.max(at);
        let skip = usize::try_from(self.logged.saturating_sub(start)).unwrap_or(usize::MAX);
        let Some(mut rest) = bytes.get(skip.min(bytes.len())..).filter(|rest| !rest.is_empty())
        else {
            return;
        };
        self.pending_end = start + (bytes.len() - rest.len()) as u64;
        while !rest.is_empty() {
            let room = LINE_BYTES_MAX - self.pending.len();
            let window = &rest[..room.min(rest.len())];
            let (taken, complete) = match memchr::memchr(b'\n', window) {
                Some(end) => (end + 1, true),
                None => (window.len(), window.len() == room),
            };
            let (line, behind) = rest.split_at(taken);
            rest = behind;
            self.pending_end += taken as u64;
            if complete && self.pending.is_empty() {
                // Most lines are whole as they come.
                self.logged = self.pending_end;
                out.push(Line {
                    at: self.pending_at,
                    text: text(line),
                    position: self.pending_end,
                });
                continue;
            }
            self.pending.extend_from_slice(line);
            if complete {
                self.flush(out);
            }
        }
    }

    /// Whether a line has begun and not ended.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Gives the line that has begun as it is: nothing more was printed for a while, or ever.
    pub fn flush(&mut self, out: &mut Vec<Line>) {
        if self.pending.is_empty() {
            return;
        }
        let text = text(&self.pending);
        self.pending.clear();
        // One enormous line must not keep its memory for the rest of the build.
        self.pending.shrink_to(4_096);
        self.logged = self.pending_end;
        out.push(Line { at: self.pending_at, text, position: self.pending_end });
    }
}

fn text(bytes: &[u8]) -> String {
    // Nearly every line is text, and to find that out is quicker than to look for what is not.
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES_MAX, Line, Lines};
    use agent_protocol::Timestamp;

    const AT: Timestamp = Timestamp::from_millis(1);

    fn texts(lines: &[Line]) -> Vec<(&str, u64)> {
        lines.iter().map(|line| (line.text.as_str(), line.position)).collect()
    }

    #[test]
    fn lines_end_where_they_end_however_they_are_cut() {
        let (mut lines, mut out) = (Lines::new(0), Vec::new());
        lines.push(AT, 100, b"one\ntw", &mut out);
        lines.push(AT, 200, b"o\n\nthree", &mut out);
        assert_eq!(texts(&out), [("one\n", 104), ("two\n", 202), ("\n", 203)]);
        assert!(lines.is_pending());
        lines.flush(&mut out);
        assert_eq!(texts(&out[3..]), [("three", 208)]);
    }

    #[test]
    fn a_clock_that_is_set_back_puts_no_line_before_another() {
        let (early, late) = (Timestamp::from_millis(1), Timestamp::from_millis(9));
        for logged in [0, 104] {
            let (mut lines, mut out) = (Lines::new(logged), Vec::new());
            lines.push(late, 100, b"one\n", &mut out);
            lines.push(early, 200, b"two\n", &mut out);
            assert_eq!(out.last().map(|line| (line.text.as_str(), line.at)), Some(("two\n", late)));
        }
    }

    #[test]
    fn what_the_log_has_is_not_said_again() {
        let (mut lines, mut out) = (Lines::new(202), Vec::new());
        lines.push(AT, 100, b"one\ntw", &mut out);
        lines.push(AT, 200, b"o\nthree\n", &mut out);
        assert_eq!(texts(&out), [("three\n", 208)]);
    }

    #[test]
    fn a_line_begun_before_the_restart_is_whole_after_it() {
        let (mut lines, mut out) = (Lines::new(104), Vec::new());
        lines.push(AT, 100, b"one\ntw", &mut out);
        lines.push(AT, 200, b"o\n", &mut out);
        assert_eq!(texts(&out), [("two\n", 202)]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let (mut lines, mut out) = (Lines::new(0), Vec::new());
        lines.push(AT, 0, &vec![b'x'; LINE_BYTES_MAX * 2 + 5], &mut out);
        assert_eq!(out.len(), 2);
        assert!(out.iter().all(|line| line.text.len() == LINE_BYTES_MAX));
        assert_eq!(out[1].position, 2 * LINE_BYTES_MAX as u64);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_and_survived() {
        let (mut lines, mut out) = (Lines::new(0), Vec::new());
        lines.push(AT, 0, b"\xff\xfe ok\n", &mut out);
        assert_eq!(out[0].text, "\u{fffd}\u{fffd} ok\n");
    }
}

//! What is shown: one line for each thing said and for each change, in colour where that is wanted.

use std::{
    env, fmt,
    io::{IsTerminal as _, Write as _, stdin, stdout},
};

use time::{OffsetDateTime, UtcOffset};

/// The output, which scrolls.
#[derive(Debug)]
pub(crate) struct Screen {
    is_coloured: bool,
    /// Whether what is typed shows on this screen, too.
    echoes: bool,
    offset: UtcOffset,
}

/// The colours of names: those of the terminal that are read well on black and on white.
const COLOURS: [u8; 5] = [31, 32, 34, 35, 36];
const DIM: &str = "2";

impl Screen {
    /// Looks at where the output goes and at the time zone, which takes a program without threads.
    pub(crate) fn new() -> Self {
        let is_terminal = stdout().is_terminal();
        let refuses_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            is_coloured: is_terminal && !refuses_colour,
            echoes: is_terminal && stdin().is_terminal(),
            offset: UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC),
        }
    }

    /// Shows what somebody said.
    pub(crate) fn said(&self, user: &str, text: &str, is_private: bool) {
        let user = Printable(user);
        let colour = user.0.bytes().fold(0_usize, |sum, byte| sum * 31 % 9973 + usize::from(byte));
        let name = self.paint(&format!("1;{}", COLOURS[colour % COLOURS.len()]), user);
        let scope = if is_private { self.paint(DIM, " (private)") } else { String::new() };
        self.line(&format!("{name}{scope}: {}", Printable(text)));
    }

    /// Shows what has happened.
    pub(crate) fn status(&self, text: &str) {
        self.line(&self.paint(DIM, format_args!("* {}", Printable(text))));
    }

    /// Takes back the line that was typed, since it comes again from the server.
    pub(crate) fn erase_typed(&self) {
        if self.echoes {
            let _ = write!(stdout(), "\x1b[1A\x1b[2K\r");
        }
    }

    fn line(&self, text: &str) {
        let now = OffsetDateTime::now_utc().to_offset(self.offset);
        let time = format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second());
        // Nobody is left to tell if nobody reads this.
        let _ = writeln!(stdout(), "{} {text}", self.paint(DIM, time));
    }

    fn paint(&self, style: &str, text: impl fmt::Display) -> String {
        match self.is_coloured {
            true => format!("\x1b[{style}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}

/// A text of somebody else, which is not to steer the terminal.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;

        let is_hostile = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}');
        self.0.chars().try_for_each(|c| match c {
            '\n' | '\t' => f.write_char(' '),
            hostile if is_hostile(hostile) => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

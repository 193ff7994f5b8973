//! Questions on standard error, as CometD's load programs ask them: Enter takes what is in brackets.

use std::{
    fmt::{Debug, Display},
    io::{BufRead, Write as _, stderr, stdin},
    str::FromStr,
};

use clap::ValueEnum;

use crate::{Result, say};

/// Asks, or with `--auto` takes what the options say.
pub(crate) struct Prompt {
    /// None when nothing is asked, from the start or since the input ended.
    input: Option<Box<dyn BufRead>>,
}

impl Prompt {
    /// `auto` asks nothing.
    pub(crate) fn new(auto: bool) -> Self {
        let input: Option<Box<dyn BufRead>> =
            if auto { None } else { Some(Box::new(stdin().lock())) };
        Self { input }
    }

    /// Whether there is somebody to ask.
    pub(crate) fn is_open(&self) -> bool {
        self.input.is_some()
    }

    /// Asks for a new `value`. One that cannot be read is asked for again.
    pub(crate) fn ask<T>(&mut self, what: &str, value: &mut T) -> Result<()>
    where
        T: FromStr<Err: Display> + Display,
    {
        let shown = value.to_string();
        self.ask_for(what, &shown, value, |text| text.parse().map_err(|e: T::Err| e.to_string()))
    }

    /// Asks for one of several words.
    pub(crate) fn choose<T: ValueEnum>(&mut self, what: &str, value: &mut T) -> Result<()> {
        let word = |one: &T| one.to_possible_value().map(|word| word.get_name().to_owned());
        let words: Vec<_> = T::value_variants().iter().filter_map(word).collect();
        let what = format!("{what} ({})", words.join(" | "));
        let shown = word(value).unwrap_or_default();
        self.ask_for(&what, &shown, value, |text| T::from_str(text, true))
    }

    fn ask_for<T>(
        &mut self,
        what: &str,
        shown: &str,
        value: &mut T,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<()> {
        while let Some(input) = &mut self.input {
            let _ = write!(stderr(), "{what} [{shown}]: ");
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                say::note("");
                self.input = None;
                break;
            }
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            match read(line) {
                Ok(answer) => {
                    *value = answer;
                    break;
                }
                Err(problem) => say::note(format!("{line:?} cannot be used: {problem}")),
            }
        }
        Ok(())
    }
}

impl Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prompt").field("is_open", &self.is_open()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(text: &'static str) -> Prompt {
        Prompt { input: Some(Box::new(text.as_bytes())) }
    }

    #[test]
    fn enter_keeps_the_value_and_a_wrong_answer_is_asked_for_again() {
        let mut prompt = answers("\nmany\n7\n");
        let mut clients = 1000;
        prompt.ask("clients", &mut clients).unwrap();
        assert_eq!(clients, 1000);
        prompt.ask("clients", &mut clients).unwrap();
        assert_eq!(clients, 7);
    }

    #[test]
    fn the_end_of_the_input_keeps_all_that_is_left() {
        let mut prompt = answers("true");
        let (mut tls, mut port) = (false, 8080_u16);
        prompt.ask("use tls", &mut tls).unwrap();
        prompt.ask("port", &mut port).unwrap();
        assert_eq!((tls, port, prompt.is_open()), (true, 8080, false));
    }
}

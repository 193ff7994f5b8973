//! JSON, a line each: what is asked on standard input, what is answered and told on standard output.

use std::{fmt::Display, io::Write};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::wish::Wish;

/// One line of standard input.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    /// What the answer has, too.
    pub(crate) id: Value,
    #[serde(flatten)]
    pub(crate) wish: Wish,
}

/// Answers a request.
pub(crate) fn answer(id: &Value, result: Result<Value, impl Display>) {
    write(&match result {
        Ok(result) => json!({ "id": id, "result": result }),
        Err(error) => json!({ "id": id, "error": error.to_string() }),
    });
}

/// Tells what happened.
pub(crate) fn tell(event: &str, mut fields: Value) {
    fields["event"] = json!(event);
    write(&fields);
}

/// Writes a line at once. If nobody reads any more, the program is about to end.
fn write(line: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

//! What arrives from a network, made up by [bolero]: a few seconds of chance as ordinary tests, and
//! targets for a fuzzer.
//!
//! ```sh
//! cargo test -p tests --test fuzz
//! BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test --release -p tests --test fuzz
//! cargo install cargo-bolero && cargo bolero test -p tests decode::any_bytes_are_messages_or_an_error
//! ```
//!
//! The second runs each target for ten minutes; the third is guided by coverage, and needs what
//! cargo-bolero's own page says.
//!
//! [bolero]: https://docs.rs/bolero

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod channel_id;
mod decode;
mod websocket;

use std::time::Duration;

/// How long each target runs as an ordinary test.
const TIME: Duration = Duration::from_secs(2);

/// Runs a target on bytes for some time, or for as long as a fuzzer wants.
fn check(target: impl FnMut(&[u8]) + std::panic::RefUnwindSafe + std::panic::UnwindSafe) {
    let mut target = target;
    bolero::check!()
        .with_test_time(TIME)
        .with_iterations(usize::MAX)
        .with_max_len(512)
        .for_each(|bytes: &[u8]| target(bytes));
}

/// Makes a text in which each byte stands for a part.
fn compose(bytes: &[u8], parts: &[&str]) -> String {
    bytes.iter().map(|byte| parts[usize::from(*byte) % parts.len()]).collect()
}

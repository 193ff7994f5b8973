//! What the implementations of these contracts share. Applications do not need it.

mod listeners;
mod lock;
mod panics;

pub use listeners::{Listeners, Member, Members};
pub use lock::lock;
pub use panics::Hook;

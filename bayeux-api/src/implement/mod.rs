//! What the implementations of these contracts share. It is public only because they are in other crates:
//! applications do not need it, and it may change with any release.

pub mod ahead;
mod intake;
mod listeners;
mod lock;
mod panics;
mod sealed;
mod told;

pub use intake::{Intake, Provenance};
pub use listeners::{Listeners, Member, Members};
pub use lock::lock;
pub use panics::Hook;
pub use sealed::Sealed;
pub use told::{Audience, Hearers, Told};

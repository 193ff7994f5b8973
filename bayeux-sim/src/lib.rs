//! A seeded network of nodes, for tests of what many machines do together.
//!
//! A [`World`] has nodes, which are whatever implements [`Node`], a network between them that delays, loses,
//! cuts and breaks, and a [`Schedule`] of what happens to both. Nothing waits and nothing is random but by the
//! seed: minutes of a cloud pass in milliseconds, and the same seed is the same run to the letter.
//! [`Seeds`] plays many of them, and says which failed and how to play it again.

mod clock;
mod events;
mod network;
mod node;
mod place;
mod random;
mod schedule;
mod seeds;
mod trace;
mod truth;
mod world;

pub use clock::Clock;
pub use network::{Conditions, StreamId};
pub use node::{Context, Input, Node};
pub use place::Place;
pub use random::Random;
pub use schedule::{Death, Fault, Kinds, Schedule, Step};
pub use seeds::{Failure, Seeds};
pub use trace::Trace;
pub use truth::{Life, Truth};
pub use world::World;

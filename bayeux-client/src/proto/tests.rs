//! The machine, played by hand: what it sends, whom it answers, and when.

mod acknowledged;
mod batching;
mod life;
mod outages;
mod scene;
mod subscribing;
mod unread;

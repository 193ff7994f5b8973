//! The machine, played by hand: what it sends, whom it answers, and when.

mod acknowledged;
mod any_order;
mod batching;
mod life;
mod outages;
mod scene;
mod schedules;
mod sessions;
mod subscribing;
mod unread;

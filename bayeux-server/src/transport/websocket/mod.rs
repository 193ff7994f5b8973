//! `websocket`: one text message is one array of Bayeux messages.

mod busy;
mod close;
mod connection;
mod frame;
mod link;
mod outbox;
mod pinging;
mod reading;
mod socket;
mod upgrade;
mod working;
mod writing;

pub(crate) use upgrade::{is_upgrade, upgrade};

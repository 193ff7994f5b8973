//! Clouds of servers: their nodes, objects and services.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod discovery;
mod dns;
mod election;
mod failures;
mod forward;
mod gate;
mod late_listeners;
mod list;
mod listeners;
mod map;
mod multicast;
mod name_server;
mod nodes;
mod object;
mod observe;
mod outage;
mod primary;
mod service;
mod service_limits;
mod service_wire;
mod slow;
mod start;
mod strange_parts;
mod subscriptions;
mod told;
mod unreached;
mod values;
mod wire;

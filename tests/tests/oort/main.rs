//! Clouds of servers: their nodes, objects and services.

mod forward;
mod gate;
mod observe;
mod outage;
mod service;

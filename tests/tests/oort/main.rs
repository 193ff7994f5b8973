//! Clouds of servers: their nodes, objects and services.

mod forward;
mod observe;

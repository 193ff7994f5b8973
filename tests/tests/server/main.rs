//! What the server does, over every transport; one file for each behaviour.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod aborted;
mod acknowledgement;
mod advice;
mod authorizer;
mod batch;
mod broadcast_to_publisher;
mod browsers;
mod channel;
mod charset;
mod configuration;
mod connect;
mod context;
mod cookies;
mod delivery;
mod disconnect;
mod dump;
mod expiry;
mod extension;
mod failing;
mod filter;
mod handles;
mod handshake;
mod http;
mod lazy;
mod limits;
mod listener;
mod local_session;
mod malformed;
mod mapping;
mod mount;
mod order;
mod overflow;
mod policy;
mod publish;
mod queue;
mod regression;
mod service;
mod shutdown;
mod slow;
mod statistics;
mod subscribe;
mod sweep;
mod trust;
mod websocket;

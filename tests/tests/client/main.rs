//! `BayeuxClient` against our server, over every transport that it has.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod acknowledgement;
mod basics;
mod batch;
mod browsers;
mod channel;
mod concurrency;
mod disconnect;
mod ext;
mod extension;
mod handshake;
mod listener;
mod negotiation;
mod network;
mod outage;
mod publish;
mod readable;
mod remote_call;
mod replay;
mod runtime;
mod scene;
mod session_lost;
mod subscribe;

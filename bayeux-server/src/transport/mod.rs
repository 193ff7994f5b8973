//! Transports: between bytes and messages. Nothing here knows a rule of Bayeux.

mod body;
mod cookies;
mod cors;
mod forwarded;
mod http;
mod json;
mod jsonp;
mod line;
mod memory;
mod parcel;
mod patience;
mod proxy_protocol;
mod request;
mod serve;
mod status;
mod websocket;

pub use body::{Body, ResponseNotTaken};
pub use http::BayeuxService;
pub use memory::{InProcess, InProcessError};
pub use request::Peer;
pub use serve::{ServeConfig, serve};

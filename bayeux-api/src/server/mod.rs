//! The contracts of a server.

mod authorizer;
mod backplane;
mod channel;
mod context;
mod extension;
mod listener;
mod local_session;
mod message;
mod reach;
mod security_policy;
#[expect(clippy::module_inception, reason = "the file is named for `BayeuxServer`")]
mod server;
mod session;
mod statistics;

pub use authorizer::{Authorization, Authorizer, GrantAuthorizer, Operation};
pub use backplane::{Backplane, Inlet, Passage, Unavailable};
pub use channel::{PublishError, Published, ServerChannel};
pub use context::{BayeuxContext, Principal};
pub use extension::{ServerExtension, SessionExtension};
pub use listener::{
    ChannelListener, DeQueueListener, ServerChannelListener, ServerSessionListener,
    SessionListener, SubscriptionListener,
};
pub use local_session::LocalSession;
pub use message::ServerMessage;
pub use reach::{Access, Reach};
pub use security_policy::SecurityPolicy;
pub use server::{BayeuxServer, Created, Detail};
pub use session::{
    ConnectionLimits, Depth, Overflow, QueueBounds, Removal, ServerSession, SessionKind,
};
pub use statistics::Statistics;

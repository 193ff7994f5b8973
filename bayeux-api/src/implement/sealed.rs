//! What keeps a contract to the crates of this project.

/// Is implemented by the types that stand behind the contracts of a server, a session and a channel, and
/// by no other: a method may be added to those without breaking anybody. Without it, they cannot be
/// implemented:
///
/// ```compile_fail
/// # use bayeux_api::{Attribute, ChannelId, Message, Registration, client::*};
/// # use std::sync::Arc;
/// #[derive(Debug)]
/// struct Mine;
///
/// #[async_trait::async_trait]
/// impl ClientSessionChannel for Mine {
///     fn id(&self) -> &ChannelId { todo!() }
///     fn add_listener(&self, _: Arc<dyn MessageListener>) -> Registration { todo!() }
///     async fn subscribe(&self, _: Arc<dyn MessageListener>) -> Result<Registration, RequestError> { todo!() }
///     async fn unsubscribe(&self) -> Result<(), RequestError> { todo!() }
///     async fn publish(&self, _: Message) -> Result<Message, RequestError> { todo!() }
///     fn release(&self) -> Result<(), ReleasedError> { todo!() }
///     fn attribute(&self, _: &str) -> Option<Attribute> { todo!() }
///     fn set_attribute(&self, _: &str, _: Attribute) -> Option<Attribute> { todo!() }
/// }
/// ```
///
/// That nothing else is missing there:
///
/// ```
/// # use bayeux_api::{Attribute, ChannelId, Message, Registration, client::*};
/// # use std::sync::Arc;
/// #[derive(Debug)]
/// struct Mine;
///
/// impl bayeux_api::implement::Sealed for Mine {}
///
/// #[async_trait::async_trait]
/// impl ClientSessionChannel for Mine {
///     fn id(&self) -> &ChannelId { todo!() }
///     fn add_listener(&self, _: Arc<dyn MessageListener>) -> Registration { todo!() }
///     async fn subscribe(&self, _: Arc<dyn MessageListener>) -> Result<Registration, RequestError> { todo!() }
///     async fn unsubscribe(&self) -> Result<(), RequestError> { todo!() }
///     async fn publish(&self, _: Message) -> Result<Message, RequestError> { todo!() }
///     fn release(&self) -> Result<(), ReleasedError> { todo!() }
///     fn attribute(&self, _: &str) -> Option<Attribute> { todo!() }
///     fn set_attribute(&self, _: &str, _: Attribute) -> Option<Attribute> { todo!() }
/// }
/// ```
pub trait Sealed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{ClientSession, ClientSessionChannel},
        server::{BayeuxServer, LocalSession, ServerChannel, ServerSession},
    };

    /// Compiles only if it is so.
    #[test]
    fn the_contracts_that_only_this_project_implements_are_sealed() {
        fn is_sealed<T: Sealed + ?Sized>() {}
        is_sealed::<dyn BayeuxServer>();
        is_sealed::<dyn ServerSession>();
        is_sealed::<dyn ServerChannel>();
        is_sealed::<dyn LocalSession>();
        is_sealed::<dyn ClientSession>();
        is_sealed::<dyn ClientSessionChannel>();
    }
}

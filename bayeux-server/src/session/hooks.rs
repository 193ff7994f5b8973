//! What an application added to a session that sees its messages.

use bayeux_api::{
    implement::Listeners,
    server::{DeQueueListener, ServerSessionListener, SessionExtension},
};

/// What an application added that sees the session's messages; most sessions have none.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) extensions: Listeners<dyn SessionExtension>,
    pub(crate) listeners: Listeners<dyn ServerSessionListener>,
    pub(crate) de_queue_listeners: Listeners<dyn DeQueueListener>,
}

//! What an application added to a session.

use std::sync::Mutex;

use bayeux_api::{
    Attributes,
    implement::Listeners,
    server::{ServerSessionListener, SessionExtension},
};

/// What an application added; most sessions have none.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) extensions: Listeners<dyn SessionExtension>,
    pub(crate) listeners: Listeners<dyn ServerSessionListener>,
    pub(super) attributes: Mutex<Attributes>,
}

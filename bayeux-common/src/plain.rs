//! Whether a reply says more than that its request succeeded.

use crate::Message;

impl Message {
    /// Returns whether this is a reply that is successful and says nothing else but which request it is
    /// of. Here, where each new field has to be thought of.
    #[doc(hidden)]
    pub fn is_plain_success(&self) -> bool {
        let Self {
            channel: Some(_),
            id: _,
            client_id: None,
            data: None,
            ext: None,
            advice: None,
            version: None,
            minimum_version: None,
            supported_connection_types: None,
            connection_type: None,
            subscription: None,
            successful: Some(true),
            error: None,
            timestamp: None,
            x_messages: None,
            extra,
            lazy: false,
        } = self
        else {
            return false;
        };
        extra.is_empty()
    }
}

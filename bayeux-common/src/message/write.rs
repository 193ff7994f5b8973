//! A message as JSON text.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::Message;

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        macro_rules! entries {
            ($($name:literal: $field:ident,)*) => {
                $(if let Some(value) = &self.$field {
                    map.serialize_entry($name, value)?;
                })*
            };
        }
        entries! {
            "channel": channel,
            "id": id,
            "clientId": client_id,
            "successful": successful,
            "error": error,
            "version": version,
            "minimumVersion": minimum_version,
            "supportedConnectionTypes": supported_connection_types,
            "connectionType": connection_type,
            "subscription": subscription,
            "advice": advice,
            "timestamp": timestamp,
            "x-messages": x_messages,
            "ext": ext,
            "data": data,
        }
        for (name, json) in &self.extra {
            map.serialize_entry(name, json)?;
        }
        map.end()
    }
}

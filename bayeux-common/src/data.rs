//! A message that is made of what it carries.

use crate::{Json, Message};

/// What can be published is data, or a whole message: this is one that carries the data, and has no channel
/// yet.
impl<D: Into<Json>> From<D> for Message {
    fn from(data: D) -> Self {
        let data = Some(data.into());
        Self { data, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(of: impl Into<Message>) -> Message {
        of.into()
    }

    #[test]
    fn data_and_whole_messages_are_both_messages() {
        let whole = Message::with_data("/a", json!({ "b": 1 }));
        assert_eq!(message(whole.clone()), whole);
        let mut alone = whole;
        alone.channel = None;
        assert_eq!(message(json!({ "b": 1 })), alone);
        assert_eq!(message("b").data, Some(Json::from("b")));
    }
}

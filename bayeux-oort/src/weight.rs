//! How much memory a message takes while it waits.

use bayeux_api::{Json, Message};

/// Returns about how many bytes the fields of `message` take that a peer may make large.
pub(crate) fn weight(message: &Message) -> usize {
    let of = |json: &Json| json.text().len();
    let extra = message.extra.iter().map(|(name, json)| name.len() + of(json)).sum::<usize>();
    size_of::<Message>()
        + message.data.as_ref().map_or(0, of)
        + message.ext.as_ref().map_or(0, of)
        + extra
}

/// Of what a queue of so many KiB has, the part that a message takes: no more than all of it.
pub(crate) fn share(message: &Message, room: u32) -> u32 {
    u32::try_from(weight(message) / 1024 + 1).unwrap_or(room).min(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_peer_makes_large_counts() {
        let large = Json::new(&"x".repeat(100_000)).unwrap();
        let mut message = Message::with_data("/a", 1);
        assert_eq!(share(&message, 100), 1);
        message.extra.push(("more".to_owned(), large.clone()));
        assert!((97..=99).contains(&share(&message, 1000)));
        message.ext = Some(large);
        assert!(share(&message, 1000) > 190);
        assert_eq!(share(&message, 100), 100, "one may be larger than the queue");
    }
}

//! How much memory a message needs, so that what waits is bounded in bytes whatever field they are in.

use bayeux_api::Message;

/// Returns the bytes of what the application has put into a message: `data`, `ext` and unknown fields.
pub(crate) fn payload(message: &Message) -> usize {
    let json = message.data.iter().chain(&message.ext).map(|json| json.text().len());
    let extra = message.extra.iter();
    json.chain(extra.map(|(name, json)| name.len() + json.text().len())).sum()
}

/// Returns about how many bytes of memory a message needs.
pub(crate) fn weight(message: &Message) -> usize {
    let texts = [
        &message.channel,
        &message.id,
        &message.client_id,
        &message.version,
        &message.minimum_version,
        &message.connection_type,
        &message.error,
        &message.timestamp,
    ];
    let texts = texts.into_iter().flatten().map(String::len);
    let hosts = message.advice.as_ref().and_then(|advice| advice.hosts.as_deref());
    let lists = [
        message.supported_connection_types.as_deref(),
        message.subscription.as_ref().map(bayeux_api::Subscription::channels),
        hosts,
    ];
    let lists = lists.into_iter().flatten().flatten().map(|text| size_of::<String>() + text.len());
    let fields = message.extra.len() * size_of::<(String, bayeux_api::Json)>();
    size_of::<Message>() + payload(message) + fields + texts.chain(lists).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use bayeux_api::Subscription;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_counts() {
        let long = "x".repeat(1000);
        let changes: [fn(&mut Message, String); 8] = [
            |message, long| message.data = Some(json!(long).into()),
            |message, long| drop(message.ext_mut().insert("a".to_owned(), json!(long))),
            |message, long| message.set_extra(long, json!(1)),
            |message, long| message.set_extra("a", json!(long)),
            |message, long| message.error = Some(long),
            |message, long| message.id = Some(long),
            |message, long| message.subscription = Some(Subscription::Many(vec![long])),
            |message, long| message.advice_mut().hosts = Some(vec![long]),
        ];
        let empty = weight(&Message::default());
        for (index, change) in changes.into_iter().enumerate() {
            let mut message = Message::default();
            change(&mut message, long.clone());
            assert!(weight(&message) >= empty + 1000, "the change {index}");
        }
    }
}

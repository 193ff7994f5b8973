//! Data filters: what is done to the `data` of messages before anybody gets them.
//!
//! CometD's `org.cometd.server.filter`. A [`DataFilters`] is a listener of a channel, or of all below
//! a wild one:
//!
//! ```
//! # use std::sync::Arc;
//! use bayeux_server::{Server, filter::{DataFilters, NoMarkup}};
//!
//! let server = Server::new();
//! let chats = server.create_channel_if_absent("/chat/**")?.channel();
//! chats.add_listener(Arc::new(DataFilters::new([Arc::new(NoMarkup) as _]))).keep();
//! # Ok::<(), bayeux_server::api::ChannelIdError>(())
//! ```

mod markup;
mod regex;
mod scripts;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_api::{
    Flow,
    implement::Hook,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};
use serde_json::Value;

pub use self::{
    markup::NoMarkup,
    regex::{RegexFilter, Replacement},
    scripts::NoScripts,
};

/// Changes the data of a message.
#[doc(alias = "JSONDataFilter")]
pub trait DataFilter: Send + Sync + fmt::Debug {
    /// Returns what stands in place of a text, or none to discard the message, which a panic does too.
    fn filter_text(&self, text: String) -> Option<String>;
}

/// A listener that applies filters, one after the other, to every text in the data of a message, at
/// whatever depth; names of fields stay as they are. A message that a filter discards goes no
/// further, nor does one without data, nor what is too deep to be looked at
/// ([`Json::is_cut`](bayeux_api::Json::is_cut)).
#[derive(Debug)]
#[doc(alias = "DataFilterMessageListener")]
pub struct DataFilters(Vec<Arc<dyn DataFilter>>);

impl DataFilters {
    /// Makes a listener of `filters`.
    pub fn new(filters: impl IntoIterator<Item = Arc<dyn DataFilter>>) -> Self {
        Self(filters.into_iter().collect())
    }

    /// Filters in order, and without calling itself for each level.
    fn filter(&self, mut value: Value) -> Option<Value> {
        let mut left = vec![&mut value];
        while let Some(next) = left.pop() {
            match next {
                Value::String(text) => {
                    let before = std::mem::take(text);
                    *text = self.0.iter().try_fold(before, |text, it| it.filter_text(text))?;
                }
                Value::Array(items) => left.extend(items.iter_mut().rev()),
                Value::Object(fields) => left.extend(fields.values_mut().rev()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        Some(value)
    }
}

#[async_trait]
impl ServerChannelListener for DataFilters {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let Some(data) = &message.data else { return Flow::Stop };
        let before = data.value();
        let hook = Hook("DataFilter::filter_text", channel.id().as_str());
        let filtered = hook.ask(|| self.filter(before.clone())).flatten();
        let Some(after) = filtered.filter(|value| !value.is_null()) else {
            return Flow::Stop;
        };
        // What no filter has seen goes no further either.
        if after != before || data.is_cut() {
            message.data = Some(after.into());
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_filtered_at_every_depth_and_nothing_else() {
        let filters = DataFilters::new([Arc::new(NoMarkup) as _]);
        let data = json!({ "<a>": ["<b>", 1, { "c": "<d>" }], "e": null });
        let expected = json!({ "<a>": ["&lt;b&gt;", 1, { "c": "&lt;d&gt;" }], "e": null });
        assert_eq!(filters.filter(data), Some(expected));
    }

    #[test]
    fn one_discarded_text_discards_the_message() {
        let dang = RegexFilter::new([("dang", Replacement::Discard)]).unwrap();
        let filters = DataFilters::new([Arc::new(dang) as _]);
        assert_eq!(filters.filter(json!(["ok", "dang"])), None);
        assert_eq!(filters.filter(json!(["dangling"])), Some(json!(["dangling"])));
    }
}

//! Templates: channel names with parameters, such as `/chat/{room}`.

use crate::channel_id::{ChannelId, Kind};

impl ChannelId {
    /// Returns whether a segment is a parameter such as `{room}`.
    pub fn is_template(&self) -> bool {
        self.kind == Kind::Template
    }

    /// Returns the names of the parameters, in order.
    pub fn parameters(&self) -> Vec<&str> {
        self.segments().filter_map(parameter).collect()
    }

    /// Binds the parameters of this template to the segments of `target`: their names and values
    /// in order, or none when `target` does not fit.
    ///
    /// ```
    /// use bayeux_common::ChannelId;
    ///
    /// let template = ChannelId::new("/chat/{room}")?;
    /// let lobby = ChannelId::new("/chat/lobby")?;
    /// assert_eq!(template.bind(&lobby), Some(vec![("room", "lobby")]));
    /// # Ok::<(), bayeux_common::ChannelIdError>(())
    /// ```
    pub fn bind<'a>(&'a self, target: &'a Self) -> Option<Vec<(&'a str, &'a str)>> {
        if !self.is_template() || target.is_wild() || self.depth() != target.depth() {
            return None;
        }
        let mut bound = Vec::new();
        for (own, theirs) in self.segments().zip(target.segments()) {
            match parameter(own) {
                Some(name) => bound.push((name, theirs)),
                None if own == theirs => {}
                None => return None,
            }
        }
        Some(bound)
    }
}

/// Returns the name of the parameter that a segment is, if it is one.
pub(super) fn parameter(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_word.then_some(name)
}

//! The wild channels that match a channel.

use crate::channel_id::{ChannelId, Kind};

/// The wild channels that match a channel, most specific first; made by [`ChannelId::wilds`].
///
/// ```
/// use bayeux_common::ChannelId;
///
/// let room = ChannelId::new("/chat/room")?;
/// let mut wilds = room.wilds();
/// assert_eq!(wilds.next_id(), Some("/chat/*"));
/// assert_eq!(wilds.next_id(), Some("/chat/**"));
/// assert_eq!(wilds.next_id(), Some("/**"));
/// assert_eq!(wilds.next_id(), None);
/// # Ok::<(), bayeux_common::ChannelIdError>(())
/// ```
#[derive(Debug)]
pub struct Wilds<'a> {
    /// What stands before the wild segment that is next.
    prefix: &'a str,
    next: Next,
    /// How long a prefix is that has no parameter, which nothing wild is below.
    regular: usize,
    /// Begins with the prefix, once it has been needed.
    name: String,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Shallow,
    Deep,
    /// The deep one of one level up.
    Above,
}

impl<'a> Wilds<'a> {
    pub(super) fn of(id: &'a ChannelId) -> Self {
        let next = match id.kind {
            Kind::Literal | Kind::Template => Next::Shallow,
            Kind::ShallowWild => Next::Deep,
            Kind::DeepWild => Next::Above,
        };
        let regular = match id.is_template() {
            true => id.regular_part().map_or(0, str::len),
            false => id.name.len(),
        };
        Self { prefix: id.prefix(), next, regular, name: String::new() }
    }

    /// Returns the next, which is overwritten by the one after it; none when there are no more.
    pub fn next_id(&mut self) -> Option<&str> {
        loop {
            let wild = match self.next {
                Next::Shallow => {
                    self.next = Next::Deep;
                    "/*"
                }
                Next::Deep => {
                    self.next = Next::Above;
                    "/**"
                }
                Next::Above => {
                    (self.prefix, _) = self.prefix.rsplit_once('/')?;
                    self.next = Next::Deep;
                    continue;
                }
            };
            if self.prefix.len() <= self.regular {
                return Some(self.name(wild));
            }
        }
    }

    fn name(&mut self, wild: &str) -> &str {
        if self.name.is_empty() {
            self.name.reserve_exact(self.prefix.len() + "/**".len());
            self.name.push_str(self.prefix);
        }
        self.name.truncate(self.prefix.len());
        self.name.push_str(wild);
        &self.name
    }
}

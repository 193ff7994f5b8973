//! Channel names: which are valid, what they match and what matches them.
//!
//! Bayeux 1.0, section 2.2, with CometD's templates (`/chat/{room}`).

mod template;
#[cfg(test)]
mod tests;
mod wild;

use std::{fmt, hash, str::FromStr, sync::Arc};

pub use wild::Wilds;

use template::parameter;

/// A valid channel name, cheap to clone.
///
/// ```
/// use bayeux_common::ChannelId;
///
/// let rooms = ChannelId::new("/chat/*")?;
/// let room = ChannelId::new("/chat/room")?;
/// assert!(rooms.matches(&room));
/// assert_eq!(room.wild_ids(), ["/chat/*", "/chat/**", "/**"]);
/// # Ok::<(), bayeux_common::ChannelIdError>(())
/// ```
#[derive(Clone)]
pub struct ChannelId {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Literal,
    Template,
    ShallowWild,
    DeepWild,
}

/// Why a text is not a channel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelIdError {
    /// It does not begin with `/`, or has nothing behind it.
    #[error("a channel is a / and at least one character")]
    NoName,
    /// It has a character that channel names do not have.
    #[error("a channel has only ASCII letters, digits and !#$()*+-./@_{{}}~ and spaces")]
    Character,
    /// It has a segment without a name, as in `/a//b`.
    #[error("a channel has no empty segments")]
    EmptySegment,
    /// It has a wild segment that is not the last, or a wild one beside a template.
    #[error("* and ** are allowed as the last segment only, and not in a template")]
    Wild,
    /// It is longer than 1,024 characters.
    #[error("a channel has at most 1,024 characters")]
    TooLong,
}

impl ChannelId {
    /// The longest name accepted, in bytes, and by that 512 segments at most. CometD has no limit; a channel
    /// has as many wild ids as segments, which would be a cheap way to make a server work.
    pub const MAX_LENGTH: usize = 1024;

    /// Reads a channel name. White space and one `/` at its end are dropped.
    ///
    /// # Errors
    ///
    /// When `name` is not a channel name.
    pub fn new(name: &str) -> Result<Self, ChannelIdError> {
        if name.len() > Self::MAX_LENGTH {
            return Err(ChannelIdError::TooLong);
        }
        if !name.starts_with('/') {
            return Err(ChannelIdError::NoName);
        }
        if !name.bytes().all(is_channel_byte) {
            return Err(ChannelIdError::Character);
        }
        let name = name.trim_end();
        let name = name.strip_suffix('/').unwrap_or(name).trim_end();
        if name.len() < 2 {
            return Err(ChannelIdError::NoName);
        }
        Ok(Self { name: name.into(), kind: kind(name)? })
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Returns the name as the shared text it is kept in.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns whether this is a `/meta/...` channel.
    pub fn is_meta(&self) -> bool {
        self.name.starts_with("/meta/")
    }

    /// Returns whether this is a `/service/...` channel.
    pub fn is_service(&self) -> bool {
        self.name.starts_with("/service/")
    }

    /// Returns whether this is neither a meta nor a service channel.
    pub fn is_broadcast(&self) -> bool {
        !self.is_meta() && !self.is_service()
    }

    /// Returns whether the last segment is `*` or `**`.
    pub fn is_wild(&self) -> bool {
        self.is_shallow_wild() || self.is_deep_wild()
    }

    /// Returns whether the last segment is `*`.
    pub fn is_shallow_wild(&self) -> bool {
        self.kind == Kind::ShallowWild
    }

    /// Returns whether the last segment is `**`.
    pub fn is_deep_wild(&self) -> bool {
        self.kind == Kind::DeepWild
    }

    /// Returns the segments, in order.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.name[1..].split('/')
    }

    /// Returns the number of segments.
    pub fn depth(&self) -> usize {
        self.segments().count()
    }

    /// Returns segment `index`, counted from 0.
    pub fn segment(&self, index: usize) -> Option<&str> {
        self.segments().nth(index)
    }

    /// Returns the channel one level up; none for a channel of one segment.
    pub fn parent(&self) -> Option<&str> {
        let (parent, _) = self.name.rsplit_once('/')?;
        (!parent.is_empty()).then_some(parent)
    }

    /// Returns the wild channels that match this one, most specific first.
    pub fn wild_ids(&self) -> Vec<String> {
        let (mut wilds, mut ids) = (self.wilds(), Vec::new());
        while let Some(id) = wilds.next_id() {
            ids.push(id.to_owned());
        }
        ids
    }

    /// Returns the wild channels that match this one, most specific first, one at a time in one text: there
    /// may be 513 of them.
    pub fn wilds(&self) -> Wilds<'_> {
        Wilds::of(self)
    }

    /// Returns whether a message on `other` reaches the subscribers of this channel.
    pub fn matches(&self, other: &Self) -> bool {
        match self.kind {
            _ if other.is_wild() => self == other,
            Kind::Literal => self == other,
            Kind::Template => self.bind(other).is_some(),
            Kind::ShallowWild => self.prefix() == other.prefix(),
            Kind::DeepWild => {
                let prefix = self.prefix();
                other.name.starts_with(prefix) && other.name[prefix.len()..].starts_with('/')
            }
        }
    }

    /// Returns what stands before the first wild or parameter segment, if anything does.
    pub fn regular_part(&self) -> Option<&str> {
        let mut end = 0;
        for segment in self.segments() {
            if segment == "*" || segment == "**" || parameter(segment).is_some() {
                break;
            }
            end += 1 + segment.len();
        }
        (end > 0).then(|| &self.name[..end])
    }

    /// Returns whether `other` is one level below this channel.
    pub fn is_parent_of(&self, other: &Self) -> bool {
        other.parent() == Some(self.as_str())
    }

    /// Returns whether `other` is below this channel.
    pub fn is_ancestor_of(&self, other: &Self) -> bool {
        other.name.len() > self.name.len()
            && other.name.starts_with(&*self.name)
            && other.name[self.name.len()..].starts_with('/')
    }

    /// What stands before the last segment: empty for a channel of one segment.
    fn prefix(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(prefix, _)| prefix)
    }
}

/// Checks the segments of a name whose characters are known to be right.
fn kind(name: &str) -> Result<Kind, ChannelIdError> {
    let mut kind = Kind::Literal;
    for segment in name[1..].split('/') {
        if matches!(kind, Kind::ShallowWild | Kind::DeepWild) {
            return Err(ChannelIdError::Wild);
        }
        match segment {
            "*" | "**" if kind == Kind::Template => return Err(ChannelIdError::Wild),
            "*" => kind = Kind::ShallowWild,
            "**" => kind = Kind::DeepWild,
            _ if segment.trim().is_empty() => return Err(ChannelIdError::EmptySegment),
            _ if parameter(segment).is_some() => kind = Kind::Template,
            _ => {}
        }
    }
    Ok(kind)
}

fn is_channel_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" !#$()*+-./@_{}~".contains(&byte)
}

impl PartialEq for ChannelId {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ChannelId {}

impl hash::Hash for ChannelId {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl AsRef<str> for ChannelId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for ChannelId {
    type Err = ChannelIdError;

    fn from_str(name: &str) -> Result<Self, ChannelIdError> {
        Self::new(name)
    }
}

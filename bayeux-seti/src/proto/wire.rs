//! What nodes send each other about users, CometD's.
//!
//! Two more fields are for ours, and CometD's nodes take no notice of them. A part of a list says of which range it is
//! all users: who has gone of that is told apart from who comes in another part, where a node of CometD's forgets all
//! by the first part if that is to replace what it knows, and gets them back by the others. A check says what all users
//! come to, and is sent to ours alone.

use bayeux_api::{ChannelId, Json};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::proto::{
    announcements::Change,
    digest::Digest,
    misfits::Misfits,
    presence::{Part, Range},
    users::UserId,
};

/// What a node sent.
#[derive(Debug)]
pub(crate) enum Received {
    Presence(Said),
    Message(UserMessage),
}

/// What it says of its users.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// In order, each once.
    pub(crate) users: Vec<UserId>,
    /// Who more there were, whose ids are too long, or no texts here.
    pub(crate) misfits: Misfits,
    pub(crate) change: Change,
    /// Whether these are all.
    pub(crate) replaces: bool,
    /// Whether it wants to know this node's.
    pub(crate) asks: bool,
    /// What its users come to, if it is one of ours.
    pub(crate) digest: Option<Digest>,
    /// Of which users it is a list, if it is one of ours.
    pub(crate) range: Option<Range>,
}

impl Said {
    /// Whether it says nothing but what its users come to.
    pub(crate) fn is_check(&self) -> bool {
        let is_list = self.replaces || self.range.is_some();
        self.digest.is_some() && !is_list && self.users.is_empty()
    }
}

/// What is to be delivered to the sessions of a user.
#[derive(Debug)]
pub(crate) struct UserMessage {
    pub(crate) user: UserId,
    pub(crate) channel: ChannelId,
    pub(crate) data: Json,
}

/// Why what a node sent is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is no object")]
    NoObject,
    #[error("its field {0} is missing, or not what it should be")]
    Field(&'static str),
    #[error("it is about another node's users")]
    Url,
    #[error("a user's id is longer than allowed")]
    LongId,
    #[error("it is for a channel on which no node may send to users")]
    Channel,
}

/// Reads what the node with `url` sent, in which no user's id is longer than so many bytes.
pub(crate) fn read(text: &str, url: &str, longest: usize) -> Result<Received, Refused> {
    if !text.trim_start().starts_with('{') {
        return Err(Refused::NoObject);
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|_| Refused::NoObject)?;
    match fields.presence {
        Some(_) => fields.said(url, longest).map(Received::Presence),
        None => fields.message(longest).map(Received::Message),
    }
}

/// Returns whether a message to a user may be on this channel: neither on one that is not one, nor on one that
/// speaks of sessions or between nodes.
pub(crate) fn is_for_users(channel: &ChannelId) -> bool {
    let name = channel.as_str();
    let is_of = |root: &str| {
        name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_for_nodes = ["/meta", "/oort", "/seti", "/service/oort"].into_iter().any(is_of);
    !channel.is_wild() && !channel.is_template() && !is_for_nodes
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "userIds")]
    user_ids: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oortURL")]
    oort_url: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is")]
    presence: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is")]
    replace: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is")]
    alive: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is")]
    digest: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is")]
    range: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "userId")]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is")]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is")]
    data: Option<&'a RawValue>,
}

/// Takes a field as it is; that it is `null` is not that it is missing.
fn as_it_is<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Fields<'_> {
    fn said(&self, url: &str, longest: usize) -> Result<Said, Refused> {
        if value::<String>(self.oort_url, "oortURL")? != url {
            return Err(Refused::Url);
        }
        let change = match value(self.presence, "presence")? {
            true => Change::Added,
            false => Change::Removed,
        };
        let (ids, mut misfits) = ids(self.user_ids)?;
        let mut users = Vec::with_capacity(ids.len());
        for id in ids {
            match id.len() <= longest {
                true => users.push(UserId::from(id)),
                false => misfits.add(&id),
            }
        }
        users.sort_unstable();
        users.dedup();
        Ok(Said {
            users,
            misfits,
            change,
            replaces: or_false(self.replace, "replace")?,
            asks: or_false(self.alive, "alive")?,
            digest: self.digest.map(digest).transpose()?,
            range: self.range.map(range).transpose()?,
        })
    }

    fn message(&self, longest: usize) -> Result<UserMessage, Refused> {
        let user: String = value(self.user_id, "userId")?;
        if user.len() > longest {
            return Err(Refused::LongId);
        }
        let channel: String = value(self.channel, "channel")?;
        let channel = ChannelId::new(&channel).map_err(|_| Refused::Field("channel"))?;
        if !is_for_users(&channel) {
            return Err(Refused::Channel);
        }
        let data = match self.data {
            Some(data) => Json::new(data).map_err(|_| Refused::Field("data"))?,
            None => serde_json::Value::Null.into(),
        };
        Ok(UserMessage { user: user.into(), channel, data })
    }
}

fn value<T: DeserializeOwned>(raw: Option<&RawValue>, name: &'static str) -> Result<T, Refused> {
    let raw = raw.ok_or(Refused::Field(name))?;
    serde_json::from_str(raw.get()).map_err(|_| Refused::Field(name))
}

/// Reads ids, and counts what are none here: one with half a surrogate pair, which is a text in Java, keeps no other
/// away.
fn ids(raw: Option<&RawValue>) -> Result<(Vec<String>, Misfits), Refused> {
    let mut misfits = Misfits::default();
    if let Ok(ids) = value::<Vec<String>>(raw, "userIds") {
        return Ok((ids, misfits));
    }
    let refused = Refused::Field("userIds");
    let all: Vec<&RawValue> =
        serde_json::from_str(raw.ok_or(refused)?.get()).map_err(|_| refused)?;
    if !all.iter().all(|one| one.get().starts_with('"')) {
        return Err(refused);
    }
    let mut ids = Vec::with_capacity(all.len());
    for one in all {
        match serde_json::from_str(one.get()) {
            Ok(id) => ids.push(id),
            Err(_) => misfits.add(one.get()),
        }
    }
    Ok((ids, misfits))
}

fn or_false(raw: Option<&RawValue>, name: &'static str) -> Result<bool, Refused> {
    raw.map_or(Ok(false), |raw| value(Some(raw), name))
}

fn digest(raw: &RawValue) -> Result<Digest, Refused> {
    let text: String = value(Some(raw), "digest")?;
    text.parse().map_err(|()| Refused::Field("digest"))
}

/// Reads a range. It may begin or end with a user whose id is too long: it is not kept.
fn range(raw: &RawValue) -> Result<Range, Refused> {
    let Bounds { after, until }: Bounds<String> = value(Some(raw), "range")?;
    let is_backwards = matches!((&after, &until), (Some(after), Some(until)) if after >= until);
    let range = Range { after: after.map(UserId::from), until: until.map(UserId::from) };
    if is_backwards { Err(Refused::Field("range")) } else { Ok(range) }
}

/// What a part of a list is of.
#[derive(Debug, Serialize, Deserialize)]
struct Bounds<T> {
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    after: Option<T>,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    until: Option<T>,
}

/// What a node says of its users, as it is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Saying<'a> {
    user_ids: Vec<&'a str>,
    #[serde(rename = "oortURL")]
    oort_url: &'a str,
    presence: bool,
    replace: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    alive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<Bounds<&'a str>>,
}

impl<'a> Saying<'a> {
    fn new(oort_url: &'a str) -> Self {
        let (user_ids, replace, alive, digest) = <_>::default();
        Self { user_ids, oort_url, presence: true, replace, alive, digest, range: None }
    }

    /// Users came, or went.
    pub(crate) fn change(
        oort_url: &'a str,
        change: Change,
        users: impl Iterator<Item = &'a str>,
    ) -> Self {
        let presence = change == Change::Added;
        Self { user_ids: users.collect(), presence, ..Self::new(oort_url) }
    }

    /// A part of this node's list.
    pub(crate) fn part(oort_url: &'a str, part: &'a Part) -> Self {
        let Range { after, until } = &part.range;
        let range = Bounds { after: after.as_deref(), until: until.as_deref() };
        let user_ids = part.users.iter().map(|user| &**user).collect();
        Self { user_ids, replace: part.replaces, range: Some(range), ..Self::new(oort_url) }
    }

    /// What this node's users come to, to one of ours.
    pub(crate) fn check(oort_url: &'a str, digest: Digest) -> Self {
        Self { digest: Some(digest.to_string()), ..Self::new(oort_url) }
    }

    /// Asks for a list: nobody came, and who hears it is to send its own.
    pub(crate) fn ask(oort_url: &'a str) -> Self {
        Self { alive: Some(true), ..Self::new(oort_url) }
    }

    /// This node's Seti ends.
    pub(crate) fn stop(oort_url: &'a str) -> Self {
        Self { replace: true, alive: Some(false), ..Self::new(oort_url) }
    }

    pub(crate) fn json(&self) -> Json {
        Json::new(self).expect("texts and truth values have a JSON form")
    }
}

/// A message to a user, as it is sent to a node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToUser<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) seti_id: &'a str,
    pub(crate) data: &'a Json,
}

impl ToUser<'_> {
    pub(crate) fn json(&self) -> Json {
        Json::new(self).expect("texts and JSON have a JSON form")
    }
}

#[cfg(test)]
mod tests;

//! What the options take: how a text becomes the value of a field, and which are within bounds.

use std::{net::IpAddr, time::Duration};

use bayeux_api::ChannelId;

use crate::{
    OortOptions,
    discovery::{DiscoveryError, Dns, MulticastConfig, check_url, shown_url},
};

/// Finds the field of an option.
pub(super) type At<C, T> = fn(&mut C) -> &mut T;

/// What an option takes, and the field where it goes.
pub(super) enum Kind {
    Flag(At<OortOptions, bool>),
    /// A text, and how the good ones are known.
    Text(Text, At<OortOptions, Option<String>>),
    /// Texts that are joined by commas.
    List(Text, At<OortOptions, Vec<String>>),
    /// Whether nodes are found by multicast.
    Multicast,
    /// How they are.
    OfMulticast(MulticastKind),
}

pub(super) enum MulticastKind {
    Group(At<MulticastConfig, IpAddr>),
    Address(At<MulticastConfig, Option<IpAddr>>),
    Addresses(At<MulticastConfig, Vec<IpAddr>>),
    Millis(u64, At<MulticastConfig, Duration>),
    /// A number of what, and its bounds.
    Number(&'static str, u16, u16, At<MulticastConfig, u16>),
    Hops(At<MulticastConfig, u8>),
}

#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) what: &'static str,
    pub(super) check: fn(&str) -> Result<(), String>,
}

/// The option does not take the text, for a reason that is said where it is not plain from what it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused(pub(super) Option<String>);

impl Refused {
    fn because(reason: String) -> Self {
        Self(Some(reason))
    }
}

pub(super) const URL: Text =
    Text { what: "an absolute URL, as in http://10.0.0.1:8080/cometd", check: check_url };

pub(super) const URLS: Text = Text {
    what: "absolute URLs, joined by commas",
    check: |text| match text.split_once(';') {
        // It may be part of a path.
        Some((_, rest)) if rest.contains("://") => Err("a ; does not join them".to_owned()),
        _ => check_url(text),
    },
};

pub(super) const SERVICE: Text = Text {
    what: "a URL with the name of a service as its host, as in http://nodes.example:8080/cometd",
    check: |text| match Dns::new(text) {
        Ok(_) => Ok(()),
        Err(DiscoveryError::Url { reason, .. }) => Err(reason),
        Err(error) => Err(error.to_string()),
    },
};

pub(super) const ANY: Text = Text { what: "a text", check: |_| Ok(()) };

pub(super) const CHANNELS: Text = Text {
    what: "broadcast channels, as in /chat or /chat/*, joined by commas",
    check: |text| match ChannelId::new(text) {
        Ok(channel) if channel.is_broadcast() => Ok(()),
        Ok(_) => Err(format!("{text} is none")),
        Err(error) => Err(error.to_string()),
    },
};

/// CometD has its numbers in Java's `int`.
const MOST: u64 = 2_147_483_647;

impl Kind {
    /// Says what is taken.
    pub(super) fn takes(&self) -> String {
        match self {
            Self::Flag(_) | Self::Multicast => "true or false".to_owned(),
            Self::Text(text, _) | Self::List(text, _) => text.what.to_owned(),
            Self::OfMulticast(kind) => kind.takes(),
        }
    }

    /// Writes `text` to the field; not at all when it is refused.
    pub(super) fn set(&self, options: &mut OortOptions, text: &str) -> Result<(), Refused> {
        match self {
            Self::Flag(at) => *at(options) = text.parse().map_err(|_| Refused::default())?,
            Self::Text(kind, at) => {
                let good = Some(text).filter(|text| !text.is_empty());
                good.map_or(Ok(()), kind.check).map_err(Refused::because)?;
                *at(options) = good.map(str::to_owned);
            }
            Self::List(kind, at) => {
                for word in words(text) {
                    (kind.check)(word)
                        .map_err(|reason| Refused::because(at_fault(word, text, reason)))?;
                }
                *at(options) = words(text).map(str::to_owned).collect();
            }
            Self::Multicast => {
                let is_used = text.parse().map_err(|_| Refused::default())?;
                options.multicast = match is_used {
                    true => Some(options.multicast.take().unwrap_or_default()),
                    false => None,
                };
            }
            Self::OfMulticast(kind) => {
                let mut config = options.multicast.take().unwrap_or_default();
                kind.set(&mut config, text)?;
                options.multicast = Some(config);
            }
        }
        Ok(())
    }

    /// Says what the field has.
    pub(super) fn show(&self, options: &mut OortOptions) -> String {
        match self {
            Self::Flag(at) => at(options).to_string(),
            Self::Text(_, at) => at(options).clone().unwrap_or_else(none),
            Self::List(_, at) => joined(at(options)),
            Self::Multicast => options.multicast.is_some().to_string(),
            Self::OfMulticast(kind) => {
                kind.show(&mut options.multicast.clone().unwrap_or_default())
            }
        }
    }
}

impl MulticastKind {
    fn takes(&self) -> String {
        match self {
            Self::Group(_) => "a multicast address of IPv4 or IPv6".to_owned(),
            Self::Address(_) => "an address".to_owned(),
            Self::Addresses(_) => "addresses, joined by commas".to_owned(),
            Self::Millis(least, _) => format!("a number of milliseconds from {least} to {MOST}"),
            Self::Number(of, least, most, _) => format!("{of} from {least} to {most}"),
            Self::Hops(_) => "a number of networks from 0 to 255".to_owned(),
        }
    }

    fn set(&self, config: &mut MulticastConfig, text: &str) -> Result<(), Refused> {
        match self {
            Self::Group(at) => {
                let group = text.parse().ok().filter(IpAddr::is_multicast);
                *at(config) = group.ok_or_else(Refused::default)?;
            }
            Self::Address(at) => {
                let address = Some(text).filter(|text| !text.is_empty()).map(str::parse);
                *at(config) = address.transpose().map_err(|_| Refused::default())?;
            }
            Self::Addresses(at) => {
                let addresses: Result<_, _> = words(text).map(str::parse).collect();
                *at(config) = addresses.map_err(|_| Refused::default())?;
            }
            Self::Millis(least, at) => {
                let good = text.parse().ok().filter(|millis| (*least..=MOST).contains(millis));
                *at(config) = Duration::from_millis(good.ok_or_else(Refused::default)?);
            }
            Self::Number(_, least, most, at) => {
                let good = text.parse().ok().filter(|number| (*least..=*most).contains(number));
                *at(config) = good.ok_or_else(Refused::default)?;
            }
            Self::Hops(at) => *at(config) = text.parse().map_err(|_| Refused::default())?,
        }
        Ok(())
    }

    fn show(&self, config: &mut MulticastConfig) -> String {
        match self {
            Self::Group(at) => at(config).to_string(),
            Self::Address(at) => at(config).map_or_else(none, |address| address.to_string()),
            Self::Addresses(at) => joined(at(config)),
            Self::Millis(_, at) => at(config).as_millis().to_string(),
            Self::Number(.., at) => at(config).to_string(),
            Self::Hops(at) => at(config).to_string(),
        }
    }
}

/// Says which of several words it is.
fn at_fault(word: &str, text: &str, reason: String) -> String {
    match words(text).count() {
        1 => reason,
        _ => format!("{reason}, in {:?}", shown_url(word)),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn joined(words: &[impl ToString]) -> String {
    let words: Vec<_> = words.iter().map(ToString::to_string).collect();
    if words.is_empty() { none() } else { words.join(",") }
}

fn none() -> String {
    "none".to_owned()
}

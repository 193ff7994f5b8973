//! What the options take: how a text becomes the value of a field, which values are within bounds, and
//! how both are told.

use std::time::Duration;

use bayeux_api::{ConnectionType, server::Overflow};

use crate::config::{Network, SameSite};

/// Finds the field of an option.
pub(super) type At<C, T> = fn(&mut C) -> &mut T;

/// What an option takes, and the field where it goes.
pub(super) enum Kind<C: 'static> {
    Flag(At<C, bool>),
    Number(Number, At<C, dyn Amount>),
    Text(Text, At<C, dyn Word>),
    List(At<C, dyn List>),
    Networks(At<C, Vec<Network>>),
    Transports(At<C, Vec<ConnectionType>>),
    SameSite(At<C, Option<SameSite>>),
    Overflow(At<C, Overflow>),
}

/// A number and its bounds.
#[derive(Clone, Copy)]
pub(super) struct Number {
    /// What is counted, as in "a number of bytes".
    pub(super) of: &'static str,
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) less: Less,
}

/// What a number below the least one stands for: CometD has -1 or 0 for much.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Less {
    Refused,
    /// The field stays what it is.
    Default,
    Zero,
    NoLimit,
}

/// A text, and how the good ones are known.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) what: &'static str,
    pub(super) is_good: fn(&str) -> bool,
}

/// The option does not take the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl<C> Kind<C> {
    /// Says what is taken.
    pub(super) fn takes(&self) -> String {
        match self {
            Self::Flag(_) => "true or false".to_owned(),
            Self::Number(number, _) => number.takes(),
            Self::Text(text, _) => text.what.to_owned(),
            Self::List(_) => "words, joined by commas".to_owned(),
            Self::Networks(_) => {
                "addresses and networks such as 10.0.0.0/8, joined by commas".to_owned()
            }
            Self::Transports(_) => {
                "names out of websocket, long-polling, callback-polling, joined by commas"
                    .to_owned()
            }
            Self::SameSite(_) => one_of(&SAME_SITE),
            Self::Overflow(_) => one_of(&OVERFLOW),
        }
    }

    /// Returns the bounds of a number.
    pub(super) fn bounds(&self) -> Option<(u64, u64)> {
        match self {
            Self::Number(number, _) => Some((number.least, number.most)),
            Self::Flag(_) | Self::Text(..) | Self::List(_) => None,
            Self::Networks(_) | Self::Transports(_) | Self::SameSite(_) | Self::Overflow(_) => None,
        }
    }

    /// Writes `text` to the field of `config`; not at all when it is refused.
    pub(super) fn set(&self, config: &mut C, text: &str) -> Result<(), Refused> {
        match self {
            Self::Flag(at) => *at(config) = text.parse().map_err(|_| Refused)?,
            Self::Number(number, at) => {
                if let Some(read) = number.read(text)? {
                    at(config).set(read);
                }
            }
            Self::Text(kind, at) => {
                let good = Some(text).filter(|text| !text.is_empty());
                if !good.is_none_or(kind.is_good) {
                    return Err(Refused);
                }
                at(config).set(good)?;
            }
            Self::List(at) => at(config).set(words(text).map(str::to_owned).collect()),
            Self::Networks(at) => {
                let networks: Result<Vec<_>, _> = words(text).map(str::parse).collect();
                *at(config) = networks.map_err(|_| Refused)?;
            }
            Self::Transports(at) => {
                let names: Result<Vec<_>, _> = words(text).map(str::parse).collect();
                let names = names.ok().filter(|names| are_offered(names));
                *at(config) = names.ok_or(Refused)?;
            }
            Self::SameSite(at) => *at(config) = Some(named(&SAME_SITE, text)?),
            Self::Overflow(at) => *at(config) = named(&OVERFLOW, text)?,
        }
        Ok(())
    }

    /// Says what the field of `config` has.
    pub(super) fn show(&self, config: &mut C) -> String {
        match self {
            Self::Flag(at) => at(config).to_string(),
            Self::Number(_, at) => at(config).get().map_or_else(none, |number| number.to_string()),
            Self::Text(_, at) => at(config).get().map_or_else(none, str::to_owned),
            Self::List(at) => at(config).get().map_or_else(none, |words| words.join(",")),
            Self::Networks(at) => {
                let networks: Vec<_> = at(config).iter().map(Network::to_string).collect();
                if networks.is_empty() { none() } else { networks.join(",") }
            }
            Self::Transports(at) => {
                let names: Vec<_> = at(config).iter().map(|name| name.as_str()).collect();
                names.join(",")
            }
            Self::SameSite(at) => at(config).map_or_else(none, |value| name(&SAME_SITE, value)),
            Self::Overflow(at) => name(&OVERFLOW, *at(config)),
        }
    }

    /// Brings the field of `config` within the bounds, or back to what it is in `default`; returns
    /// what it was if it was neither.
    pub(super) fn mend(&self, config: &mut C, default: &mut C) -> Option<String> {
        let was = self.show(config);
        match self {
            Self::Number(number, at) => number.mend(at(config))?,
            Self::Text(text, at) => {
                if at(config).get().is_none_or(text.is_good) {
                    return None;
                }
                let before = at(default).get().map(str::to_owned);
                at(config).set(before.as_deref()).ok()?;
            }
            Self::Transports(at) if !are_offered(at(config)) => {
                *at(config) = std::mem::take(at(default));
            }
            Self::Flag(_) | Self::List(_) | Self::Networks(_) | Self::Transports(_) => return None,
            Self::SameSite(_) | Self::Overflow(_) => return None,
        }
        Some(was)
    }
}

impl Number {
    fn takes(self) -> String {
        let Self { of, least, most, less } = self;
        let or = match (less, least) {
            (Less::Refused, _) => "",
            (Less::Default, _) => ", or -1 for the default",
            (Less::Zero, _) => ", or -1 for none",
            (Less::NoLimit, 0) => ", or -1 for no limit",
            (Less::NoLimit, _) => ", or 0 for no limit",
        };
        format!("{of} from {least} to {most}{or}")
    }

    /// Reads a number; none within when it has no limit, and none at all when the field is to stay
    /// what it is.
    fn read(self, text: &str) -> Result<Option<Option<u64>>, Refused> {
        let number: i64 = text.parse().map_err(|_| Refused)?;
        match u64::try_from(number).ok().filter(|number| *number >= self.least) {
            Some(number) if number > self.most => Err(Refused),
            Some(number) => Ok(Some(Some(number))),
            None => match self.less {
                Less::Refused => Err(Refused),
                Less::Default => Ok(None),
                Less::Zero => Ok(Some(Some(0))),
                Less::NoLimit => Ok(Some(None)),
            },
        }
    }

    /// Brings a field within the bounds; none when it is within.
    fn mend(self, field: &mut dyn Amount) -> Option<()> {
        let within = match field.get() {
            None if self.less == Less::NoLimit => return None,
            None => self.most,
            Some(number) if (self.least..=self.most).contains(&number) => return None,
            Some(number) => number.clamp(self.least, self.most),
        };
        field.set(Some(within));
        Some(())
    }
}

/// A field that holds a number; none is no limit.
pub(super) trait Amount {
    fn get(&self) -> Option<u64>;
    fn set(&mut self, number: Option<u64>);
}

/// Milliseconds, of which part of one is one.
impl Amount for Duration {
    fn get(&self) -> Option<u64> {
        let millis = self.as_nanos().div_ceil(1_000_000);
        (*self != Self::MAX).then(|| u64::try_from(millis).unwrap_or(u64::MAX))
    }

    fn set(&mut self, number: Option<u64>) {
        *self = number.map_or(Self::MAX, Self::from_millis);
    }
}

impl Amount for Option<Duration> {
    fn get(&self) -> Option<u64> {
        self.and_then(|time| time.get())
    }

    fn set(&mut self, number: Option<u64>) {
        *self = number.map(Duration::from_millis);
    }
}

macro_rules! amounts {
    ($($number:ty),*) => {$(
        impl Amount for $number {
            fn get(&self) -> Option<u64> {
                Some(*self as u64)
            }

            fn set(&mut self, number: Option<u64>) {
                *self = number.and_then(|number| Self::try_from(number).ok()).unwrap_or(Self::MAX);
            }
        }

        impl Amount for Option<$number> {
            fn get(&self) -> Option<u64> {
                self.and_then(|number| number.get())
            }

            fn set(&mut self, number: Option<u64>) {
                *self = number.and_then(|number| <$number>::try_from(number).ok());
            }
        }
    )*};
}

amounts!(u16, u32, u64, usize);

/// A field that holds one word; some need not have any.
pub(super) trait Word {
    fn get(&self) -> Option<&str>;
    fn set(&mut self, text: Option<&str>) -> Result<(), Refused>;
}

impl Word for String {
    fn get(&self) -> Option<&str> {
        Some(self)
    }

    fn set(&mut self, text: Option<&str>) -> Result<(), Refused> {
        text.ok_or(Refused)?.clone_into(self);
        Ok(())
    }
}

impl Word for Option<String> {
    fn get(&self) -> Option<&str> {
        self.as_deref()
    }

    fn set(&mut self, text: Option<&str>) -> Result<(), Refused> {
        *self = text.map(str::to_owned);
        Ok(())
    }
}

/// A field that holds words.
pub(super) trait List {
    fn get(&self) -> Option<&[String]>;
    fn set(&mut self, words: Vec<String>);
}

impl List for Vec<String> {
    fn get(&self) -> Option<&[String]> {
        Some(self).filter(|words| !words.is_empty()).map(Self::as_slice)
    }

    fn set(&mut self, words: Vec<String>) {
        *self = words;
    }
}

impl List for Option<Vec<String>> {
    fn get(&self) -> Option<&[String]> {
        self.as_deref()
    }

    fn set(&mut self, words: Vec<String>) {
        *self = Some(words);
    }
}

const SAME_SITE: [(&str, SameSite); 3] =
    [("Strict", SameSite::Strict), ("Lax", SameSite::Lax), ("None", SameSite::None)];

const OVERFLOW: [(&str, Overflow); 4] = [
    ("disconnect", Overflow::Disconnect),
    ("dropOldest", Overflow::DropOldest),
    ("dropNewest", Overflow::DropNewest),
    ("keepLast", Overflow::KeepLast),
];

fn one_of<T>(names: &[(&str, T)]) -> String {
    let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
    format!("one of {}", names.join(", "))
}

fn named<T: Copy>(names: &[(&str, T)], text: &str) -> Result<T, Refused> {
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or(Refused)
}

fn name<T: Copy + PartialEq>(names: &[(&str, T)], value: T) -> String {
    names.iter().find(|(_, one)| *one == value).map_or_else(none, |(name, _)| (*name).to_owned())
}

fn none() -> String {
    "none".to_owned()
}

fn are_offered(names: &[ConnectionType]) -> bool {
    !names.is_empty() && !names.contains(&ConnectionType::InProcess)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

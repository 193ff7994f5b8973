//! `advice`: what the server asks of a client's reconnecting, and a client of its next connect.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The `advice` object of a message (Bayeux 1.0, section 4.2). Times are milliseconds, as on the
/// wire; the methods give them as [`Duration`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Advice {
    /// What the client does after this reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect: Option<Reconnect>,
    /// Milliseconds between the end of one `/meta/connect` and the next.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub interval: Option<i64>,
    /// Milliseconds for which the next `/meta/connect` is held.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub timeout: Option<i64>,
    /// Milliseconds of silence after which the server forgets the session.
    #[serde(
        default,
        rename = "maxInterval",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "millis"
    )]
    pub max_interval: Option<i64>,
    /// The server saw more sessions of one browser than it holds connects for.
    #[serde(default, rename = "multiple-clients", skip_serializing_if = "Option::is_none")]
    pub multiple_clients: Option<bool>,
    /// Other hosts that the client may turn to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
}

impl Advice {
    /// Makes the advice of an unknown session: start again from a handshake, at once.
    pub fn handshake() -> Self {
        Self { reconnect: Some(Reconnect::Handshake), interval: Some(0), ..Self::default() }
    }

    /// Returns the advised hold time; none when absent or negative, which both mean "unset".
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.and_then(duration)
    }

    /// Returns the advised pause; none when absent or negative, which both mean "unset".
    pub fn interval(&self) -> Option<Duration> {
        self.interval.and_then(duration)
    }
}

/// What a client does after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// Sends another `/meta/connect`.
    Retry,
    /// Starts again from a handshake.
    Handshake,
    /// Does nothing more.
    None,
}

impl Reconnect {
    /// Returns the word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Handshake => "handshake",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reconnect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "retry" => Ok(Self::Retry),
            "handshake" => Ok(Self::Handshake),
            "none" => Ok(Self::None),
            other => Err(format!("unknown reconnect advice {other:?}")),
        }
    }
}

impl Serialize for Reconnect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reconnect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn duration(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// Reads any JSON number, however large or fractional, as whole milliseconds.
fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    Ok(number.map(|number| match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => whole,
        (None, Some(fraction)) => fraction as i64, // saturates, which is what a bound wants
        (None, None) => i64::MAX,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_stay_absent() {
        let advice: Advice = serde_json::from_str(r#"{"timeout":0}"#).unwrap();
        assert_eq!(advice.timeout(), Some(Duration::ZERO));
        assert_eq!(serde_json::to_string(&advice).unwrap(), r#"{"timeout":0}"#);
    }

    #[test]
    fn negative_means_unset_and_huge_saturates() {
        let advice: Advice =
            serde_json::from_str(r#"{"timeout":-5,"interval":1e300,"maxInterval":1.9}"#).unwrap();
        assert_eq!(advice.timeout(), None);
        assert_eq!(advice.interval, Some(i64::MAX));
        assert_eq!(advice.max_interval, Some(1));
    }

    #[test]
    fn a_string_is_not_a_number() {
        assert!(serde_json::from_str::<Advice>(r#"{"timeout":"0"}"#).is_err());
        assert!(serde_json::from_str::<Advice>(r#"{"reconnect":"later"}"#).is_err());
    }
}

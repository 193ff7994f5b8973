//! CometD's option names: one flat list of texts, the more specific name winning; and the same checks
//! for what was set in code.

use std::{cmp::Reverse, fmt};

use bayeux_api::ConnectionType;

use crate::config::{
    Config, TransportConfig,
    kind::{Kind, Refused},
    names::OPTIONS,
};

/// Why an option was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// There is no option of this name.
    #[error("unknown option {name:?}; known are:\n{}", known())]
    Unknown {
        /// What was given.
        name: String,
    },
    /// The option does not take this value.
    #[error("option {name} takes {expected}, not {value:?}")]
    Value {
        /// The option.
        name: String,
        /// What was given.
        value: String,
        /// What it takes, with its bounds.
        expected: String,
    },
}

/// An option by its CometD name: what it is for, and what it takes.
pub struct ConfigOption {
    pub(super) name: &'static str,
    pub(super) group: Group,
    pub(super) field: Field,
    pub(super) doc: &'static str,
}

/// Of which transports an option is, and so after which prefixes it may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Of each, which may all have another value.
    Each,
    Http,
    Jsonp,
    WebSocket,
    /// Of none.
    Server,
}

/// Where the value of an option is.
pub(super) enum Field {
    Each(Kind<TransportConfig>),
    One(Kind<Config>),
}

impl Config {
    /// Sets options by their CometD names, as in `timeout`, `ws.timeout` or
    /// `long-polling.json.timeout`. Whatever their order, the more specific name wins.
    ///
    /// # Errors
    ///
    /// When a name is unknown or a value is not one the option takes; then none is set.
    pub fn set_options<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        options: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), OptionError> {
        let mut options: Vec<_> = options.into_iter().collect();
        // What is said of more transports comes first, and is set again by what is said of fewer.
        options.sort_by_key(|(name, _)| Reverse(scope(name.as_ref()).0.transports().len()));
        let mut config = self.clone();
        options.iter().try_for_each(|(name, value)| config.set(name.as_ref(), value.as_ref()))?;
        config.keep_invariants();
        *self = config;
        Ok(())
    }

    /// Returns all options that [`set_options`](Self::set_options) takes.
    pub fn options() -> impl Iterator<Item = &'static ConfigOption> {
        OPTIONS.iter()
    }

    /// Checks what was set in code as options are.
    ///
    /// # Errors
    ///
    /// When a value is not one its option takes.
    pub fn validate(&self) -> Result<(), OptionError> {
        self.clone().mend().into_iter().next().map_or(Ok(()), Err)
    }

    /// Brings each value within its bounds; returns what was not.
    pub(crate) fn mend(&mut self) -> Vec<OptionError> {
        let (mut default, mut errors) = (Self::default(), Vec::new());
        for option in OPTIONS {
            match &option.field {
                Field::One(kind) => {
                    let was = kind.mend(self, &mut default);
                    errors.extend(was.map(|was| option.refuse(&option.name(), &was)));
                }
                Field::Each(kind) => {
                    for (transport, prefix) in TRANSPORTS {
                        let own = self.transport_mut(transport);
                        let was = kind.mend(own, default.transport_mut(transport));
                        let name = || format!("{prefix}{}", option.name);
                        errors.extend(was.map(|was| option.refuse(&name(), &was)));
                    }
                }
            }
        }
        self.keep_invariants();
        errors
    }

    fn keep_invariants(&mut self) {
        self.callback_polling.meta_connect_deliver_only = true;
    }

    fn set(&mut self, full: &str, value: &str) -> Result<(), OptionError> {
        let (scope, name) = scope(full);
        let option = OPTIONS.iter().find(|option| option.name == name && option.is_of(scope));
        let option = option.ok_or_else(|| OptionError::Unknown { name: full.to_owned() })?;
        option.set(self, scope, value).map_err(|Refused| option.refuse(full, value))
    }
}

impl ConfigOption {
    /// Returns its name, after the prefix without which it is not known.
    pub fn name(&self) -> String {
        let prefix = if self.group == Group::WebSocket { "ws." } else { "" };
        format!("{prefix}{}", self.name)
    }

    /// Says what it is for.
    pub fn description(&self) -> &'static str {
        self.doc
    }

    /// Says what it takes, with its unit and bounds.
    pub fn takes(&self) -> String {
        match &self.field {
            Field::Each(kind) => kind.takes(),
            Field::One(kind) => kind.takes(),
        }
    }

    /// Returns the least and the greatest number, if it takes numbers.
    pub fn bounds(&self) -> Option<(u64, u64)> {
        match &self.field {
            Field::Each(kind) => kind.bounds(),
            Field::One(kind) => kind.bounds(),
        }
    }

    /// Returns what it is by default, as a text.
    pub fn default_value(&self) -> String {
        let mut config = Config::default();
        match &self.field {
            Field::Each(kind) => kind.show(&mut config.long_polling),
            Field::One(kind) => kind.show(&mut config),
        }
    }

    fn is_of(&self, scope: Scope) -> bool {
        match self.group {
            Group::Each => true,
            Group::Http => matches!(scope, Scope::All | Scope::Http),
            Group::Jsonp => matches!(scope, Scope::All | Scope::Http | Scope::Jsonp),
            Group::WebSocket => scope == Scope::WebSocket,
            Group::Server => scope == Scope::All,
        }
    }

    fn set(&self, config: &mut Config, scope: Scope, value: &str) -> Result<(), Refused> {
        match &self.field {
            Field::One(kind) => kind.set(config, value),
            Field::Each(kind) => scope
                .transports()
                .iter()
                .try_for_each(|transport| kind.set(config.transport_mut(*transport), value)),
        }
    }

    fn refuse(&self, name: &str, value: &str) -> OptionError {
        OptionError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            expected: self.takes(),
        }
    }
}

impl fmt::Debug for ConfigOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigOption").field(&self.name()).finish()
    }
}

/// One line of a program's help.
impl fmt::Display for ConfigOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, takes, default) = (self.name(), self.takes(), self.default_value());
        write!(f, "{name}: {}; {takes}; {default} by default", self.doc)
    }
}

/// The transports that an option's prefix is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    Http,
    Json,
    Jsonp,
    WebSocket,
}

const PREFIXES: [(&str, Scope); 6] = [
    ("long-polling.json.", Scope::Json),
    ("long-polling.jsonp.", Scope::Jsonp),
    ("callback-polling.jsonp.", Scope::Jsonp),
    ("callback-polling.", Scope::Jsonp),
    ("long-polling.", Scope::Http),
    ("ws.", Scope::WebSocket),
];

/// The transports that have options of their own, and the prefix of these.
const TRANSPORTS: [(ConnectionType, &str); 3] = [
    (ConnectionType::WebSocket, "ws."),
    (ConnectionType::LongPolling, "long-polling.json."),
    (ConnectionType::CallbackPolling, "long-polling.jsonp."),
];

impl Scope {
    fn transports(self) -> &'static [ConnectionType] {
        use ConnectionType::{CallbackPolling, LongPolling, WebSocket};
        match self {
            Self::All => &[WebSocket, LongPolling, CallbackPolling],
            Self::Http => &[LongPolling, CallbackPolling],
            Self::Json => &[LongPolling],
            Self::Jsonp => &[CallbackPolling],
            Self::WebSocket => &[WebSocket],
        }
    }
}

fn scope(full: &str) -> (Scope, &str) {
    PREFIXES
        .iter()
        .find_map(|(prefix, scope)| Some((*scope, full.strip_prefix(prefix)?)))
        .unwrap_or((Scope::All, full))
}

fn known() -> String {
    let names = |group: &[Group]| {
        let names = OPTIONS.iter().filter(|option| group.contains(&option.group));
        names.map(ConfigOption::name).collect::<Vec<_>>().join(", ")
    };
    format!(
        "  for each transport, alone or after ws., long-polling., long-polling.json. or \
         long-polling.jsonp. (which is callback-polling. too): {}\n  for HTTP, alone or after long-polling.: {}\n  for WebSocket: \
         {}\n  for the server: {}",
        names(&[Group::Each]),
        names(&[Group::Http, Group::Jsonp]),
        names(&[Group::WebSocket]),
        names(&[Group::Server]),
    )
}

#[cfg(test)]
mod tests;

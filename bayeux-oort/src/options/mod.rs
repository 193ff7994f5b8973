//! What can be set of a node by CometD's names: one flat list of texts.

mod kind;
mod names;

use std::{fmt, sync::Arc};

use crate::{
    Mesh, MeshBuilder,
    discovery::{
        Discovery, DiscoveryError, Dns, Multicast, MulticastConfig, StaticList, shown_url,
    },
};

use kind::{Kind, Refused};
use names::OPTIONS;

/// What is set of a node by CometD's names, as its servlets take them.
///
/// ```
/// use bayeux_oort::OortOptions;
///
/// let mut options = OortOptions::default();
/// options.set_options([
///     ("oort.url", "http://10.0.0.1:8080/cometd"),
///     ("oort.cloud", "http://10.0.0.2:8080/cometd,http://10.0.0.3:8080/cometd"),
///     ("oort.channels", "/chat/*, /stocks/**"),
/// ])?;
/// assert_eq!(options.channels, ["/chat/*", "/stocks/**"]);
///
/// let error = options.set_options([("oort.multicast.groupPort", "0")]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "option oort.multicast.groupPort takes a port from 1 to 65535, not \"0\""
/// );
/// # Ok::<(), bayeux_oort::OortOptionError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("OortConfigServlet", "OortStaticConfigServlet", "OortMulticastConfigServlet"))]
pub struct OortOptions {
    /// `oort.url`: where the other nodes reach this one. None by default: it has to be set.
    pub url: Option<String>,
    /// `oort.aliases`: other URLs by which they reach this one. None by default; CometD has no such option.
    pub aliases: Vec<String>,
    /// `oort.secret`: what all nodes know and nobody else does. None by default.
    pub secret: Option<String>,
    /// `oort.channels`: the broadcast channels, which may be wild, whose messages come here from the other
    /// nodes. None by default.
    pub channels: Vec<String>,
    /// `enableAckExtension`: whether what the nodes send each other is acknowledged, so that a short break
    /// loses nothing. True by default.
    pub acknowledgements: bool,
    /// `enableBinaryExtension`. True by default, as it is with CometD's servlets, and of no effect: binary data
    /// goes to other nodes as it came, and is neither decoded nor encoded on its way.
    pub binary: bool,
    /// `oort.cloud`: the URLs of other nodes. None by default.
    pub cloud: Vec<String>,
    /// `oort.dns`: the URL of the nodes with the name of their service as its host, for [`Dns`]; CometD has
    /// nothing like it. None by default.
    pub dns: Option<String>,
    /// `oort.multicast` and what begins so: whether, and how, nodes are found by multicast; if any of these
    /// options is set they are. None by default. With CometD it is the choice of another servlet.
    pub multicast: Option<MulticastConfig>,
}

impl Default for OortOptions {
    fn default() -> Self {
        Self {
            url: None,
            aliases: Vec::new(),
            secret: None,
            channels: Vec::new(),
            acknowledgements: true,
            binary: true,
            cloud: Vec::new(),
            dns: None,
            multicast: None,
        }
    }
}

impl OortOptions {
    /// Sets options by their CometD names.
    ///
    /// # Errors
    ///
    /// When a name is unknown or a value is not one the option takes; then none is set.
    pub fn set_options<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        options: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), OortOptionError> {
        let mut changed = self.clone();
        for (name, value) in options {
            changed.set(name.as_ref(), value.as_ref())?;
        }
        *self = changed;
        Ok(())
    }

    /// Returns all options that [`set_options`](Self::set_options) takes.
    pub fn options() -> impl Iterator<Item = &'static OortOption> {
        OPTIONS.iter()
    }

    /// Makes what finds the other nodes: the list, multicast, DNS, or several of them.
    ///
    /// # Errors
    ///
    /// When `oort.dns` was set in code to what is no URL of a service.
    pub fn discoveries(&self) -> Result<Vec<Arc<dyn Discovery>>, DiscoveryError> {
        let mut all: Vec<Arc<dyn Discovery>> = Vec::new();
        if !self.cloud.is_empty() {
            all.push(Arc::new(StaticList::new(&self.cloud)));
        }
        if let Some(config) = &self.multicast {
            all.push(Arc::new(Multicast::new(config.clone())));
        }
        if let Some(url) = &self.dns {
            all.push(Arc::new(Dns::new(url)?));
        }
        Ok(all)
    }

    /// Starts making the mesh of the node that these describe: with its URL, its secret, and what finds the others.
    /// The [channels](Self::channels) are observed by the [`Oort`](crate::Oort), once that is started.
    ///
    /// # Errors
    ///
    /// When `oort.dns` was set in code to what is no URL of a service. What else is missing or wrong is said when the
    /// mesh is [built](MeshBuilder::build).
    pub fn mesh(&self) -> Result<MeshBuilder, DiscoveryError> {
        let mut mesh = Mesh::builder(self.url.as_deref().unwrap_or_default()).configure(|config| {
            config.acknowledgements = self.acknowledgements;
            config.aliases.clone_from(&self.aliases);
        });
        if let Some(secret) = &self.secret {
            mesh = mesh.secret(secret);
        }
        Ok(self.discoveries()?.into_iter().fold(mesh, MeshBuilder::discovery))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), OortOptionError> {
        let option = OPTIONS.iter().find(|option| option.name == name);
        let option = option.ok_or_else(|| OortOptionError::Unknown { name: name.to_owned() })?;
        option.kind.set(self, value).map_err(|Refused(reason)| OortOptionError::Value {
            name: name.to_owned(),
            // Errors are logged, and a secret is not to be.
            value: if name == SECRET { "…".to_owned() } else { shown_url(value) },
            expected: option.takes(),
            reason,
        })
    }
}

const SECRET: &str = "oort.secret";

/// An option by its CometD name: what it is for, and what it takes.
pub struct OortOption {
    name: &'static str,
    kind: Kind,
    doc: &'static str,
}

impl OortOption {
    /// Returns its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Says what it is for.
    pub fn description(&self) -> &'static str {
        self.doc
    }

    /// Says what it takes, with its unit and bounds.
    pub fn takes(&self) -> String {
        self.kind.takes()
    }

    /// Returns what it is by default, as a text.
    pub fn default_value(&self) -> String {
        self.kind.show(&mut OortOptions::default())
    }
}

impl fmt::Debug for OortOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OortOption").field(&self.name).finish()
    }
}

/// One line of a program's help.
impl fmt::Display for OortOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, takes, default) = (self.name, self.takes(), self.default_value());
        write!(f, "{name}: {}; {takes}; {default} by default", self.doc)
    }
}

/// Without the secret.
impl fmt::Debug for OortOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OortOptions")
            .field("url", &self.url)
            .field("secret", &self.secret.as_ref().map(|_| "…"))
            .field("channels", &self.channels)
            .field("acknowledgements", &self.acknowledgements)
            .field("binary", &self.binary)
            .field("cloud", &self.cloud)
            .field("dns", &self.dns)
            .field("multicast", &self.multicast)
            .finish()
    }
}

/// Why an option was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OortOptionError {
    /// There is no option of this name.
    #[error("unknown option {name:?}; known are: {}", names::known())]
    Unknown {
        /// What was given.
        name: String,
    },
    /// The option does not take this value.
    #[error("option {name} takes {expected}, not {value:?}{}", because(reason.as_deref()))]
    Value {
        /// The option.
        name: String,
        /// What was given; without a password.
        value: String,
        /// What it takes, with its bounds.
        expected: String,
        /// What is wrong with it, where that is known better.
        reason: Option<String>,
    },
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;

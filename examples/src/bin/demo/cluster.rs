//! The demo as one node of a cluster.

use std::{error::Error, sync::Arc};

use bayeux_oort::{Oort, OortOptions};
use bayeux_server::Server;

/// What says how the demo joins others; CometD's names, with dashes.
#[derive(clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct NodeArguments {
    /// Makes the demo a node of a cluster: where other nodes reach it, as in http://10.0.0.1:8080/cometd. It needs a
    /// secret, too.
    #[arg(long, value_name = "URL")]
    oort_url: Option<String>,

    /// The URLs of other nodes, joined by commas: each as the node itself has it in its --oort-url, or among its
    /// oort.aliases. One that is there is enough to find all.
    #[arg(long, value_name = "URLS")]
    oort_cloud: Option<String>,

    /// What all nodes know, and nobody else does. Better given in the environment, which other users cannot list.
    #[arg(long, value_name = "SECRET", env = "OORT_SECRET", hide_env_values = true)]
    oort_secret: Option<String>,

    /// The channels whose messages come here from other nodes; /chat/** by default, which the chat needs.
    #[arg(long, value_name = "CHANNELS")]
    oort_channels: Option<String>,
}

impl NodeArguments {
    /// Takes the options of nodes out of `others`, which `-o` was given for.
    pub(crate) fn options(
        self,
        others: &mut Vec<(String, String)>,
    ) -> Result<OortOptions, Box<dyn Error>> {
        let mut options = OortOptions::default();
        options.channels.push("/chat/**".to_owned());
        let is_known = |name: &str| OortOptions::options().any(|option| option.name() == name);
        // One that is misspelt is told which there are of its kind.
        let is_ours = |name: &str| name.starts_with("oort.") || is_known(name);
        options.set_options(others.extract_if(.., |(name, _)| is_ours(name)))?;
        // A secret may be in the environment of all programs.
        let is_secret_meant = options.secret.is_some()
            || self.oort_secret.as_ref().is_some_and(|secret| !is_in_environment(secret));
        let is_meant = is_secret_meant || self.oort_channels.is_some() || self.oort_cloud.is_some();
        let named = [
            ("oort.url", self.oort_url),
            ("oort.cloud", self.oort_cloud),
            ("oort.secret", self.oort_secret),
            ("oort.channels", self.oort_channels),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        options.set_options(named)?;
        let is_sought = options.multicast.is_some() || options.dns.is_some();
        if options.url.is_none() && (is_sought || is_meant || !options.cloud.is_empty()) {
            let error =
                "options of a node are given, and not where others reach it: give --oort-url too";
            return Err(error.into());
        }
        Ok(options)
    }
}

fn is_in_environment(secret: &str) -> bool {
    std::env::var("OORT_SECRET").is_ok_and(|known| known == secret)
}

/// Joins the other nodes, if this is to be one.
pub(crate) async fn join(
    server: &Server,
    options: &OortOptions,
) -> Result<Option<Oort>, Box<dyn Error>> {
    let Some(url) = &options.url else { return Ok(None) };
    if !url.trim_end_matches('/').ends_with("/cometd") {
        let what = "other nodes are to come where this one may not be: it has Bayeux at /cometd";
        tracing::warn!(url, "{what}");
    }
    if options.secret.is_none() {
        return Err("a node has a secret: give --oort-secret too, or set OORT_SECRET".into());
    }
    let oort = Oort::start(server, Arc::new(options.mesh()?.build()?)).await?;
    for channel in &options.channels {
        oort.observe_channel(channel)?;
    }
    Ok(Some(oort))
}

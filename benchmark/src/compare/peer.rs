//! The servers that are compared: how each is started, and what it needs to be here.

use std::{
    env::current_exe,
    net::TcpListener,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    application::Application,
    compare::measurement::{Measurement, Scenario},
    load::Transport,
};

/// A server that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// This project's.
    Ours,
    /// This project's, with an attribute on each session.
    Attribute,
    /// This project's, with all that applications add.
    Application,
    /// This project's, with a service that delivers to each session instead of publishing.
    Deliver,
    /// The floor: a program that knows no Bayeux.
    Limit,
    /// CometD's, in Java, on Jetty.
    Java,
    /// Centrifugo, in Go, by its own protocol.
    Centrifugo,
    /// The npm package `faye`, on Node.js.
    Faye,
    /// The npm package `cometd-nodejs-server`, on Node.js.
    CometdNodejs,
}

/// A program to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Where it will listen; without, its first line says it.
    pub(crate) url: Option<String>,
}

impl Peer {
    pub(crate) const ALL: [Self; 9] = [
        Self::Ours,
        Self::Attribute,
        Self::Application,
        Self::Deliver,
        Self::Limit,
        Self::Java,
        Self::Centrifugo,
        Self::Faye,
        Self::CometdNodejs,
    ];

    /// Whether it is ours in other circumstances, which takes part only where it is named.
    pub(crate) fn is_variant(self) -> bool {
        match self {
            Self::Attribute | Self::Application | Self::Deliver => true,
            Self::Ours
            | Self::Limit
            | Self::Java
            | Self::Centrifugo
            | Self::Faye
            | Self::CometdNodejs => false,
        }
    }

    /// Returns what it is called in the document.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ours => "Bayeux in Rust",
            Self::Attribute => "ours with an attribute",
            Self::Application => "ours with an application",
            Self::Deliver => "ours delivering",
            Self::Limit => "limit",
            Self::Java => "CometD 8 (Java)",
            Self::Centrifugo => "Centrifugo 6 (Go)",
            Self::Faye => "faye (Node.js)",
            Self::CometdNodejs => "cometd-nodejs-server",
        }
    }

    /// Returns its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Attribute => "attribute",
            Self::Application => "application",
            Self::Deliver => "deliver",
            Self::Limit => "limit",
            Self::Java => "java",
            Self::Centrifugo => "centrifugo",
            Self::Faye => "faye",
            Self::CometdNodejs => "cometd-nodejs",
        }
    }

    /// Returns the generator's name of its protocol.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Centrifugo => "centrifugo",
            Self::Ours
            | Self::Attribute
            | Self::Application
            | Self::Deliver
            | Self::Java
            | Self::Faye
            | Self::CometdNodejs => "bayeux",
        }
    }

    /// Whether it can take part in a measurement at all. The rate of the rooms is beyond what one
    /// core does under Node.js.
    pub(crate) fn can(self, measurement: &Measurement) -> bool {
        let (scenario, transport) = (measurement.scenario, measurement.transport);
        match self {
            Self::Ours | Self::Attribute | Self::Application | Self::Deliver | Self::Java => true,
            // It knows no sessions.
            Self::Limit => {
                matches!(scenario, Scenario::Fanout | Scenario::Echo)
            }
            Self::Centrifugo => {
                transport == Transport::WebSocket
                    && matches!(scenario, Scenario::Fanout | Scenario::Echo | Scenario::Idle)
            }
            Self::Faye => match scenario {
                // It may forget a session that has no connection.
                Scenario::Parked | Scenario::Rooms | Scenario::Channels => false,
                // It closes the WebSocket with its reply to a disconnect, a failure to the generator.
                Scenario::Churn => transport == Transport::LongPolling,
                Scenario::Fanout | Scenario::Echo | Scenario::Idle | Scenario::Slow => true,
            },
            Self::CometdNodejs => {
                transport == Transport::LongPolling && scenario != Scenario::Rooms
            }
        }
    }

    /// For how many seconds a load warms it up: until what it runs has been compiled, and longer.
    pub(crate) fn warm_up_seconds(self) -> u64 {
        match self {
            Self::Ours | Self::Attribute | Self::Application | Self::Deliver | Self::Limit => 0,
            Self::Java => 25,
            Self::Centrifugo => 2,
            Self::Faye | Self::CometdNodejs => 5,
        }
    }

    /// Whether it is so much slower that fewer messages say as much.
    pub(crate) fn is_slow(self) -> bool {
        match self {
            Self::Ours
            | Self::Attribute
            | Self::Application
            | Self::Deliver
            | Self::Limit
            | Self::Centrifugo => false,
            Self::Java | Self::Faye | Self::CometdNodejs => true,
        }
    }

    pub(crate) fn launch(self, root: &Path, measurement: &Measurement) -> Result<Launch> {
        let peers = root.join("benchmark/peers");
        match self {
            Self::Ours => ours(measurement, Application::Nothing),
            Self::Attribute => ours(measurement, Application::Attribute),
            Self::Application => ours(measurement, Application::Full),
            Self::Deliver => ours(measurement, Application::Deliver),
            Self::Limit => Launch::new(current_exe()?, ["limit", "--listen", "127.0.0.1:0"]),
            Self::Java => java(&peers.join("java/target"), measurement),
            Self::Centrifugo => centrifugo(&peers),
            Self::Faye => node(&peers.join("faye.js"), measurement),
            Self::CometdNodejs => node(&peers.join("cometd-nodejs.js"), measurement),
        }
    }
}

impl Launch {
    fn new<const N: usize>(program: impl Into<PathBuf>, arguments: [&str; N]) -> Result<Self> {
        let arguments = arguments.map(str::to_owned).to_vec();
        Ok(Self { program: program.into(), arguments, environment: Vec::new(), url: None })
    }
}

fn ours(measurement: &Measurement, application: Application) -> Result<Launch> {
    if measurement.scenario == Scenario::Rooms {
        // CometD is set up without what measures itself, and so is this.
        let arguments =
            ["load_server", "--auto", "--port=0", "--statistics=false", "--latencies=false"];
        return Launch::new(current_exe()?, arguments);
    }
    let mut launch = Launch::new(current_exe()?, ["serve", "--listen", "127.0.0.1:0"])?;
    for (name, value) in [
        ("timeout", measurement.timeout_millis()),
        ("maxInterval", measurement.max_interval_millis()),
    ] {
        launch.arguments.extend(["-o".to_owned(), format!("{name}={value}")]);
    }
    let name = application.to_possible_value().map(|value| value.get_name().to_owned());
    launch.arguments.extend(["--application".to_owned(), name.unwrap_or_default()]);
    Ok(launch)
}

/// It has the heap that CometD's manual names for a load test, and the collector that the virtual
/// machine chooses for one core. Where memory is measured, the heap is no larger than needed.
fn java(target: &Path, measurement: &Measurement) -> Result<Launch> {
    let heap: &[&str] = match measurement.scenario {
        Scenario::Idle | Scenario::Parked | Scenario::Channels => {
            &["-Xms32m", "-Xmx2g", "-XX:MinHeapFreeRatio=5", "-XX:MaxHeapFreeRatio=10"]
        }
        Scenario::Fanout | Scenario::Echo | Scenario::Churn | Scenario::Slow | Scenario::Rooms => {
            &["-Xms2g", "-Xmx2g"]
        }
    };
    let mut launch = Launch::new("java", ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])?;
    launch.arguments.extend(heap.iter().map(|&flag| flag.to_owned()));
    let (classes, libraries) = (target.join("classes"), target.join("lib/*"));
    let path = format!("{}:{}", classes.display(), libraries.display());
    launch.arguments.extend(["-cp".to_owned(), path, "bayeux.Peer".to_owned()]);
    launch.arguments.extend(times(measurement));
    if measurement.scenario == Scenario::Rooms {
        launch.arguments.extend(["--acks".to_owned(), "1".to_owned()]);
    }
    Ok(launch)
}

fn node(script: &Path, measurement: &Measurement) -> Result<Launch> {
    let mut launch = Launch::new("node", [])?;
    launch.arguments.push(script.display().to_string());
    launch.arguments.extend(times(measurement));
    launch.environment.push(("NODE_ENV", "production".to_owned()));
    Ok(launch)
}

fn times(measurement: &Measurement) -> [String; 4] {
    let (timeout, interval) = (measurement.timeout_millis(), measurement.max_interval_millis());
    ["--timeout".into(), timeout.to_string(), "--max-interval".into(), interval.to_string()]
}

/// It does not say at which port it listens, so it is given one that was free just now.
fn centrifugo(peers: &Path) -> Result<Launch> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut launch = Launch::new(peers.join("bin/centrifugo"), ["--config"])?;
    launch.arguments.push(peers.join("centrifugo.json").display().to_string());
    launch.environment.push(("CENTRIFUGO_HTTP_SERVER_ADDRESS", "127.0.0.1".to_owned()));
    launch.environment.push(("CENTRIFUGO_HTTP_SERVER_PORT", port.to_string()));
    launch.url = Some(format!("http://127.0.0.1:{port}/connection/websocket"));
    Ok(launch)
}

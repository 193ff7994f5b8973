//! `OortService`: what one node has the others do.

mod answer;
mod ask;
mod channels;
mod config;
mod core;
mod error;
mod handle;
mod handler;
mod statistics;
mod wire;

use std::{future::Future, sync::Arc};

use bayeux_api::{Json, Registration, implement::lock};
use serde::{Serialize, de::DeserializeOwned};

use crate::Oort;

pub use answer::{Answer, Request};
pub use config::ServiceConfig;
pub use error::{ServiceError, StartServiceError};
pub(crate) use handler::Handler;
pub use statistics::ServiceStatistics;

use channels::Channels;
use core::Core;
use handle::Ear;

/// Something that the nodes of a cloud do for each other: each that has a service of this name is asked
/// by [`forward`](Self::forward), and its handler answers. Cheap to clone; dropping the last one ends it.
///
/// The other nodes may be CometD's, with an `OortService` of the same name.
///
/// ```
/// # use bayeux_oort::Cloud;
/// use bayeux_oort::{Answer, Oort, OortService, Request};
/// use bayeux_server::Server;
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let hub = tests::cloud_hub::CloudHub::default();
/// # let cloud = |id: &str| hub.cloud(id, &format!("http://{id}:8080/cometd"));
/// let here = Oort::start(&Server::new(), cloud("here")).await?;
/// let there = Oort::start(&Server::new(), cloud("there")).await?;
///
/// // Each node knows the room that was opened on it.
/// let rooms = |own: &'static str| {
///     move |request: Request| async move {
///         let wanted: String = request.to()?;
///         Ok::<_, serde_json::Error>(match wanted == own {
///             true => Answer::success(json!({ "room": own, "users": 3 })),
///             false => Answer::ignore("no such room"),
///         })
///     }
/// };
/// let service = OortService::start(&here, "rooms", rooms("tea"))?;
/// let _other = OortService::start(&there, "rooms", rooms("chess"))?;
///
/// // Who has the room? The node that has it answers.
/// # while here.comet("http://there:8080/cometd").is_none() { tokio::task::yield_now().await }
/// let room: serde_json::Value = service.forward(None, "chess").await?;
/// assert_eq!(room["users"], 3);
///
/// // One node alone may be asked, by its URL.
/// let none = service.forward_json(Some("http://there:8080/cometd"), "tea").await;
/// assert_eq!(none.unwrap_err().to_string(), r#"the node failed to do it: "no such room""#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OortService(Arc<Owner>);

/// What the handles of a service own together. The cloud has the rest, which holds no handle: what it calls
/// is called under a lock that the end of the registration needs.
#[derive(Debug)]
struct Owner {
    core: Arc<Core>,
    registration: std::sync::Mutex<Option<Registration>>,
}

impl OortService {
    /// Starts the service of this name on a node. Its name has to be its own there.
    ///
    /// `handler` is called for each request that reaches this node, its own ones too, in a task of its own: a
    /// slow one holds up no other. Its panic is an error.
    ///
    /// # Errors
    ///
    /// When `name` is not part of a channel's name.
    pub fn start<F, A>(oort: &Oort, name: &str, handler: F) -> Result<Self, StartServiceError>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        Self::start_with(oort, name, ServiceConfig::default(), handler)
    }

    /// [Starts](Self::start) a service that behaves as `config` says.
    ///
    /// # Errors
    ///
    /// When `name` is not part of a channel's name.
    pub fn start_with<F, A>(
        oort: &Oort,
        name: &str,
        config: ServiceConfig,
        handler: F,
    ) -> Result<Self, StartServiceError>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        Self::begin(oort, name, config, Handler::new(handler))
    }

    pub(crate) fn begin(
        oort: &Oort,
        name: &str,
        config: ServiceConfig,
        handler: Handler,
    ) -> Result<Self, StartServiceError> {
        let channels = Channels::new(name)?;
        let own = channels.all();
        let core = Arc::new(Core::new(oort, name, channels, config, handler));
        let registration = oort.add_participant(&own, Arc::new(Ear(core.clone())))?;
        Ok(Self(Arc::new(Owner { core, registration: Some(registration).into() })))
    }

    /// Returns the service's name.
    #[doc(alias = "getName")]
    pub fn name(&self) -> &str {
        &self.0.core.name
    }

    /// Returns the node that the service is on.
    #[doc(alias = "getOort")]
    pub fn oort(&self) -> &Oort {
        &self.0.core.oort
    }

    /// Asks the node of this URL, perhaps this node's own, or all nodes, this one too, of which the first
    /// that answers is heard. Nothing is sent before the future is polled.
    ///
    /// # Errors
    ///
    /// When the node answers with a failure, does not answer in time, leaves, or is not there, and when the
    /// parameter or the result is not of its type; see [`ServiceError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the result. What was sent is handled all the same.
    pub async fn forward<R: DeserializeOwned>(
        &self,
        to: Option<&str>,
        parameter: impl Serialize + Send,
    ) -> Result<R, ServiceError> {
        let result = self.forward_json(to, parameter).await?;
        result.to().map_err(|error| ServiceError::Result(error.to_string()))
    }

    /// [Forwards](Self::forward) a request whose result is wanted as the JSON that it is.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    ///
    /// # Cancel safety
    ///
    /// As [`forward`](Self::forward).
    pub async fn forward_json(
        &self,
        to: Option<&str>,
        parameter: impl Serialize + Send,
    ) -> Result<Json, ServiceError> {
        let parameter = Json::new(&parameter);
        let parameter = parameter.map_err(|error| ServiceError::Parameter(error.to_string()))?;
        let core = &self.0.core;
        let Some(url) = to else { return core.ask_all(parameter).await };
        if url == core.oort.own().url() {
            return core.ask_own(parameter).await;
        }
        let comet = core.oort.comet(url).ok_or_else(|| ServiceError::Unknown(url.to_owned()))?;
        core.ask_one(&comet, parameter).await
    }

    /// Returns what the service has done.
    pub fn statistics(&self) -> ServiceStatistics {
        self.0.core.statistics()
    }

    /// Ends the service: what waits for an answer has failed, other nodes' requests come no more, and the
    /// handler is dropped when those that are handled are done. Needed only where the handler itself holds the
    /// service, which otherwise ends when its last handle is dropped. Not to be called by a
    /// [`Participant`](crate::Participant).
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Owner {
    fn stop(&self) {
        let registration = lock(&self.registration).take();
        drop(registration);
        self.core.stop();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stop();
    }
}

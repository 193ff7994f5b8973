//! `OortPrimaryService`: what one node does for all.

mod driver;
mod error;
mod listener;
mod long;
mod outcomes;
mod parts;
mod role;

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use bayeux_api::{Json, Registration, implement::lock};
use serde::{Serialize, de::DeserializeOwned};
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use crate::{
    Answer, Comet, Oort, OortService, Request, ServiceConfig, ServiceError,
    proto::primary::Election, service::Handler,
};

pub use error::StartPrimaryError;
pub use listener::PrimaryListener;
pub use long::OortPrimaryLong;
pub use role::{ElectionConfig, Role};

use driver::State;
use parts::Parts;

/// A service that one node, the primary, does for all. Cheap to clone; dropping the last one ends it, as does
/// [`stop`](Self::stop), which tells the others.
///
/// Which node is primary is said by the operator, or it is elected: see [`Role`]. At each moment there is one
/// at the most that a node knows of; but two nodes that do not see each other may know of different ones, and
/// then there are two until they do. CometD's nodes with an `OortPrimaryService` of the same name take part as
/// [`Role::Primary`] and [`Role::Secondary`], and see who is elected.
///
/// ```
/// # use bayeux_oort::Cloud;
/// use bayeux_oort::{Answer, Oort, OortPrimaryService, Request, Role};
/// use bayeux_server::Server;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let hub = tests::cloud_hub::CloudHub::default();
/// # let cloud = |id: &str| hub.cloud(id, &format!("http://{id}:8080/cometd"));
/// let here = Oort::start(&Server::new(), cloud("here")).await?;
/// let there = Oort::start(&Server::new(), cloud("there")).await?;
///
/// // On whichever node is primary, the tables are given out one by one.
/// let seat = async |request: Request| Answer::success(format!("a seat for {}", request.parameter));
/// let service = OortPrimaryService::start(&here, "seats", Role::candidate(), seat).await?;
/// let other = OortPrimaryService::start(&there, "seats", Role::candidate(), seat).await?;
///
/// # while service.primary().is_none() || other.primary().is_none() {
/// #     tokio::time::sleep(std::time::Duration::from_millis(10)).await;
/// # }
/// assert_eq!(service.primary(), other.primary());
/// let seat: String = other.forward("Alice").await?;
/// assert_eq!(seat, r#"a seat for "Alice""#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OortPrimaryService(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    service: OortService,
    state: Arc<State>,
    /// Done when the others know of the end.
    end: Mutex<Option<JoinHandle<()>>>,
    _stops: DropGuard,
}

impl OortPrimaryService {
    /// Starts the service of this name on a node. Neither a service nor an object there may have the name.
    ///
    /// `handler` is called as that of an [`OortService`], but only as long as this node is primary; otherwise it
    /// ignores what it is asked.
    ///
    /// # Errors
    ///
    /// When `name` is not one segment of a channel's name.
    pub async fn start<F, A>(
        oort: &Oort,
        name: &str,
        role: Role,
        handler: F,
    ) -> Result<Self, StartPrimaryError>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        Self::start_with(oort, name, role, ServiceConfig::default(), handler).await
    }

    /// [Starts](Self::start) a service that behaves as `config` says.
    ///
    /// # Errors
    ///
    /// When `name` is not one segment of a channel's name.
    pub async fn start_with<F, A>(
        oort: &Oort,
        name: &str,
        role: Role,
        config: ServiceConfig,
        handler: F,
    ) -> Result<Self, StartPrimaryError>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        Self::begin(oort, name, role, config, serde_json::Value::Null.into(), handler).await
    }

    /// Starts a service that says `ignored` to what it ignores.
    async fn begin<F, A>(
        oort: &Oort,
        name: &str,
        role: Role,
        config: ServiceConfig,
        ignored: Json,
        handler: F,
    ) -> Result<Self, StartPrimaryError>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        let stands = role.stands();
        let election = Election::new(oort.own().clone(), stands, driver::now());
        let state = Arc::new(State::new(name, election));
        let role = state.clone();
        let handler = Handler::new(move |request| {
            let answer = role.is_primary().then(|| handler(request));
            let ignored = ignored.clone();
            async move {
                match answer {
                    Some(answer) => answer.await.into(),
                    None => Answer::ignore(ignored),
                }
            }
        });
        let parts = Parts::start(oort, name, stands).await?;
        let service = OortService::begin(oort, name, config, handler)?;
        let end = driver::spawn(&state, parts);
        let stops = state.stopped.clone().drop_guard();
        Ok(Self(Arc::new(Owner { service, state, end: Some(end).into(), _stops: stops })))
    }

    /// Returns the service below this one, which asks any node.
    pub fn service(&self) -> &OortService {
        &self.0.service
    }

    /// Returns whether this node is primary.
    #[doc(alias = "isPrimary")]
    pub fn is_primary(&self) -> bool {
        self.0.state.is_primary()
    }

    /// Returns the node that is primary as far as this one knows. Of several that are set to be, it is the one
    /// with the smallest id.
    #[doc(alias = "getPrimaryOortURL")]
    pub fn primary(&self) -> Option<Comet> {
        self.0.state.primary()
    }

    /// Asks the primary, which may be this node.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Nobody`] at once when there is no primary; that of [`OortService::forward`] otherwise.
    ///
    /// # Cancel safety
    ///
    /// As [`OortService::forward`].
    pub async fn forward<R: DeserializeOwned>(
        &self,
        parameter: impl Serialize + Send,
    ) -> Result<R, ServiceError> {
        let result = self.forward_json(parameter).await?;
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
    /// As [`OortService::forward`].
    pub async fn forward_json(
        &self,
        parameter: impl Serialize + Send,
    ) -> Result<Json, ServiceError> {
        let primary = self.primary().ok_or(ServiceError::Nobody)?;
        self.0.service.forward_json(Some(primary.url()), parameter).await
    }

    /// Adds a listener to what becomes of the primary. It is not told of what is so already.
    pub fn add_listener(&self, listener: Arc<dyn PrimaryListener>) -> Registration {
        self.0.state.listeners.add_told(listener)
    }

    /// Ends the service: this node is not primary any more, and the others are told so, for which they get 2 s.
    /// Without it they know when this node leaves.
    ///
    /// # Cancel safety
    ///
    /// May be dropped once it was polled: this node is not primary any more, and the others are told, all the same.
    /// What waits for an answer goes on until it is called again, or the last handle is dropped.
    pub async fn stop(&self) {
        self.0.state.stopped.cancel();
        let end = lock(&self.0.end).take();
        if let Some(end) = end {
            // An error is the end of its runtime.
            let _ = end.await;
        }
        self.0.service.stop();
    }
}

//! Services: the server's own code that answers messages and remote calls.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use bayeux_api::{
    ChannelId, ChannelIdError, Flow, Json, Message, Registration,
    client::RequestError,
    implement::Hook,
    server::{LocalSession, ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};

use serde_json::json;

use crate::Server;

/// A named service with a local session of its own. Dropping it ends the service.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bayeux_server::Server;
///
/// let server = Server::new();
/// let mut service = server.new_service("echo").await?;
/// service.on_message("/service/echo", async |request| request.message.data)?;
/// # Ok(())
/// # }
/// ```
#[doc(alias("AbstractService", "Listener", "RemoteCall", "Param"))]
pub struct Service {
    server: Server,
    session: Arc<dyn LocalSession>,
    registrations: Vec<Registration>,
}

/// A message for a service.
#[derive(Debug)]
#[non_exhaustive]
pub struct Request {
    /// Who sent it.
    pub sender: Arc<dyn ServerSession>,
    /// The message.
    pub message: Message,
    /// What the parameters of the service's channel are bound to, in order.
    pub parameters: Vec<(String, String)>,
}

impl Request {
    /// Returns what the parameter of this name is bound to.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|(own, value)| (own == name).then_some(value.as_str()))
    }
}

impl Server {
    /// Starts a service.
    ///
    /// # Errors
    ///
    /// When the policy refuses the handshake of the service's session.
    pub async fn new_service(&self, name: &str) -> Result<Service, RequestError> {
        let session = self.new_local_session(name);
        session.handshake(Message::default()).await?;
        Ok(Service { server: self.clone(), session, registrations: Vec::new() })
    }
}

impl Service {
    /// Returns the service's session.
    #[doc(alias = "getLocalSession")]
    pub fn session(&self) -> &Arc<dyn LocalSession> {
        &self.session
    }

    /// Calls `answer` for each message on `channel`, which may be wild or a template such as
    /// `/chat/{room}`. What it returns is delivered to the sender on the message's channel. The
    /// service's own messages are passed over. When `answer` panics, there is no answer, and the
    /// message goes on.
    ///
    /// # Errors
    ///
    /// When `channel` is not a channel name.
    #[doc(alias = "addService")]
    pub fn on_message<F, A>(&mut self, channel: &str, answer: F) -> Result<(), ChannelIdError>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Option<Json>> + Send + 'static,
    {
        let answer = move |request: Request| {
            let (sender, channel) = (request.sender.clone(), request.message.channel.clone());
            let answer = called("Service::on_message", &answer, request);
            Box::pin(async move {
                if let Some(data) = answer.await.flatten() {
                    let mut message = Message::default();
                    (message.channel, message.data) = (channel, Some(data));
                    sender.deliver(None, message).await;
                }
            }) as Answer
        };
        self.listen(channel, Arc::new(answer))
    }

    /// Answers remote calls to `target`, which may be a template: `Ok` is the result, `Err` the
    /// failure. When `answer` panics, the failure is `"the service failed"`.
    ///
    /// # Errors
    ///
    /// When `target` is not the name of a channel below `/service`, or is wild.
    pub fn remote_call<F, A>(&mut self, target: &str, answer: F) -> Result<(), ChannelIdError>
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Json, Json>> + Send + 'static,
    {
        let channel = format!("/service/{}", target.trim_start_matches('/'));
        if ChannelId::new(&channel)?.is_wild() {
            return Err(ChannelIdError::Wild);
        }
        let answer = move |request: Request| {
            let sender = request.sender.clone();
            let mut reply = request.message.reply();
            let answer = called("Service::remote_call", &answer, request);
            Box::pin(async move {
                let answer = answer.await.unwrap_or_else(|| Err(json!(FAILED).into()));
                reply.successful = Some(answer.is_ok());
                reply.data = Some(answer.unwrap_or_else(|failure| failure));
                sender.deliver(None, reply).await;
            }) as Answer
        };
        self.listen(&channel, Arc::new(answer))
    }

    fn listen(&mut self, channel: &str, answer: Arc<Answerer>) -> Result<(), ChannelIdError> {
        let template = ChannelId::new(channel)?;
        let listened = listened(&template);
        let own = Arc::downgrade(&self.session);
        let channel = self.server.create_channel_if_absent(&listened)?.channel();
        let listener = Listener { template, own, answer };
        self.registrations.push(channel.add_listener(Arc::new(listener)));
        Ok(())
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Calls the closure of a service; none when it panics, at once or after a wait.
fn called<A: Future + Send + 'static>(
    name: &'static str,
    answer: &impl Fn(Request) -> A,
    request: Request,
) -> impl Future<Output = Option<A::Output>> + Send + 'static
where
    A::Output: Send,
{
    let channel = request.message.channel().to_owned();
    let answer = Hook(name, &channel).ask(|| answer(request));
    async move {
        let answer = answer?;
        Hook(name, &channel).caught(answer).await
    }
}

/// What a caller is told whose call made the service panic.
const FAILED: &str = "the service failed";

/// The channel to listen to for a template: the narrowest wild one that has all it can bind.
fn listened(template: &ChannelId) -> String {
    if !template.is_template() {
        return template.as_str().to_owned();
    }
    let base = template.regular_part().unwrap_or_default();
    match template.depth() - base.matches('/').count() {
        1 => format!("{base}/*"),
        _ => format!("{base}/**"),
    }
}

type Answer = Pin<Box<dyn Future<Output = ()> + Send>>;
type Answerer = dyn Fn(Request) -> Answer + Send + Sync;

struct Listener {
    template: ChannelId,
    /// The service's own session.
    own: Weak<dyn LocalSession>,
    answer: Arc<Answerer>,
}

#[async_trait]
impl ServerChannelListener for Listener {
    async fn on_message(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let Some(sender) = from.filter(|from| !self.is_own(from)) else { return Flow::Continue };
        let Some(parameters) = self.bind(message) else { return Flow::Continue };
        let request = Request { sender: sender.clone(), message: (**message).clone(), parameters };
        (self.answer)(request).await;
        Flow::Continue
    }
}

impl Listener {
    fn is_own(&self, session: &Arc<dyn ServerSession>) -> bool {
        let local = session.local_session();
        local.is_some_and(|local| Weak::ptr_eq(&Arc::downgrade(&local), &self.own))
    }

    fn bind(&self, message: &Message) -> Option<Vec<(String, String)>> {
        if !self.template.is_template() {
            return Some(Vec::new());
        }
        let target = ChannelId::new(message.channel()).ok()?;
        let bound = self.template.bind(&target)?;
        Some(bound.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.template).finish()
    }
}

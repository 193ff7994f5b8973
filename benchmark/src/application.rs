//! What applications add to a server, all of it empty: it tells what the server pays for having it.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::{
    Config, Server,
    api::{
        Flow, Message,
        server::{
            GrantAuthorizer, ServerChannel, ServerChannelListener, ServerExtension, ServerMessage,
            ServerSession, ServerSessionListener, SessionListener,
        },
    },
};
use clap::ValueEnum;

use crate::Result;

/// What the server has beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Application {
    /// Nothing.
    #[default]
    #[value(name = "none")]
    Nothing,
    /// An attribute on each session.
    Attribute,
    /// That, an authorizer for all channels, an extension, and a listener on each session.
    Full,
    /// A service for each channel, which delivers to each of its subscribers by itself.
    Deliver,
}

/// Before the name of a channel, the service of [`Application::Deliver`] for it.
pub(crate) const SERVICE: &str = "/service/deliver";

impl Application {
    /// Makes a server with this application.
    pub(crate) fn server(self, config: Config) -> Result<Server> {
        let server = Server::builder().config(config).build();
        match self {
            Self::Nothing => {}
            Self::Attribute => {
                server.add_session_listener(Arc::new(Greeter { listens: false })).keep();
            }
            Self::Full => {
                server.add_session_listener(Arc::new(Greeter { listens: true })).keep();
                server.add_extension(Arc::new(Idle)).keep();
                let all = server.create_channel_if_absent("/**")?.channel();
                all.add_authorizer(Arc::new(GrantAuthorizer::ALL)).keep();
            }
            Self::Deliver => {
                let service = server.create_channel_if_absent("/service/deliver/**")?;
                let service = service.channel();
                service.add_listener(Arc::new(Courier(server.clone()))).keep();
            }
        }
        Ok(server)
    }
}

/// Gives each session an attribute, as one does with who has authenticated, and listens to it if so.
#[derive(Debug)]
struct Greeter {
    listens: bool,
}

#[async_trait]
impl SessionListener for Greeter {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        session.set_attribute("user", Arc::new("somebody".to_owned()));
        if self.listens {
            session.add_listener(Arc::new(Idle)).keep();
        }
    }
}

/// Looks on and does nothing.
#[derive(Debug)]
struct Idle;

impl ServerExtension for Idle {}

impl ServerSessionListener for Idle {}

/// Delivers to each subscriber what is sent to the service.
#[derive(Debug)]
struct Courier(Server);

#[async_trait]
impl ServerChannelListener for Courier {
    async fn on_message(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        _service: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let channel = message.channel().strip_prefix(SERVICE).and_then(|id| self.0.channel(id));
        if let (Some(channel), Some(from), Some(data)) = (channel, from, &message.data) {
            let message = Message::with_data(channel.id().as_str(), data.clone()).freeze();
            for session in channel.subscribers() {
                session.deliver_frozen_from(&**from, &message).await;
            }
        }
        Flow::Continue
    }
}

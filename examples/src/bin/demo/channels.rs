//! The channels for trying things: each shows one thing that a server can do with a channel.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::{
    DefaultSecurityPolicy, Server, Service,
    api::{
        ChannelId,
        server::{
            BayeuxServer, GrantAuthorizer, SecurityPolicy, ServerChannel, ServerMessage,
            ServerSession,
        },
    },
};

/// Sets the channels up and starts the services; they end when what is returned is dropped.
pub(crate) async fn offer(server: &Server) -> Result<Service, Box<dyn Error>> {
    let set_up = |id: &str, initialize: &dyn Fn(&dyn ServerChannel)| {
        server.create_channel_if_absent_with(id, |channel| {
            channel.set_persistent(true);
            initialize(channel);
        })
    };
    set_up("/demo/lazy", &|channel| channel.set_lazy_timeout(Duration::from_secs(1)))?;
    set_up("/demo/noecho", &|channel| channel.set_broadcast_to_publisher(false))?;
    set_up("/demo/readonly", &|channel| {
        channel.add_authorizer(Arc::new(GrantAuthorizer::SUBSCRIBE)).keep();
    })?;

    let mut service = server.new_service("demo").await?;
    service.on_message("/service/echo", async |request| request.message.data)?;
    service.remote_call("rpc/echo", async |request| {
        let data = request.message.data.unwrap_or_else(|| serde_json::Value::Null.into());
        match data.value().get("fail") {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(data),
        }
    })?;
    Ok(service)
}

/// The default policy, but nobody may create `/demo/denied`.
#[derive(Debug, Default)]
pub(crate) struct Policy(DefaultSecurityPolicy);

#[async_trait]
impl SecurityPolicy for Policy {
    async fn can_handshake(
        &self,
        server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> bool {
        self.0.can_handshake(server, session, message).await
    }

    async fn can_create(
        &self,
        server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &ChannelId,
        message: &mut ServerMessage,
    ) -> bool {
        channel.as_str() != "/demo/denied"
            && self.0.can_create(server, session, channel, message).await
    }

    async fn can_subscribe(
        &self,
        server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> bool {
        self.0.can_subscribe(server, session, channel, message).await
    }

    async fn can_publish(
        &self,
        server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> bool {
        self.0.can_publish(server, session, channel, message).await
    }
}

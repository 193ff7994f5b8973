//! A message to a user of another node, beside a broadcast to a subscriber there: one that a client publishes, and one
//! that the application publishes, as it sends the message, for each that a client does.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Message,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession, SessionKind},
};
use bayeux_seti::Seti;

use crate::{
    Result,
    cloud::{
        figures::Figures,
        forward::{self, FAR, Pair},
        nodes::Node,
    },
};

/// As [`forward::Arguments`].
pub(crate) type Arguments = forward::Arguments;

const TOLD: &str = "/load/told";
const SAID: &str = "/load/said";
const USER: &str = "user";

pub(crate) async fn run(arguments: Arguments, json: bool) -> Result<()> {
    let node = ["--tell", TOLD, "--say", SAID, "--observe", SAID];
    let pair = Pair::start(&arguments, &node).await?;
    let mut near = pair.near(&arguments).await?;
    let mut far = pair.far(FAR, &arguments).await?;
    let mut said = pair.far(SAID, &arguments).await?;
    let mut told = pair.far(TOLD, &arguments).await?;
    let (mut forwards, mut says, mut tells) = (Vec::new(), Vec::new(), Vec::new());
    let (mut by_forwards, mut by_says) = (Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        let local = near.measure(&pair, &arguments).await?;
        let forward = far.measure(&pair, &arguments).await? - local;
        let say = said.measure(&pair, &arguments).await? - local;
        let tell = told.measure(&pair, &arguments).await? - local;
        if round > 0 {
            forwards.push(forward);
            says.push(say);
            tells.push(tell);
            by_forwards.push(tell / forward);
            by_says.push(tell / say);
        }
    }
    pair.end().await?;
    let mut figures = Figures::new("tell");
    figures.add_rounds("forward_micros", "more for a subscriber of the other node", forwards, "µs");
    figures.add_rounds("say_micros", "the same, published by the application", says, "µs");
    figures.add_rounds("tell_micros", "more for a user of the other node", tells, "µs");
    figures.add_rounds("ratio", "that, by a broadcast of the application's", by_says, "");
    figures.add_rounds("forward_ratio", "and by a broadcast of a client's", by_forwards, "");
    figures.print(json)
}

/// Has a node know who subscribes to `channel`, and send there what is published on it here.
pub(super) async fn serve(node: &Node, channel: &str) -> Result<()> {
    let seti = Seti::start(&node.oort).await?;
    let channel = node.server.create_channel_if_absent(channel)?;
    channel.set_persistent(true);
    channel.add_listener(Arc::new(Tells(seti))).keep();
    Ok(())
}

/// Has a node publish itself what clients publish on `channel`.
pub(super) fn say(node: &Node, channel: &str) -> Result<()> {
    let channel = node.server.create_channel_if_absent(channel)?;
    channel.set_persistent(true);
    channel.add_listener(Arc::new(Says)).keep();
    Ok(())
}

#[derive(Debug)]
struct Says;

#[async_trait]
impl ServerChannelListener for Says {
    async fn on_message(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        if from.is_none_or(|from| from.kind() != SessionKind::Client) {
            return Flow::Continue;
        }
        if let Some(data) = message.data.clone() {
            let _ = channel.publish(None, Message::with_data("", data)).await;
        }
        message.reply_mut().successful = Some(true);
        message.set_handled(true);
        Flow::Stop
    }
}

#[derive(Debug)]
struct Tells(Seti);

#[async_trait]
impl ServerChannelListener for Tells {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        if let Some(data) = &message.data {
            let _ = self.0.send_message(USER, channel.id().as_str(), data).await;
        }
        // Nobody else gets it, which is no failure.
        message.reply_mut().successful = Some(true);
        message.set_handled(true);
        Flow::Stop
    }

    async fn subscribed(
        &self,
        session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        if session.kind() == SessionKind::Client {
            let _ = self.0.associate(USER, session);
        }
    }
}

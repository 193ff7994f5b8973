//! The scenes of services: what answers, what fails, and what the server denies.

use std::sync::Arc;

use bayeux_client::api::{
    Message,
    client::{ClientSessionChannel, RequestError},
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    Result,
    scene::{Scene, is_refused, same, succeeds, within},
};

/// A service answers on its channel, and the publication has its reply.
pub(crate) async fn echo(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    let channel = client.channel("/service/echo")?;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let _listener =
        channel.add_listener(Arc::new(move |_: &dyn ClientSessionChannel, message: &Message| {
            if let Some(data) = &message.data {
                let _ = sender.send(data.value());
            }
        }));
    let data = json!({ "n": 1 });
    let reply = channel.publish(data.clone());
    let answer = within("the answer", heard.recv()).await?.ok_or("the listener is gone")?;
    same("the answer", &answer, &data)?;
    succeeds("the publication", reply).await?;
    Ok(())
}

/// A call that succeeds has its data; one that fails says so.
pub(crate) async fn remote_call(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    let data = json!({ "n": [1, 2] });
    let answer = succeeds("the call", client.remote_call("echo", data.clone())?).await?;
    same("the answer", &answer.data.map(|json| json.value()), &Some(data))?;
    match within("the failing call", client.remote_call("fail", json!({}))?).await? {
        Ok(answer) => same("whether the call failed", &answer.is_successful(), &false),
        Err(RequestError::Refused(_)) => Ok(()),
        Err(error) => Err(format!("the failing call has no answer: {error}").into()),
    }
}

/// What the server denies is refused with its reason, and the session lives on.
pub(crate) async fn denied(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    let channel = client.channel("/denied")?;
    let reply = is_refused("the publication", channel.publish(json!(1))).await?;
    is_denial(&reply, "publish_denied")?;
    let reply = is_refused("the subscription", channel.subscribe()).await?;
    is_denial(&reply, "subscribe_denied")?;
    let channel = client.channel(&scene.channel("room"))?;
    succeeds("a publication that is allowed", channel.publish(json!(1))).await?;
    Ok(())
}

fn is_denial(reply: &Message, reason: &str) -> Result<()> {
    let error = reply.error.as_deref().unwrap_or_default();
    if error.starts_with("403:") && error.ends_with(reason) {
        return Ok(());
    }
    Err(format!("refused with {error:?}, which is no {reason}").into())
}

//! The scenes of broadcast messages: who gets which, and in which order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bayeux_client::api::{Message, client::ClientSessionChannel};
use serde_json::{Value, json};

use crate::{
    Result,
    scene::{Scene, next, same, succeeds},
};

/// What is published arrives.
pub(crate) async fn publish(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    let channel = client.channel(&scene.channel("room"))?;
    let mut messages = succeeds("the subscription", channel.subscribe()).await?;
    let data = json!({ "text": "h\u{e9}llo \u{1f600}", "list": [1, 2.5, null, true] });
    let reply = succeeds("the publication", channel.publish(data.clone())).await?;
    same("the reply's channel", &reply.channel(), &scene.channel("room").as_str())?;
    same("the data", &next(&mut messages).await?, &data)
}

/// A batch arrives in its order, subscription included: the client itself gets all of it, and another gets
/// it in order.
pub(crate) async fn batch(scene: Scene<'_>) -> Result<()> {
    let (client, other) = (scene.connected().await?, scene.connected().await?);
    let other = other.channel(&scene.channel("room"))?;
    let mut heard = succeeds("the subscription of another", other.subscribe()).await?;
    let channel = client.channel(&scene.channel("room"))?;
    let (subscribing, replies) = client.batch(|| {
        let subscribing = channel.subscribe();
        (subscribing, (0..20).map(|n| channel.publish(json!(n))).collect::<Vec<_>>())
    });
    let mut messages = succeeds("the subscription", subscribing).await?;
    let mut own = Vec::new();
    for n in 0..20 {
        same("the data", &next(&mut heard).await?, &json!(n))?;
        own.push(next(&mut messages).await?.as_i64());
    }
    own.sort_unstable();
    same("what the client itself gets", &own, &(0..20).map(Some).collect())?;
    for reply in replies {
        succeeds("a publication", reply).await?;
    }
    Ok(())
}

/// `*` gets what is one level below, `**` all of it.
pub(crate) async fn wildcard(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    let one = client.channel(&scene.channel("*"))?;
    let mut one = succeeds("the subscription to *", one.subscribe()).await?;
    let all = client.channel(&scene.channel("**"))?;
    let mut all = succeeds("the subscription to **", all.subscribe()).await?;
    for name in ["a/b", "a"] {
        let channel = client.channel(&scene.channel(name))?;
        succeeds("the publication", channel.publish(json!(name))).await?;
    }
    same("what ** gets", &next(&mut all).await?, &json!("a/b"))?;
    same("what ** gets", &next(&mut all).await?, &json!("a"))?;
    same("what * gets", &next(&mut one).await?, &json!("a"))
}

/// Nothing arrives after an unsubscription.
pub(crate) async fn unsubscribe(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    let left = client.channel(&scene.channel("left"))?;
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let _listener =
        left.add_listener(Arc::new(move |_: &dyn ClientSessionChannel, message: &Message| {
            count.fetch_add(usize::from(message.data.is_some()), Ordering::SeqCst);
        }));
    let mut messages = succeeds("the subscription", left.subscribe()).await?;
    succeeds("the publication", left.publish(json!(1))).await?;
    same("the data", &next(&mut messages).await?, &json!(1))?;
    succeeds("the unsubscription", messages.unsubscribe()).await?;
    let kept = client.channel(&scene.channel("kept"))?;
    let mut messages = succeeds("the subscription", kept.subscribe()).await?;
    succeeds("the publication", left.publish(json!(2))).await?;
    succeeds("the publication", kept.publish(json!(3))).await?;
    same("the data", &next(&mut messages).await?, &json!(3))?;
    same("the messages heard", &heard.load(Ordering::SeqCst), &1)
}

/// Two clients hear each other.
pub(crate) async fn two_clients(scene: Scene<'_>) -> Result<()> {
    let (first, second) = (scene.connected().await?, scene.connected().await?);
    let (first, second) =
        (first.channel(&scene.channel("room"))?, second.channel(&scene.channel("room"))?);
    let mut to_first = succeeds("the first subscription", first.subscribe()).await?;
    let mut to_second = succeeds("the second subscription", second.subscribe()).await?;
    for (from, data) in [(&first, "ping"), (&second, "pong")] {
        succeeds("the publication", from.publish(json!(data))).await?;
        same("what the first gets", &next(&mut to_first).await?, &json!(data))?;
        same("what the second gets", &next(&mut to_second).await?, &json!(data))?;
    }
    Ok(())
}

/// A thousand messages in batches of fifty, all under way at once, arrive once and in order. Another
/// client hears them: what a session itself published, CometD's Java server may tell it over WebSocket
/// in another order.
pub(crate) async fn order(scene: Scene<'_>) -> Result<()> {
    const MESSAGES: usize = 1000;
    let (publisher, subscriber) = (scene.connected().await?, scene.connected().await?);
    let channel = publisher.channel(&scene.channel("room"))?;
    let heard = subscriber.channel(&scene.channel("room"))?;
    let mut messages = succeeds("the subscription", heard.subscribe()).await?;
    let mut replies = Vec::new();
    for start in (0..MESSAGES).step_by(50) {
        publisher.batch(|| replies.extend((start..start + 50).map(|n| channel.publish(json!(n)))));
    }
    let mut received: Vec<Value> = Vec::new();
    while received.len() < MESSAGES {
        received.push(next(&mut messages).await.map_err(|error| {
            let (is, other) = (subscriber.state(), publisher.state());
            let received = received.len();
            format!("{error}, after {received} of {MESSAGES}; who hears is {is}, the other {other}")
        })?);
    }
    for reply in replies {
        succeeds("a publication", reply).await?;
    }
    let misplaced = received.iter().enumerate().find(|(n, data)| **data != json!(n));
    if let Some((n, data)) = misplaced {
        return Err(format!("message {n} is {data}").into());
    }
    same("what is left", &messages.try_next(), &None)
}

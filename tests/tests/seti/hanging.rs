//! An application's code that looks at messages to users and never comes back holds up nothing beside them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};
use serde_json::json;
use tests::{cloud_scene::Joint, eventually};

use crate::{
    messages::{NeverTakes, TakesItsTime},
    people::{CHANNEL, Setis},
};

/// Of a user's two sessions one hangs, and the other takes its time.
#[tokio::test(start_paused = true)]
async fn a_session_that_never_takes_a_message_takes_none_from_the_users_others() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let (stuck, well) = (cloud.person(1).await, cloud.person(1).await);
    stuck.session.add_listener(Arc::new(NeverTakes)).keep();
    well.session.add_listener(Arc::new(TakesItsTime)).keep();
    for person in [&stuck, &well] {
        cloud.setis[1].associate("dave", &person.session).unwrap();
    }
    cloud.is_present("dave", &[1, 2]).await;
    let begun = tokio::time::Instant::now();
    for number in 0..5 {
        cloud.setis[0].send_message("dave", CHANNEL, &number).await.unwrap();
    }
    well.are(&[json!(0), json!(1), json!(2), json!(3), json!(4)]).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    eventually("the others to be dropped", || cloud.setis[1].statistics().undelivered == 4).await;
    assert!(stuck.received().is_empty());
}

/// Looks at all that is published, and never comes back from what is for dave.
#[derive(Debug)]
struct HangsOverDave;

#[async_trait]
impl ServerChannelListener for HangsOverDave {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let user = message.data.as_ref().map(|data| data.value()["userId"].clone());
        match user == Some(json!("dave")) {
            true => std::future::pending().await,
            false => Flow::Continue,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_on_its_way_to_other_nodes_keeps_no_message_from_others_and_not_for_ever() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let server = cloud.scene.oort(0).server();
    server.create_channel_if_absent("/**").unwrap().add_listener(Arc::new(HangsOverDave)).keep();
    let (here, there) = (cloud.person(0).await, cloud.person(1).await);
    cloud.setis[0].associate("dave", &here.session).unwrap();
    cloud.setis[1].associate("dave", &there.session).unwrap();
    cloud.setis[1].associate("last", &there.session).unwrap();
    cloud.is_present("dave", &[2, 2]).await;
    cloud.is_present("last", &[1, 1]).await;
    let begun = tokio::time::Instant::now();
    let seti = cloud.setis[0].clone();
    let sending =
        tokio::spawn(
            async move { seti.send_messages(["dave", "last"], CHANNEL, &1).await.unwrap() },
        );
    here.has(1).await;
    // That for dave got there before it hangs in this cloud.
    there.has(2).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let sent = sending.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(70), "{:?}", begun.elapsed());
    assert_eq!((sent.sessions, sent.nodes, sent.nowhere.len()), (1, 1, 0));
}

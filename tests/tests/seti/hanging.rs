//! An application's code that looks at messages to users and never comes back holds up nothing beside them.

use std::{sync::Arc, time::Duration};

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

//! An application's code that looks at messages to users and never comes back holds up nothing beside them.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tests::{Hangs, cloud_scene::Joint, eventually};

use crate::{
    messages::TakesItsTime,
    people::{CHANNEL, Setis},
};

/// Of a user's two sessions one hangs, and the other takes its time.
#[tokio::test(start_paused = true)]
async fn a_session_that_never_takes_a_message_takes_none_from_the_users_others() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let (stuck, well) = (cloud.person(1).await, cloud.person(1).await);
    stuck.session.add_listener(Hangs::over_all()).keep();
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
    eventually("the others to be dropped", || cloud.setis[1].statistics().undelivered == 5).await;
    assert!(stuck.received().is_empty());
}

/// What comes once nothing waits any more is delivered as what waited: nobody waits for who hangs, who has a short while
/// for each.
#[tokio::test(start_paused = true)]
async fn a_session_that_hangs_is_waited_for_once_and_by_nobody_else() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let (stuck, well) = (cloud.person(1).await, cloud.person(1).await);
    stuck.session.add_listener(Hangs::over_all()).keep();
    for person in [&stuck, &well] {
        cloud.setis[1].associate("dave", &person.session).unwrap();
    }
    cloud.is_present("dave", &[1, 2]).await;
    for number in 0..4 {
        let begun = tokio::time::Instant::now();
        cloud.setis[0].send_message("dave", CHANNEL, &number).await.unwrap();
        well.has(number + 1).await;
        assert!(begun.elapsed() < Duration::from_millis(100), "{number}: {:?}", begun.elapsed());
        let undelivered = u64::try_from(number + 1).unwrap();
        let is_counted = || cloud.setis[1].statistics().undelivered == undelivered;
        eventually("the other to be given up", is_counted).await;
        let patience = if number == 0 { 8 } else { 1 };
        assert!(begun.elapsed() < Duration::from_secs(patience), "{number}: {:?}", begun.elapsed());
    }
}

/// It takes the second after a moment, and then it is waited for again as any.
#[tokio::test(start_paused = true)]
async fn a_session_that_goes_on_gets_what_it_takes() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let dave = cloud.person(1).await;
    let (first, third) = (Hangs::over(|data| data == 0), Hangs::over(|data| data == 2));
    for listener in [first, third.clone()] {
        dave.session.add_listener(listener).keep();
    }
    dave.session.add_listener(Arc::new(TakesItsTime)).keep();
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    for number in 0..4 {
        cloud.setis[0].send_message("dave", CHANNEL, &number).await.unwrap();
    }
    eventually("the third to be looked at", || third.count() == 1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    third.let_go();
    dave.are(&[json!(1), json!(2), json!(3)]).await;
    assert_eq!(cloud.setis[1].statistics().undelivered, 1);
}

/// Who is not the user any more when its turn comes does not get what was for the user.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_user_who_goes_is_dropped() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let person = cloud.person(1).await;
    let hangs = Hangs::over(|data| data == 0);
    person.session.add_listener(hangs.clone()).keep();
    for user in ["dave", "ann"] {
        cloud.setis[1].associate(user, &person.session).unwrap();
        cloud.is_present(user, &[1, 1]).await;
    }
    for (number, user) in ["dave", "dave", "ann"].into_iter().enumerate() {
        cloud.setis[0].send_message(user, CHANNEL, &number).await.unwrap();
    }
    eventually("the first to be looked at", || hangs.count() == 1).await;
    cloud.setis[1].disassociate("dave", &person.session);
    hangs.let_go();
    person.are(&[json!(0), json!(2)]).await;
    assert_eq!(cloud.setis[1].statistics().undelivered, 1);
}

#[tokio::test(start_paused = true)]
async fn what_hangs_on_its_way_to_other_nodes_keeps_no_message_from_others_and_not_for_ever() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let server = cloud.scene.oort(0).server();
    let over_dave = Hangs::over(|data| data["userId"] == "dave");
    server.create_channel_if_absent("/**").unwrap().add_listener(over_dave).keep();
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

//! Users and their sessions on one node.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_oort::Oort;
use bayeux_server::{
    Server,
    api::server::{Removal, ServerSession, SessionListener},
};
use bayeux_seti::{AssociateError, Seti, SetiConfig};
use tests::{
    TestNode, Transport, cloud_hub::CloudHub, cloud_scene::Joint, eventually, over_every_cloud,
};

use crate::people::{Person, Setis};

async fn who_disassociates_is_present_nowhere(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let dave = cloud.person(0).await;
    cloud.setis[0].associate("dave", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    assert!(cloud.setis[0].disassociate("dave", &dave.session));
    assert!(!cloud.setis[0].disassociate("dave", &dave.session));
    cloud.is_present("dave", &[0, 0]).await;
    assert!(!cloud.setis[1].is_present("dave") && cloud.setis[1].user_ids().is_empty());
}

async fn a_session_that_goes_takes_its_users_with_it(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let dave = cloud.person(0).await;
    cloud.setis[0].associate("dave", &dave.session).unwrap();
    cloud.setis[0].associate("dave too", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    dave.goes().await;
    cloud.is_present("dave", &[0, 0]).await;
    cloud.is_present("dave too", &[0, 0]).await;
    cloud.heard[1].was_told("-dave", 2).await;
    let error = cloud.setis[0].associate("dave", &dave.session).unwrap_err();
    assert!(matches!(error, AssociateError::Ended(_)));
}

/// CometD forgets to look after the second, who then stays for ever.
async fn of_two_users_of_a_session_one_may_go_before_it(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let person = cloud.person(0).await;
    cloud.setis[0].associate("one", &person.session).unwrap();
    cloud.setis[0].associate("other", &person.session).unwrap();
    cloud.is_present("other", &[1, 1]).await;
    assert!(cloud.setis[0].disassociate("one", &person.session));
    cloud.is_present("one", &[0, 0]).await;
    cloud.is_present("other", &[1, 1]).await;
    person.goes().await;
    cloud.is_present("other", &[0, 0]).await;
}

async fn all_sessions_of_a_user_are_disassociated_together(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let all = [cloud.person(0).await, cloud.person(0).await];
    for person in &all {
        cloud.setis[0].associate("dave", &person.session).unwrap();
    }
    let far = cloud.person(1).await;
    cloud.setis[1].associate("dave", &far.session).unwrap();
    cloud.is_present("dave", &[3, 2]).await;
    assert_eq!(cloud.setis[0].disassociate_all("dave").len(), 2);
    assert!(cloud.setis[0].disassociate_all("dave").is_empty());
    cloud.is_present("dave", &[1, 1]).await;
}

over_every_cloud!(
    who_disassociates_is_present_nowhere,
    a_session_that_goes_takes_its_users_with_it,
    of_two_users_of_a_session_one_may_go_before_it,
    all_sessions_of_a_user_are_disassociated_together,
);

#[tokio::test]
async fn a_client_that_is_lost_is_present_nowhere() {
    let brisk = |config: &mut bayeux_server::Config| tests::brisk(config);
    let one = TestNode::with(brisk, |_| {}).await;
    let other = TestNode::start().await;
    one.observe(&other);
    other.has_joined(1).await;
    let (seti, far) =
        (Seti::start(&one.oort).await.unwrap(), Seti::start(&other.oort).await.unwrap());
    let mut client = one.server.connected(Transport::WebSocket).await;
    let session = one.server.server.session(client.id()).unwrap();
    let session: Arc<dyn ServerSession> = session;
    seti.associate("dave", &session).unwrap();
    eventually("dave to come", || far.is_present("dave")).await;
    client.abort().await;
    eventually("dave to go", || !far.is_present("dave") && !seti.is_associated("dave")).await;
}

#[tokio::test]
async fn an_id_that_is_too_long_is_refused() {
    let cloud = Setis::start(Joint::InProcess, 1).await;
    let person = cloud.person(0).await;
    let longest = SetiConfig::default().max_user_id;
    let associate = |length: usize| cloud.setis[0].associate(&"x".repeat(length), &person.session);
    assert_eq!(associate(longest), Ok(true));
    assert_eq!(associate(longest + 1), Err(AssociateError::LongId(longest + 1)));
}

#[tokio::test]
async fn a_session_of_another_node_is_refused() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let person = cloud.person(1).await;
    let foreign = AssociateError::Foreign(person.session.id().to_owned());
    assert_eq!(cloud.setis[0].associate("dave", &person.session), Err(foreign));
    assert_eq!(cloud.setis[1].associate("dave", &person.session), Ok(true));
}

/// Never returns when it is told that a session has ended.
#[derive(Debug)]
struct NeverReturns;

#[async_trait]
impl SessionListener for NeverReturns {
    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        std::future::pending().await
    }
}

/// By a clock that goes on when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_session_of_which_nobody_is_told_that_it_has_ended_takes_its_users_with_it() {
    let server = Server::new();
    server.add_session_listener(Arc::new(NeverReturns)).keep();
    let cloud = CloudHub::default().cloud("a", "http://a:8080/cometd");
    let seti = Seti::start(&Oort::start(&server, cloud).await.unwrap()).await.unwrap();
    let (dave, ann) = (Person::on(seti.oort()).await, Person::on(seti.oort()).await);
    seti.associate("dave", &dave.session).unwrap();
    seti.associate("ann", &ann.session).unwrap();
    let ending = tokio::spawn(async move { dave.goes().await });
    eventually("dave to go", || !seti.is_present("dave")).await;
    assert!(seti.is_present("ann"));
    ending.abort();
}

//! A Seti that ends says so last.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_oort::{Cloud, CloudListener, Comet, Oort, SendError, Sending, StartError};
use bayeux_server::{
    Server,
    api::{ChannelId, Message},
};
use bayeux_seti::{Presence, PresenceListener, Seti};
use serde_json::json;
use tests::{
    Hangs, HangsAtEnds,
    cloud_hub::{CloudHub, HubCloud},
    cloud_scene::Joint,
    eventually, within,
};

use crate::people::{Person, Setis, start};

/// A cloud whose broadcasts of changes wait at a gate, with the thread that makes them: as one does that the machine
/// has not run for a while.
#[derive(Debug)]
struct Gated {
    cloud: Arc<HubCloud>,
    is_closed: Mutex<bool>,
    opens: Condvar,
    waiting: AtomicUsize,
}

impl Gated {
    fn set_closed(&self, is_closed: bool) {
        *self.is_closed.lock().unwrap() = is_closed;
        self.opens.notify_all();
    }

    fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let gate = self.is_closed.lock().unwrap();
        drop(self.opens.wait_while(gate, |is_closed| *is_closed).unwrap());
    }
}

#[async_trait]
impl Cloud for Gated {
    fn own(&self) -> &Comet {
        self.cloud.own()
    }

    fn comets(&self) -> Vec<Comet> {
        self.cloud.comets()
    }

    async fn start(
        &self,
        server: &Server,
        listener: Arc<dyn CloudListener>,
    ) -> Result<(), StartError> {
        self.cloud.start(server, listener).await
    }

    fn observe(&self, channel: &ChannelId) {
        self.cloud.observe(channel);
    }

    fn deobserve(&self, channel: &ChannelId) {
        self.cloud.deobserve(channel);
    }

    async fn broadcast(&self, message: Message) -> Result<(), SendError> {
        let value = message.data.as_ref().unwrap().value();
        if value["replace"] == false && value["userIds"] == json!(["dave"]) {
            self.pass();
        }
        self.cloud.broadcast(message).await
    }

    fn send(&self, to: &Comet, message: Message) -> Sending {
        self.cloud.send(to, message)
    }

    async fn stop(&self) {
        self.cloud.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_on_its_way_when_it_stopped_does_not_stay() {
    let hub = CloudHub::default();
    let gated = Arc::new(Gated {
        cloud: hub.cloud("a", "http://a/cometd"),
        is_closed: Mutex::new(false),
        opens: Condvar::new(),
        waiting: AtomicUsize::new(0),
    });
    let here = Oort::start(&Server::new(), gated.clone()).await.unwrap();
    let there = Oort::start(&Server::new(), hub.cloud("b", "http://b/cometd")).await.unwrap();
    let (seti, (other, heard)) = (start(&here).await.0, start(&there).await);
    let person = Person::on(&here).await;
    seti.associate("ann", &person.session).unwrap();
    heard.was_told("+ann", 1).await;
    gated.set_closed(true);
    seti.associate("dave", &person.session).unwrap();
    eventually("dave to be on the way", || gated.waiting.load(Ordering::SeqCst) == 1).await;
    let mut stopping = tokio::spawn(seti.stop());
    // It has time to overtake what is on its way, if it does.
    let early = tokio::time::timeout(Duration::from_millis(300), &mut stopping).await;
    gated.set_closed(false);
    if early.is_err() {
        within("the stop", stopping).await.unwrap();
    }
    heard.was_told("+dave", 1).await;
    // All that the node sent has been heard when this has.
    let last = json!({ "userIds": ["last"], "oortURL": "http://a/cometd", "presence": true });
    here.broadcast(Message::with_data("/seti/all", last)).await.unwrap();
    heard.was_told("+last", 1).await;
    assert!(!other.is_present("dave") && !other.is_present("ann"));
}

#[tokio::test]
async fn what_the_application_looks_at_when_it_stopped_does_not_stay() {
    let cloud = Setis::start(Joint::Mesh, 2).await;
    let server = cloud.scene.oort(0).server();
    let looks = Hangs::over(|data| data["userIds"] == json!(["dave"]));
    server.create_channel_if_absent("/**").unwrap().add_listener(looks.clone()).keep();
    let person = cloud.person(0).await;
    cloud.setis[0].associate("dave", &person.session).unwrap();
    eventually("dave to be looked at", || looks.count() == 1).await;
    let mut stopping = tokio::spawn(cloud.setis[0].stop());
    // It has time to overtake what is on its way, if it does.
    let early = tokio::time::timeout(Duration::from_millis(300), &mut stopping).await;
    looks.let_go();
    if early.is_err() {
        within("the stop", stopping).await.unwrap();
    }
    cloud.heard[1].was_told("+dave", 1).await;
    // All that the node sent has been heard when this has.
    let last = json!({ "userIds": ["last"], "oortURL": cloud.scene.url(0), "presence": true });
    cloud.scene.oort(0).broadcast(Message::with_data("/seti/all", last)).await.unwrap();
    cloud.heard[1].was_told("+last", 1).await;
    assert!(!cloud.setis[1].is_present("dave"), "{:?}", cloud.heard[1].all());
}

/// Never returns.
#[derive(Debug, Default)]
struct Stuck(AtomicUsize);

#[async_trait]
impl PresenceListener for Stuck {
    async fn added(&self, _presence: &Presence) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

/// By a clock that goes on when nothing else is left to do: a start waits a second at most for the one before.
#[tokio::test(start_paused = true)]
async fn one_whose_listener_waits_ends_when_it_is_dropped() {
    let hub = CloudHub::default();
    let oort = Oort::start(&Server::new(), hub.cloud("a", "http://a/cometd")).await.unwrap();
    let person = Person::on(&oort).await;
    let stuck = Arc::new(Stuck::default());
    for number in 1..=3 {
        let seti = Seti::start(&oort).await.unwrap();
        seti.add_presence_listener(stuck.clone()).keep();
        seti.associate("dave", &person.session).unwrap();
        eventually("it to be stuck", || stuck.0.load(Ordering::SeqCst) == number).await;
    }
    eventually("it to be let go of", || Arc::strong_count(&stuck) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_starts_after_it_is_not_undone_by_its_end() {
    let hub = CloudHub::default();
    let here = Oort::start(&Server::new(), hub.cloud("a", "http://a/cometd")).await.unwrap();
    let there = Oort::start(&Server::new(), hub.cloud("b", "http://b/cometd")).await.unwrap();
    let (seti, (other, heard)) = (start(&here).await.0, start(&there).await);
    let person = Person::on(&here).await;
    seti.associate("dave", &person.session).unwrap();
    heard.was_told("+dave", 1).await;
    // Nobody waits for it.
    let stopping = seti.stop();
    let next = within("the place to be free", Seti::start(&here)).await.unwrap();
    next.associate("ann", &person.session).unwrap();
    heard.was_told("+ann", 1).await;
    within("the stop", stopping).await;
    next.associate("bob", &person.session).unwrap();
    heard.was_told("+bob", 1).await;
    assert_eq!((heard.count("-ann"), heard.count("-dave")), (0, 1), "{:?}", heard.all());
    assert!(other.is_present("ann") && !other.is_present("dave"));
}

#[tokio::test]
async fn a_stop_is_over_though_a_listener_of_sessions_never_comes_back() {
    let cloud = Setis::start(Joint::InProcess, 1).await;
    cloud.scene.oort(0).server().add_session_listener(Arc::new(HangsAtEnds)).keep();
    within("the stop", cloud.setis[0].stop()).await;
}

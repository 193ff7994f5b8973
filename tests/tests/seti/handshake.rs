//! Users who are known from the handshake on.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::{
    Server,
    api::{
        Message,
        server::{BayeuxServer, SecurityPolicy, ServerMessage, ServerSession},
    },
};
use bayeux_seti::{Handshake, Seti, SetiConfig};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tests::{
    Client, TestNode, TestServer, Transport, eventually, hooks::Log, over_every_transport,
};
use tokio::sync::Notify;

/// Whoever the client says to be.
async fn said(it: Handshake) -> Option<String> {
    Some(it.message.ext_field("user")?.as_str()?.to_owned())
}

/// Notes whom the client says to be, and hangs over one.
fn said_or_hangs(log: Log) -> impl Fn(Handshake) -> BoxFuture<'static, Option<String>> {
    move |it| {
        let log = log.clone();
        Box::pin(async move {
            let user = said(it).await;
            log.add(user.as_deref().unwrap_or_default());
            match user.as_deref() {
                Some("hangs") => std::future::pending().await,
                Some(_) | None => user,
            }
        })
    }
}

async fn shake_hands(client: &mut Client, user: &str) -> Value {
    client.try_handshake(json!({ "ext": { "user": user } })).await
}

over_every_transport!(
    a_user_is_associated_when_the_handshake_is_answered,
    who_is_denied_is_nobody_and_not_asked_about,
    the_policy_may_leave_the_user_as_an_attribute,
    the_reply_waits_for_who_says_whose_it_is,
    of_handshakes_that_come_together_the_first_alone_is_one,
);

async fn a_user_is_associated_when_the_handshake_is_answered(transport: Transport) {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let _users = seti.associate_at_handshake(said);
    let mut dave = node.server.client(transport).await;
    assert_eq!(shake_hands(&mut dave, "dave").await["successful"], true);
    assert_eq!(seti.association_count("dave"), 1);
    assert_eq!(seti.sessions("dave")[0].id(), dave.id());
    let mut nobody = node.server.client(transport).await;
    nobody.handshake().await;
    assert_eq!(seti.associated_user_ids().len(), 1);
    assert_eq!(seti.send_message("dave", "/notice", &1).await.unwrap().sessions, 1);
    dave.channels_until("/notice").await;
}

/// Takes those with a token, and calls them by the name in it.
#[derive(Debug)]
struct Tokens(Log);

#[async_trait]
impl SecurityPolicy for Tokens {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> bool {
        self.0.add("decided");
        let token = message.ext_field("token");
        let Some(user) = token.as_ref().and_then(Value::as_str) else {
            return session.is_local_session();
        };
        session.set_attribute("user", Arc::new(user.to_owned()));
        true
    }
}

async fn tokens() -> (TestNode, Log) {
    let log = Log::default();
    let server = Server::builder().policy(Tokens(log.clone())).build();
    (TestNode::on(TestServer::serve(server).await, |_| {}).await, log)
}

async fn who_is_denied_is_nobody_and_not_asked_about(transport: Transport) {
    let (node, log) = tokens().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    log.take();
    let asked = log.clone();
    let users = seti.associate_at_handshake(move |it| {
        asked.add("asked");
        said(it)
    });
    let mut client = node.server.client(transport).await;
    assert_eq!(shake_hands(&mut client, "dave").await["successful"], false);
    assert_eq!(log.entries(), ["decided"]);
    assert!(seti.user_ids().is_empty());
    drop(users);
}

async fn the_policy_may_leave_the_user_as_an_attribute(transport: Transport) {
    let (node, _log) = tokens().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let _users = seti.associate_at_handshake(async |it| {
        it.session.attribute("user")?.downcast_ref::<String>().cloned()
    });
    let mut client = node.server.client(transport).await;
    let said = json!({ "ext": { "token": "ann", "user": "mallory" } });
    assert_eq!(client.try_handshake(said).await["successful"], true);
    assert_eq!(&*seti.user_ids().concat(), "ann");
}

async fn the_reply_waits_for_who_says_whose_it_is(transport: Transport) {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let (log, goes_on) = (Log::default(), Arc::new(Notify::new()));
    let (asked, waits) = (log.clone(), goes_on.clone());
    let _users = seti.associate_at_handshake(move |it| {
        let (asked, waits) = (asked.clone(), waits.clone());
        async move {
            let user = said(it).await;
            if user.as_deref() == Some("dave") {
                asked.add("asked");
                waits.notified().await;
            }
            user
        }
    });
    let mut client = node.server.client(transport).await;
    let mut free = node.server.client(transport).await;
    let replied = async {
        let reply = shake_hands(&mut client, "dave").await;
        log.add("replied");
        reply
    };
    let other = async {
        log.until("asked").await;
        // Others are not held up, and had it not to wait the reply would have come by then.
        assert_eq!(shake_hands(&mut free, "ann").await["successful"], true);
        assert!(seti.is_associated("ann") && !seti.is_associated("dave"));
        assert_eq!(log.entries(), ["asked"]);
        goes_on.notify_one();
    };
    let (reply, ()) = tokio::join!(replied, other);
    assert_eq!(reply["successful"], true);
    assert!(seti.is_associated("dave"));
}

/// The server refuses what comes beside a handshake: nobody is asked about that, and waits for an answer.
async fn of_handshakes_that_come_together_the_first_alone_is_one(transport: Transport) {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let log = Log::default();
    let _users = seti.associate_at_handshake(said_or_hangs(log.clone()));
    let mut client = node.server.client(transport).await;
    let shakes = ["dave", "ann", "dave", "hangs"].map(|user| {
        let fields = json!({ "version": "1.0", "ext": { "user": user } });
        client.message("/meta/handshake", &fields)
    });
    let replies = client.batch(&shakes).await;
    let successful: Vec<_> = replies.iter().map(|reply| reply["successful"] == true).collect();
    assert_eq!(successful, [true, false, false, false], "{replies:?}");
    assert_eq!(replies[3]["error"], "400::not_with_handshake");
    assert_eq!((log.entries(), &*seti.user_ids().concat()), (vec!["dave".to_owned()], "dave"));
}

#[tokio::test]
async fn who_handshakes_on_one_node_is_present_on_all() {
    let (one, other) = (TestNode::start().await, TestNode::start().await);
    let (seti, far) =
        (Seti::start(&one.oort).await.unwrap(), Seti::start(&other.oort).await.unwrap());
    let log = Log::default();
    let registrations = [&seti, &far].map(|seti| {
        let asked = log.clone();
        seti.associate_at_handshake(move |it| {
            asked.add("asked");
            said(it)
        })
    });
    one.observe(&other);
    one.has_joined(1).await;
    other.has_joined(1).await;
    // Nodes are not users.
    assert!(log.entries().is_empty());
    let mut client = one.server.client(Transport::WebSocket).await;
    shake_hands(&mut client, "dave").await;
    eventually("dave to be present", || far.is_present("dave")).await;
    assert_eq!(far.locations("dave")[0].comet.url(), one.url());
    client.request("/meta/disconnect", json!({})).await;
    eventually("dave to go", || !far.is_present("dave")).await;
    drop(registrations);
}

#[tokio::test]
async fn who_panics_over_one_handshake_is_asked_about_the_next() {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let _users = seti.associate_at_handshake(|it| {
        assert_ne!(it.message.ext_field("user"), Some(json!("at once")));
        async {
            tokio::task::yield_now().await;
            assert_ne!(it.message.ext_field("user"), Some(json!("later")));
            said(it).await
        }
    });
    for user in ["at once", "later", "dave"] {
        let mut client = node.server.client(Transport::WebSocket).await;
        assert_eq!(shake_hands(&mut client, user).await["successful"], true, "{user}");
        client.connect_at_once().await;
    }
    assert_eq!(&*seti.user_ids().concat(), "dave");
}

#[tokio::test]
async fn too_long_an_id_is_nobodys() {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let _users = seti.associate_at_handshake(said);
    let longest = SetiConfig::default().max_user_id;
    for (length, count) in [(longest + 1, 0), (longest, 1)] {
        let mut client = node.server.client(Transport::LongPolling).await;
        let reply = shake_hands(&mut client, &"x".repeat(length)).await;
        assert_eq!(reply["successful"], true);
        assert_eq!(seti.user_ids().len(), count);
    }
}

#[tokio::test]
async fn a_session_that_ends_meanwhile_is_nobodys() {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let log = Log::default();
    let asked = log.clone();
    let _users = seti.associate_at_handshake(move |it| {
        let asked = asked.clone();
        async move {
            it.session.disconnect().await;
            asked.add("ended");
            said(it).await
        }
    });
    let mut client = node.server.client(Transport::WebSocket).await;
    shake_hands(&mut client, "dave").await;
    log.until("ended").await;
    eventually("the session to be gone", || node.server.server.session(client.id()).is_none())
        .await;
    assert!(seti.user_ids().is_empty());
}

#[tokio::test]
async fn it_ends_with_its_registration_and_with_its_seti() {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let log = Log::default();
    let ask = |seti: &Seti, name: &'static str| {
        let asked = log.clone();
        seti.associate_at_handshake(move |it| {
            asked.add(name);
            said(it)
        })
    };
    let dropped = ask(&seti, "dropped");
    ask(&seti, "kept").keep();
    drop(dropped);
    handshake_here(&node, "ann").await;
    assert_eq!(log.take(), ["kept"]);
    assert!(seti.is_associated("ann"));
    drop(seti);
    handshake_here(&node, "bob").await;
    assert!(log.entries().is_empty());
    // Another one may be started in its place, and has its own.
    let seti = Seti::start(&node.oort).await.unwrap();
    let _users = ask(&seti, "second");
    handshake_here(&node, "eve").await;
    assert_eq!(log.entries(), ["second"]);
    assert_eq!(&*seti.user_ids().concat(), "eve");
}

/// What the application gave is let go of, though its registration is kept.
#[tokio::test]
async fn who_is_asked_goes_with_the_seti() {
    let node = TestNode::start().await;
    let held = Arc::new(());
    for _ in 0..3 {
        let seti = Seti::start(&node.oort).await.unwrap();
        let mine = held.clone();
        let nobody = move |_| {
            let _ = &mine;
            std::future::ready(None)
        };
        seti.associate_at_handshake(nobody).keep();
        seti.stop().await;
    }
    eventually("it to be let go of", || Arc::strong_count(&held) == 1).await;
}

#[tokio::test]
async fn who_is_not_asked_any_more_associates_nobody() {
    let node = TestNode::start().await;
    let seti = Seti::start(&node.oort).await.unwrap();
    let (log, goes_on) = (Log::default(), Arc::new(Notify::new()));
    let (asked, waits) = (log.clone(), goes_on.clone());
    let users = seti.associate_at_handshake(move |it| {
        let (asked, waits) = (asked.clone(), waits.clone());
        async move {
            let user = said(it).await;
            asked.add(user.as_deref().unwrap_or_default());
            match user.as_deref() {
                Some("hangs") => std::future::pending().await,
                Some(_) | None => waits.notified().await,
            }
            user
        }
    });
    let mut client = node.server.client(Transport::WebSocket).await;
    let mut other = node.server.client(Transport::WebSocket).await;
    let ending = async {
        log.until("dave").await;
        log.until("hangs").await;
        drop(users);
        goes_on.notify_one();
    };
    let (dave, hangs) = (shake_hands(&mut client, "dave"), shake_hands(&mut other, "hangs"));
    let (dave, hangs, ()) = tokio::join!(dave, hangs, ending);
    // That of whom is not let go, too.
    assert!(dave["successful"] == true && hangs["successful"] == true, "{dave} {hangs}");
    assert!(seti.user_ids().is_empty());
}

/// They are not one word more.
#[tokio::test]
async fn whoever_shakes_hands_and_is_gone_goes() {
    let node = TestNode::with(
        |config| {
            tests::every_transport(config, |transport| {
                transport.max_interval = Duration::from_millis(300);
                transport.max_processing = Duration::from_millis(300);
            });
        },
        |_| {},
    )
    .await;
    let server = &node.server.server;
    let seti = Seti::start(&node.oort).await.unwrap();
    let before = server.statistics().sessions;
    let log = Log::default();
    let _users = seti.associate_at_handshake(said_or_hangs(log.clone()));
    for transport in [Transport::WebSocket, Transport::LongPolling] {
        for users in [&["dave", "ann", "dave"][..], &["hangs"]] {
            let mut client = node.server.client(transport).await;
            let shakes = users.iter().map(|user| {
                let types = ["websocket", "long-polling"];
                let fields = json!({
                    "version": "1.0", "supportedConnectionTypes": types, "ext": { "user": user },
                });
                client.message("/meta/handshake", &fields)
            });
            let shakes: Vec<_> = shakes.collect();
            client.send(&shakes);
            log.until(users[0]).await;
            client.abort().await;
            eventually("the sessions to go", || server.statistics().sessions == before).await;
            eventually("all to go", || seti.user_ids().is_empty()).await;
            log.take();
        }
    }
    assert_eq!(seti.statistics().associations, 0);
}

/// Starts a session inside the program; it stays.
async fn handshake_here(node: &TestNode, user: &str) {
    let session = node.server.server.new_local_session("person");
    let mut message = Message::default();
    message.ext_mut().insert("user".to_owned(), json!(user));
    session.handshake(message).await.unwrap();
}

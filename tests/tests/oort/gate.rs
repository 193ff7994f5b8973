//! Who is taken for a node, and what is kept from those who are none.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bayeux_oort::{Mesh, MeshError, ObserveError, Trust};
use bayeux_server::api::server::{Overflow, QueueBounds};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};
use tests::{Client, TestNode, Transport, cluster::SECRET, eventually, over_every_transport};

fn proof(secret: &str) -> String {
    BASE64_STANDARD.encode(Sha512::digest(secret))
}

/// What a node says of itself to another.
fn introduction(to: &TestNode) -> Value {
    json!({
        "oortId": "7", "oortURL": "http://127.0.0.1:1/cometd", "cometURL": to.url(),
        "oortSecret": proof(SECRET),
    })
}

async fn try_handshake(client: &mut Client, introduction: &Value) -> Value {
    client.try_handshake(json!({ "ext": { "org.cometd.oort": introduction } })).await
}

over_every_transport!(
    who_does_not_know_the_secret_is_refused,
    who_is_no_node_has_nothing_of_the_cluster,
    what_a_node_says_is_checked,
);

async fn who_does_not_know_the_secret_is_refused(transport: Transport) {
    let node = TestNode::start().await;
    let good = introduction(&node);
    let wrong: [(&str, Value); 9] = [
        ("oortSecret", json!(proof("Sesame"))),
        ("oortSecret", json!(SECRET)),
        ("oortSecret", json!("")),
        ("oortSecret", json!(null)),
        ("oortSecret", json!(7)),
        ("cometURL", json!("http://another.invalid/cometd")),
        ("oortURL", json!("nowhere")),
        ("oortId", json!(null)),
        ("oortId", json!({})),
    ];
    for (index, (name, value)) in wrong.into_iter().enumerate() {
        let mut introduction = good.clone();
        introduction[name] = value;
        let mut client = node.server.client(transport).await;
        let reply = try_handshake(&mut client, &introduction).await;
        assert_eq!(reply["successful"], false, "{introduction}");
        assert_eq!(reply["error"], "403::handshake_denied");
        assert_eq!(reply["advice"]["reconnect"], "none");
        assert_eq!(reply["ext"]["org.cometd.oort"]["oortURL"], node.url(), "as CometD answers");
        assert_eq!(node.mesh.statistics().handshakes_refused, index as u64 + 1);
    }
    assert!(node.mesh.oort_comets().is_empty(), "nobody was dialed");
    let mut client = node.server.client(transport).await;
    let reply = try_handshake(&mut client, &good).await;
    assert_eq!(reply["successful"], true, "{reply}");
    eventually("the node is dialed back", || node.mesh.oort_comets().len() == 1).await;
}

async fn who_is_no_node_has_nothing_of_the_cluster(transport: Transport) {
    let node = TestNode::start().await;
    let server = &node.server.server;
    server.create_channel_if_absent("/oort/objects/map").unwrap();
    let mut client = node.server.connected(transport).await;
    for channel in [
        "/oort/cloud",
        "/oort/*",
        "/oort/**",
        "/oort/objects/map",
        "/oort/new",
        "/seti/all",
        "/seti/**",
    ] {
        let reply = client.request("/meta/subscribe", json!({ "subscription": channel })).await;
        assert_eq!(reply["successful"], false, "{channel}: {reply}");
        let error = reply["error"].as_str().unwrap();
        let is_there = server.channel(channel).is_some();
        let denied = if is_there { "subscribe_denied" } else { "create_denied" };
        assert_eq!(error, format!("403:denied_by_not_granting:{denied}"), "{channel}");
    }
    for channel in [
        "/oort/cloud",
        "/service/oort",
        "/service/oort/objects/map",
        "/oort/objects/map",
        "/seti/all",
    ] {
        let reply = client.request(channel, json!({ "data": {} })).await;
        assert_eq!(reply["successful"], false, "{channel}: {reply}");
        let is_there = server.channel(channel).is_some();
        let denied = if is_there { "publish_denied" } else { "channel_create_denied" };
        assert_eq!(reply["error"], format!("403:denied_by_not_granting:{denied}"), "{channel}");
    }
    assert_eq!(client.subscribe("/**").await["successful"], true);
    for channel in ["/oort/objects/map", "/seti/all", "/chat"] {
        let channel = server.create_channel_if_absent(channel).unwrap();
        channel.publish(json!(1)).await.unwrap();
    }
    let received = client.channels_until("/chat").await;
    assert!(received.iter().all(|channel| !channel.starts_with("/oort")), "{received:?}");
    assert!(received.iter().all(|channel| !channel.starts_with("/seti")), "{received:?}");
}

async fn what_a_node_says_is_checked(transport: Transport) {
    let node = TestNode::with(|_| {}, |config| config.max_comets = 10).await;
    let mut client = node.server.client(transport).await;
    let reply = try_handshake(&mut client, &introduction(&node)).await;
    client.set_id(reply["clientId"].as_str().unwrap());
    client.connect().await;
    let nowhere = "http://127.0.0.1:1/cometd";
    let joins = [
        json!({ "oortId": "8", "oortURL": nowhere }),
        json!({ "oortId": "7", "oortURL": "http://127.0.0.1:2/cometd" }),
        json!({ "oortId": 7, "oortURL": nowhere }),
        json!({}),
        json!([]),
        json!("7"),
        json!(null),
    ];
    for (index, join) in joins.into_iter().enumerate() {
        assert_eq!(client.publish("/service/oort", join).await["successful"], true, "as CometD");
        assert_eq!(node.mesh.statistics().joins_refused, index as u64 + 1);
    }
    let many: Vec<_> = (0..30).map(|n| format!("http://127.0.0.1:1/{n}")).collect();
    let lists = [json!(7), json!({}), json!(["nowhere", 7, null, ["http://a/"]]), json!(many)];
    for (index, list) in lists.into_iter().enumerate() {
        assert_eq!(client.publish("/oort/cloud", list).await["successful"], true, "as CometD");
        assert_eq!(node.mesh.statistics().urls_refused, index as u64 + 1);
    }
    eventually("as many to be dialed as may", || node.mesh.oort_comets().len() == 10).await;
    // Who is named by the application takes the place of one that others named, but not of one that has come.
    let mine: Vec<_> = (0..9).map(|n| format!("http://127.0.0.1:1/own/{n}")).collect();
    for url in &mine {
        node.mesh.observe_comet(url).unwrap();
    }
    eventually("those to be dialed", || {
        let dialed = node.mesh.oort_comets();
        dialed.len() == 10 && dialed.iter().filter(|comet| mine.contains(&comet.url)).count() == 9
    })
    .await;
    let one_more = node.mesh.observe_comet("http://127.0.0.1:1/more");
    assert_eq!(one_more, Err(ObserveError::TooMany));
    assert_eq!(node.oort.comets(), [], "it could not be reached, and has not joined");
}

#[tokio::test]
async fn a_node_has_a_secret_or_trusts_everybody_and_says_which() {
    let url = "http://127.0.0.1:8080/cometd";
    assert_eq!(Mesh::builder(url).build().unwrap_err(), MeshError::NoSecret);
    // As of a variable of the environment that is not set.
    assert_eq!(Mesh::builder(url).secret("").build().unwrap_err(), MeshError::NoSecret);
    assert!(Mesh::builder(url).secret("a").build().is_ok());
    assert!(Mesh::builder(url).trust_anybody().build().is_ok());
    for url in ["", "/cometd", "127.0.0.1:8080", "mailto:b"] {
        let made = Mesh::builder(url).secret("a").build().unwrap_err();
        assert!(matches!(&made, MeshError::Url { url: refused, .. } if refused == url), "{made:?}");
    }
}

#[tokio::test]
async fn a_queue_that_is_too_small_for_what_nodes_say_by_themselves_is_refused() {
    let made = |messages, bytes| {
        let mesh = Mesh::builder("http://127.0.0.1:8080/cometd").secret("a");
        let queue = QueueBounds::new(messages, bytes, Overflow::Disconnect);
        mesh.configure(|config| config.queue = queue).build().map(drop)
    };
    assert_eq!(made(8, 64 * 1024), Ok(()));
    for (messages, bytes) in [(7, 64 * 1024), (8, 64 * 1024 - 1), (0, 0)] {
        let error = made(messages, bytes).unwrap_err();
        assert_eq!(error, MeshError::Queue { messages, bytes });
        assert!(error.to_string().contains("8 messages and 65536 bytes at least"), "{error}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_said() {
    let any = "http://0.0.0.0:8080/cometd";
    let error = Mesh::builder(any).secret("a").build().unwrap_err().to_string();
    assert!(error.ends_with("its host is any address"), "{error}");
    let node = TestNode::start().await;
    for (url, reason) in
        [(any, "its host is any address"), ("http://u:word@a/", "all nodes would see and log")]
    {
        let error = node.mesh.observe_comet(url).unwrap_err().to_string();
        assert!(error.ends_with(reason) && !error.contains("word@"), "{error}");
    }
}

#[tokio::test]
async fn nodes_without_a_common_secret_join_if_they_trust_everybody() {
    let one = TestNode::with(
        |_| {},
        |config| {
            config.trust = Trust::Anybody;
            config.secret = None;
        },
    )
    .await;
    let other = TestNode::with(
        |_| {},
        |config| {
            config.trust = Trust::Anybody;
            config.secret = Some("its own".to_owned());
        },
    )
    .await;
    one.observe(&other);
    one.has_joined(1).await;
    other.has_joined(1).await;
}

/// A stranger names a URL of its own: the secret must not come there.
#[tokio::test]
async fn the_secret_goes_to_no_url_that_a_stranger_named() {
    let trap = TestNode::with(|_| {}, |config| config.trust = Trust::Anybody).await;
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = heard.clone();
    let extension = tests::hooks::incoming(move |_, message| {
        log.lock().unwrap().extend(message.ext_field("org.cometd.oort"));
        bayeux_server::api::Flow::Continue
    });
    trap.server.server.add_extension(extension).keep();
    let node = TestNode::with(|_| {}, |config| config.trust = Trust::Anybody).await;
    let mut client = node.server.client(Transport::WebSocket).await;
    let mut introduction = introduction(&node);
    introduction["oortURL"] = json!(trap.url());
    introduction["oortSecret"] = json!("unknown");
    assert_eq!(try_handshake(&mut client, &introduction).await["successful"], true);
    eventually("the trap is dialed", || !heard.lock().unwrap().is_empty()).await;
    for heard in heard.lock().unwrap().iter() {
        assert_eq!(heard.get("oortSecret"), None, "{heard}");
    }
}

//! Nodes join those whom they discover.

use std::sync::Arc;

use bayeux_oort::{
    Mesh, Oort, StartError,
    discovery::{Discovery, DiscoveryError, Running, SeedSet, Seeds, StaticList, seeds},
};
use tests::{
    TestServer,
    cluster::{SECRET, TestNode},
    eventually,
};

/// Finds what a test says.
#[derive(Debug)]
struct Told(SeedSet);

impl Discovery for Told {
    fn start(&self, seeds: Seeds) -> Result<Running, DiscoveryError> {
        let mut told = self.0.clone();
        Ok(Box::pin(async move {
            loop {
                seeds.set(told.urls());
                told.changed().await;
            }
        }))
    }
}

async fn seeker(discovery: impl Discovery + 'static) -> Result<(TestServer, Oort), StartError> {
    let server = TestServer::start(|_| {}).await;
    let url = format!("http://{}/cometd", server.address);
    let mesh = Mesh::builder(&url).secret(SECRET).discovery(Arc::new(discovery)).build().unwrap();
    let oort = Oort::start(&server.server, Arc::new(mesh)).await?;
    Ok((server, oort))
}

#[tokio::test]
async fn who_is_listed_is_joined() {
    let (one, two) = (TestNode::start().await, TestNode::start().await);
    let list = StaticList::new([one.url(), two.url()]);
    let (_server, oort) = seeker(list).await.unwrap();
    eventually("both to join", || oort.comets().len() == 2).await;
    one.has_joined(2).await;
    two.has_joined(2).await;
}

#[tokio::test]
async fn who_is_found_later_joins_and_who_is_found_no_more_stays_joined() {
    let (one, two) = (TestNode::start().await, TestNode::start().await);
    let (found, told) = seeds("http://nobody/");
    found.set([one.url()]);
    let (_server, oort) = seeker(Told(told)).await.unwrap();
    eventually("the first to join", || oort.comets().len() == 1).await;
    found.set([two.url()]);
    eventually("the second to join", || oort.comets().len() == 2).await;
    assert_eq!((one.events.count("left"), oort.comets().len()), (0, 2));
}

#[tokio::test]
async fn a_dead_url_holds_nobody_up() {
    let one = TestNode::start().await;
    // A port at which nobody listens, and one at which nobody ever answers.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = [free, silent.local_addr().unwrap()].map(|address| format!("http://{address}/"));
    let list = StaticList::new([&*dead[0], &*dead[1], one.url()]);
    let (_server, oort) = seeker(list).await.unwrap();
    eventually("the living to join", || oort.comets().len() == 1).await;
}

#[tokio::test]
async fn what_cannot_be_discovered_ends_the_start_with_the_reason() {
    let error = seeker(StaticList::new(["nonsense"])).await.unwrap_err();
    assert!(error.to_string().contains("\"nonsense\" cannot be the URL of a node"), "{error}");
}

//! Nodes are found by the name of their service.

use std::{collections::BTreeSet, time::Duration};

use bayeux_oort::discovery::{Discovery, Dns, SeedSet, seeds};
use tests::eventually;
use tokio::task::JoinHandle;

use crate::name_server::NameServer;

const BRIEFLY: Duration = Duration::from_millis(50);

/// What a node finds by DNS; no more once it is dropped.
struct Search {
    seeds: SeedSet,
    running: JoinHandle<()>,
}

impl Search {
    fn start(server: &NameServer, url: &str, interval: Duration) -> Self {
        let (told, seeds) = seeds("http://10.0.0.1:8080/cometd");
        let dns = Dns::new(url).unwrap().servers([server.address]).interval(interval);
        Self { seeds, running: tokio::spawn(dns.start(told).unwrap()) }
    }

    async fn finds(&self, urls: &[&str]) {
        let expected: BTreeSet<_> = urls.iter().map(|url| (*url).to_owned()).collect();
        eventually(&format!("{expected:?}"), || self.seeds.urls() == expected).await;
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.running.abort();
    }
}

const SERVICE: &str = "http://nodes.example:8080/cometd";

#[tokio::test]
async fn each_address_of_a_service_is_a_node_as_long_as_it_is_there() {
    let server = NameServer::start(0).await;
    server.set_addresses("nodes.example", &["10.0.0.1", "10.0.0.2", "fd00::3"]);
    let search = Search::start(&server, SERVICE, BRIEFLY);
    search.finds(&["http://10.0.0.2:8080/cometd", "http://[fd00::3]:8080/cometd"]).await;
    server.set_addresses("nodes.example", &["10.0.0.1", "10.0.0.4"]);
    search.finds(&["http://10.0.0.4:8080/cometd"]).await;
}

#[tokio::test]
async fn each_record_of_a_service_is_a_node_with_a_port_of_its_own() {
    let server = NameServer::start(0).await;
    let services = [("a.nodes.example.", 8_081), ("b.nodes.example.", 8_082), (".", 0)];
    server.set_services("_bayeux._tcp.nodes.example", &services);
    let url = "http://_bayeux._tcp.nodes.example/cometd";
    let search = Search::start(&server, url, BRIEFLY);
    search
        .finds(&["http://a.nodes.example:8081/cometd", "http://b.nodes.example:8082/cometd"])
        .await;
    server.set_services("_bayeux._tcp.nodes.example", &services[..1]);
    search.finds(&["http://a.nodes.example:8081/cometd"]).await;
}

#[tokio::test]
async fn a_name_server_that_fails_takes_no_node_away() {
    let server = NameServer::start(0).await;
    server.set_addresses("nodes.example", &["10.0.0.2"]);
    let search = Search::start(&server, SERVICE, BRIEFLY);
    search.finds(&["http://10.0.0.2:8080/cometd"]).await;
    server.set_broken(true);
    let before = server.asked();
    eventually("ten questions in vain", || server.asked() > before + 10).await;
    search.finds(&["http://10.0.0.2:8080/cometd"]).await;
    server.set_addresses("nodes.example", &["10.0.0.3"]);
    server.set_broken(false);
    search.finds(&["http://10.0.0.3:8080/cometd"]).await;
}

#[tokio::test]
async fn a_name_may_come_after_the_node_and_go_before_it() {
    let server = NameServer::start(0).await;
    let search = Search::start(&server, SERVICE, BRIEFLY);
    eventually("a question in vain", || server.asked() > 4).await;
    server.set_addresses("nodes.example", &["10.0.0.2"]);
    search.finds(&["http://10.0.0.2:8080/cometd"]).await;
    server.set_addresses("nodes.example", &[]);
    search.finds(&[]).await;
}

/// The interval is so long that it does not end while the test waits.
#[tokio::test]
async fn an_answer_is_asked_for_again_when_its_time_is_over() {
    let server = NameServer::start(5).await;
    server.set_addresses("nodes.example", &["10.0.0.2"]);
    let search = Search::start(&server, SERVICE, tests::AGES);
    search.finds(&["http://10.0.0.2:8080/cometd"]).await;
    server.set_addresses("nodes.example", &["10.0.0.3"]);
    search.finds(&["http://10.0.0.3:8080/cometd"]).await;
}

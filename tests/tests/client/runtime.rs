//! Clients and the runtimes that they live in: a client that there is no runtime for, and one whose
//! runtime ends.

use bayeux_client::{
    BayeuxClient, State,
    api::client::{ClientSession as _, FailureKind, RequestError},
};
use bayeux_server::Server;
use serde_json::json;
use tests::{arrive, brisk_client, within};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn client(server: &Server) -> BayeuxClient {
    let builder = BayeuxClient::builder().in_process(server.in_process());
    builder.config(brisk_client()).build().unwrap()
}

/// Uses the client as a good one, in a runtime of its own.
fn use_well(client: &BayeuxClient) {
    runtime().block_on(async {
        within("the handshake", client.handshake()).await.unwrap();
        arrive(client, State::Connected).await;
        let channel = client.channel("/a").unwrap();
        let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
        within("publish", channel.publish(json!(1))).await.unwrap();
        assert_eq!(within("message", messages.next()).await.unwrap().data.unwrap(), json!(1));
        within("disconnect", client.disconnect()).await.unwrap();
        arrive(client, State::Disconnected).await;
    });
}

#[test]
fn a_handshake_outside_a_runtime_fails_and_the_client_is_usable_all_the_same() {
    let server = Server::new();
    let client = client(&server);
    let reply = client.handshake();
    assert_eq!(client.state(), State::Disconnected);
    let error = runtime().block_on(within("the handshake", reply)).unwrap_err();
    assert_eq!(error, RequestError::NoRuntime);
    assert!(error.to_string().contains("tokio"), "{error}");
    use_well(&client);
}

#[test]
fn a_handshake_in_a_runtime_without_a_clock_is_aborted_and_the_client_is_usable_all_the_same() {
    let server = Server::new();
    let client = client(&server);
    let bare = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let entered = bare.enter();
    let reply = client.handshake();
    drop(entered);
    let error = runtime().block_on(within("the handshake", reply)).unwrap_err();
    let RequestError::Failed(failure) = error else { panic!("{error}") };
    assert_eq!(failure.kind, FailureKind::Aborted);
    assert_eq!(failure.reason, "the client's runtime has ended");
    drop(bare);
    assert_eq!(client.state(), State::Disconnected);
    use_well(&client);
}

#[test]
fn a_client_whose_runtime_ended_is_disconnected_and_starts_again_in_another() {
    let server = Server::new();
    let client = client(&server);
    let first = runtime();
    let (mut messages, publish, batch) = first.block_on(async {
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let channel = client.channel("/a").unwrap();
        let messages = within("subscribe", channel.subscribe()).await.unwrap();
        let batch = client.start_batch();
        (messages, channel.publish(json!(1)), batch)
    });
    drop(first);
    assert_eq!(client.state(), State::Disconnected);
    assert_eq!(client.id(), None);
    runtime().block_on(async {
        within("the publish", publish).await.unwrap_err();
        assert_eq!(within("the end of the stream", messages.next()).await, None);
        arrive(&client, State::Disconnected).await;
    });
    drop((messages, batch));
    use_well(&client);
    use_well(&client);
}

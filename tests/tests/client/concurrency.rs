//! Many tasks with one client, on several threads.

use bayeux_client::{State, api::client::RequestError};
use serde_json::json;
use tests::{TRANSPORTS, TestServer, arrive, brisk_client, eventually, within};
use tokio::task::JoinSet;

async fn all(tasks: JoinSet<()>) {
    within("the tasks", tasks.join_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_publish_of_many_tasks_is_answered_and_heard_once() {
    for transport in TRANSPORTS {
        let server = TestServer::start(|_| {}).await;
        let client = server.bayeux_client(transport).await;
        let mut messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let channel = client.channel("/a").unwrap();
            tasks.spawn(async move {
                for number in 0..50 {
                    channel.publish(json!([task, number])).await.unwrap();
                }
            });
        }
        let mut next = [0; 8];
        for _ in 0..400 {
            let message = within("message", messages.next()).await.unwrap();
            let [task, number]: [usize; 2] = message.data.unwrap().to().unwrap();
            assert_eq!(number, next[task]);
            next[task] += 1;
        }
        all(tasks).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_published_itself_comes_back_in_order() {
    for transport in TRANSPORTS {
        let server = TestServer::start(|_| {}).await;
        let client = server.bayeux_client(transport).await;
        let channel = client.channel("/a").unwrap();
        let mut messages = within("it", channel.subscribe()).await.unwrap();
        let mut replies = Vec::new();
        for start in (0..1000).step_by(50) {
            client.batch(|| replies.extend((start..start + 50).map(|n| channel.publish(json!(n)))));
        }
        for n in 0..1000 {
            let message = within("message", messages.next()).await.unwrap();
            assert_eq!(message.data.unwrap(), json!(n));
        }
        for reply in replies {
            within("the reply", reply).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_that_come_and_go_leave_nothing_behind() {
    for transport in TRANSPORTS {
        let server = TestServer::start(|_| {}).await;
        let client = server.bayeux_client(transport).await;
        let mut tasks = JoinSet::new();
        for task in 0..6 {
            let channel = client.channel("/a").unwrap();
            tasks.spawn(async move {
                for round in 0..20 {
                    let subscribing = channel.subscribe();
                    if (task + round) % 3 == 0 {
                        continue;
                    }
                    // While it is there it has what its own task publishes.
                    let mut messages = subscribing.await.unwrap();
                    channel.publish(json!([task, round])).await.unwrap();
                    while messages.next().await.unwrap().data.unwrap() != json!([task, round]) {}
                }
            });
        }
        all(tasks).await;
        let session = server.server.sessions().remove(0);
        eventually("nothing to be left", || session.subscriptions().is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_that_races_with_all_else_ends_disconnected() {
    for transport in TRANSPORTS {
        let server = TestServer::start(|_| {}).await;
        let client = server.builder(transport).config(brisk_client()).build().unwrap();
        for round in 0..10 {
            within("the handshake", client.handshake()).await.unwrap();
            let mut tasks = JoinSet::new();
            for task in 0..4 {
                let client = client.clone();
                tasks.spawn(async move {
                    let channel = client.channel("/a").unwrap();
                    for number in 0..10 {
                        if task == 0 && number == round {
                            drop(client.disconnect());
                        }
                        if task == 1 && number == round && round % 2 == 0 {
                            client.abort();
                        }
                        match channel.publish(json!(number)).await {
                            Ok(_)
                            | Err(
                                RequestError::NotHandshaken
                                | RequestError::Failed(_)
                                | RequestError::Refused(_),
                            ) => {}
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                });
            }
            all(tasks).await;
            arrive(&client, State::Disconnected).await;
        }
    }
}

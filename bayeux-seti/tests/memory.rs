//! How much memory associations take.

use std::alloc::System;

use bayeux_oort::Oort;
use bayeux_server::{Server, api::Message};
use bayeux_seti::Seti;
use cap::Cap;
use tests::cloud_hub::CloudHub;

/// Counts what is allocated.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Of a million users each with a session of its own, each takes no more than 200 bytes beside its id. Fewer are
/// tried here: it is the same of each.
#[tokio::test]
async fn an_association_takes_200_bytes_beside_the_users_id() {
    const COUNT: usize = 10_000;
    let server = Server::new();
    let cloud = CloudHub::default().cloud("a", "http://a:8080/cometd");
    let oort = Oort::start(&server, cloud).await.expect("it starts");
    let seti = Seti::start(&oort).await.expect("it starts");
    let (mut locals, mut sessions) = (Vec::new(), Vec::new());
    for _ in 0..COUNT {
        let local = server.new_local_session("user");
        local.handshake(Message::default()).await.expect("it is granted");
        sessions.push(local.server_session().expect("it lives"));
        locals.push(local);
    }
    let users: Vec<_> = (0..COUNT).map(|number| format!("user {number:015}")).collect();
    let length = users[0].len();
    for is_shuffled in [true, false] {
        let before = ALLOCATOR.allocated();
        for number in 0..COUNT {
            // As they come in no order, and as they come in the worst, which leaves room in each node of a tree.
            let number = if is_shuffled { number * 7919 % COUNT } else { number };
            assert_eq!(seti.associate(&users[number], &sessions[number]), Ok(true));
        }
        settle(&seti).await;
        let each = (ALLOCATOR.allocated() - before) / COUNT;
        println!("{each} bytes each, of which {length} are the id");
        assert!(each <= 200 + length, "{each} bytes each");
        for (user, session) in users.iter().zip(&sessions) {
            assert!(seti.disassociate(user, session));
        }
        settle(&seti).await;
    }
}

/// Waits until nothing waits to be announced.
async fn settle(seti: &Seti) {
    tests::eventually("all to be announced", || seti.statistics().waiting == 0).await;
}

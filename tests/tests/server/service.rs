//! Services: answers to messages, and remote calls.

use bayeux_server::{
    Request,
    api::{Json, Message},
};
use serde_json::{Value, json};
use tests::{TestServer, Transport, hooks::Log, over_every_transport};

over_every_transport!(
    an_answer_goes_to_the_sender_alone,
    an_answer_needs_no_subscription_and_outlives_one,
    a_service_may_answer_nothing,
    its_own_messages_are_passed_over,
    the_parameters_of_its_channel_are_bound,
    a_service_that_is_dropped_answers_no_more,
    a_remote_call_is_answered_with_its_id,
    a_remote_call_may_fail,
    a_remote_call_may_have_parameters,
    a_message_without_an_id_is_answered_too,
    it_hears_what_clients_ask_of_the_server,
    data_is_read_as_what_it_should_be,
    a_remote_call_is_answered_with_acknowledgements_too,
);

async fn an_answer_goes_to_the_sender_alone(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("echo").await.unwrap();
    service.on_message("/service/echo", async |request| request.message.data).unwrap();
    let mut client = server.connected(transport).await;
    let other = server.connected(transport).await;
    client.publish("/service/echo", json!({ "n": 1 })).await;
    let answer = client.message_on("/service/echo").await;
    assert_eq!(answer, json!({ "channel": "/service/echo", "data": { "n": 1 } }));
    assert_eq!(server.session(&other).queue_depth().messages, 0);
}

async fn an_answer_needs_no_subscription_and_outlives_one(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("echo").await.unwrap();
    service.on_message("/service/echo", async |request| request.message.data).unwrap();
    let mut client = server.connected(transport).await;
    let (channel, session) =
        (server.server.channel("/service/echo").unwrap(), server.session(&client));
    client.subscribe("/service/echo").await;
    for data in 0..3 {
        client.publish("/service/echo", json!(data)).await;
        assert_eq!(client.message_on("/service/echo").await["data"], data);
        match data {
            0 => assert!(channel.unsubscribe(&*session).await),
            _ => assert!(channel.subscribe(&*session).await),
        }
    }
}

async fn a_service_may_answer_nothing(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("quiet").await.unwrap();
    let log = Log::default();
    let own = log.clone();
    let hear = move |request: Request| {
        own.add(request.message.data.unwrap().text());
        async { None }
    };
    service.on_message("/a/*", hear).unwrap();
    let mut client = server.connected(transport).await;
    client.publish("/a/b", json!(1)).await;
    assert_eq!(log.entries(), ["1"]);
    assert_eq!(server.session(&client).queue_depth().messages, 0);
}

async fn its_own_messages_are_passed_over(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("chat").await.unwrap();
    let log = Log::default();
    let own = log.clone();
    let hear = move |request: Request| {
        own.add(request.message.data.unwrap().text());
        async { None }
    };
    service.on_message("/a", hear).unwrap();
    let channel = service.session().channel("/a").unwrap();
    channel.publish(Message::with_data("", json!("own"))).await.unwrap();
    server.handshaken(transport).await.publish("/a", json!("other's")).await;
    assert_eq!(log.entries(), ["\"other's\""]);
}

async fn the_parameters_of_its_channel_are_bound(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rooms").await.unwrap();
    let answer = async |request: Request| {
        Some(json!([request.parameter("room"), request.parameter("user")]).into())
    };
    service.on_message("/service/{room}/{user}", answer).unwrap();
    let mut client = server.connected(transport).await;
    client.publish("/service/one", json!(1)).await;
    client.publish("/service/one/two/three", json!(1)).await;
    client.publish("/service/lobby/ann", json!(1)).await;
    let answer = client.message_on("/service/lobby/ann").await;
    assert_eq!(answer["data"], json!(["lobby", "ann"]));
    assert!(client.received_on("/service/one").is_empty());
    assert!(client.received_on("/service/one/two/three").is_empty());
}

async fn a_service_that_is_dropped_answers_no_more(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("echo").await.unwrap();
    service.on_message("/service/echo", async |request| request.message.data).unwrap();
    let mut client = server.connected(transport).await;
    drop(service);
    client.publish("/service/echo", json!(1)).await;
    assert_eq!(server.session(&client).queue_depth().messages, 0);
    assert!(client.received_on("/service/echo").is_empty());
    tests::eventually("its session to end", || server.server.sessions().len() == 1).await;
}

/// Calls `target`, and returns the reply to the message and the answer to the call.
async fn call(server: &TestServer, transport: Transport, target: &str, data: Value) -> [Value; 2] {
    let mut client = server.connected(transport).await;
    let channel = format!("/service/{target}");
    let reply = client.request(&channel, json!({ "id": "call7", "data": data })).await;
    [reply, client.message_on(&channel).await]
}

async fn echo(request: Request) -> Result<Json, Json> {
    let data = request.message.data.unwrap();
    match data.value().get("fail") {
        Some(failure) => Err(failure.clone().into()),
        None => Ok(data),
    }
}

async fn a_remote_call_is_answered_with_its_id(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let [reply, answer] = call(&server, transport, "rpc/echo", json!({ "n": 1 })).await;
    let channel = "/service/rpc/echo";
    assert_eq!(reply, json!({ "channel": channel, "id": "call7", "successful": true }));
    let expected =
        json!({ "channel": channel, "id": "call7", "successful": true, "data": { "n": 1 } });
    assert_eq!(answer, expected);
}

async fn a_remote_call_may_fail(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let [_, answer] = call(&server, transport, "rpc/echo", json!({ "fail": "why" })).await;
    let expected = json!({
        "channel": "/service/rpc/echo", "id": "call7", "successful": false, "data": "why",
    });
    assert_eq!(answer, expected);
}

async fn a_remote_call_may_have_parameters(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    let answer = async |request: Request| Ok(json!(request.parameter("name")).into());
    service.remote_call("greet/{name}", answer).unwrap();
    let [_, answer] = call(&server, transport, "greet/ann", json!({})).await;
    assert_eq!(answer["data"], "ann");
    assert!(service.remote_call("greet/*", echo).is_err());
}

async fn a_message_without_an_id_is_answered_too(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("echo").await.unwrap();
    service.on_message("/service/echo", async |request| request.message.data).unwrap();
    let mut client = server.connected(transport).await;
    client.send(&[json!({ "channel": "/service/echo", "clientId": client.id(), "data": 5 })]);
    assert_eq!(client.message_on("/service/echo").await["data"], 5);
}

async fn it_hears_what_clients_ask_of_the_server(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("watch").await.unwrap();
    let log = Log::default();
    for channel in ["handshake", "connect", "subscribe", "unsubscribe", "disconnect"] {
        let own = log.clone();
        let hear = move |request: Request| {
            own.add(request.message.channel());
            async { None }
        };
        service.on_message(&format!("/meta/{channel}"), hear).unwrap();
    }
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.unsubscribe("/a").await;
    client.disconnect().await;
    assert_eq!(
        log.entries(),
        [
            "/meta/handshake",
            "/meta/connect",
            "/meta/subscribe",
            "/meta/unsubscribe",
            "/meta/disconnect",
        ]
    );
}

async fn data_is_read_as_what_it_should_be(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("sum").await.unwrap();
    let answer = async |request: Request| match request.message.data?.to::<(String, Vec<i64>)>() {
        Ok((name, numbers)) => Json::new(&(name, numbers.iter().sum::<i64>())).ok(),
        Err(_) => Some(json!("not a name with numbers").into()),
    };
    service.on_message("/service/sum", answer).unwrap();
    let mut client = server.connected(transport).await;
    client.publish("/service/sum", json!(["all", [1, 2, 3]])).await;
    assert_eq!(client.message_on("/service/sum").await["data"], json!(["all", 6]));
    client.publish("/service/sum", json!([1])).await;
    assert_eq!(client.message_on("/service/sum").await["data"], "not a name with numbers");
}

async fn a_remote_call_is_answered_with_acknowledgements_too(transport: Transport) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let mut client = server.client(transport).await;
    client.try_handshake(json!({ "ext": { "ack": true } })).await;
    client.connect().await;
    let channel = "/service/rpc/echo";
    client.request(channel, json!({ "id": "call7", "data": 5 })).await;
    // With the connect only, and again until it is acknowledged.
    for acknowledged in [1, 1, 2] {
        let fields = json!({ "ext": { "ack": acknowledged }, "advice": { "timeout": 0 } });
        assert_eq!(client.try_connect(fields).await["successful"], true);
        let answers = client.received_on(channel);
        let expected = json!({ "channel": channel, "id": "call7", "successful": true, "data": 5 });
        let expected = if acknowledged == 1 { vec![expected] } else { vec![] };
        assert_eq!(answers, expected);
    }
}

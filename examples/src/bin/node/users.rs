//! Who is where. A client says who it is on `/service/login`, and that it is not any more on `/service/logout`.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bayeux_oort::{
    Oort,
    api::{Json, Message, Registration, implement::lock, server::LocalSession},
};
use bayeux_server::{Request, Server, Service};
use bayeux_seti::{Presence, PresenceListener, Seti};
use serde_json::{Value, json};

use crate::{Result, lines};

/// What CometD's nodes for Java have, under the same names.
#[derive(Debug)]
pub(crate) struct Users {
    server: Server,
    seti: Seti,
    crowd: Mutex<Option<Arc<dyn LocalSession>>>,
    _service: Service,
    _telling: Registration,
}

impl Users {
    pub(crate) async fn start(server: &Server, oort: &Oort) -> Result<Self> {
        let seti = Seti::start(oort).await?;
        let telling = seti.add_presence_listener(Arc::new(Tell));
        let mut service = server.new_service("users").await?;
        let of = seti.clone();
        service.on_message("/service/login", move |request| {
            let is_new = of.associate(&user(&request), &request.sender).unwrap_or_default();
            std::future::ready(Some(json!(is_new).into()))
        })?;
        let of = seti.clone();
        service.on_message("/service/logout", move |request| {
            let was_there = of.disassociate(&user(&request), &request.sender);
            std::future::ready(Some(json!(was_there).into()))
        })?;
        let crowd = Mutex::default();
        Ok(Self { server: server.clone(), seti, crowd, _service: service, _telling: telling })
    }

    /// Returns how many sessions a user has here, and on how many other nodes it is beside.
    pub(crate) fn locate(&self, user: &str) -> Value {
        // All at once: between one question and another somebody may come or go.
        let locations = self.seti.locations(user);
        let sessions = locations.iter().find_map(|location| location.sessions);
        let nodes = locations.iter().filter(|location| location.sessions.is_none()).count();
        json!({ "sessions": sessions.unwrap_or_default(), "nodes": nodes })
    }

    pub(crate) fn present(&self) -> Value {
        self.seti.user_ids().iter().map(|user| json!(**user)).collect()
    }

    pub(crate) fn associated(&self) -> Value {
        self.seti.associated_user_ids().iter().map(|user| json!(**user)).collect()
    }

    pub(crate) async fn send(
        &self,
        users: Vec<String>,
        channel: &str,
        data: &Value,
    ) -> Result<Value> {
        self.seti.send_messages(users, channel, data).await?;
        Ok(json!(true))
    }

    /// Has so many users come at once, who share a session.
    pub(crate) async fn gather(&self, name: &str, count: usize) -> Result<Value> {
        let crowd = self.server.new_local_session("crowd");
        crowd.handshake(Message::default()).await?;
        let session = crowd.server_session().ok_or("it has ended")?;
        for number in 0..count {
            self.seti.associate(&format!("{name}{number}"), &session)?;
        }
        *lock(&self.crowd) = Some(crowd);
        Ok(json!(true))
    }

    /// Has them go, with their session.
    pub(crate) async fn scatter(&self) -> Result<Value> {
        let crowd = lock(&self.crowd).take().ok_or("there is no crowd")?;
        crowd.disconnect().await?;
        Ok(json!(true))
    }

    pub(crate) async fn stop(&self) -> Value {
        self.seti.stop().await;
        json!(true)
    }
}

fn user(request: &Request) -> String {
    let data = request.message.data.as_ref().map(Json::value).unwrap_or_default();
    data.as_str().unwrap_or_default().to_owned()
}

/// Tells who comes and goes.
#[derive(Debug)]
struct Tell;

#[async_trait]
impl PresenceListener for Tell {
    async fn added(&self, presence: &Presence) {
        tell("user-added", presence);
    }

    async fn removed(&self, presence: &Presence) {
        tell("user-removed", presence);
    }
}

fn tell(what: &str, presence: &Presence) {
    let (user, url, is_own) = (presence.user_id(), presence.url(), presence.is_local());
    lines::tell(what, json!({ "user": user, "node": url, "own": is_own }));
}

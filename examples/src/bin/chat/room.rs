//! The room: what we say and hear in it, who is there, and how we come back after an outage.

use std::{collections::BTreeSet, time::Duration};

use bayeux_client::{
    BayeuxClient, Reply, State,
    api::{Registration, client::ClientSession as _},
};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    Result,
    events::{Event, Events},
    saying::Saying,
    screen::Screen,
};

const HELP: &str = "/who lists who is here, /tell NAME[,NAME] TEXT says it to them alone (NAME in quotes if it has \
                    blanks and is not here), /quit leaves";

/// What an event means for the chat.
pub(crate) enum Outcome {
    Stay,
    /// End when everything is said.
    Finish,
    /// End now.
    Quit,
    /// It has ended, and nobody here asked for that.
    Ended,
}

/// A room that we are in.
pub(crate) struct Room {
    client: BayeuxClient,
    user: String,
    /// Its channel, `/chat/NAME`, which is also what the demo's services call it.
    channel: String,
    members_channel: String,
    members: BTreeSet<String>,
    /// Who has said goodbye, so that nobody need tell that they are gone.
    leaving: BTreeSet<String>,
    /// The session that the server knows to be in the room.
    session: Option<String>,
    is_announced: bool,
    /// What was typed while there was no connection.
    unsaid: Vec<Saying>,
    is_lost: bool,
    screen: Screen,
    events: Option<UnboundedSender<Event>>,
}

impl Room {
    pub(crate) fn new(
        client: BayeuxClient,
        user: String,
        room: &str,
        screen: Screen,
    ) -> Result<Self> {
        Ok(Self {
            client,
            user,
            channel: format!("/chat/{room}"),
            members_channel: format!("/members/{room}"),
            members: BTreeSet::new(),
            leaving: BTreeSet::new(),
            session: None,
            is_announced: false,
            unsaid: Vec::new(),
            is_lost: false,
            screen,
            events: None,
        })
    }

    /// Subscribes to the room, and enters it.
    pub(crate) async fn subscribe(&mut self, events: &Events) -> Result<[Registration; 2]> {
        self.events = Some(events.sender());
        let chat = self.client.channel(&self.channel)?;
        let members = self.client.channel(&self.members_channel)?;
        let chat = chat.subscribe_listener(events.listener(Event::Said)).await?;
        let members = members.subscribe_listener(events.listener(Event::Members)).await?;
        self.connected();
        Ok([chat, members])
    }

    pub(crate) fn has_unsaid(&self) -> bool {
        !self.unsaid.is_empty()
    }

    pub(crate) fn left(&self) {
        self.screen.status("disconnected");
    }

    pub(crate) fn handle(&mut self, event: Event) -> Outcome {
        match event {
            Event::Line(line) => return self.typed(&line),
            Event::InputEnded => return Outcome::Finish,
            Event::Interrupted => return Outcome::Quit,
            Event::Said(data) => self.heard(&data),
            Event::Members(data) => self.listed(&data),
            Event::Unsaid { text, error } => {
                self.screen.status(&format!("not sent: {text:?}: {error}"));
            }
            Event::Failed { reason, delay, .. } => self.lost(&reason, delay),
            Event::State(State::Connected) => self.connected(),
            Event::State(State::Disconnected) => return Outcome::Ended,
            Event::State(_) => {}
        }
        Outcome::Stay
    }

    /// Says goodbye and ends the session, but waits for neither for long.
    pub(crate) async fn leave(&self) {
        const PATIENCE: Duration = Duration::from_secs(3);
        let text = format!("{} has left", self.user);
        let data = json!({ "user": self.user, "membership": "leave", "chat": text });
        let goodbye = self.client.batch(|| {
            drop(self.publish(&self.channel, data));
            self.client.disconnect()
        });
        let _ = tokio::time::timeout(PATIENCE, goodbye).await;
    }

    fn typed(&mut self, line: &str) -> Outcome {
        self.screen.erase_typed();
        match line.split_once(char::is_whitespace).unwrap_or((line, "")) {
            ("", "") => {}
            ("/quit", _) => return Outcome::Finish,
            ("/help", _) => self.screen.status(HELP),
            ("/who", _) => {
                let names: Vec<_> = self.members.iter().map(String::as_str).collect();
                self.screen.status(&format!("here: {}", names.join(", ")));
            }
            ("/tell", rest) => match Saying::told(rest, &self.members) {
                Some(saying) => self.tell(saying),
                None => self.screen.status(HELP),
            },
            (command, _) if command.starts_with('/') => {
                self.screen.status(&format!("no command {command}; {HELP}"));
            }
            _ => self.say(Saying::to_all(line)),
        }
        Outcome::Stay
    }

    /// Says something to some alone, and tells which of them are not here.
    fn tell(&mut self, saying: Saying) {
        let is_away = |peer: &&String| !self.members.contains(*peer);
        let away: Vec<_> = saying.peers.iter().filter(is_away).map(String::as_str).collect();
        if !away.is_empty() {
            self.screen.status(&format!("nobody here is called {}", away.join(" or ")));
        }
        self.say(saying);
    }

    /// Says something at once, or when there is a connection again.
    fn say(&mut self, saying: Saying) {
        let Saying { text, peers } = &saying;
        if !self.client.is_connected() {
            self.screen.status(&format!("to be sent when we are back: {text:?}"));
            return self.unsaid.push(saying);
        }
        let (user, room) = (&self.user, &self.channel);
        let reply = if peers.is_empty() {
            self.publish(room, json!({ "user": user, "chat": text }))
        } else {
            let peers = peers.join(",");
            let data = json!({ "user": user, "room": room, "chat": text, "peer": peers });
            self.publish("/service/privatechat", data)
        };
        self.watch(saying.text, reply);
    }

    fn publish(&self, channel: &str, data: Value) -> Option<Reply> {
        Some(self.client.channel(channel).ok()?.publish(data))
    }

    /// Tells if what was said has not got through.
    fn watch(&self, text: String, reply: Option<Reply>) {
        let (Some(reply), Some(events)) = (reply, self.events.clone()) else { return };
        tokio::spawn(async move {
            if let Err(error) = reply.await {
                let _ = events.send(Event::Unsaid { text, error });
            }
        });
    }

    fn heard(&mut self, data: &Value) {
        let text = |field: &str| data[field].as_str().unwrap_or_default();
        let user = text("user");
        match text("membership") {
            "" => self.screen.said(user, text("chat"), text("scope") == "private"),
            membership => {
                if membership == "leave" {
                    self.leaving.insert(user.to_owned());
                }
                self.screen.status(text("chat"));
            }
        }
    }

    /// Takes the list of who is here, and tells who went without a word.
    fn listed(&mut self, data: &Value) {
        let names = data.as_array().into_iter().flatten();
        let now = names.filter_map(Value::as_str).map(str::to_owned).collect();
        for gone in self.members.difference(&now) {
            if !self.leaving.remove(gone) {
                self.screen.status(&format!("{gone} is gone"));
            }
        }
        self.members = now;
    }

    fn lost(&mut self, reason: &str, delay: Duration) {
        let what = if self.is_lost { "still no connection" } else { "connection lost" };
        self.is_lost = true;
        let when = match delay.as_secs_f64() {
            seconds if seconds < 0.05 => "now".to_owned(),
            seconds => format!("in {seconds:.1} s"),
        };
        self.screen.status(&format!("{what}: {reason}; trying again {when}"));
    }

    /// Enters the room in this session, unless the server knows that we are here, and says what was
    /// left unsaid.
    fn connected(&mut self) {
        let session = self.client.id();
        if self.is_lost {
            self.screen.status(&format!("back, over {}", self.client.transport()));
        } else if self.session.is_none() {
            let (over, room) = (self.client.transport(), &self.channel);
            self.screen.status(&format!("connected over {over}, in {room} as {}", self.user));
        }
        self.is_lost = false;
        if self.session != session {
            self.session = session;
            self.members.clear();
            self.enter();
        }
        for saying in std::mem::take(&mut self.unsaid) {
            self.say(saying);
        }
    }

    fn enter(&mut self) {
        let joined = json!({ "user": self.user, "room": self.channel });
        self.watch("I am here".into(), self.publish("/service/members", joined));
        if !std::mem::replace(&mut self.is_announced, true) {
            let text = format!("{} has joined", self.user);
            let data = json!({ "user": self.user, "membership": "join", "chat": text });
            self.watch(text, self.publish(&self.channel, data));
        }
    }
}

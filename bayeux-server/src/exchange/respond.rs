//! One request with its messages, and the one response it gets: what long-polling, callback-polling
//! and the in-process transport have in common.

use std::{sync::Arc, task::Context};

use bayeux_api::{ConnectionType, Message, implement::Hook, server::BayeuxContext};

use crate::{
    carrier::Carrier,
    clock,
    exchange::{
        HeldConnect, Parcel, Request, is_greeting,
        place::{self, Place, Tab},
        reply::Answer,
        work::finished,
    },
    proto::{
        carriage::Means,
        session::{Held, Hold},
    },
    server::Server,
    session::Session,
};

/// Who asks, over what, and waits for the response.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) server: Server,
    pub(crate) transport: ConnectionType,
    pub(crate) context: Option<Arc<BayeuxContext>>,
    pub(crate) tab: Tab,
}

/// How a request ends.
pub(crate) enum Outcome {
    /// With messages.
    Parcel(Box<Parcel>),
    /// Without: another connect of its session took its place.
    Overtaken,
    /// Without: an application's hook panicked.
    Failed,
}

impl Visit {
    /// Waits for what the messages are answered with, which a held connect may put off.
    pub(crate) async fn respond(self, messages: Vec<Message>) -> Outcome {
        let responding = self.work_and_hold(messages);
        Hook("a visit", "").caught(responding).await.unwrap_or(Outcome::Failed)
    }

    async fn work_and_hold(mut self, messages: Vec<Message>) -> Outcome {
        let is_alone = messages.len() == 1;
        // Boxed, as is what follows the wait: a connect may be held for long.
        let answer = Box::pin(self.work(messages)).await;
        let Some(mut answer) = answer else { return Outcome::Failed };
        if answer.has_connect() {
            if !is_alone {
                answer.release();
            } else if !self.hold(&mut answer).await {
                return Outcome::Overtaken;
            }
        }
        if !answer.complete() {
            let show = move |context: &mut Context<'_>| answer.begin_to_show(context);
            let shown = Box::pin(finished(&self.server, None, show)).await;
            let Some(shown) = shown else { return Outcome::Failed };
            answer = shown;
        }
        Outcome::Parcel(Box::new(answer.pack(Session::drain_with_response)))
    }

    /// Works on the messages. What came with the request is not needed after that.
    async fn work(&mut self, messages: Vec<Message>) -> Option<Box<Answer>> {
        let is_greeting = is_greeting(&messages);
        let session = match is_greeting {
            true => None,
            false => messages.first().and_then(|first| self.find_session(first)),
        };
        let context = self.context.take();
        let mut request =
            Request::new(self.server.clone(), session.clone(), self.transport, context)
                .of_browser(self.tab.browser.clone());
        if !is_greeting && !messages.first().is_some_and(Message::is_connect) {
            request = request.in_batch();
        }
        let begin = move |context: &mut Context<'_>| request.begin(messages, context);
        finished(&self.server, session.as_ref(), begin).await
    }

    /// Finds the session that a message says it is of, if this request may speak for it.
    fn find_session(&self, message: &Message) -> Option<Arc<Session>> {
        let session = self.server.0.sessions.get(message.client_id.as_deref()?)?;
        let (origin, browser) = (&session.origin, &self.tab.browser);
        let is_same_browser = origin.transport == Some(self.transport)
            && origin.browser.is_some()
            && origin.browser == *browser;
        let is_trusted =
            self.server.0.config.http.trust_client_session && origin.transport.is_some();
        (is_same_browser || is_trusted).then_some(session)
    }

    /// Holds the connect that came alone until it is to be answered; false when a newer one took its
    /// place.
    async fn hold(&self, answer: &mut Box<Answer>) -> bool {
        let Some(session) = answer.session().cloned() else { return true };
        let (server, carrier) = (&self.server, Carrier::without_socket());
        let carrier = Carrying { server, session: &session, carrier };
        let (mut connect, timeout) = match answer.hold(&carrier.carrier, Means::Reply) {
            Hold::For(held) => held,
            Hold::Not => return true,
            Hold::Overtaken => return false,
        };
        let Some(_place) = Place::take(&self.server, &self.tab, &session, connect.cycle()) else {
            *answer = connect.let_go(&carrier.carrier);
            answer
                .change_reply(|reply| place::refuse(&self.server, &session, self.transport, reply));
            return true;
        };
        connect.suspend(timeout);
        let held = self.wait(&connect, &carrier.carrier).await;
        session.leave(&carrier.carrier);
        *answer = connect.resume(held);
        held != Held::Overtaken
    }

    async fn wait(&self, connect: &HeldConnect, carrier: &Carrier) -> Held {
        loop {
            let now = clock::now();
            let until = match connect.ask(Means::Reply, now) {
                Held::Wait(until) => until,
                held @ (Held::TimedOut | Held::Resume | Held::Overtaken) => return held,
            };
            tokio::select! {
                biased;
                () = carrier.woken() => {}
                () = tokio::time::sleep_until(self.server.0.timers.round(until, now).into()) => {}
            }
        }
    }
}

/// A request that carries the session while it is held. Dropped while it does, it is lost.
struct Carrying<'a> {
    server: &'a Server,
    session: &'a Arc<Session>,
    carrier: Arc<Carrier>,
}

impl Drop for Carrying<'_> {
    fn drop(&mut self) {
        self.server.lose(self.session, &self.carrier);
    }
}

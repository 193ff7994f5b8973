//! The one loop over the messages of a request.

use std::{sync::Arc, task::Context};

use bayeux_api::{
    BayeuxError, ConnectionType, Flow, Message,
    server::{BayeuxContext, ServerMessage},
};

use crate::{
    exchange::{
        reply::{Answer, Batch, Connect},
        work::{self, Begun},
    },
    proto::{
        browsers::BrowserId,
        session::{Accepted, Cycle},
    },
    server::Server,
    session::{Origin, Session},
};

/// Who sends messages and over what, and what they are answered with so far.
#[derive(Debug)]
pub(crate) struct Request {
    context: Option<Arc<BayeuxContext>>,
    browser: Option<BrowserId>,
    answer: Box<Answer>,
}

impl Request {
    /// Makes the request of a session; of none when nobody knows whose it is, or it begins one.
    pub(crate) fn new(
        server: Server,
        session: Option<Arc<Session>>,
        transport: ConnectionType,
        context: Option<Arc<BayeuxContext>>,
    ) -> Self {
        let answer = Box::new(Answer::new(server, session, transport));
        Self { context, browser: None, answer }
    }

    /// Notes the browser that the request says it is of.
    pub(super) fn of_browser(mut self, browser: Option<BrowserId>) -> Self {
        self.browser = browser;
        self
    }

    /// Keeps the session from waking its held connect while the answer can carry its messages.
    pub(super) fn in_batch(mut self) -> Self {
        self.answer.batch = self.answer.session().cloned().map(Batch::new);
        self
    }

    /// Begins with the messages. What does not have to wait for the application is done at once.
    pub(crate) fn begin(self, messages: Vec<Message>, context: &mut Context<'_>) -> Begun {
        work::begin_here(self.process(messages), context)
    }

    /// Takes the messages through the pipeline, one after the other. What is rare is boxed, so that a
    /// publication has no place for it.
    async fn process(mut self, messages: Vec<Message>) -> Box<Answer> {
        let handshake = messages.iter().position(Message::is_handshake);
        if handshake.is_some() {
            self.begin_session();
        }
        self.answer.replies.reserve(messages.len());
        for (index, message) in messages.into_iter().enumerate() {
            let (transport, context) = (self.answer.transport, self.context.clone());
            let mut message = ServerMessage::received(message, transport, context);
            match handshake {
                None => self.handle(message).await,
                Some(place) if place == index => Box::pin(self.greet(message)).await,
                Some(_) => {
                    message.reply_mut().fail(&BayeuxError::NotWithHandshake);
                    self.answer.replies.push(message.into_reply());
                }
            }
        }
        self.answer
    }

    /// Makes a session for the handshake that is among the messages.
    fn begin_session(&mut self) {
        let context = self.context.as_ref();
        let user_agent = context.and_then(|context| context.header("user-agent"));
        let origin = Origin {
            transport: Some(self.answer.transport),
            browser: self.browser.take(),
            user_agent: user_agent.map(Into::into),
            ..Origin::default()
        };
        let receipt = &mut self.answer.receipt;
        receipt.session = Some(receipt.server.new_session(None, origin));
        receipt.cycle = Some(Cycle::HANDSHAKE);
    }

    async fn greet(&mut self, mut message: ServerMessage) {
        let (server, session) = self.answer.parties();
        server.handle(session, &mut message).await;
        if server.extend_reply(session, message.reply_mut()).await == Flow::Continue {
            self.answer.greeting = Some(Box::new(message.into_reply()));
        }
    }

    async fn handle(&mut self, mut message: ServerMessage) {
        let (server, session) = self.answer.parties();
        if let Some(accepted) = server.handle(session, &mut message).await {
            if let Some(earlier) = self.answer.connect.take() {
                Box::pin(self.answer.overtake(earlier)).await;
            }
            self.accept(accepted, message.into_reply());
            return;
        }
        if server.extend_reply(session, message.reply_mut()).await == Flow::Continue {
            self.answer.replies.push(message.into_reply());
        }
    }

    fn accept(&mut self, accepted: Accepted, reply: Message) {
        let place = self.answer.replies.len();
        self.answer.receipt.cycle = Some(accepted.cycle);
        self.answer.connect = Some(Connect { accepted, place, reply: reply.into() });
    }
}

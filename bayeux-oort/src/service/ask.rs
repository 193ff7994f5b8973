//! This node asks.

use std::{
    future::{Future, pending},
    sync::Arc,
};

use bayeux_api::{Json, Message, implement::lock};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{
    Comet, SendError,
    proto::{
        after,
        request::{Asked, Refusal},
    },
    service::{
        ServiceError,
        core::{Core, Outcome, tell},
        handle::Asker,
        wire,
    },
};

impl Core {
    /// Has this node itself do it.
    pub(super) async fn ask_own(self: &Arc<Self>, parameter: Json) -> Outcome {
        let (question, answer) = self.ask(Asked::One(self.oort.own().clone()))?;
        self.handle(Asker::Own(question.id), parameter, false);
        question.wait(answer, pending()).await
    }

    /// Asks another node.
    pub(super) async fn ask_one(self: &Arc<Self>, comet: &Comet, parameter: Json) -> Outcome {
        let (question, answer) = self.ask(Asked::One(comet.clone()))?;
        let data = self.request(question.id, &parameter)?;
        let sending = self.oort.send(comet, Message::with_data(self.channels.one.as_str(), data));
        let unsent = async move {
            match sending.await {
                // The result may have come before this.
                Ok(()) => pending().await,
                Err(error) => error,
            }
        };
        question.wait(answer, unsent).await
    }

    /// Asks all nodes, this one too.
    pub(super) async fn ask_all(self: &Arc<Self>, parameter: Json) -> Outcome {
        let (question, answer) = self.ask(Asked::All)?;
        let id = question.id;
        let data = self.request(id, &parameter)?;
        self.handle(Asker::Own(id), parameter, true);
        let message = Message::with_data(self.channels.all.as_str(), data);
        let answer = async {
            // To its end, so that the same nodes are asked however quickly the first answers.
            if let Err(error) = self.oort.broadcast(message).await {
                tracing::debug!(service = self.name, %error, "a request goes to no other node");
                let unsent = lock(&self.requests).unsent(id);
                tell(unsent, Err(error.into()));
            }
            answer.await
        };
        question.wait(answer, pending()).await
    }

    fn ask(
        self: &Arc<Self>,
        asked: Asked,
    ) -> Result<(Question, oneshot::Receiver<Outcome>), ServiceError> {
        let (waiter, answer) = oneshot::channel();
        let until = after(Instant::now().into_std(), self.config.timeout).into();
        let id = lock(&self.requests).ask(asked, waiter);
        let id = id.map_err(|refusal| match refusal {
            Refusal::Stopped => ServiceError::Stopped,
            Refusal::TooMany => ServiceError::TooMany(self.config.max_pending),
        })?;
        Ok((Question { core: self.clone(), id, until }, answer))
    }

    fn request(&self, id: u64, parameter: &Json) -> Outcome {
        let data = wire::request(self.oort.own(), id, parameter);
        data.map_err(|error| ServiceError::Parameter(error.to_string()))
    }
}

/// A request of this node, which is given up when this is dropped.
struct Question {
    core: Arc<Core>,
    id: u64,
    until: Instant,
}

impl Question {
    /// Waits for the `answer`, until the request turns out to be `unsent`, or its time is over.
    async fn wait<E>(
        self,
        answer: impl Future<Output = Result<Outcome, E>>,
        unsent: impl Future<Output = SendError>,
    ) -> Outcome {
        tokio::select! {
            biased;
            answer = answer => return answer.unwrap_or(Err(ServiceError::Stopped)),
            error = unsent => return Err(error.into()),
            () = sleep_until(self.until) => {}
        }
        Err(ServiceError::Timeout(self.core.config.timeout))
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        lock(&self.core.requests).give_up(self.id);
    }
}

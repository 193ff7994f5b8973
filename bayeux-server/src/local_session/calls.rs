//! The remote calls that wait for their answers.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use bayeux_api::{Message, client::RequestError, implement::lock};
use tokio::sync::oneshot;

/// How long a remote call waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The calls that wait, by the ids of their messages.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<BTreeMap<String, oneshot::Sender<Message>>>);

/// One call; whoever drops it waits no more.
#[derive(Debug)]
pub(super) struct Call<'a> {
    calls: &'a Calls,
    id: String,
    answer: oneshot::Receiver<Message>,
}

impl Calls {
    pub(super) fn begin(&self, id: String) -> Call<'_> {
        let (sender, answer) = oneshot::channel();
        lock(&self.0).insert(id.clone(), sender);
        Call { calls: self, id, answer }
    }

    pub(super) fn are_waiting(&self) -> bool {
        !lock(&self.0).is_empty()
    }

    pub(super) fn are_waiting_for(&self, id: &str) -> bool {
        lock(&self.0).contains_key(id)
    }

    /// Answers the call of this id, if it waits.
    pub(super) fn answer(&self, id: &str, message: Message) {
        let call = lock(&self.0).remove(id);
        if let Some(call) = call {
            let _ = call.send(message);
        }
    }

    /// Lets all calls fail, since no answer comes any more.
    pub(super) fn give_up(&self) {
        lock(&self.0).clear();
    }
}

impl Call<'_> {
    /// The id that the message of the call has to have.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) async fn answered(mut self) -> Result<Message, RequestError> {
        match tokio::time::timeout(PATIENCE, &mut self.answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(RequestError::NotHandshaken),
            Err(_) => Err(RequestError::Timeout),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        lock(&self.calls.0).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_is_dropped_is_forgotten() {
        let calls = Calls::default();
        let call = calls.begin("1".to_owned());
        assert!(calls.are_waiting_for("1"));
        drop(call);
        let waits = calls.begin("2".to_owned());
        tokio::time::timeout(Duration::ZERO, waits.answered()).await.unwrap_err();
        assert!(!calls.are_waiting());
    }

    #[tokio::test]
    async fn a_call_gets_its_own_answer_and_fails_at_the_end() {
        let calls = Calls::default();
        let (one, other) = (calls.begin("1".to_owned()), calls.begin("2".to_owned()));
        calls.answer("1", Message::new("/service/a"));
        calls.give_up();
        assert_eq!(one.answered().await.unwrap().channel(), "/service/a");
        assert_eq!(other.answered().await, Err(RequestError::NotHandshaken));
    }
}

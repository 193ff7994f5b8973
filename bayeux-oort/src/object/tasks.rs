//! What goes on beside the calls: broadcasts, pushes, what is due by time, and what listeners are told.

use std::{sync::Arc, time::Duration};

use crate::{
    Comet,
    object::{engine::Inner, shape::Shape},
    proto::object::Input,
};

impl<S: Shape> Inner<S> {
    pub(crate) fn spawn_tasks(self: Arc<Self>) {
        self.runtime
            .spawn(self.stopped.clone().run_until_cancelled_owned(self.clone().broadcasts()));
        self.runtime.spawn(self.stopped.clone().run_until_cancelled_owned(self.clone().ticks()));
        self.runtime.spawn(self.stopped.clone().run_until_cancelled_owned(self.clone().tell()));
    }

    /// Sends the whole part to one node.
    pub(crate) fn push(
        self: &Arc<Self>,
        to: Comet,
        number: u64,
        version: u64,
        object: Arc<S::Object>,
    ) {
        let (inner, stopped) = (self.clone(), self.stopped.clone());
        self.runtime.spawn(stopped.run_until_cancelled_owned(async move {
            let push = inner.try_push(&to, version, object);
            let is_taken = tokio::time::timeout(PATIENCE, push).await.unwrap_or_default();
            inner.handle(Input::Pushed(to, number, is_taken));
        }));
    }

    async fn try_push(self: &Arc<Self>, to: &Comet, version: u64, object: Arc<S::Object>) -> bool {
        let Ok(written) = self.write_once(version, object).await else { return false };
        let message = self.whole_message(version, written, Some(to.clone())).await;
        let Some(message) = message else { return false };
        match self.oort.send(to, message).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(object = &*self.name, ?to, %error, "a part was not taken");
                false
            }
        }
    }

    async fn ticks(self: Arc<Self>) {
        loop {
            let due = async {
                match self.arm() {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.handle(Input::Tick),
                () = self.earlier.notified() => {}
            }
        }
    }
}

/// How long a node may take to take a part.
const PATIENCE: Duration = Duration::from_secs(60);

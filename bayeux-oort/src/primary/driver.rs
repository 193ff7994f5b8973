//! What goes on beside the calls: the election looks at what the nodes say, this node says what follows from
//! that, and the listeners are told.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bayeux_api::implement::{Hook, Listeners, Told, lock};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Comet, Info,
    object::OortObjectListener,
    primary::{
        PrimaryListener,
        outcomes::{Outcome, Outcomes, Step},
        parts::Parts,
    },
    proto::primary::{Election, Now, Said},
};

/// What the tasks of a service share with its handles.
#[derive(Debug)]
pub(super) struct State {
    name: String,
    election: Mutex<Election>,
    outcomes: Mutex<Outcomes>,
    pub(super) listeners: Listeners<Told<dyn PrimaryListener>>,
    /// There is something to look at.
    changed: Notify,
    pub(super) stopped: CancellationToken,
}

impl State {
    pub(super) fn new(name: &str, election: Election) -> Self {
        Self {
            name: name.to_owned(),
            election: Mutex::new(election),
            outcomes: Mutex::default(),
            listeners: Listeners::default(),
            changed: Notify::new(),
            stopped: CancellationToken::new(),
        }
    }

    pub(super) fn primary(&self) -> Option<Comet> {
        lock(&self.election).primary().cloned()
    }

    pub(super) fn is_primary(&self) -> bool {
        lock(&self.election).is_primary()
    }

    /// What this node says of itself.
    fn said(&self) -> Said {
        let election = lock(&self.election);
        Said { is_primary: election.is_primary(), candidacy: Some(election.candidacy()) }
    }

    /// Changes the election, and notes what comes out.
    fn change(&self, to_tell: &watch::Sender<()>, change: impl FnOnce(&mut Election)) {
        let mut election = lock(&self.election);
        change(&mut election);
        let new = Outcome { primary: election.primary().cloned(), is_own: election.is_primary() };
        let primary = new.primary.clone();
        // Under the lock: whoever begins to listen after that finds it so.
        let is_changed = lock(&self.outcomes).note(new, &self.listeners.audience());
        drop(election);
        if is_changed {
            tracing::info!(service = self.name, ?primary, "the primary");
            to_tell.send_replace(());
        }
    }

    async fn due(&self) {
        let deadline = lock(&self.election).deadline();
        match deadline {
            Some(deadline) => sleep_until(Instant::from_std(deadline)).await,
            None => std::future::pending().await,
        }
    }

    async fn tell(&self, Step { last, new, hearers }: Step) {
        let hook = Hook("PrimaryListener", &self.name);
        for listener in self.listeners.members().who_hear(hearers) {
            let hears = async |it: &dyn PrimaryListener| {
                match (last.is_own, new.is_own) {
                    (false, true) => it.became_primary().await,
                    (true, false) => it.ceased_to_be_primary().await,
                    (false, false) | (true, true) => {}
                }
                if last.primary != new.primary {
                    it.primary_changed(new.primary.as_ref()).await;
                }
            };
            listener.hear(hook, hears).await;
        }
    }
}

/// Starts the tasks; the one that is returned is done when the others have been told of the end.
pub(super) fn spawn(state: &Arc<State>, parts: Parts) -> tokio::task::JoinHandle<()> {
    let (to_tell, there_is) = watch::channel(());
    tokio::spawn(tell(state.clone(), there_is));
    tokio::spawn(run(state.clone(), parts, to_tell))
}

/// Looks whenever there may be something to see, and says what this node is.
async fn run(state: Arc<State>, parts: Parts, to_tell: watch::Sender<()>) {
    let ear = Arc::new(Ear(state.clone()));
    parts.flags.add_listener(ear.clone()).keep();
    parts.candidacies.iter().for_each(|it| it.add_listener(ear.clone()).keep());
    loop {
        state.change(&to_tell, |election| {
            election.look(parts.view(), now());
        });
        parts.say(state.said()).await;
        tokio::select! {
            () = state.stopped.cancelled() => break,
            () = state.changed.notified() => {}
            () = state.due() => {}
        }
    }
    state.change(&to_tell, |election| election.withdraw(now()));
    let said = timeout(PARTING, parts.say_to_the_end(state.said())).await;
    if said.is_err() {
        tracing::debug!(service = state.name, "some nodes may not know yet that it ended");
    }
}

/// Tells the listeners, until the election is over.
async fn tell(state: Arc<State>, mut there_is: watch::Receiver<()>) {
    let next = || lock(&state.outcomes).next();
    while there_is.changed().await.is_ok() {
        while let Some(step) = next() {
            state.tell(step).await;
        }
    }
}

/// Hears that a node says something.
#[derive(Debug)]
struct Ear(Arc<State>);

#[async_trait]
impl<T: Send + Sync + 'static> OortObjectListener<T> for Ear {
    async fn updated(&self, _old: Option<&Info<T>>, _new: &Info<T>) {
        self.0.changed.notify_one();
    }

    async fn removed(&self, _info: &Info<T>) {
        self.0.changed.notify_one();
    }
}

pub(super) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now {
        instant: Instant::now().into_std(),
        wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
    }
}

/// How long a service that ends waits for the others to know it.
const PARTING: Duration = Duration::from_secs(2);

//! A Seti at work: its machine, and what is sent and told for it.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bayeux_api::{
    ChannelId, Message, Registration,
    implement::{Listeners, Told, lock},
    server::{LocalSession, Removal, ServerSession, SessionListener},
};
use bayeux_oort::{Comet, Oort};
use tokio::{runtime::Handle, sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    AssociateError, PresenceListener, SetiConfig, StartSetiError,
    participant::Ear,
    proto::{
        id::{ALL, channel_of, seti_id},
        lanes::Lanes,
        presence::{MUCH, Presence},
    },
    session::Local,
};

/// A Seti as its handles have it: when the last goes it ends.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// A Seti as its tasks have it.
pub(crate) struct Inner {
    pub(crate) oort: Oort,
    pub(crate) seti_id: String,
    pub(crate) config: SetiConfig,
    /// On whose behalf messages are delivered to users.
    pub(crate) session: Arc<dyn LocalSession>,
    presence: Mutex<Presence<Local>>,
    pub(crate) listeners: Listeners<Told<dyn PresenceListener>>,
    /// What came for sessions that do not take it at once.
    pub(crate) lanes: Mutex<Lanes<Local>>,
    /// There is something to send, or may be earlier than it was.
    pub(crate) to_send: Notify,
    pub(crate) to_tell: Notify,
    /// A node has left, whose users are to be forgotten.
    pub(crate) to_sweep: Notify,
    pub(crate) runtime: Handle,
    /// Its places at the server and in the cloud, until the others know that it has ended.
    registrations: Mutex<Vec<Registration>>,
    /// It is to end, and nothing more is done.
    pub(crate) stopped: CancellationToken,
    /// The others know that it has ended.
    pub(crate) ended: CancellationToken,
}

/// How long the listeners to sessions may take to hear of the end of its own, before it has ended for whoever waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long one that was dropped may need until the others have been told.
const RELEASE: Duration = Duration::from_secs(1);

impl Engine {
    pub(crate) async fn start(oort: &Oort, config: SetiConfig) -> Result<Self, StartSetiError> {
        if oort.session().server_session().is_none_or(|session| !session.is_handshook()) {
            return Err(StartSetiError::Stopped);
        }
        let own = oort.own();
        let seti_id = seti_id(own.url());
        if let Some(other) = twin(oort, &seti_id) {
            let own = own.url().to_owned();
            return Err(StartSetiError::Collision { own, other, seti_id });
        }
        let session = oort.server().new_local_session("seti");
        let handshaken = session.handshake(Message::default()).await;
        handshaken.map_err(|error| StartSetiError::Session(error.to_string()))?;
        let inner = Arc::new(Inner::new(oort, config, seti_id, session));
        match inner.take_place().await {
            Ok(()) => inner.spawn_tasks(),
            Err(error) => {
                let _ = inner.session.disconnect().await;
                return Err(error);
            }
        }
        Ok(Self { inner })
    }

    /// Ends it. The future is of when the other nodes have been told.
    pub(crate) fn stop(&self) -> impl Future<Output = ()> + Send + 'static {
        let inner = &self.inner;
        let before = inner.presence(|presence| {
            // Under the lock: nobody is associated after it.
            let is_first = !inner.stopped.is_cancelled();
            inner.stopped.cancel();
            is_first.then(|| presence.clear())
        });
        if let Some(before) = before {
            inner.discard(before);
        }
        self.inner.ended.clone().cancelled_owned()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

impl Inner {
    fn new(
        oort: &Oort,
        config: SetiConfig,
        seti_id: String,
        session: Arc<dyn LocalSession>,
    ) -> Self {
        let (own, most) = (oort.own().clone(), config.max_users_of_node);
        Self {
            oort: oort.clone(),
            presence: Mutex::new(Presence::new(own, seti_id.clone(), most, MUCH)),
            seti_id,
            config,
            session,
            listeners: Listeners::default(),
            lanes: Mutex::default(),
            to_send: Notify::new(),
            to_tell: Notify::new(),
            to_sweep: Notify::new(),
            runtime: Handle::current(),
            registrations: Mutex::default(),
            stopped: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Takes its places in the cloud and at the server, when one before it has left them.
    async fn take_place(self: &Arc<Self>) -> Result<(), StartSetiError> {
        // Whoever hears that this node observes the second knows that it observes the first, too.
        let channels = [ChannelId::new(&channel_of(self.own().url()))?, ChannelId::new(ALL)?];
        let until = now() + RELEASE;
        let place = loop {
            let place = self.oort.add_participant(&channels, Arc::new(Ear(self.clone())));
            match place.map_err(StartSetiError::from) {
                Err(StartSetiError::Taken(_)) if now() < until => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                place => break place?,
            }
        };
        let ends = self.oort.server().add_session_listener(Arc::new(Ends(self.clone())));
        lock(&self.registrations).extend([place, ends]);
        Ok(())
    }

    /// Advances the presence by `act`, and wakes whoever has something to do by that.
    pub(crate) fn advance<R>(&self, act: impl FnOnce(&mut Presence<Local>, Instant) -> R) -> R {
        let now = now();
        let (result, is_earlier, is_heard, unheard) = {
            let mut presence = lock(&self.presence);
            // Under the lock: what others note for a listener that comes while this waits is not thrown away.
            let audience = self.listeners.audience();
            let is_heard = !audience.is_empty();
            let unheard = presence.tellings.set_audience(audience);
            (act(&mut presence, now), presence.take_wakes(), is_heard, unheard)
        };
        if let Some(unheard) = unheard {
            self.discard(unheard);
        }
        if is_earlier {
            self.to_send.notify_one();
        }
        if is_heard {
            self.to_tell.notify_one();
        }
        result
    }

    /// Looks at the presence, or takes of it what is to be done.
    pub(crate) fn presence<R>(&self, act: impl FnOnce(&mut Presence<Local>) -> R) -> R {
        act(&mut lock(&self.presence))
    }

    pub(crate) fn associate(
        &self,
        user: &str,
        session: &Arc<dyn ServerSession>,
    ) -> Result<bool, AssociateError> {
        if user.len() > self.config.max_user_id {
            return Err(AssociateError::LongId(user.len()));
        }
        let ended = || AssociateError::Ended(session.id().to_owned());
        if !session.is_handshook() {
            return Err(ended());
        }
        if self.oort.server().session(session.id()).is_none() {
            // It may have ended just now.
            let foreign = AssociateError::Foreign(session.id().to_owned());
            return Err(if session.is_handshook() { foreign } else { ended() });
        }
        let local = Local(session.clone());
        let is_new = self.advance(|presence, _| {
            let is_over = self.stopped.is_cancelled();
            (!is_over).then(|| presence.associate(user, local.clone()))
        });
        let is_new = is_new.ok_or(AssociateError::Stopped)?;
        // Whoever ends the session after this look finds it associated.
        if !session.is_handshook() {
            self.advance(|presence, _| presence.disassociate(user, &local));
            return Err(ended());
        }
        Ok(is_new)
    }

    fn spawn_tasks(self: &Arc<Self>) {
        let until = || self.stopped.clone();
        self.runtime.spawn(self.clone().send());
        self.runtime.spawn(until().run_until_cancelled_owned(self.clone().tell()));
        self.runtime.spawn(until().run_until_cancelled_owned(self.clone().sweeps()));
    }

    /// Leaves its places, once the others have been told that it ends: what another Seti of this node says comes after
    /// that.
    pub(crate) async fn leave(&self) {
        let places = std::mem::take(&mut *lock(&self.registrations));
        drop(places);
        let session = self.session.clone();
        // It is told to its end, also if nobody waits for that.
        let ended = tokio::spawn(async move { session.disconnect().await });
        let _ = tokio::time::timeout(PATIENCE, ended).await;
    }

    /// Forgets the users of nodes that left, whenever one does, and of sessions that ended, now and then.
    async fn sweeps(self: Arc<Self>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.to_sweep.notified() => self.sweep().await,
                _ = looks.tick() => self.look_for_ended().await,
            }
        }
    }

    /// Has the users go of sessions whose end it was not told: a listener of the application that is told before and
    /// never returns holds that up for good.
    async fn look_for_ended(&self) {
        let mut last = None;
        loop {
            let sessions = self.presence(|presence| presence.sessions_after(last.as_ref(), SLICE));
            let Some(after) = sessions.last() else { return };
            last = Some(after.clone());
            for ended in sessions.iter().filter(|local| !local.0.is_handshook()) {
                self.advance(|presence, _| presence.session_ended(ended));
            }
            tokio::task::yield_now().await;
        }
    }

    /// Forgets the users of nodes that left.
    pub(crate) async fn sweep(&self) {
        while self.advance(|presence, _| presence.sweep(SLICE)) {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn own(&self) -> &Comet {
        self.oort.own()
    }

    /// Lets go of what may be large, where that holds up nobody.
    pub(crate) fn discard(&self, large: impl Send + 'static) {
        drop(self.runtime.spawn_blocking(move || drop(large)));
    }
}

/// Returns the URL of another node that has this Seti id.
fn twin(oort: &Oort, own: &str) -> Option<String> {
    let comets = oort.comets();
    let twin = comets.iter().find(|comet| seti_id(comet.url()) == own);
    twin.map(|comet| comet.url().to_owned())
}

/// Has the users of a session go when it ends.
#[derive(Debug)]
struct Ends(Arc<Inner>);

#[async_trait]
impl SessionListener for Ends {
    async fn session_removed(&self, session: &Arc<dyn ServerSession>, _removal: Removal) {
        let local = Local(session.clone());
        self.0.advance(|presence, _| presence.session_ended(&local));
        lock(&self.0.lanes).goes_on(&local);
    }
}

/// How often it is looked whether sessions have ended.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// So many users are looked at before others get at the presence.
pub(crate) const SLICE: usize = 500;

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seti").field("own", self.own()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use ::tests::cloud_hub::CloudHub;
    use bayeux_server::Server;

    use super::*;
    use crate::proto::announcements::Change;

    #[derive(Debug)]
    struct Deaf;

    impl PresenceListener for Deaf {}

    #[tokio::test]
    async fn who_found_no_listener_throws_away_nothing_that_is_for_one_that_came_meanwhile() {
        let cloud = CloudHub::default().cloud("a", "http://a:8080/cometd");
        let oort = Oort::start(&Server::new(), cloud).await.unwrap();
        let engine = Engine::start(&oort, SetiConfig::default()).await.unwrap();
        let inner = engine.inner.clone();
        let other = inner.presence(|presence| {
            let (begins, begun) = mpsc::channel();
            let inner = inner.clone();
            let other = thread::spawn({
                let inner = inner.clone();
                move || {
                    begins.send(()).unwrap();
                    inner.advance(|_, _| ());
                }
            });
            begun.recv().unwrap();
            // It has time to look, and waits for the presence then.
            thread::sleep(Duration::from_millis(100));
            inner.listeners.add_told(Arc::new(Deaf)).keep();
            presence.tellings.set_audience(inner.listeners.audience());
            presence.tellings.note(&"dave".into(), inner.own(), Change::Added);
            other
        });
        other.join().unwrap();
        assert!(inner.presence(Presence::next_event).is_some());
    }
}

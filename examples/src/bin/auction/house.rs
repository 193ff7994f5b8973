//! The house: what the nodes do together so that bids that come to any of them are in one order.
//!
//! One node is primary, and decides on all bids. What it decides it puts into its part of a shared map, and tells
//! the bidder only when all other nodes that are still there have it, and there is one. Each of these notes in its book what it hears, and puts it into
//! its own part, too: so whoever becomes primary next has every bid that was confirmed, and a node that starts gets
//! them from any other. A primary that sees no other node resigns (`QUORUM`): alone it could not know whether the
//! others decide without it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bayeux_oort::{
    Answer, ElectionConfig, Info, Oort, OortPrimaryService, OortStringMap, Request, Role,
    ServiceError,
    object::{Entries, Entry, EntryDeltas, EntryListener, OortObjectListener},
};
use bayeux_server::{Server, api::implement::lock};
use bayeux_seti::Seti;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    book::{Book, Taken},
    goods,
    lot::{Hours, Lot, Refusal, cents},
    node::Result,
};

/// Where pages hear of lots.
pub(crate) const LOTS: &str = "/auction/lots";

/// Where a bidder hears what is for nobody else.
pub(crate) const NOTICE: &str = "/service/auction/notice";

/// A bid, as the primary is asked about it.
#[derive(Deserialize, Serialize)]
pub(crate) struct Offer {
    pub(crate) item: String,
    pub(crate) amount: Value,
    pub(crate) bidder: String,
}

/// What each node has of the house.
pub(crate) struct House {
    server: Server,
    seti: Seti,
    hours: Hours,
    book: Mutex<Book>,
    shared: OortStringMap<Lot>,
    /// Whose turn it is to change this node's part, and to tell what it has: in the order of the book.
    turn: tokio::sync::Mutex<()>,
    /// The ids of the other nodes whose parts this one was told of, and not yet that they are gone.
    heard: Mutex<BTreeSet<String>>,
    /// Whether this node knows all that it has to before it decides.
    is_ready: AtomicBool,
}

/// The house and what decides in it.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) house: Arc<House>,
    primary: OortPrimaryService,
}

impl Desk {
    pub(crate) async fn start(oort: &Oort, seti: &Seti, hours: Hours) -> Result<Self> {
        let house = Arc::new(House {
            server: oort.server().clone(),
            seti: seti.clone(),
            hours,
            book: Mutex::default(),
            shared: OortStringMap::start(oort, "lots").await?,
            turn: tokio::sync::Mutex::new(()),
            heard: Mutex::default(),
            is_ready: AtomicBool::new(false),
        });
        let ear = Arc::new(Ear(Arc::downgrade(&house)));
        house.shared.add_entry_listener(ear.clone()).keep();
        // The entries of a part are noted before it is noted that the part was heard of.
        house.shared.add_listener(Arc::new(EntryDeltas::new(ear.clone()))).keep();
        house.shared.add_listener(ear).keep();
        let mut election = ElectionConfig::default();
        election.patience = PATIENCE;
        election.quorum = QUORUM;
        let decides = house.clone();
        let decide = move |request: Request| {
            let house = decides.clone();
            async move { house.asked(request).await }
        };
        let role = Role::Candidate(election);
        let primary = OortPrimaryService::start(oort, "auctioneer", role, decide).await?;
        let desk = Self { house, primary };
        tokio::spawn(desk.clone().work());
        Ok(desk)
    }

    /// Has a bid decided, by whichever node does.
    pub(crate) async fn bid(&self, offer: &Offer) -> std::result::Result<Value, String> {
        self.primary.forward::<Value>(offer).await.map_err(|error| said_of(&error))
    }

    /// Returns the URL of the node that decides.
    pub(crate) fn decides(&self) -> Option<String> {
        self.primary.primary().map(|comet| comet.url().to_owned())
    }

    /// Does what the primary does, as long as this node is it.
    async fn work(self) {
        loop {
            sleep(BEAT).await;
            let house = &self.house;
            match (self.primary.is_primary(), house.is_ready.load(Ordering::Relaxed)) {
                (true, false) => house.take_over().await,
                (true, true) => house.pass().await,
                (false, _) => house.is_ready.store(false, Ordering::Relaxed),
            }
        }
    }
}

impl House {
    /// Answers a node that asks about a bid; this one is primary.
    async fn asked(&self, request: Request) -> Answer {
        let Ok(offer) = request.to::<Offer>() else { return Answer::failure("That is no bid.") };
        match self.take(&offer).await {
            Ok(taken) => Answer::success(json!({ "item": taken.id, "lot": taken.lot })),
            Err(refusal) => Answer::failure(refusal.to_string()),
        }
    }

    async fn take(&self, offer: &Offer) -> std::result::Result<Taken, Refusal> {
        let cents = cents(&offer.amount)?;
        let turn = self.turn.lock().await;
        if !self.is_ready.load(Ordering::Relaxed) {
            return Err(Refusal::NotReady);
        }
        let taken = lock(&self.book).bid(&offer.item, &offer.bidder, cents, now(), self.hours)?;
        let shared = self.shared.put_and_share(taken.id.to_owned(), taken.lot.clone()).await;
        let shared = shared.map_err(|_| Refusal::NotReady)?;
        self.publish(taken.id, &taken.lot).await;
        drop(turn);
        if let Some(outbid) = &taken.outbid {
            self.notify(outbid, "outbid", taken.id, &taken.lot).await;
        }
        // A node that is lost meanwhile is known to be gone by then.
        match timeout(SPREAD, shared.applied()).await {
            Ok(Ok(applied)) if !applied.by.is_empty() => Ok(taken),
            Ok(_) | Err(_) => Err(Refusal::Unheard),
        }
    }

    /// Begins to decide, when this node knows what the others do.
    async fn take_over(&self) {
        let deadline = Instant::now() + TAKE_OVER;
        while !self.is_informed() && Instant::now() < deadline {
            sleep(BEAT).await;
        }
        if !self.is_informed() {
            tracing::warn!("this node decides without knowing all that the others have");
        }
        let _turn = self.turn.lock().await;
        let lots: Vec<_> = {
            let mut book = lock(&self.book);
            for info in self.shared.infos() {
                for (id, lot) in info.object().iter() {
                    book.hear(id, lot);
                }
            }
            book.offer_all(now(), self.hours);
            book.lots().map(|(id, lot)| (id.to_owned(), lot.clone())).collect()
        };
        if let Err(error) = self.shared.set_and_share(lots.clone()).await {
            tracing::debug!(%error, "the house is over");
            return;
        }
        for (id, lot) in &lots {
            self.publish(id, lot).await;
        }
        self.is_ready.store(true, Ordering::Relaxed);
    }

    /// Whether this node has the parts of all others, and was told of those that have gone.
    fn is_informed(&self) -> bool {
        let infos = self.shared.infos();
        let others = infos.iter().filter(|info| !info.is_local());
        let parts: BTreeSet<_> = others.map(|info| info.comet().id().to_owned()).collect();
        let comets = self.shared.oort().comets();
        comets.iter().all(|comet| parts.contains(comet.id())) && *lock(&self.heard) == parts
    }

    /// Closes lots whose time is over, and offers others again.
    async fn pass(&self) {
        let _turn = self.turn.lock().await;
        let passed = lock(&self.book).pass(now(), self.hours);
        for (id, lot) in passed {
            if let Err(error) = self.shared.put_and_share(id.to_owned(), lot.clone()).await {
                tracing::debug!(%error, "the house is over");
            }
            self.publish(id, &lot).await;
            if let Some(top) = lot.top().filter(|_| lot.is_closed) {
                self.notify(&top.bidder, "won", id, &lot).await;
            }
        }
    }

    /// Notes what another node has; if it is news, this node has it from now on, and its pages are told.
    async fn hear(&self, id: &str, lot: &Lot) {
        let Some(id) = lock(&self.book).hear(id, lot) else { return };
        let _turn = self.turn.lock().await;
        // It may be further by now.
        let lot = lock(&self.book).lot(id).cloned();
        let Some(lot) = lot else { return };
        self.publish(id, &lot).await;
        if let Err(error) = self.shared.put_and_share(id.to_owned(), lot).await {
            tracing::debug!(%error, "the house is over");
        }
    }

    async fn publish(&self, id: &str, lot: &Lot) {
        if let Some(channel) = self.server.channel(LOTS) {
            let _ = channel.publish(self.view(id, lot)).await;
        }
    }

    /// Tells a bidder something, wherever that is.
    async fn notify(&self, bidder: &str, what: &str, id: &str, lot: &Lot) {
        let notice = json!({ "what": what, "item": id, "lot": lot });
        if let Err(error) = self.seti.send_message(bidder, NOTICE, &notice).await {
            tracing::debug!(%error, "a bidder is not told");
        }
    }

    /// Returns all lots, for a page.
    pub(crate) fn lots(&self) -> Vec<Value> {
        lock(&self.book).lots().map(|(id, lot)| self.view(id, lot)).collect()
    }

    /// Returns a lot, for a page.
    fn view(&self, id: &str, lot: &Lot) -> Value {
        let least = goods::find(id).map(|item| lot.least(item));
        json!({ "item": id, "lot": lot, "least": least, "now": now() })
    }
}

/// Returns what a bidder is told of a bid that failed.
fn said_of(error: &ServiceError) -> String {
    if let ServiceError::Failure(why) = error {
        return why.to().unwrap_or_else(|_| "The bid failed.".to_owned());
    }
    if matches!(error, ServiceError::Nobody) {
        let why = "No auctioneer is there just now: at least two nodes are needed. Try again.";
        return why.to_owned();
    }
    let is_lost = matches!(
        error,
        ServiceError::Left(_) | ServiceError::Unknown(_) | ServiceError::Timeout(_)
    );
    match is_lost {
        true => {
            "The auctioneer's node was lost: your bid may count, or may not. Look again.".to_owned()
        }
        false => format!("The bid failed: {error}."),
    }
}

/// Hears what other nodes have.
#[derive(Debug)]
struct Ear(Weak<House>);

type Part = Entries<String, Lot>;

#[async_trait]
impl EntryListener<String, Lot> for Ear {
    async fn put(&self, info: &Info<Part>, entry: &Entry<String, Lot>) {
        let house = self.0.upgrade().filter(|_| !info.is_local());
        if let (Some(house), Some(lot)) = (house, &entry.new) {
            house.hear(&entry.key, lot).await;
        }
    }
}

#[async_trait]
impl OortObjectListener<Part> for Ear {
    async fn updated(&self, _old: Option<&Info<Part>>, new: &Info<Part>) {
        if let Some(house) = self.0.upgrade().filter(|_| !new.is_local()) {
            lock(&house.heard).insert(new.comet().id().to_owned());
        }
    }

    async fn removed(&self, info: &Info<Part>) {
        if let Some(house) = self.0.upgrade() {
            lock(&house.heard).remove(info.comet().id());
        }
    }
}

/// Returns the time, in ms since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How often the primary looks what time makes of lots.
const BEAT: Duration = Duration::from_millis(50);

/// How long a node looks for a primary before it becomes one.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many nodes have to see each other for one of them to decide: more than half of three.
const QUORUM: usize = 2;

/// How long a bid is given to be known on all nodes.
const SPREAD: Duration = Duration::from_secs(4);

/// How long a new primary waits for what the others have.
const TAKE_OVER: Duration = Duration::from_secs(3);

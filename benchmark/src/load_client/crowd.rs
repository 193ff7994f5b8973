//! The clients, and the rooms that they are in.

use std::{sync::Arc, time::Duration};

use bayeux_client::{BayeuxClient, State, api::Message, api::client::ClientSessionChannel};
use fastrand::Rng;
use futures_util::future::{join_all, try_join_all};
use tokio::task::JoinSet;

use crate::{
    Result,
    load_client::{
        arguments::RoomArguments,
        arrivals::{Arrivals, PREFIX, Watch},
        site::Site,
    },
    say,
};

pub(crate) struct Crowd {
    site: Site,
    arrivals: Arc<Arrivals>,
    /// The channel of each room.
    channels: Arc<[String]>,
    rooms_per_client: usize,
    rng: Rng,
    members: Vec<Member>,
}

struct Member {
    client: BayeuxClient,
    rooms: Vec<usize>,
}

/// How many join at a time.
const AT_ONCE: usize = 10;

/// How long goodbyes may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Crowd {
    pub(crate) fn new(
        site: Site,
        arrivals: Arc<Arrivals>,
        rooms: &RoomArguments,
        rng: Rng,
    ) -> Self {
        let prefix = format!("{PREFIX}/{}", rooms.channel.trim_matches('/'));
        let channels = (0..rooms.rooms).map(|room| format!("{prefix}/{room}")).collect();
        let rooms_per_client = rooms.rooms_per_client;
        Self { site, arrivals, channels, rooms_per_client, rng, members: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn client(&self, number: usize) -> &BayeuxClient {
        &self.members[number].client
    }

    pub(crate) fn channel(&self, room: usize) -> &str {
        &self.channels[room]
    }

    /// Returns how many members each room has.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.channels.len()];
        self.members.iter().flat_map(|member| &member.rooms).for_each(|room| sizes[*room] += 1);
        sizes
    }

    /// Has clients join or leave until there are so many.
    pub(crate) async fn resize(&mut self, clients: usize) -> Result<()> {
        while self.members.len() > clients {
            let leaving = self.members.split_off(clients);
            leave(leaving, &self.arrivals).await;
        }
        let mut progress = say::Progress::new("clients connected", clients as u64);
        let mut joining = JoinSet::new();
        let mut next = self.members.len();
        while self.members.len() < clients {
            while next < clients && joining.len() < AT_ONCE {
                let rooms = self.rng.choose_multiple(0..self.channels.len(), self.rooms_per_client);
                let (site, arrivals) = (self.site.clone(), self.arrivals.clone());
                let channels = self.channels.clone();
                let number = u32::try_from(next)?;
                joining.spawn(async move { join(&site, arrivals, &channels, number, rooms).await });
                next += 1;
            }
            let Some(joined) = joining.join_next().await else { break };
            self.members.push(joined??);
            progress.at(self.members.len() as u64);
        }
        Ok(())
    }

    /// Ends all sessions, or gives up on them if the server cannot be reached.
    pub(crate) async fn disperse(&mut self) {
        leave(std::mem::take(&mut self.members), &self.arrivals).await;
    }
}

/// Starts a session and enters its rooms.
async fn join(
    site: &Site,
    arrivals: Arc<Arrivals>,
    channels: &[String],
    number: u32,
    rooms: Vec<usize>,
) -> Result<Member, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        format!("client {number} could not {what}: {error}")
    };
    let client = site.client().map_err(|error| failed("be made", &error))?;
    let watch = Watch { client: number, arrivals: arrivals.clone() };
    client.add_transport_listener(Arc::new(watch)).keep();
    client.handshake().await.map_err(|error| site.explain(&error))?;
    let entering = rooms.iter().map(async |room| {
        let channel = &channels[*room];
        let (arrivals, room) = (arrivals.clone(), u32::try_from(*room).unwrap_or(u32::MAX));
        let listener = move |_: &dyn ClientSessionChannel, message: &Message| {
            arrivals.heard(number, room, message);
        };
        let channel = client.channel(channel).map_err(|error| failed("enter a room", &error))?;
        let registration = channel.subscribe_listener(Arc::new(listener)).await;
        registration.map_err(|error| failed("enter a room", &error))?.keep();
        Ok::<(), String>(())
    });
    try_join_all(entering).await?;
    let init = client.channel("/service/init").map_err(|error| failed("say so", &error))?;
    init.publish(serde_json::json!({})).await.map_err(|error| failed("say so", &error))?;
    Ok(Member { client, rooms })
}

async fn leave(members: Vec<Member>, arrivals: &Arrivals) {
    let leaving = members.iter().map(async |member| {
        // Its reply tells nothing new.
        drop(member.client.disconnect().await);
        member.client.wait_for(PATIENCE, &[State::Disconnected]).await
    });
    if !arrivals.is_cut_off() {
        let _ = tokio::time::timeout(PATIENCE, join_all(leaving)).await;
    }
    members.iter().for_each(|member| member.client.abort());
}

//! Sessions between two connects whose connections are gone.

use std::{cell::Cell, rc::Rc};

use tokio::{task::JoinSet, time::timeout};

use crate::{
    Result,
    carrier::Carrier,
    heart::Heart,
    link::PATIENCE,
    load::{Load, Protocol, Transport},
    say,
    session::Session,
};

/// Some of the sessions, by which to see whether they are still there.
pub(super) struct Sample(Vec<Parked>);

struct Parked {
    heart: Heart,
    cookies: String,
}

/// So many connections make the sessions.
const CONNECTIONS: u64 = 16;

/// One in so many sessions is in the sample.
const SAMPLED: u64 = 997;

/// Makes so many sessions, whose connections end.
pub(super) async fn park(load: &Load, sessions: u64) -> Result<Sample> {
    if load.protocol != Protocol::Bayeux {
        return Err("only a Bayeux server has sessions without a connection".into());
    }
    let next = Rc::new(Cell::new(0));
    let mut workers = JoinSet::new();
    for number in 0..CONNECTIONS.min(sessions) {
        let (load, next) = (load.clone(), next.clone());
        workers.spawn_local(async move { work(&load, number, &next, sessions).await });
    }
    let mut sample = Vec::new();
    let mut progress = say::Progress::new("sessions", sessions);
    let mut showing = tokio::time::interval(std::time::Duration::from_millis(200));
    loop {
        tokio::select! {
            joined = workers.join_next() => match joined {
                Some(joined) => sample.append(&mut joined??),
                None => break,
            },
            _ = showing.tick() => progress.at(next.get()),
        }
    }
    Ok(Sample(sample))
}

/// Makes sessions over one connection, as long as there are too few.
async fn work(load: &Load, number: u64, next: &Cell<u64>, sessions: u64) -> Result<Vec<Parked>> {
    let mut sample = Vec::new();
    let (path, number) = (&load.target.path, usize::try_from(number)?);
    let mut carrier = Carrier::open(load, Transport::LongPolling, path, number).await?;
    while next.get() < sessions {
        let number = next.replace(next.get() + 1);
        carrier.set_cookies("");
        let making = async {
            let mut session = Session::handshake(carrier, Transport::LongPolling).await?;
            session.connect().await?;
            Ok::<_, Box<dyn std::error::Error>>(session)
        };
        let made = timeout(PATIENCE, making).await;
        let session = made.map_err(|_| "the server did not answer a new session in time")??;
        carrier = session.carrier;
        if number.is_multiple_of(SAMPLED) {
            let cookies = carrier.cookies().to_owned();
            sample.push(Parked { heart: session.heart, cookies });
        }
    }
    Ok(sample)
}

impl Sample {
    /// Fails unless the sessions may still connect.
    pub(super) async fn check(self, load: &Load) -> Result<()> {
        let path = &load.target.path;
        let mut carrier = Carrier::open(load, Transport::LongPolling, path, 0).await?;
        for Parked { heart, cookies } in self.0 {
            carrier.set_cookies(&cookies);
            let mut session = Session { carrier, heart };
            let connected = timeout(PATIENCE, session.connect()).await;
            connected.map_err(|_| "the server did not answer a connect in time")?.map_err(
                |error| {
                    format!(
                        "a session without a connection is gone; start the server with a longer \
                         maxInterval, as in -o maxInterval=600000: {error}"
                    )
                },
            )?;
            carrier = session.carrier;
        }
        Ok(())
    }
}

//! Those who publish, in turn and without waiting for replies.

use std::{
    future::poll_fn,
    task::Poll,
    time::{Duration, Instant},
};

use crate::{
    Result,
    fanout::crowd::{Crowd, Phase},
    link::{Link, PATIENCE, Part},
    load::{Load, Protocol, Transport},
    wait::moment,
};

pub(crate) struct Publishers {
    links: Vec<Link>,
    crowd: Crowd,
    size: usize,
    channel: String,
    sleeps: bool,
    /// The number of the next message.
    next: u64,
}

/// When the next message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as fewer than so many are under way.
    InFlight(u64),
    /// So many times a second, whatever comes.
    Rate(u64),
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Messages(u64),
    Time(Duration),
}

/// How the publishers are.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) publishers: u64,
    pub(crate) transport: Transport,
    pub(crate) size: usize,
    /// To which channel they publish.
    pub(crate) channel: String,
    /// Whether the generator may sleep until a message is due.
    pub(crate) sleeps: bool,
}

impl Publishers {
    /// Connects them, with numbers from `first` on.
    pub(crate) async fn open(load: &Load, style: Style, first: u64, crowd: &Crowd) -> Result<Self> {
        let mut links = Vec::new();
        for number in first..first + style.publishers {
            let number = usize::try_from(number)?;
            links.push(Link::open(load, style.transport, Part::Publish, number).await?);
        }
        let Style { size, channel, sleeps, .. } = style;
        Ok(Self { links, crowd: crowd.clone(), size, channel, sleeps, next: 0 })
    }

    /// Publishes at a pace until it is enough, and returns how many messages that were. The last may
    /// be under way still.
    pub(crate) async fn publish(
        &mut self,
        pace: Pace,
        until: Until,
        phase: Option<Phase>,
    ) -> Result<u64> {
        let (start, first) = (Instant::now(), self.next);
        loop {
            let most = match until {
                Until::Messages(messages) => first + messages,
                Until::Time(time) if start.elapsed() >= time => self.next,
                Until::Time(_) => u64::MAX,
            };
            let until = match pace {
                Pace::InFlight(count) => self.crowd.complete() + count,
                Pace::Rate(rate) => first + due(rate, start.elapsed()),
            };
            let until = until.min(most);
            if until > self.next {
                for number in self.next..until {
                    let since = match pace {
                        Pace::InFlight(_) => Instant::now(),
                        Pace::Rate(rate) => start + offset(rate, number - first),
                    };
                    self.crowd.sends(since, phase);
                }
                self.send(until)?;
            }
            if self.next == most {
                return Ok(self.next - first);
            }
            match pace {
                Pace::InFlight(_) => self.wait(std::future::pending()).await?,
                Pace::Rate(rate) => {
                    let next = start + offset(rate, self.next - first);
                    self.wait(moment(next, self.sleeps)).await?;
                }
            }
        }
    }

    /// Waits until all have everything.
    pub(crate) async fn wait_for_all(&mut self) -> Result<()> {
        while self.crowd.complete() < self.next {
            self.wait(std::future::pending()).await?;
        }
        Ok(())
    }

    /// Waits until each publication has its reply.
    pub(crate) async fn wait_for_replies(&mut self, load: &Load) -> Result<()> {
        let replies = |links: &[Link]| links.iter().map(|link| link.replies.publishes).sum::<u64>();
        let start = Instant::now();
        while load.protocol != Protocol::Limit && replies(&self.links) < self.next {
            let pause = tokio::time::sleep(Duration::from_millis(100));
            self.wait(pause).await?;
            if start.elapsed() > PATIENCE {
                let missing = self.next - replies(&self.links);
                return Err(format!("{missing} publications were not answered").into());
            }
        }
        Ok(())
    }

    pub(crate) fn published(&self) -> u64 {
        self.next
    }

    /// Sends the messages up to a number; those of one publisher go in one write.
    fn send(&mut self, until: u64) -> Result<()> {
        let publishers = self.links.len() as u64;
        let mut numbers = Vec::new();
        for (publisher, link) in (0..).zip(&mut self.links) {
            numbers.clear();
            numbers.extend((self.next..until).filter(|number| number % publishers == publisher));
            if !numbers.is_empty() {
                link.publish(&self.channel, &numbers, self.size)?;
            }
        }
        self.next = until;
        Ok(())
    }

    /// Waits until a message may be sent, or a reply has come.
    async fn wait(&mut self, moment: impl Future<Output = ()>) -> Result<()> {
        let Self { links, crowd, .. } = self;
        let receive = poll_fn(|context| {
            for link in links.iter_mut() {
                let nothing = &mut |number| Err(format!("a publisher got message {number}").into());
                if let Poll::Ready(received) = link.poll_receive(context, nothing) {
                    return Poll::Ready(received);
                }
            }
            Poll::Pending
        });
        tokio::select! {
            received = receive => received,
            () = crowd.changed() => Ok(()),
            () = moment => Ok(()),
        }
    }
}

/// Returns how many messages are to be sent in the time since the first.
fn due(rate: u64, elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos() * u128::from(rate) / NANOS).map_or(u64::MAX, |due| due + 1)
}

/// Returns when a message is to be sent, after the first; [`due`] at that moment counts it.
fn offset(rate: u64, number: u64) -> Duration {
    let nanos = (u128::from(number) * NANOS).div_ceil(u128::from(rate));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_due_at_its_moment() {
        for rate in [1, 3, 7, 1000, 30_000] {
            for number in [0, 1, 2, 1000] {
                let moment = offset(rate, number);
                assert_eq!(due(rate, moment), number + 1, "{rate}, {number}");
                if number > 0 {
                    assert_eq!(due(rate, moment - Duration::from_nanos(1)), number);
                }
            }
        }
    }
}

//! A lot: an item while it is sold, and the rules of bidding for it. Nothing here waits or knows of nodes.
//!
//! ```text
//!     open ── its time is over ──▶ closed ── after a while ──▶ open, in another round
//!      │ ▲
//!      └─┘ a bid, which near the end keeps it open for longer
//! ```

use std::{cmp::Reverse, collections::BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::goods::Item;

/// An item while it is sold. All nodes have one of each item, and the one that is ahead is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lot {
    /// How often it was offered.
    pub(crate) round: u32,
    /// When it closes, in ms since 1970, by the clock of whichever node decides.
    pub(crate) closes: u64,
    pub(crate) is_closed: bool,
    /// The highest first, and no more than are shown.
    pub(crate) bids: Vec<Bid>,
    /// Who has bid in this round; each bid is a twentieth higher than the one before, so that these are few hundred.
    pub(crate) bidders: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bid {
    /// The how many-th of the lot it is.
    pub(crate) number: u32,
    pub(crate) bidder: String,
    pub(crate) cents: u64,
    /// When, in ms since 1970.
    pub(crate) at: u64,
}

/// Why a bid does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoAmount,
    TooLow {
        least: u64,
    },
    TooHigh,
    Leads,
    Closed,
    NoItem,
    /// The node that is to decide has just begun to.
    NotReady,
    /// No other node is known to have it.
    Unheard,
}

/// For how long lots are open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hours {
    /// How long a lot is open, in ms.
    pub(crate) open: u64,
}

impl Hours {
    /// How long a lot stays open after a bid, at least.
    fn grace(self) -> u64 {
        (self.open / 4).min(20_000)
    }

    /// How long a lot is closed before it is offered again.
    fn pause(self) -> u64 {
        self.open.min(60_000)
    }
}

impl Lot {
    /// Offers a lot.
    pub(crate) fn offer(round: u32, now: u64, hours: Hours) -> Self {
        let closes = now.saturating_add(hours.open);
        Self { round, closes, is_closed: false, bids: Vec::new(), bidders: BTreeSet::new() }
    }

    pub(crate) fn top(&self) -> Option<&Bid> {
        self.bids.first()
    }

    /// Returns the least that may be bid, in cents.
    pub(crate) fn least(&self, item: &Item) -> u64 {
        // A twentieth more, in whole units.
        self.top()
            .map_or(item.start, |top| top.cents + (top.cents / 20).next_multiple_of(100).max(100))
    }

    /// Returns the lot after a bid.
    pub(crate) fn bid(
        &self,
        item: &Item,
        bidder: &str,
        cents: u64,
        now: u64,
        hours: Hours,
    ) -> Result<Self, Refusal> {
        if self.is_closed || now >= self.closes {
            return Err(Refusal::Closed);
        }
        if self.top().is_some_and(|top| top.bidder == bidder) {
            return Err(Refusal::Leads);
        }
        let least = self.least(item);
        if cents < least {
            return Err(Refusal::TooLow { least });
        }
        let number = self.top().map_or(1, |top| top.number.saturating_add(1));
        let bid = Bid { number, bidder: bidder.to_owned(), cents, at: now };
        let bids = std::iter::once(bid).chain(self.bids.iter().cloned()).take(SHOWN).collect();
        let mut bidders = self.bidders.clone();
        bidders.insert(bidder.to_owned());
        let closes = self.closes.max(now.saturating_add(hours.grace()));
        Ok(Self { round: self.round, closes, is_closed: false, bids, bidders })
    }

    /// Returns what becomes of the lot by the time that passes, if anything does.
    pub(crate) fn pass(&self, now: u64, hours: Hours) -> Option<Self> {
        match self.is_closed {
            false if now >= self.closes => Some(Self { is_closed: true, ..self.clone() }),
            true if now >= self.closes.saturating_add(hours.pause()) => {
                Some(Self::offer(self.round.saturating_add(1), now, hours))
            }
            false | true => None,
        }
    }

    /// Returns whether this is what became of `other`. Of two that came of the same one by two nodes that both
    /// decided, each without the other, one is ahead, the same on all nodes.
    pub(crate) fn is_ahead_of(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    fn rank(&self) -> impl Ord + '_ {
        let top = self.top().map(|top| (top.cents, Reverse((top.at, top.bidder.as_str()))));
        (self.round, self.is_closed, top, self.closes)
    }
}

/// Reads an amount of money, in cents.
pub(crate) fn cents(amount: &Value) -> Result<u64, Refusal> {
    let amount = amount.as_f64().filter(|amount| *amount > 0.0).ok_or(Refusal::NoAmount)?;
    if amount > MOST {
        return Err(Refusal::TooHigh);
    }
    let cents = (amount * 100.0).round();
    if (amount * 100.0 - cents).abs() > 1e-4 {
        return Err(Refusal::NoAmount);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within bounds"
    )]
    Ok(cents as u64)
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAmount => f.write_str("An amount is a number above 0, such as 12.50."),
            Self::TooLow { least } => {
                write!(
                    f,
                    "That is too low: the next bid is at least {}.{:02}.",
                    least / 100,
                    least % 100
                )
            }
            Self::TooHigh => write!(f, "Nothing here is worth more than {MOST}."),
            Self::Leads => f.write_str("You have the highest bid already."),
            Self::Closed => f.write_str("It is closed."),
            Self::NoItem => f.write_str("There is no such item."),
            Self::Unheard => f.write_str(
                "No other node has heard of your bid: it may count, or may not. Look again.",
            ),
            Self::NotReady => f.write_str("The auctioneer is just taking over. Try again."),
        }
    }
}

/// How many bids of a lot are shown.
const SHOWN: usize = 5;

/// The most that is bid.
const MOST: f64 = 1_000_000.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::goods::ITEMS;

    const HOURS: Hours = Hours { open: 100_000 };

    fn item() -> &'static Item {
        &ITEMS[0]
    }

    fn lot() -> Lot {
        Lot::offer(1, 0, HOURS)
    }

    fn bid(lot: &Lot, bidder: &str, cents: u64, now: u64) -> Result<Lot, Refusal> {
        lot.bid(item(), bidder, cents, now, HOURS)
    }

    #[test]
    fn each_bid_is_higher_than_the_one_before_and_they_are_numbered() {
        let start = item().start;
        assert_eq!(bid(&lot(), "ann", start - 1, 1), Err(Refusal::TooLow { least: start }));
        let one = bid(&lot(), "ann", start, 1).unwrap();
        let least = one.least(item());
        assert_eq!(least, start + 200);
        assert_eq!(bid(&one, "bob", least - 1, 2), Err(Refusal::TooLow { least }));
        let two = bid(&one, "bob", least, 2).unwrap();
        let numbers: Vec<_> = two.bids.iter().map(|bid| (bid.number, &*bid.bidder)).collect();
        assert_eq!(numbers, [(2, "bob"), (1, "ann")]);
    }

    #[test]
    fn who_has_bid_is_known_however_many_bid_after_and_these_are_not_endless() {
        let mut last = bid(&lot(), "ann", item().start, 1).unwrap();
        let mut others = 0;
        while last.least(item()) <= cents(&json!(MOST)).unwrap() {
            others += 1;
            last = bid(&last, &format!("bob {others}"), last.least(item()), 1).unwrap();
        }
        assert_eq!(last.bids.len(), SHOWN);
        assert!(last.bidders.contains("ann") && !last.bidders.contains("eve"));
        assert!((200..300).contains(&last.bidders.len()), "{others} others");
        let closed = last.pass(last.closes, HOURS).unwrap();
        assert!(closed.bidders.contains("ann"));
        let again = closed.pass(closed.closes + HOURS.pause(), HOURS).unwrap();
        assert!(again.bidders.is_empty(), "it is another round");
    }

    #[test]
    fn nobody_outbids_themselves() {
        let one = bid(&lot(), "ann", 10_000, 1).unwrap();
        assert_eq!(bid(&one, "ann", 20_000, 2), Err(Refusal::Leads));
    }

    #[test]
    fn after_its_time_no_bid_counts_and_later_it_is_offered_again() {
        let one = bid(&lot(), "ann", 10_000, 1).unwrap();
        assert_eq!(bid(&one, "bob", 20_000, one.closes), Err(Refusal::Closed));
        assert_eq!(one.pass(one.closes - 1, HOURS), None);
        let closed = one.pass(one.closes, HOURS).unwrap();
        assert_eq!(bid(&closed, "bob", 20_000, 2), Err(Refusal::Closed));
        assert_eq!(closed.pass(closed.closes + HOURS.pause() - 1, HOURS), None);
        let again = closed.pass(closed.closes + HOURS.pause(), HOURS).unwrap();
        assert_eq!((again.round, again.bids.len(), again.is_closed), (2, 0, false));
    }

    #[test]
    fn a_late_bid_keeps_a_lot_open_for_a_moment() {
        let lot = lot();
        let early = bid(&lot, "ann", 10_000, 1).unwrap();
        assert_eq!(early.closes, lot.closes);
        let late = bid(&lot, "ann", 10_000, lot.closes - 1).unwrap();
        assert_eq!(late.closes, lot.closes - 1 + HOURS.grace());
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let refused = [json!(null), json!("12"), json!([12]), json!(0), json!(-1), json!(12.345)];
        for amount in refused {
            assert_eq!(cents(&amount), Err(Refusal::NoAmount), "{amount}");
        }
        assert_eq!(cents(&json!(1e300)), Err(Refusal::TooHigh));
        assert_eq!(cents(&json!(u64::MAX)), Err(Refusal::TooHigh));
        assert_eq!(cents(&json!(12.5)), Ok(1_250));
        assert_eq!(cents(&json!(0.07)), Ok(7));
        assert_eq!(cents(&json!(1_000_000)), Ok(100_000_000));
    }

    proptest! {
        /// Whatever happens to a lot, what comes later is ahead, and of any two one is ahead or both are equal.
        #[test]
        fn what_comes_later_is_ahead(steps in proptest::collection::vec((0..4_u8, 0..60_000_u64), 1..40)) {
            let (mut now, mut all) = (0, vec![lot()]);
            for (step, wait) in steps {
                now += wait;
                let last = all.last().unwrap();
                let bidder = ["ann", "bob", "eve"].get(usize::from(step));
                let next = match bidder {
                    Some(bidder) => bid(last, bidder, last.least(item()), now).ok(),
                    None => last.pass(now, HOURS),
                };
                all.extend(next);
            }
            for (index, later) in all.iter().enumerate() {
                prop_assert!(!later.is_ahead_of(later));
                for earlier in &all[..index] {
                    prop_assert!(later.is_ahead_of(earlier) && !earlier.is_ahead_of(later));
                }
            }
        }
    }
}

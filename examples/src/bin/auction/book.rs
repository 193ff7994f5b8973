//! The book of a node: all lots, as far as it has heard of them.

use std::collections::BTreeMap;

use crate::{
    goods::{self, ITEMS},
    lot::{Hours, Lot, Refusal},
};

#[derive(Debug, Default)]
pub(crate) struct Book(BTreeMap<&'static str, Lot>);

/// A bid that counts.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) id: &'static str,
    pub(crate) lot: Lot,
    /// Who had the highest bid before.
    pub(crate) outbid: Option<String>,
}

impl Book {
    pub(crate) fn lot(&self, id: &str) -> Option<&Lot> {
        self.0.get(id)
    }

    pub(crate) fn lots(&self) -> impl Iterator<Item = (&'static str, &Lot)> {
        self.0.iter().map(|(id, lot)| (*id, lot))
    }

    /// Notes what another node has, and returns of which item if this one was behind.
    pub(crate) fn hear(&mut self, id: &str, lot: &Lot) -> Option<&'static str> {
        let id = goods::find(id)?.id;
        let is_news = self.0.get(id).is_none_or(|own| lot.is_ahead_of(own));
        is_news.then(|| {
            self.0.insert(id, lot.clone());
            id
        })
    }

    /// Offers what nobody has offered.
    pub(crate) fn offer_all(&mut self, now: u64, hours: Hours) {
        for item in &ITEMS {
            self.0.entry(item.id).or_insert_with(|| Lot::offer(1, now, hours));
        }
    }

    /// Takes a bid.
    pub(crate) fn bid(
        &mut self,
        id: &str,
        bidder: &str,
        cents: u64,
        now: u64,
        hours: Hours,
    ) -> Result<Taken, Refusal> {
        let item = goods::find(id).ok_or(Refusal::NoItem)?;
        let before = self.0.get_mut(item.id).ok_or(Refusal::NotReady)?;
        let lot = before.bid(item, bidder, cents, now, hours)?;
        let outbid = before.top().map(|top| top.bidder.clone());
        before.clone_from(&lot);
        Ok(Taken { id: item.id, lot, outbid })
    }

    /// Has time pass, and returns the lots of which that made something.
    pub(crate) fn pass(&mut self, now: u64, hours: Hours) -> Vec<(&'static str, Lot)> {
        let mut passed = Vec::new();
        for (id, lot) in &mut self.0 {
            if let Some(next) = lot.pass(now, hours) {
                lot.clone_from(&next);
                passed.push((*id, next));
            }
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS: Hours = Hours { open: 100_000 };

    fn book() -> Book {
        let mut book = Book::default();
        book.offer_all(0, HOURS);
        book
    }

    #[test]
    fn nodes_that_hear_of_each_other_in_any_order_have_the_same_lots() {
        let (mut one, mut other, mut third) = (book(), book(), book());
        let bids = [("viola", "ann", 18_000), ("viola", "bob", 30_000), ("tiles", "ann", 3_000)];
        let taken = bids.map(|(id, bidder, cents)| one.bid(id, bidder, cents, 1, HOURS).unwrap());
        assert_eq!(taken[1].outbid.as_deref(), Some("ann"));
        for taken in &taken {
            other.hear(taken.id, &taken.lot);
        }
        for taken in taken.iter().rev() {
            third.hear(taken.id, &taken.lot);
        }
        assert!(one.lots().eq(other.lots()) && one.lots().eq(third.lots()));
        assert_eq!(third.hear(taken[0].id, &taken[0].lot), None);
    }

    #[test]
    fn an_item_that_is_not_there_is_neither_bid_for_nor_heard_of() {
        let mut book = book();
        let long = "x".repeat(1_000_000);
        for id in ["", "nothing", &long] {
            assert_eq!(book.bid(id, "ann", 1, 1, HOURS).unwrap_err(), Refusal::NoItem);
            assert_eq!(book.hear(id, &Lot::offer(9, 1, HOURS)), None);
        }
    }

    #[test]
    fn time_makes_each_change_once() {
        let mut book = book();
        assert!(book.pass(HOURS.open - 1, HOURS).is_empty());
        assert_eq!(book.pass(HOURS.open, HOURS).len(), ITEMS.len());
        assert!(book.pass(HOURS.open, HOURS).is_empty());
    }
}

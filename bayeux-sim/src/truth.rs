//! What really is, whatever the nodes believe.

use std::collections::{BTreeMap, BTreeSet};

use crate::Place;

/// Who is alive, who reaches whom, and what was asked of whom.
#[derive(Debug)]
pub struct Truth<C> {
    lives: BTreeMap<Place, Life<C>>,
    starts: BTreeMap<Place, u32>,
    /// The places whose host is off, so that nothing tells others that the node is gone.
    dark: BTreeSet<Place>,
    /// From where nothing gets to where.
    cuts: BTreeSet<(Place, Place)>,
}

/// A node from its start to its end.
#[derive(Debug)]
pub struct Life<C> {
    /// The number of this start among those at its place, from 1.
    pub incarnation: u32,
    /// What the application asked of it, in order: of what only it says, this is what there is to know.
    pub asked: Vec<C>,
}

impl<C> Truth<C> {
    pub(crate) fn new() -> Self {
        Self {
            lives: BTreeMap::new(),
            starts: BTreeMap::new(),
            dark: BTreeSet::new(),
            cuts: BTreeSet::new(),
        }
    }

    /// Returns the places of all nodes that are alive.
    pub fn alive(&self) -> impl Iterator<Item = Place> + '_ {
        self.lives.keys().copied()
    }

    /// Returns the places at which there ever was a node.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.starts.keys().copied()
    }

    /// Returns the life of the node at a place, if it is alive.
    pub fn life(&self, place: Place) -> Option<&Life<C>> {
        self.lives.get(&place)
    }

    /// Returns whether what is sent at one place gets to the other.
    pub fn reaches(&self, from: Place, to: Place) -> bool {
        !self.cuts.contains(&(from, to))
    }

    /// Returns whether the host of a place is off, and answers nothing.
    pub fn is_dark(&self, place: Place) -> bool {
        self.dark.contains(&place)
    }

    pub(crate) fn start(&mut self, place: Place) -> u32 {
        let incarnation = self.starts.entry(place).or_default();
        *incarnation += 1;
        self.dark.remove(&place);
        self.lives.insert(place, Life { incarnation: *incarnation, asked: Vec::new() });
        *incarnation
    }

    pub(crate) fn end(&mut self, place: Place) {
        self.lives.remove(&place);
    }

    pub(crate) fn darken(&mut self, place: Place) {
        self.dark.insert(place);
    }

    pub(crate) fn asked(&mut self, place: Place, command: C) {
        if let Some(life) = self.lives.get_mut(&place) {
            life.asked.push(command);
        }
    }

    /// Returns whether that is new.
    pub(crate) fn cut(&mut self, from: Place, to: Place) -> bool {
        from != to && self.cuts.insert((from, to))
    }

    pub(crate) fn mend(&mut self, from: Place, to: Place) -> bool {
        self.cuts.remove(&(from, to))
    }

    pub(crate) fn cuts(&self) -> Vec<(Place, Place)> {
        self.cuts.iter().copied().collect()
    }
}

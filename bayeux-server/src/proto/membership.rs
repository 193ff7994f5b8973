//! The membership of one channel in a cluster: joined for the first who is interested, left after the last.
//!
//! ```text
//!                    succeeded                 the last is gone, or the server
//!      ┌─▶ Joining ─────────────▶ Joined(n) ─────────────────────────────────┐
//!      │      │ │ nobody may have it any more                                ▼
//!      │      │ └─────────────────────────────────────────────────────▶ Leaving
//!      │      │ failed                                                       │
//!      │      ▼                       nobody has asked meanwhile             │
//!      │     Over ◀──────────────────────────────────────────────────────────┤
//!      │                              somebody has                           │
//!      └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! There is one call at a time, and joins and leaves take turns, whatever happens meanwhile. Who asks
//! while a call is under way waits; `W` is how he is told.

use std::mem;

/// What one channel is in the cluster.
#[derive(Debug)]
pub(crate) struct Membership<W> {
    phase: Phase,
    waiting: Vec<W>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first have asked; the channel is being joined.
    Joining,
    /// So many are interested.
    Joined(usize),
    /// The last is gone; the channel is being left.
    Leaving,
    /// The next who asks begins anew.
    Over,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Join the channel.
    Join,
    /// Leave the channel.
    Leave,
    /// Nothing, until somebody is interested or is not any more.
    Rest,
    /// Forget the membership.
    Forget,
}

/// What the end of a call leads to, for whom.
#[derive(Debug)]
pub(crate) struct Ended<W> {
    /// Who waited and is interested now.
    pub(crate) interested: Vec<W>,
    /// Who waited in vain.
    pub(crate) refused: Vec<W>,
    pub(crate) next: Next,
}

impl<W> Membership<W> {
    /// Begins with the one who asks first: the channel is to be joined.
    pub(crate) fn begin(first: W) -> Self {
        Self { phase: Phase::Joining, waiting: vec![first] }
    }

    /// Counts one more who is interested, if the channel is joined; false when he has to wait.
    pub(crate) fn enter(&mut self) -> bool {
        match &mut self.phase {
            Phase::Joined(interested) => {
                *interested += 1;
                true
            }
            Phase::Joining | Phase::Leaving | Phase::Over => false,
        }
    }

    /// Lets somebody wait for the end of the calls.
    pub(crate) fn wait(&mut self, waiter: W) {
        self.waiting.push(waiter);
    }

    /// Notes the end of a join. In a server that is over nobody may have what was joined.
    pub(crate) fn joined(&mut self, succeeded: bool, is_server_over: bool) -> Ended<W> {
        let waiting = mem::take(&mut self.waiting);
        if succeeded && !is_server_over {
            self.phase = Phase::Joined(waiting.len());
            return Ended { interested: waiting, refused: Vec::new(), next: Next::Rest };
        }
        let (phase, next) = match succeeded {
            true => (Phase::Leaving, Next::Leave),
            false => (Phase::Over, Next::Forget),
        };
        self.phase = phase;
        Ended { interested: Vec::new(), refused: waiting, next }
    }

    /// Notes the end of a leave.
    pub(crate) fn left(&mut self, is_server_over: bool) -> Ended<W> {
        if !self.waiting.is_empty() && !is_server_over {
            self.phase = Phase::Joining;
            return Ended { interested: Vec::new(), refused: Vec::new(), next: Next::Join };
        }
        self.phase = Phase::Over;
        let refused = mem::take(&mut self.waiting);
        Ended { interested: Vec::new(), refused, next: Next::Forget }
    }

    /// Notes that one of those who were interested is not any more.
    pub(crate) fn let_go(&mut self) -> Next {
        let Phase::Joined(interested) = &mut self.phase else { return Next::Rest };
        *interested -= 1;
        if *interested > 0 {
            return Next::Rest;
        }
        self.phase = Phase::Leaving;
        Next::Leave
    }

    /// Notes that the server is over, whoever is interested.
    pub(crate) fn end(&mut self) -> Next {
        match self.phase {
            Phase::Joined(_) => {
                self.phase = Phase::Leaving;
                Next::Leave
            }
            Phase::Joining | Phase::Leaving | Phase::Over => Next::Rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_joins_and_the_last_leaves() {
        let mut membership = Membership::begin(1);
        membership.wait(2);
        let ended = membership.joined(true, false);
        assert_eq!((ended.interested, ended.next), (vec![1, 2], Next::Rest));
        assert!(membership.enter());
        assert_eq!(membership.let_go(), Next::Rest);
        assert_eq!(membership.let_go(), Next::Rest);
        assert_eq!(membership.let_go(), Next::Leave);
        assert_eq!(membership.left(false).next, Next::Forget);
    }

    #[test]
    fn a_join_that_fails_fails_for_all_who_wait() {
        let mut membership = Membership::begin(1);
        membership.wait(2);
        let ended = membership.joined(false, false);
        assert_eq!((ended.refused, ended.next), (vec![1, 2], Next::Forget));
        assert!(ended.interested.is_empty());
    }

    #[test]
    fn who_asks_while_the_channel_is_left_has_it_joined_again() {
        let mut membership = Membership::begin(1);
        membership.joined(true, false);
        assert_eq!(membership.let_go(), Next::Leave);
        assert!(!membership.enter());
        membership.wait(2);
        assert_eq!(membership.left(false).next, Next::Join);
        assert_eq!(membership.joined(true, false).interested, [2]);
    }

    #[test]
    fn a_server_that_is_over_keeps_nothing() {
        let mut membership = Membership::begin(1);
        let ended = membership.joined(true, true);
        assert_eq!((ended.refused, ended.next), (vec![1], Next::Leave));
        assert_eq!(membership.let_go(), Next::Rest);
        membership.wait(2);
        let ended = membership.left(true);
        assert_eq!((ended.refused, ended.next), (vec![2], Next::Forget));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Ask,
        LetGo,
        CallEnds(bool),
        ServerEnds,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => Just(Step::Ask),
            5 => Just(Step::LetGo),
            6 => prop::bool::weighted(0.7).prop_map(Step::CallEnds),
            1 => Just(Step::ServerEnds),
        ];
        prop::collection::vec(step, 0..80)
    }

    /// What drives the machine, and what has to hold.
    #[derive(Default)]
    struct Driver {
        membership: Option<Membership<u32>>,
        call: Option<Next>,
        is_joined: bool,
        is_over: bool,
        waiting: Vec<u32>,
        interested: usize,
        last: u32,
    }

    impl Driver {
        fn play(&mut self, step: Step) {
            match step {
                Step::Ask if self.is_over => {}
                Step::Ask => self.ask(),
                Step::LetGo if self.interested > 0 => {
                    self.interested -= 1;
                    let next = self.membership.as_mut().map(Membership::let_go);
                    self.follow(next.unwrap_or(Next::Rest));
                }
                Step::LetGo => {}
                Step::CallEnds(succeeded) => self.end_call(succeeded),
                Step::ServerEnds => {
                    self.is_over = true;
                    let next = self.membership.as_mut().map(Membership::end);
                    self.follow(next.unwrap_or(Next::Rest));
                }
            }
            let is_interested = self.interested > 0 && !self.is_over;
            assert!(!is_interested || self.is_joined, "nobody is interested in what is not joined");
            assert!(self.call.is_some() || self.waiting.is_empty(), "nobody waits for nothing");
            assert!(
                self.call.is_some() || self.is_joined == is_interested,
                "what nobody wants is not joined for long"
            );
            assert!(self.call.is_some() || self.is_joined == self.membership.is_some());
        }

        fn ask(&mut self) {
            self.last += 1;
            match &mut self.membership {
                Some(membership) => match membership.enter() {
                    true => {
                        assert_eq!(self.call, None);
                        self.interested += 1;
                    }
                    false => {
                        membership.wait(self.last);
                        self.waiting.push(self.last);
                    }
                },
                None => {
                    self.membership = Some(Membership::begin(self.last));
                    self.waiting.push(self.last);
                    self.follow(Next::Join);
                }
            }
        }

        fn end_call(&mut self, succeeded: bool) {
            let (Some(call), Some(membership)) = (self.call.take(), &mut self.membership) else {
                return;
            };
            let ended = match call {
                Next::Join => membership.joined(succeeded, self.is_over),
                Next::Leave | Next::Rest | Next::Forget => membership.left(self.is_over),
            };
            self.is_joined = call == Next::Join && succeeded;
            let has_failed = call == Next::Join && !succeeded;
            assert!(ended.refused.is_empty() || has_failed || self.is_over, "none for no reason");
            let told = [&ended.interested[..], &ended.refused].concat();
            match ended.next {
                Next::Join => assert!(told.is_empty()),
                Next::Leave | Next::Rest | Next::Forget => {
                    assert_eq!(told, mem::take(&mut self.waiting), "each is told, in order");
                }
            }
            self.interested += ended.interested.len();
            self.follow(ended.next);
        }

        fn follow(&mut self, next: Next) {
            match next {
                Next::Join | Next::Leave => {
                    assert_eq!(self.call, None, "one call at a time");
                    assert_eq!(self.is_joined, next == Next::Leave, "they take turns");
                    self.call = Some(next);
                }
                Next::Rest => {}
                Next::Forget => self.membership = None,
            }
        }
    }

    proptest! {
        #[test]
        fn joins_and_leaves_take_turns_whatever_happens(steps in steps()) {
            let mut driver = Driver::default();
            steps.into_iter().for_each(|step| driver.play(step));
        }
    }
}

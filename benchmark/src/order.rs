//! Whether messages arrive once each and in order.

use std::{cmp::Ordering, error::Error, fmt};

/// What one receiver has heard of messages whose numbers the publishers share out in turn.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The next number of each publisher.
    expected: Vec<u64>,
}

/// Something arrived that should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disorder {
    /// A message came before another one of its publisher.
    Early { number: u64, expected: u64 },
    /// A message came again.
    Again { number: u64 },
}

impl Order {
    pub(crate) fn new(publishers: u64) -> Self {
        Self { expected: (0..publishers).collect() }
    }

    /// Takes the message of a number, which has to be the next of its publisher.
    pub(crate) fn take(&mut self, number: u64) -> Result<(), Disorder> {
        let publishers = self.expected.len() as u64;
        let publisher = usize::try_from(number % publishers).unwrap_or_default();
        let expected = self.expected[publisher];
        match number.cmp(&expected) {
            Ordering::Equal => self.expected[publisher] += publishers,
            Ordering::Less => return Err(Disorder::Again { number }),
            Ordering::Greater => return Err(Disorder::Early { number, expected }),
        }
        Ok(())
    }

    /// Goes on after a message that came early; returns how many before it are taken for lost.
    pub(crate) fn skip_to(&mut self, number: u64) -> u64 {
        let publishers = self.expected.len() as u64;
        let publisher = usize::try_from(number % publishers).unwrap_or_default();
        let lost = number.saturating_sub(self.expected[publisher]) / publishers;
        self.expected[publisher] = number + publishers;
        lost
    }
}

impl fmt::Display for Disorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Early { number, expected } => {
                write!(formatter, "message {number} came where {expected} was due: lost or swapped")
            }
            Self::Again { number } => write!(formatter, "message {number} came again"),
        }
    }
}

impl Error for Disorder {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_publisher_has_its_order() {
        let mut order = Order::new(2);
        for number in [0, 2, 1, 4, 3] {
            assert_eq!(order.take(number), Ok(()));
        }
        assert_eq!(order.take(3), Err(Disorder::Again { number: 3 }));
        assert_eq!(order.take(8), Err(Disorder::Early { number: 8, expected: 6 }));
        assert_eq!(order.take(6), Ok(()));
    }

    #[test]
    fn what_is_skipped_is_counted() {
        let mut order = Order::new(2);
        assert_eq!(order.skip_to(6), 3);
        assert_eq!(order.take(8), Ok(()));
        assert_eq!(order.take(1), Ok(()));
    }
}

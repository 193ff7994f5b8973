//! What is random of a run: the same for the same seed.

use std::time::Duration;

/// Numbers that are as good as random and the same for the same seed, whatever version of whatever crate is
/// used (SplitMix64).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Makes the numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws a number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// Draws whether something happens that happens `per_mille` times in a thousand.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// Draws a time from `least` up to `most`, in milliseconds.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = most.saturating_sub(least).as_millis();
        let spread = u64::try_from(spread).unwrap_or(u64::MAX - 1);
        least + Duration::from_millis(self.below(spread + 1))
    }

    /// Draws one of `all`, if there is any.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
        (count > 0).then(|| self.below(count)).and_then(|nth| all.get(usize::try_from(nth).ok()?))
    }

    /// Draws the seed of other numbers, so that what is drawn of those changes nothing here.
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }
}

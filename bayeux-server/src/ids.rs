//! Session ids and browser ids: unguessable, and told apart from those never given out.

use std::{
    fmt::Write as _,
    hash::{BuildHasher, DefaultHasher, Hasher, RandomState},
    sync::{Arc, Mutex},
};

use bayeux_api::implement::lock;

/// Makes ids from the system's secure random source, or, for simulations, from a seed.
///
/// A session id is 128 random bits and 32 bits that only this process can compute from them, so
/// that a reply to an unknown id can tell "expired" from "never seen" without remembering any.
#[derive(Debug)]
pub(crate) struct Ids(Source);

#[derive(Debug)]
enum Source {
    /// The system's, and what this process seals ids with.
    System(RandomState),
    /// What is left of a seed.
    Seed(Mutex<u64>),
}

impl Ids {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(match seed {
            Some(seed) => Source::Seed(Mutex::new(seed)),
            None => Source::System(RandomState::new()),
        })
    }

    pub(crate) fn session(&self, hint: Option<&str>) -> Arc<str> {
        let random = self.random::<16>();
        let mut id = String::with_capacity(40);
        if let Some(hint) = hint {
            id.push_str(hint);
            id.push('_');
        }
        hex(&random, &mut id);
        hex(&self.seal(&random), &mut id);
        id.into()
    }

    /// Tells whether this process gave `id` out, at some time.
    pub(crate) fn is_own(&self, id: &str) -> bool {
        let digits = id.rsplit_once('_').map_or(id, |(_, digits)| digits);
        let Some((random, seal)) = digits.split_at_checked(32) else { return false };
        let Some(random) = unhex(random) else { return false };
        let mut expected = String::new();
        hex(&self.seal(&random), &mut expected);
        expected == seal
    }

    /// A browser id: 16 characters, as in CometD's cookie, of 64 random bits.
    pub(crate) fn browser(&self) -> Arc<str> {
        let mut id = String::with_capacity(16);
        hex(&self.random::<8>(), &mut id);
        id.into()
    }

    /// Draws a number.
    pub(crate) fn number(&self) -> u64 {
        u64::from_be_bytes(self.random())
    }

    fn seal(&self, random: &[u8]) -> [u8; 4] {
        let mut hasher = match &self.0 {
            Source::System(secret) => secret.build_hasher(),
            Source::Seed(_) => DefaultHasher::new(),
        };
        hasher.write(random);
        let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
        [a, b, c, d]
    }

    /// Draws random bytes, which are secure unless there is a seed.
    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System(_) => {
                getrandom::fill(&mut bytes).expect("the system has a secure random source");
            }
            Source::Seed(left) => {
                let mut left = lock(left);
                for part in bytes.chunks_mut(8) {
                    part.copy_from_slice(&draw(&mut left).to_be_bytes()[..part.len()]);
                }
            }
        }
        bytes
    }
}

/// Draws from what is left of a seed (SplitMix64).
fn draw(left: &mut u64) -> u64 {
    *left = left.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *left;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn hex(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    Some(
        digits?
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_ids_are_recognised_and_others_are_not() {
        let ids = Ids::new(None);
        let (plain, hinted) = (ids.session(None), ids.session(Some("chat_1")));
        assert_eq!(plain.len(), 40);
        assert!(hinted.starts_with("chat_1_"));
        assert!(ids.is_own(&plain) && ids.is_own(&hinted));
        let others = ["", "x", "é", &plain[1..], &plain.replace(&plain[..1], "g"), &"0".repeat(40)];
        for other in others {
            assert!(!ids.is_own(other), "{other}");
        }
        assert!(!ids.is_own(&Ids::new(None).session(None)));
    }

    #[test]
    fn a_seed_gives_the_same_ids_again_and_another_seed_others() {
        let draw = |seed| {
            let ids = Ids::new(Some(seed));
            let drawn = [ids.session(None), ids.session(Some("hint")), ids.browser()];
            assert!(ids.is_own(&drawn[0]) && ids.is_own(&drawn[1]));
            drawn
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}

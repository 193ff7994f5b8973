//! Session ids and browser ids: unguessable, and told apart from those never given out.

use std::{
    fmt::Write as _,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

/// Makes ids from the system's secure random source.
///
/// A session id is 128 random bits and 32 bits that only this process can compute from them, so
/// that a reply to an unknown id can tell "expired" from "never seen" without remembering any.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    secret: RandomState,
}

impl Ids {
    pub(crate) fn session(&self, hint: Option<&str>) -> Arc<str> {
        let random = random::<16>();
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
        hex(&random::<8>(), &mut id);
        id.into()
    }

    fn seal(&self, random: &[u8]) -> [u8; 4] {
        let mut hasher = self.secret.build_hasher();
        hasher.write(random);
        let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
        [a, b, c, d]
    }
}

/// Draws secure random bytes.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has a secure random source");
    bytes
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
        let ids = Ids::default();
        let (plain, hinted) = (ids.session(None), ids.session(Some("chat_1")));
        assert_eq!(plain.len(), 40);
        assert!(hinted.starts_with("chat_1_"));
        assert!(ids.is_own(&plain) && ids.is_own(&hinted));
        let others = ["", "x", "é", &plain[1..], &plain.replace(&plain[..1], "g"), &"0".repeat(40)];
        for other in others {
            assert!(!ids.is_own(other), "{other}");
        }
        assert!(!ids.is_own(&Ids::default().session(None)));
    }
}

//! The secret that the nodes of a cloud have in common, as it goes over the wire (CometD's manual, section
//! "Oort Security"; in fact it is SHA-512 since CometD 4.0.5).

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

/// What a node sends to prove that it is one: Base64 of SHA-512 of the secret's UTF-8.
#[derive(Clone)]
pub(crate) struct Proof(String);

impl Proof {
    /// Makes the proof of a secret.
    pub(crate) fn of(secret: &str) -> Self {
        Self(BASE64_STANDARD.encode(Sha512::digest(secret.as_bytes())))
    }

    /// Returns what is sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in a time that tells nothing about where a forged one differs.
    pub(crate) fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_cometds() {
        let proof = Proof::of("sesame");
        assert!(proof.as_str().starts_with("u5R+nJal") && proof.as_str().ends_with("PQVg=="));
        assert_eq!(proof.as_str().len(), 88);
        assert!(proof.is(proof.as_str()));
    }

    #[test]
    fn nothing_else_is_the_proof() {
        let proof = Proof::of("sesame");
        for other in ["", "u5R+nJal", Proof::of("Sesame").as_str(), &format!("{}=", proof.as_str())]
        {
            assert!(!proof.is(other), "{other}");
        }
        assert_eq!(format!("{proof:?}"), "Proof", "it is not logged");
    }
}

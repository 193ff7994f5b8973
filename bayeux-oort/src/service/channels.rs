//! The channels of a service.

use bayeux_api::ChannelId;

use crate::StartServiceError;

/// A service's channels, by its name.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    /// Where all nodes are asked.
    pub(super) all: ChannelId,
    /// Where one node is asked.
    pub(super) one: ChannelId,
    /// Where a node gets the results of what it asked.
    pub(super) result: ChannelId,
}

impl Channels {
    pub(super) fn new(name: &str) -> Result<Self, StartServiceError> {
        let all = ChannelId::new(&format!("/oort/service/{name}"))?;
        // The requests of a service "a/result" would come to a service "a" as results.
        if all.is_wild() || all.is_template() || name.ends_with(RESULT) {
            return Err(StartServiceError::Name(name.to_owned()));
        }
        Ok(Self {
            all,
            one: ChannelId::new(&format!("/service/oort/service/{name}"))?,
            result: ChannelId::new(&format!("/service/oort/service/{name}{RESULT}"))?,
        })
    }

    pub(super) fn all(&self) -> [ChannelId; 3] {
        [self.all.clone(), self.one.clone(), self.result.clone()]
    }
}

const RESULT: &str = "/result";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_part_of_a_channel() {
        for name in ["a", "a-b_c", "a/b", "result"] {
            assert!(Channels::new(name).is_ok(), "{name}");
        }
        for name in ["", "*", "a/**", "{a}", "a b/", "a/result", "/"] {
            assert!(Channels::new(name).is_err(), "{name}");
        }
    }
}

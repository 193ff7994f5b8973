//! The states of a client, which are CometD's.

use std::fmt;

/// Where a [`BayeuxClient`](crate::BayeuxClient) stands.
///
/// | from | to |
/// | --- | --- |
/// | `Disconnected` | `Handshaking` |
/// | `Handshaking`, `Rehandshaking` | `Rehandshaking`, `Handshaken`, `Disconnecting`, `Terminating` |
/// | `Handshaken` | `Connecting`, `Disconnecting`, `Terminating` |
/// | `Connecting`, `Connected`, `Unconnected` | `Rehandshaking`, `Connected`, `Unconnected`, `Disconnecting`, `Terminating` |
/// | `Disconnecting` | `Terminating` |
/// | `Terminating` | `Disconnected` |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "BayeuxClient.State")]
pub enum State {
    /// There is no session, and none is wanted.
    Disconnected,
    /// The first handshake is on its way.
    Handshaking,
    /// Another handshake is on its way or waits for its time: the one before failed, or the server
    /// asked for it.
    Rehandshaking,
    /// The handshake succeeded.
    Handshaken,
    /// The first connect is on its way.
    Connecting,
    /// The last connect succeeded.
    Connected,
    /// The last connect failed; it is tried again.
    Unconnected,
    /// The disconnect is on its way.
    Disconnecting,
    /// The session is over and its connections are being closed.
    Terminating,
}

impl State {
    /// Returns whether `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        use State::{
            Connected, Connecting, Disconnected, Disconnecting, Handshaken, Handshaking,
            Rehandshaking, Terminating, Unconnected,
        };
        match self {
            Disconnected => next == Handshaking,
            Handshaking | Rehandshaking => {
                matches!(next, Rehandshaking | Handshaken | Disconnecting | Terminating)
            }
            Handshaken => matches!(next, Connecting | Disconnecting | Terminating),
            Connecting | Connected | Unconnected => matches!(
                next,
                Rehandshaking | Connected | Unconnected | Disconnecting | Terminating
            ),
            Disconnecting => next == Terminating,
            Terminating => next == Disconnected,
        }
    }

    /// Returns whether a client in this state has been through `other`, so that who waits for that
    /// need wait no longer.
    pub fn implies(self, other: Self) -> bool {
        use State::{
            Connected, Connecting, Disconnected, Disconnecting, Handshaken, Handshaking,
            Rehandshaking, Terminating, Unconnected,
        };
        self == other
            || match self {
                Handshaken => matches!(other, Handshaking | Rehandshaking),
                Connecting => matches!(other, Handshaking | Rehandshaking | Handshaken),
                Connected => {
                    matches!(other, Handshaking | Rehandshaking | Handshaken | Connecting)
                }
                Terminating => other == Disconnecting,
                Disconnected => matches!(other, Disconnecting | Terminating),
                Handshaking | Rehandshaking | Unconnected | Disconnecting => false,
            }
    }

    /// Returns whether the session has been started and not ended.
    pub fn is_handshook(self) -> bool {
        matches!(self, Self::Handshaken | Self::Connecting | Self::Connected | Self::Unconnected)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_handshake_is_content_with_a_connection() {
        for earlier in [State::Handshaking, State::Rehandshaking, State::Handshaken] {
            assert!(State::Connected.implies(earlier));
            assert!(!earlier.implies(State::Connected));
        }
        assert!(!State::Unconnected.implies(State::Connected));
        assert!(State::Disconnected.implies(State::Disconnecting));
    }

    #[test]
    fn nothing_follows_termination_but_the_end() {
        let after = |state: State| ALL.into_iter().filter(|next| state.may_become(*next)).count();
        assert_eq!([after(State::Terminating), after(State::Disconnected)], [1, 1]);
        assert_eq!(after(State::Disconnecting), 1);
    }

    const ALL: [State; 9] = [
        State::Disconnected,
        State::Handshaking,
        State::Rehandshaking,
        State::Handshaken,
        State::Connecting,
        State::Connected,
        State::Unconnected,
        State::Disconnecting,
        State::Terminating,
    ];
}

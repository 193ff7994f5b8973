//! The options: the one place where each has its name, what it takes, its field and what it is for.

use crate::options::{
    OortOption, SECRET,
    kind::{ANY, CHANNELS, Kind, MulticastKind, SERVICE, URL, URLS},
};

pub(super) static OPTIONS: &[OortOption] = &[
    option("oort.url", Kind::Text(URL, |o| &mut o.url), "where the other nodes reach this one"),
    option(
        "oort.aliases",
        Kind::List(URLS, |o| &mut o.aliases),
        "other URLs by which they reach it, as of localhost; CometD has no such option",
    ),
    option(SECRET, Kind::Text(ANY, |o| &mut o.secret), "what all nodes know, and nobody else does"),
    option(
        "oort.channels",
        Kind::List(CHANNELS, |o| &mut o.channels),
        "the channels whose messages come here from the other nodes",
    ),
    option("oort.cloud", Kind::List(URLS, |o| &mut o.cloud), "the URLs of other nodes"),
    option(
        "oort.dns",
        Kind::Text(SERVICE, |o| &mut o.dns),
        "the URL of the nodes' service, whose name has an address (or, with the feature srv, a record) for each",
    ),
    option(
        "enableAckExtension",
        Kind::Flag(|o| &mut o.acknowledgements),
        "whether what nodes send each other is acknowledged",
    ),
    option(
        "enableBinaryExtension",
        Kind::Flag(|o| &mut o.binary),
        "taken for CometD's sake: binary data goes to other nodes as it came",
    ),
    option(
        "oort.multicast",
        Kind::Multicast,
        "whether nodes are found by multicast; they also are if one of the following is set",
    ),
    multicast(
        "oort.multicast.bindAddress",
        MulticastKind::Address(|m| &mut m.bind_address),
        "where packets are received; none is the group's address",
    ),
    multicast(
        "oort.multicast.groupAddress",
        MulticastKind::Group(|m| &mut m.group_address),
        "the group that packets are sent to",
    ),
    multicast(
        "oort.multicast.groupPort",
        MulticastKind::Number("a port", 1, u16::MAX, |m| &mut m.group_port),
        "its port",
    ),
    multicast(
        "oort.multicast.groupInterfaces",
        MulticastKind::Addresses(|m| &mut m.group_interfaces),
        "the network interfaces to use, by their addresses; none is all that lead to others",
    ),
    multicast(
        "oort.multicast.timeToLive",
        MulticastKind::Hops(|m| &mut m.time_to_live),
        "how many networks a packet crosses",
    ),
    multicast(
        "oort.multicast.advertiseInterval",
        MulticastKind::Millis(1, |m| &mut m.advertise_interval),
        "the pause between two packets of this node",
    ),
    multicast(
        "oort.multicast.connectTimeout",
        MulticastKind::Millis(0, |m| &mut m.connect_timeout),
        "how long a node is tried that is not heard any more, beyond three intervals",
    ),
    multicast(
        "oort.multicast.maxTransmissionLength",
        MulticastKind::Number("a number of bytes", 1, LARGEST, |m| &mut m.max_transmission_length),
        "how long a packet, and so a URL, may be",
    ),
];

/// More is in no UDP packet.
const LARGEST: u16 = 65_507;

/// Lists the names.
pub(super) fn known() -> String {
    OPTIONS.iter().map(|option| option.name).collect::<Vec<_>>().join(", ")
}

const fn option(name: &'static str, kind: Kind, doc: &'static str) -> OortOption {
    OortOption { name, kind, doc }
}

const fn multicast(name: &'static str, kind: MulticastKind, doc: &'static str) -> OortOption {
    option(name, Kind::OfMulticast(kind), doc)
}

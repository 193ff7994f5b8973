//! Channel names: validity, wildcards and templates.

use bayeux_server::api::ChannelId;

use crate::{check, compose};

const PARTS: &[&str] = &[
    "/", "/a", "/b", "/*", "/**", "*", "/{a}", "/{b}", "{", "}", " ", "meta", "service", "é",
    "\u{0}", "//",
];

#[test]
fn any_text_is_a_channel_or_an_error() {
    check(|bytes| is_consistent(&String::from_utf8_lossy(bytes)));
}

#[test]
fn any_parts_are_a_channel_or_an_error() {
    check(|bytes| is_consistent(&compose(bytes, PARTS)));
}

#[test]
fn a_wild_channel_matches_what_lists_it() {
    check(|bytes| {
        let (one, other) = bytes.split_at(bytes.len() / 2);
        let (one, other) = (compose(one, PARTS), compose(other, PARTS));
        let (Ok(one), Ok(other)) = (ChannelId::new(&one), ChannelId::new(&other)) else { return };
        if one.is_wild() && !other.is_wild() {
            let is_listed = other.wild_ids().iter().any(|wild| wild == one.as_str());
            assert_eq!(one.matches(&other), is_listed, "{one} {other}");
        }
        if let Some(bound) = one.bind(&other) {
            let names: Vec<_> = bound.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, one.parameters(), "{one} {other}");
            assert_eq!(one.depth(), other.depth(), "{one} {other}");
        }
    });
}

fn is_consistent(name: &str) {
    let Ok(channel) = ChannelId::new(name) else { return };
    assert_eq!(ChannelId::new(channel.as_str()).unwrap(), channel);
    assert_eq!(channel.segments().count(), channel.depth());
    assert!(channel.matches(&channel));
    for wild in channel.wild_ids() {
        let wild = ChannelId::new(&wild).unwrap();
        assert!(wild.is_wild());
        assert!(channel.is_wild() || wild.matches(&channel), "{wild} {channel}");
    }
    // A name cannot end with white space, but a segment can.
    if let Some(parent) = channel.parent().filter(|parent| parent.trim_end() == *parent) {
        assert!(ChannelId::new(parent).unwrap().is_parent_of(&channel));
    }
}

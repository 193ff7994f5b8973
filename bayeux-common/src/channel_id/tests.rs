//! Which names are channels, and what they match.

use proptest::prelude::*;

use super::*;

fn id(name: &str) -> ChannelId {
    ChannelId::new(name).unwrap()
}

#[test]
fn trailing_slash_and_space_are_dropped() {
    for name in ["/foo/bar", "/foo/bar/", "/foo/bar/ ", "/foo/bar ", "/foo/bar /"] {
        assert_eq!(id(name).as_str(), "/foo/bar");
    }
}

#[test]
fn what_is_not_a_channel_is_refused() {
    use ChannelIdError::*;
    for (name, error) in [
        ("", NoName),
        ("/", NoName),
        ("/ ", NoName),
        ("foo", NoName),
        ("/foo//bar", EmptySegment),
        ("/foo/ /bar", EmptySegment),
        ("//", NoName),
        ("/foo/*/*", Wild),
        ("/foo/**/*", Wild),
        ("/foo/*/bar", Wild),
        ("/foo/{v}/*", Wild),
        ("/foo<bar", Character),
        ("/fo\u{f6}", Character),
    ] {
        assert_eq!(ChannelId::new(name), Err(error), "{name:?}");
    }
    assert_eq!(ChannelId::new(&"/a".repeat(513)), Err(TooLong));
    assert_eq!(ChannelId::new(&format!("/{}", "a".repeat(100_000))), Err(TooLong));
}

#[test]
fn wild_ids_go_from_specific_to_general() {
    for (name, wild) in [
        ("/foo/bar/baz", vec!["/foo/bar/*", "/foo/bar/**", "/foo/**", "/**"]),
        ("/foo", vec!["/*", "/**"]),
        ("/foo/*", vec!["/foo/**", "/**"]),
        ("/foo/**", vec!["/**"]),
        ("/*", vec!["/**"]),
        ("/**", vec![]),
        ("/foo/{x}", vec!["/foo/*", "/foo/**", "/**"]),
        ("/a/{x}/c", vec!["/a/**", "/**"]),
        ("/foo*", vec!["/*", "/**"]),
    ] {
        assert_eq!(id(name).wild_ids(), wild, "{name}");
    }
}

#[test]
fn a_name_may_have_as_many_segments_as_fit_into_it() {
    let name = "/a".repeat(512);
    let wilds = id(&name).wild_ids();
    assert_eq!((id(&name).depth(), wilds.len()), (512, 513));
    assert_eq!((wilds[0].len(), &*wilds[512]), (1024, "/**"));
}

#[test]
fn matching_follows_cometd() {
    for (wild, name, expected) in [
        ("/foo/*", "/foo/a", true),
        ("/foo/*", "/foo/a/b", false),
        ("/foo/*", "/foo", false),
        ("/foo/**", "/foo/a", true),
        ("/foo/**", "/foo/a/b", true),
        ("/foo/**", "/foo", false),
        ("/foo/**", "/foobar/a", false),
        ("/foo/**", "/foo/*", false),
        ("/foo/*", "/foo/*", true),
        ("/**", "/foo", true),
        ("/*", "/foo", true),
        ("/foo", "/foo", true),
        ("/foo/{x}", "/foo/a", true),
        ("/foo/{x}", "/foo/a/b", false),
    ] {
        assert_eq!(id(wild).matches(&id(name)), expected, "{wild} {name}");
    }
}

#[test]
fn templates_bind_in_order() {
    let template = id("/a/{x}/b/{y_1}");
    assert_eq!(template.parameters(), ["x", "y_1"]);
    assert_eq!(template.bind(&id("/a/1/b/2")), Some(vec![("x", "1"), ("y_1", "2")]));
    assert_eq!(template.bind(&id("/a/1/c/2")), None);
    assert_eq!(template.bind(&id("/a/1/b")), None);
    assert!(!id("/a/{x-y}").is_template());
}

#[test]
fn regular_part_ends_before_the_first_wild_or_parameter() {
    assert_eq!(id("/foo/{p1}/{p2}").regular_part(), Some("/foo"));
    assert_eq!(id("/foo/bar").regular_part(), Some("/foo/bar"));
    assert_eq!(id("/foo/**").regular_part(), Some("/foo"));
    assert_eq!(id("/*").regular_part(), None);
}

#[test]
fn kinds_are_told_by_prefix() {
    assert!(id("/meta/connect").is_meta());
    assert!(id("/service/x").is_service());
    assert!(id("/meta").is_broadcast() && id("/metal/x").is_broadcast());
}

#[test]
fn family_relations() {
    assert!(id("/a").is_parent_of(&id("/a/b")) && !id("/a").is_parent_of(&id("/a/b/c")));
    assert!(id("/a").is_ancestor_of(&id("/a/b/c")) && !id("/a").is_ancestor_of(&id("/ab")));
    assert_eq!(id("/a/b").parent(), Some("/a"));
    assert_eq!(id("/a").parent(), None);
    assert_eq!(id("/a/b").segment(1), Some("b"));
}

proptest! {
    #[test]
    fn any_text_is_a_channel_or_an_error(name in "[/a*{} ]{0,12}|.{0,40}") {
        if let Ok(channel) = ChannelId::new(&name) {
            prop_assert_eq!(&ChannelId::new(channel.as_str()).unwrap(), &channel);
            for wild in channel.wild_ids() {
                let wild = ChannelId::new(&wild).unwrap();
                prop_assert!(wild.is_wild());
                prop_assert!(channel.is_wild() || wild.matches(&channel));
            }
        }
    }
}

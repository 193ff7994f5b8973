//! Options by name: what each becomes, what is refused, and that the table is whole.

use std::{net::IpAddr, time::Duration};

use super::*;

fn set(options: &[(&str, &str)]) -> Result<OortOptions, OortOptionError> {
    let mut all = OortOptions::default();
    all.set_options(options.iter().copied()).map(|()| all)
}

#[test]
fn each_name_of_cometd_sets_its_field() {
    let options = set(&[
        ("oort.url", "http://a:8080/cometd"),
        ("oort.aliases", "http://localhost:8080/cometd"),
        ("oort.secret", "sesame"),
        ("oort.channels", " /chat/*,, /stocks "),
        ("oort.cloud", "http://b:8080/cometd , http://c:8080/cometd"),
        ("oort.dns", "http://nodes.example:8080/cometd"),
        ("enableAckExtension", "false"),
        ("enableBinaryExtension", "false"),
        ("oort.multicast.bindAddress", "0.0.0.0"),
        ("oort.multicast.groupAddress", "239.1.2.3"),
        ("oort.multicast.groupPort", "5578"),
        ("oort.multicast.groupInterfaces", "10.0.0.1,127.0.0.1"),
        ("oort.multicast.timeToLive", "2"),
        ("oort.multicast.advertiseInterval", "500"),
        ("oort.multicast.connectTimeout", "0"),
        ("oort.multicast.maxTransmissionLength", "64"),
    ])
    .unwrap();
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let multicast = MulticastConfig {
        bind_address: Some(address("0.0.0.0")),
        group_address: address("239.1.2.3"),
        group_port: 5_578,
        group_interfaces: vec![address("10.0.0.1"), address("127.0.0.1")],
        time_to_live: 2,
        advertise_interval: Duration::from_millis(500),
        connect_timeout: Duration::ZERO,
        max_transmission_length: 64,
    };
    let expected = OortOptions {
        url: Some("http://a:8080/cometd".to_owned()),
        aliases: vec!["http://localhost:8080/cometd".to_owned()],
        secret: Some("sesame".to_owned()),
        channels: vec!["/chat/*".to_owned(), "/stocks".to_owned()],
        acknowledgements: false,
        binary: false,
        cloud: vec!["http://b:8080/cometd".to_owned(), "http://c:8080/cometd".to_owned()],
        dns: Some("http://nodes.example:8080/cometd".to_owned()),
        multicast: Some(multicast),
    };
    assert_eq!(options, expected);
    assert_eq!(options.discoveries().unwrap().len(), 3);
}

#[test]
fn multicast_is_used_if_anything_is_said_of_it_and_not_if_it_is_denied() {
    assert_eq!(set(&[]).unwrap().multicast, None);
    let default = Some(MulticastConfig::default());
    assert_eq!(set(&[("oort.multicast", "true")]).unwrap().multicast, default);
    assert_eq!(set(&[("oort.multicast.groupPort", "5577")]).unwrap().multicast, default);
    let denied = [("oort.multicast.groupPort", "1"), ("oort.multicast", "false")];
    assert_eq!(set(&denied).unwrap().multicast, None);
    let both = set(&[("oort.multicast.groupPort", "1"), ("oort.multicast", "true")]).unwrap();
    assert_eq!(both.multicast.unwrap().group_port, 1);
}

#[test]
fn a_bad_value_is_refused_and_nothing_is_set() {
    for (name, value) in [
        ("oort.url", "a:8080/cometd"),
        ("oort.url", "/cometd"),
        ("oort.channels", "chat"),
        ("oort.channels", "/chat,/service/chat"),
        ("oort.channels", "/meta/connect"),
        ("oort.cloud", "http://b/,c"),
        ("oort.dns", "http://10.0.0.1/"),
        ("enableAckExtension", "yes"),
        ("oort.multicast", ""),
        ("oort.multicast.bindAddress", "localhost"),
        ("oort.multicast.groupAddress", "10.0.0.1"),
        ("oort.multicast.groupPort", "0"),
        ("oort.multicast.groupPort", "65536"),
        ("oort.multicast.groupInterfaces", "eth0"),
        ("oort.multicast.timeToLive", "256"),
        ("oort.multicast.advertiseInterval", "0"),
        ("oort.multicast.connectTimeout", "-1"),
        ("oort.multicast.maxTransmissionLength", "70000"),
    ] {
        let mut options = OortOptions::default();
        let error = options.set_options([("oort.secret", "s"), (name, value)]).unwrap_err();
        let OortOptionError::Value { name: refused, .. } = &error else { panic!("{error}") };
        assert_eq!(refused, name);
        assert!(error.to_string().contains(&format!("{value:?}")), "{error}");
        assert_eq!(options, OortOptions::default());
    }
}

#[test]
fn what_is_wrong_with_a_url_is_said_and_no_password() {
    let error = set(&[("oort.url", "http://0.0.0.0:8080/cometd")]).unwrap_err().to_string();
    assert!(
        error.ends_with("not \"http://0.0.0.0:8080/cometd\": its host is any address"),
        "{error}"
    );
    for name in ["oort.url", "oort.cloud", "oort.dns"] {
        let error = set(&[(name, "http://user:sesame@a:8080/cometd")]).unwrap_err().to_string();
        assert!(error.contains("user or password") && !error.contains("sesame"), "{error}");
    }
}

#[test]
fn which_of_several_urls_is_wrong_is_said() {
    let refused = |text| set(&[("oort.cloud", text)]).unwrap_err().to_string();
    let error = refused("http://a:1/cometd, http://b:0/cometd");
    assert!(error.ends_with(": its port is 0, in \"http://b:0/cometd\""), "{error}");
    let error = refused("http://a:1/cometd;http://b:1/cometd");
    assert!(error.ends_with(": a ; does not join them"), "{error}");
    let error = refused("http://a:1/cometd,http://user:sesame@b:1/cometd,http://c:1/cometd");
    assert!(error.ends_with(", in \"…@b:1/cometd\"") && !error.contains("sesame"), "{error}");
    assert!(set(&[("oort.cloud", "http://a:1/cometd;x=1")]).is_ok());
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let error = set(&[("oort.multicast.port", "1")]).unwrap_err().to_string();
    assert!(error.starts_with("unknown option \"oort.multicast.port\"; known are: "), "{error}");
    assert!(OortOptions::options().all(|option| error.contains(option.name())), "{error}");
}

#[test]
fn every_name_is_there_once_and_takes_its_own_default() {
    for option in OPTIONS {
        let (name, default) = (option.name(), option.default_value());
        assert_eq!(OPTIONS.iter().filter(|other| other.name == name).count(), 1, "{name}");
        if default != "none" {
            let mut options = set(&[(name, &default)]).unwrap();
            assert_eq!(option.kind.show(&mut options), default, "{name}");
        } else if name != SECRET {
            // An empty text takes back what was set.
            assert_eq!(option.kind.show(&mut set(&[(name, "")]).unwrap()), default, "{name}");
        }
        assert!(option.to_string().contains(&option.takes()), "{option}");
    }
}

#[test]
fn the_secret_is_not_told() {
    let options = set(&[("oort.secret", "sesame")]).unwrap();
    let text = format!("{options:?}");
    assert!(!text.contains("sesame"), "{text}");
}

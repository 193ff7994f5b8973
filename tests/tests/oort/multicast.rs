//! Nodes find each other by CometD's multicast packets, and whatever else is sent there does no harm.

use std::{
    collections::BTreeSet,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use bayeux_oort::discovery::{
    Discovery, DiscoveryError, Multicast, MulticastConfig, SeedSet, seeds,
};
use tests::{eventually, within};
use tokio::task::JoinHandle;

/// A node as multicast sees it; it falls silent when it is dropped.
struct Node {
    seeds: SeedSet,
    multicast: Multicast,
    running: JoinHandle<()>,
}

impl Node {
    fn start(url: &str, config: &MulticastConfig) -> Result<Self, DiscoveryError> {
        let (told, seeds) = seeds(url);
        let multicast = Multicast::new(config.clone());
        let running = tokio::spawn(multicast.start(told)?);
        Ok(Self { seeds, multicast, running })
    }

    async fn knows(&self, urls: &[&str]) {
        let expected: BTreeSet<_> = urls.iter().map(|url| (*url).to_owned()).collect();
        eventually(&format!("{expected:?}"), || self.seeds.urls() == expected).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Returns a group of a test's own, by loopback; none, and says why, where there is no multicast.
async fn group() -> Option<MulticastConfig> {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let [high, low] = port.to_be_bytes();
    let mut config = MulticastConfig::default();
    config.group_interfaces = vec![Ipv4Addr::LOCALHOST.into()];
    tried(config, Ipv4Addr::new(239, 255, high, low).into(), port).await
}

/// The same of IPv6, whose packets Linux sends by no loopback: they go out, and over no router.
async fn group_of_v6(range: u16) -> Option<MulticastConfig> {
    let port = UdpSocket::bind("[::]:0").ok()?.local_addr().unwrap().port();
    let group = Ipv6Addr::new(range, 0, 0, 0, 0, 0, 0x5577, port);
    tried(MulticastConfig::default(), group.into(), port).await
}

async fn tried(mut config: MulticastConfig, group: IpAddr, port: u16) -> Option<MulticastConfig> {
    config.group_address = group;
    config.group_port = port;
    config.advertise_interval = Duration::from_millis(50);
    let node = Node::start("http://trial/", &config);
    let reason = match &node {
        Err(error) => format!("{error}: {error:?}"),
        Ok(node) => {
            let statistics = || node.multicast.statistics();
            eventually("a try", || statistics().sent + statistics().send_failures > 0).await;
            if statistics().sent > 0 {
                return Some(config);
            }
            "packets are not sent".to_owned()
        }
    };
    assert!(!has_multicast(group), "others reach {group}, and a node does not: {reason}");
    say_loudly(&format!("there is no multicast to {group} here: {reason}"));
    None
}

/// Whether plain sockets reach a group on this machine. So nothing is left out where nodes could find each
/// other, and machines without multicast, as some that run the tests of a commit are, fail nothing.
fn has_multicast(group: IpAddr) -> bool {
    hears_itself(group).unwrap_or_default()
}

fn hears_itself(group: IpAddr) -> std::io::Result<bool> {
    let any = match group {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = socket2::Socket::from(UdpSocket::bind(SocketAddr::new(any, 0))?);
    match &group {
        IpAddr::V4(group) => {
            socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
            socket.join_multicast_v4(group, &Ipv4Addr::LOCALHOST)?;
        }
        IpAddr::V6(group) => socket.join_multicast_v6(group, 0)?,
    }
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let socket = UdpSocket::from(socket);
    let port = socket.local_addr()?.port();
    for _ in 0..3 {
        socket.send_to(b"heard", SocketAddr::new(group, port))?;
        if matches!(socket.recv(&mut [0; 5]), Ok(5)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says what is left out where it is seen: the test runner swallows what `eprintln!` prints.
fn say_loudly(what: &str) {
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "SKIPPED: {what}");
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        let _ = writeln!(stderr, "::warning::tests of multicast are left out: {what}");
    }
}

/// Sends to the group as some other program would.
fn stranger(config: &MulticastConfig) -> impl Fn(&[u8]) + use<> {
    let socket = socket2::Socket::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    let group = SocketAddr::new(config.group_address, config.group_port);
    move |packet| {
        let _ = socket.send_to(packet, &group.into());
    }
}

#[tokio::test]
async fn nodes_of_one_machine_find_each_other_and_forget_who_is_silent() {
    for config in [group().await, group_of_v6(0xff15).await].into_iter().flatten() {
        let one = Node::start("http://one/", &config).unwrap();
        let two = Node::start("http://two/", &config).unwrap();
        one.knows(&["http://two/"]).await;
        two.knows(&["http://one/"]).await;
        let three = Node::start("http://three/", &config).unwrap();
        one.knows(&["http://three/", "http://two/"]).await;
        three.knows(&["http://one/", "http://two/"]).await;
        drop(two);
        one.knows(&["http://three/"]).await;
        three.knows(&["http://one/"]).await;
        let again = Node::start("http://two/", &config).unwrap();
        again.knows(&["http://one/", "http://three/"]).await;
        one.knows(&["http://three/", "http://two/"]).await;
    }
}

/// The range of a link, where a group is no address to bind to.
#[tokio::test]
async fn a_group_of_one_link_is_received_at_any_address() {
    let Some(config) = group_of_v6(0xff12).await else { return };
    let one = Node::start("http://one/", &config).unwrap();
    let two = Node::start("http://two/", &config).unwrap();
    one.knows(&["http://two/"]).await;
    two.knows(&["http://one/"]).await;
}

#[tokio::test]
async fn a_packet_is_the_bytes_of_the_url_and_nothing_else() {
    let Some(config) = group().await else { return };
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    listener.set_reuse_address(true).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener.bind(&SocketAddr::from(([0, 0, 0, 0], config.group_port)).into()).unwrap();
    let IpAddr::V4(address) = config.group_address else { unreachable!() };
    listener.join_multicast_v4(&address, &Ipv4Addr::LOCALHOST).unwrap();
    let listener = tokio::net::UdpSocket::from_std(listener.into()).unwrap();

    let node = Node::start("http://café.example:8080/cometd", &config).unwrap();
    let mut buffer = [0; 2_000];
    let (first, from) = within("a packet", listener.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(&buffer[..first], "http://café.example:8080/cometd".as_bytes());
    let (_, again) = within("the next", listener.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(from, again, "a node has one port");
    stranger(&config)(b"http://java:8080/cometd");
    node.knows(&["http://java:8080/cometd"]).await;
}

#[tokio::test]
async fn what_is_no_url_is_counted_and_dropped() {
    let Some(mut config) = group().await else { return };
    config.max_transmission_length = 100;
    let node = Node::start("http://own/", &config).unwrap();
    let send = stranger(&config);
    for packet in [&b""[..], b"nonsense", b"\xff\xfe", b"file:///etc/passwd", b"http://a/\r\n"] {
        send(packet);
    }
    send(format!("http://a/{}", "x".repeat(100)).as_bytes());
    send(&[b'x'; 20_000]);
    eventually("the last to be counted", || node.multicast.statistics().too_long == 2).await;
    let statistics = node.multicast.statistics();
    assert_eq!((statistics.no_url, statistics.crowded), (5, 0), "{statistics:?}");
    assert_eq!(node.seeds.urls().len(), 0);
    let other = Node::start("http://other/", &config).unwrap();
    node.knows(&["http://other/"]).await;
    other.knows(&["http://own/"]).await;
}

#[tokio::test]
async fn a_flood_is_dropped_and_takes_no_node_away() {
    let Some(config) = group().await else { return };
    let node = Node::start("http://own/", &config).unwrap();
    let _other = Node::start("http://other/", &config).unwrap();
    node.knows(&["http://other/"]).await;
    let send = stranger(&config);
    let mut number = 0;
    within("the flood to be noticed", async {
        while node.multicast.statistics().floods < 2 {
            for _ in 0..100 {
                number += 1;
                send(format!("http://a/{number}").as_bytes());
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let urls = node.seeds.urls();
    assert!(urls.contains("http://other/"), "{urls:?}");
    assert!(urls.len() <= 65, "one sender has {} seeds", urls.len());
    assert!(node.multicast.statistics().crowded > 0);
    node.knows(&["http://other/"]).await;
}

#[tokio::test]
async fn clusters_with_other_groups_do_not_hear_each_other() {
    let Some(config) = group().await else { return };
    let mut other = config.clone();
    other.group_address = Ipv4Addr::new(239, 254, 1, 1).into();
    let one = Node::start("http://one/", &config).unwrap();
    // Bound to any address, they would if Linux had its way.
    let mut wild = config.clone();
    wild.bind_address = Some(Ipv4Addr::UNSPECIFIED.into());
    let two = Node::start("http://two/", &wild).unwrap();
    let alien = Node::start("http://alien/", &other).unwrap();
    eventually("ten packets", || alien.multicast.statistics().sent >= 10).await;
    two.knows(&["http://one/"]).await;
    one.knows(&["http://two/"]).await;
    assert_eq!(alien.seeds.urls().len(), 0);
}

#[tokio::test]
async fn an_interface_that_is_not_there_ends_the_start() {
    let Some(mut config) = group().await else { return };
    config.group_interfaces = vec!["192.0.2.99".parse().unwrap()];
    let error = Node::start("http://own/", &config).err().unwrap();
    assert!(error.to_string().contains("join the multicast group"), "{error}");
    config.group_interfaces = vec![Ipv4Addr::LOCALHOST.into()];
    config.bind_address = Some("192.0.2.99".parse().unwrap());
    let error = Node::start("http://own/", &config).err().unwrap();
    assert!(error.to_string().contains("receive at 192.0.2.99"), "{error}");
}

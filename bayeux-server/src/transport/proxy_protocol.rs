//! The PROXY protocol, versions 1 and 2: a proxy that passes bytes on tells, before the first of them, who
//! is at the other end (HAProxy's `proxy-protocol.txt`).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt as _, copy, sink},
    net::TcpStream,
};

/// The ends of a connection: the client's, and the one that it connected to.
type Ends = (SocketAddr, SocketAddr);

/// Takes the header off, and not a byte more; none if it says no addresses of TCP.
pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<Option<Ends>> {
    // The shortest header is longer.
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    let ends = match start {
        SIGNATURE => read_binary(stream).await?,
        _ => read_line(stream, &start).await?,
    };
    ends.map_err(|NoHeader| io::Error::new(io::ErrorKind::InvalidData, "no PROXY header"))
}

/// The connection does not begin with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NoHeader;

type Parsed = Result<Option<Ends>, NoHeader>;

/// How version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// No line of version 1 is longer, its end included.
const LONGEST_LINE: usize = 107;

/// The addresses of IPv6 and their ports; those of IPv4 are shorter.
const LONGEST_ADDRESSES: usize = 36;

/// Reads the rest of version 1. Only what is known to be the line's is taken.
async fn read_line(stream: &mut TcpStream, start: &[u8]) -> io::Result<Parsed> {
    if !start.starts_with(b"PROXY ") || start.contains(&b'\r') {
        return Ok(Err(NoHeader));
    }
    let mut line = [0; LONGEST_LINE];
    let mut length = start.len();
    line[..length].copy_from_slice(start);
    while length < LONGEST_LINE {
        let there = stream.peek(&mut line[length..]).await?;
        let end = line[..length + there].windows(2).position(|two| two == b"\r\n");
        let known = end.map_or(length + there, |end| end + 2);
        if stream.read_exact(&mut line[length..known]).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        length = known;
        if let Some(end) = end {
            return Ok(parse_line(&line[..end]));
        }
    }
    Ok(Err(NoHeader))
}

/// Reads the rest of version 2, and passes over what it says beside addresses.
async fn read_binary(stream: &mut TcpStream) -> io::Result<Parsed> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    let mut addresses = [0; LONGEST_ADDRESSES];
    let addresses = &mut addresses[..length.min(LONGEST_ADDRESSES)];
    stream.read_exact(addresses).await?;
    let parsed = parse_binary(command, family, addresses);
    let more = (length - addresses.len()) as u64;
    if parsed.is_ok() && copy(&mut stream.take(more), &mut sink()).await? < more {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(parsed)
}

/// Parses a line without its end.
fn parse_line(line: &[u8]) -> Parsed {
    let line = str::from_utf8(line).map_err(|_| NoHeader)?;
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        return Ok(None);
    }
    let ([Some(source), Some(target), Some(source_port), Some(target_port)], None) =
        ([(); 4].map(|()| words.next()), words.next())
    else {
        return Err(NoHeader);
    };
    let address = |word: &str| match family {
        Some("TCP4") => word.parse().map(IpAddr::V4).map_err(|_| NoHeader),
        Some("TCP6") => word.parse().map(IpAddr::V6).map_err(|_| NoHeader),
        _ => Err(NoHeader),
    };
    let port = |word: &str| {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse().ok().filter(|_| is_number).ok_or(NoHeader)
    };
    Ok(Some((
        SocketAddr::new(address(source)?, port(source_port)?),
        SocketAddr::new(address(target)?, port(target_port)?),
    )))
}

/// Parses what stands behind the signature, of which `addresses` has no more than the longest ones.
fn parse_binary(command: u8, family: u8, addresses: &[u8]) -> Parsed {
    match command {
        // The proxy talks for itself, as when it looks whether the server lives: what follows means nothing.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(NoHeader),
    }
    let ends = match family {
        0x11 => ends(addresses, |bytes: [u8; 4]| Ipv4Addr::from(bytes).into())?,
        0x21 => ends(addresses, |bytes: [u8; 16]| Ipv6Addr::from(bytes).into())?,
        // Datagrams, local sockets, and what is not said.
        0x00..=0x02 | 0x10 | 0x12 | 0x20 | 0x22 | 0x30..=0x32 => return Ok(None),
        _ => return Err(NoHeader),
    };
    Ok(Some(ends))
}

/// Reads two addresses and their ports.
fn ends<const N: usize>(bytes: &[u8], ip: impl Fn([u8; N]) -> IpAddr) -> Result<Ends, NoHeader> {
    let read = || {
        let (source, rest) = bytes.split_first_chunk()?;
        let (target, rest) = rest.split_first_chunk()?;
        let (source_port, rest) = rest.split_first_chunk()?;
        let (target_port, _) = rest.split_first_chunk()?;
        let end = |bytes: &[u8; N], port: &[u8; 2]| {
            SocketAddr::new(ip(*bytes), u16::from_be_bytes(*port))
        };
        Some((end(source, source_port), end(target, target_port)))
    };
    read().ok_or(NoHeader)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends_of(source: &str, target: &str) -> Parsed {
        Ok(Some((source.parse().unwrap(), target.parse().unwrap())))
    }

    #[test]
    fn lines_are_read_to_the_letter() {
        let parse = |text: &str| parse_line(text.as_bytes());
        let expected = ends_of("192.0.2.1:1", "192.0.2.2:65535");
        assert_eq!(parse("PROXY TCP4 192.0.2.1 192.0.2.2 1 65535"), expected);
        let expected = ends_of("[2001:db8::1]:0", "[::2]:443");
        assert_eq!(parse("PROXY TCP6 2001:db8::1 ::2 0 443"), expected);
        assert_eq!(parse("PROXY UNKNOWN"), Ok(None));
        assert_eq!(parse("PROXY UNKNOWN whatever  there is"), Ok(None));
        for wrong in [
            "PROXY",
            "PROXY ",
            "PROXY TCP4",
            "PROXY TCP5 192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP4 ::1 ::2 1 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 ",
            "PROXY TCP4  192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 ",
        ] {
            assert_eq!(parse(wrong), Err(NoHeader), "{wrong}");
        }
        assert_eq!(parse_line(b"PROXY \xff"), Err(NoHeader));
    }

    #[test]
    fn bytes_say_addresses_of_tcp_or_none() {
        let four = [192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187];
        let expected = ends_of("192.0.2.1:80", "192.0.2.2:443");
        assert_eq!(parse_binary(0x21, 0x11, &four), expected);
        // A proxy that talks for itself says nothing else.
        for (family, addresses) in [(0x11, &four[..]), (0x11, &[]), (0x21, &four), (0xff, &[])] {
            assert_eq!(parse_binary(0x20, family, addresses), Ok(None), "{family}");
        }
        assert_eq!(parse_binary(0x21, 0x11, &four[..11]), Err(NoHeader));
        assert_eq!(parse_binary(0x21, 0x21, &four), Err(NoHeader));
        let six = [&[0; 15][..], &[1], &[0; 15], &[2], &[0, 80, 1, 187]].concat();
        assert_eq!(parse_binary(0x21, 0x21, &six), ends_of("[::1]:80", "[::2]:443"));
        for family in [0x00, 0x12, 0x22, 0x31] {
            assert_eq!(parse_binary(0x21, family, &[]), Ok(None), "{family}");
        }
        for (command, family) in [(0x11, 0x11), (0x22, 0x11), (0x21, 0x13), (0x21, 0x41)] {
            assert_eq!(parse_binary(command, family, &four), Err(NoHeader), "{command} {family}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_none(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            command: u8,
            family: u8,
            words in "(PROXY|TCP4|TCP6|UNKNOWN|192.0.2.1|::1|[0-9]{1,6}| ){0,14}",
        ) {
            let _ = parse_line(&bytes);
            let _ = parse_line(words.as_bytes());
            let _ = parse_binary(command, family, &bytes);
            let _ = parse_binary(0x20 | (command & 1), family, &bytes);
        }
    }
}

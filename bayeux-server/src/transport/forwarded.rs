//! Who asks, as trusted proxies tell it: by `X-Forwarded-For` and `X-Forwarded-Proto`, or by `Forwarded`
//! (RFC 7239).
//!
//! Each proxy adds to the end of a list for whom it asks. So the list is read from its end, for as long as
//! those who wrote it are trusted: what is before is only what a client says. What cannot be read ends the
//! list, too.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderValue};

use crate::{config::ProxyConfig, transport::Peer};

/// The end that a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// None if whoever accepted the connection did not tell it.
    pub(crate) address: Option<SocketAddr>,
    /// Whether it talks over TLS, be it to the server or to a proxy.
    pub(crate) is_secure: bool,
}

impl Client {
    pub(crate) fn of(headers: &HeaderMap, peer: Option<Peer>, proxies: &ProxyConfig) -> Self {
        let address = peer.map(|peer| canonical(peer.remote));
        let is_encrypted = peer.is_some_and(|peer| peer.is_secure);
        let direct = Self { address, is_secure: is_encrypted };
        if proxies.trusted.is_empty() {
            return Self { is_secure: is_encrypted || is_forwarded_secure(headers), ..direct };
        }
        let Some(proxy) = address.filter(|address| proxies.trusts(address.ip())) else {
            return direct;
        };
        let is_plain = !proxies.forwarded_only && headers.contains_key(FOR);
        let (address, said) = match is_plain {
            true => (walk(proxy, plain_hops(headers), proxies).0, None),
            false => walk(proxy, hops(headers), proxies),
        };
        let is_first = || !proxies.forwarded_only && first(headers, PROTO).is_some_and(is_https);
        Self { address: Some(address), is_secure: is_encrypted || said.unwrap_or_else(is_first) }
    }
}

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const FORWARDED: &str = "forwarded";

/// For whom one proxy asks; none of what it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hop {
    address: Option<SocketAddr>,
    is_secure: Option<bool>,
}

/// Goes from a trusted proxy to the first address that is none, or to the last that is known; says also
/// what the proxy before that says of TLS.
fn walk(
    proxy: SocketAddr,
    hops: impl Iterator<Item = Hop>,
    proxies: &ProxyConfig,
) -> (SocketAddr, Option<bool>) {
    let (mut address, mut is_secure) = (proxy, None);
    for hop in hops {
        is_secure = hop.is_secure;
        let Some(next) = hop.address else { break };
        address = next;
        if !proxies.trusts(address.ip()) {
            break;
        }
    }
    (address, is_secure)
}

/// The hops of `X-Forwarded-For`, the nearest first.
fn plain_hops(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    let values = headers.get_all(FOR).iter().rev();
    let entries = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    // A list may have empty elements (RFC 9110, section 5.6.1.2).
    let entries = entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty());
    entries.map(|entry| Hop { address: address(entry), is_secure: None })
}

/// The hops of `Forwarded`, the nearest first. A header whose quotes are not in order has none: where one
/// ends cannot be told then, and a client could have opened what a proxy closed.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    let values = headers.get_all(FORWARDED).iter().rev();
    values.flat_map(|value| {
        let hops = read(value).unwrap_or_else(|| vec![Hop::default()]);
        hops.into_iter().rev()
    })
}

/// Reads one `Forwarded` (RFC 7239, section 4). Addresses with a colon may lack their quotes.
fn read(value: &HeaderValue) -> Option<Vec<Hop>> {
    let (mut hops, mut hop, mut has_for) = (Vec::new(), Hop::default(), false);
    let mut rest = value.as_bytes().trim_ascii();
    while !rest.is_empty() {
        if let Some((name, after)) = pair_name(rest) {
            let (text, after) = pair_value(after)?;
            rest = after.trim_ascii_start();
            // Each may be there once.
            let is_second = match name.to_ascii_lowercase().as_slice() {
                b"for" => {
                    hop.address = address(&text);
                    std::mem::replace(&mut has_for, true)
                }
                b"proto" => hop.is_secure.replace(is_https(&text)).is_some(),
                _ => false,
            };
            if is_second {
                return None;
            }
        }
        rest = match rest.split_first() {
            None => rest,
            Some((b';', after)) => after.trim_ascii_start(),
            Some((b',', after)) => {
                hops.push(std::mem::take(&mut hop));
                has_for = false;
                after.trim_ascii_start()
            }
            Some(_) => return None,
        };
    }
    hops.push(hop);
    Some(hops)
}

/// Splits `name=` off.
fn pair_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = text.iter().position(|byte| !is_name(byte)).filter(|end| *end > 0)?;
    Some((&text[..end], text[end..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start()))
}

/// Splits a value off, without its quotes.
fn pair_value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let is_end = |byte: &u8| b",;\" \t".contains(byte);
        let (value, after) = text.split_at(text.iter().position(is_end).unwrap_or(text.len()));
        return Some((value.to_vec(), after));
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    loop {
        match bytes.next()? {
            (at, b'"') => return Some((value, &quoted[at + 1..])),
            (_, b'\\') => value.push(*bytes.next()?.1),
            (_, byte) => value.push(*byte),
        }
    }
}

/// Reads an address with or without a port, which is zero then; none if it is hidden (RFC 7239, section 6).
fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = str::from_utf8(text).ok()?;
    // A port may be hidden, too.
    let text = text.rsplit_once(":_").map_or(text, |(address, _)| address);
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ip = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<IpAddr>().ok(),
    };
    let address = ip.map(|ip| SocketAddr::new(ip, 0)).or_else(|| text.parse().ok())?;
    Some(canonical(address))
}

/// An address of IPv4 is the same when it is mapped into IPv6, as listeners of both have it.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether anybody says that the client came over TLS: the first of several, which is the one that the
/// client talks to (RFC 7239, section 4, and its forerunner).
fn is_forwarded_secure(headers: &HeaderMap) -> bool {
    let hops = headers.get(FORWARDED).and_then(read).unwrap_or_default();
    let said = hops.first().and_then(|hop| hop.is_secure);
    first(headers, PROTO).is_some_and(is_https) || said == Some(true)
}

/// The first element of a list, which may have empty ones.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let values = headers.get_all(name).iter();
    let elements = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    elements.map(<[u8]>::trim_ascii).find(|element| !element.is_empty())
}

/// There are proxies that name the scheme of a WebSocket.
fn is_https(scheme: &[u8]) -> bool {
    [&b"https"[..], b"wss"].iter().any(|one| scheme.eq_ignore_ascii_case(one))
}

#[cfg(test)]
mod tests;

//! Responses of HTTP/1.1, as far as a load generator needs them: whole, and successful.

use std::borrow::Cow;

use memchr::memmem;

use crate::Result;

/// A response that has arrived whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    head: &'a str,
    pub(crate) body: Cow<'a, [u8]>,
}

/// Takes the first response off `bytes`, with what follows it; none when it is not whole yet. Fails
/// when it is not a success.
pub(crate) fn split(bytes: &[u8]) -> Result<Option<(Response<'_>, &[u8])>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    let rest = &bytes[end + 4..];
    if !head.starts_with("HTTP/1.1 200 ") {
        let status = head.lines().next().unwrap_or_default();
        let body: String = String::from_utf8_lossy(rest).chars().take(200).collect();
        return Err(format!("the server answered {status} {body}").into());
    }
    if let Some(length) = headers(head, "content-length").next() {
        let length = length.parse().map_err(|_| format!("no Content-Length: {length}"))?;
        let split = rest.split_at_checked(length);
        return Ok(split.map(|(body, rest)| (Response { head, body: body.into() }, rest)));
    }
    let encoding = headers(head, "transfer-encoding").next();
    if encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        let chunks = chunked(rest)?;
        return Ok(chunks.map(|(body, rest)| (Response { head, body: body.into() }, rest)));
    }
    Err("a response does not say how long it is".into())
}

impl<'a> Response<'a> {
    /// Returns the values of the headers of this name, which is in lowercase.
    pub(crate) fn headers(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        headers(self.head, name)
    }
}

fn headers<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.split("\r\n").skip(1).filter_map(move |line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Puts the parts of a body together; none when the last is not there yet.
fn chunked(mut bytes: &[u8]) -> Result<Option<(Vec<u8>, &[u8])>> {
    let mut body = Vec::new();
    loop {
        let Some(at) = memmem::find(bytes, b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[..at])?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("no chunk size: {size}"))?;
        let Some((chunk, rest)) = bytes[at + 2..].split_at_checked(size.saturating_add(2)) else {
            return Ok(None);
        };
        body.extend(&chunk[..size]);
        bytes = rest;
        if size == 0 {
            return Ok(Some((body, bytes)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_taken_when_its_body_is_there() {
        for whole in [
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nSet-Cookie: A=1\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nset-cookie: A=1\r\n\r\n\
             3\r\nbod\r\n1;x=y\r\ny\r\n0\r\n\r\n",
        ] {
            for length in 0..whole.len() {
                assert_eq!(split(&whole.as_bytes()[..length]).unwrap(), None, "{length} bytes");
            }
            let more = format!("{whole}HTTP");
            let (response, rest) = split(more.as_bytes()).unwrap().unwrap();
            assert_eq!((&*response.body, rest), (&b"body"[..], &b"HTTP"[..]));
            assert_eq!(response.headers("set-cookie").collect::<Vec<_>>(), ["A=1"]);
        }
    }

    #[test]
    fn what_is_no_success_is_an_error() {
        let error = split(b"HTTP/1.1 404 Not Found\r\n\r\nnothing here").unwrap_err();
        assert_eq!(error.to_string(), "the server answered HTTP/1.1 404 Not Found nothing here");
        assert!(split(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(split(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
    }
}

//! Requests of HTTP/1.1 as far as the floor needs them: where one ends, and what it asks for.

use memchr::memmem;

/// A request that has arrived whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

/// What has arrived is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Takes the first request off `bytes`, with what follows it; none when it is not whole yet.
pub(super) fn split(bytes: &[u8]) -> Result<Option<(Request<'_>, &[u8])>, Malformed> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = memmem::find(bytes, END) else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed)?;
    let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut words = first.split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Malformed);
    };
    let length = headers.split("\r\n").find_map(content_length).unwrap_or(Ok(0))?;
    let rest = bytes[end + END.len()..].split_at_checked(length);
    Ok(rest.map(|(_, rest)| (Request { method, path }, rest)))
}

fn content_length(line: &str) -> Option<Result<usize, Malformed>> {
    const NAME: &str = "content-length:";
    let name = line.get(..NAME.len())?;
    let value = &line[NAME.len()..];
    name.eq_ignore_ascii_case(NAME).then(|| value.trim().parse().map_err(|_| Malformed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX: y\r\n\r\n[]";

    #[test]
    fn a_request_is_taken_when_its_body_is_there() {
        let request = Request { method: "POST", path: "/hold" };
        for length in 0..WHOLE.len() {
            assert_eq!(split(&WHOLE.as_bytes()[..length]), Ok(None), "{length} bytes");
        }
        let two = WHOLE.repeat(2);
        let rest = WHOLE.as_bytes();
        assert_eq!(split(two.as_bytes()), Ok(Some((request, rest))));
    }

    #[test]
    fn a_request_without_length_has_no_body() {
        let (request, rest) = split(b"GET / HTTP/1.1\r\n\r\nmore").unwrap().unwrap();
        assert_eq!(request, Request { method: "GET", path: "/" });
        assert_eq!(rest, b"more");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bytes in [
            "\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            "GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        ] {
            assert_eq!(split(bytes.as_bytes()), Err(Malformed), "{bytes:?}");
        }
        assert_eq!(split(b"\xff / HTTP/1.1\r\n\r\n"), Err(Malformed));
    }
}

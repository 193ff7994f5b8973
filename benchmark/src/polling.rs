//! A client's connection for long-polling, with the cookies of a browser.

use std::{
    fmt::Write as _,
    task::{Context, Poll},
};

use crate::{
    Result, response,
    target::Target,
    wire::{Scratch, Wire},
};

#[derive(Debug)]
pub(crate) struct Polling {
    wire: Wire,
    /// The beginning of each request, up to the cookies.
    start: String,
    /// The value of the header, empty if there is none.
    pub(crate) cookies: String,
}

impl Polling {
    /// Opens the connection of this number.
    pub(crate) async fn open(
        target: &Target,
        path: &str,
        number: usize,
        scratch: &Scratch,
    ) -> Result<Self> {
        let wire = Wire::new(target.open(number).await?, scratch);
        let start = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json;charset=UTF-8\r\n",
            target.host
        );
        Ok(Self { wire, start, cookies: String::new() })
    }

    /// Posts texts, each in a request, in one write.
    pub(crate) fn send(&mut self, texts: &[String]) -> Result<()> {
        let mut requests = String::new();
        for text in texts {
            requests.push_str(&self.start);
            if !self.cookies.is_empty() {
                let _ = write!(requests, "Cookie: {}\r\n", self.cookies);
            }
            let _ = write!(requests, "Content-Length: {}\r\n\r\n{text}", text.len());
        }
        self.wire.send(requests.as_bytes())
    }

    /// Waits for something to arrive, and calls `take` with the body of each response in it.
    pub(crate) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Poll<Result<()>> {
        let cookies = &mut self.cookies;
        self.wire.poll_receive(context, &mut |bytes| {
            let mut left = bytes;
            while let Some((response, rest)) = response::split(left)? {
                for cookie in response.headers("set-cookie") {
                    keep(cookies, cookie);
                }
                take(&response.body)?;
                left = rest;
            }
            Ok(bytes.len() - left.len())
        })
    }
}

/// Adds a cookie, unless there is one of its name.
fn keep(cookies: &mut String, set_cookie: &str) {
    let cookie = set_cookie.split(';').next().unwrap_or_default().trim();
    let name = cookie.split('=').next().unwrap_or_default();
    let is_known = cookies.split("; ").any(|known| known.split('=').next() == Some(name));
    if !is_known {
        let separator = if cookies.is_empty() { "" } else { "; " };
        let _ = write!(cookies, "{separator}{cookie}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_by_name() {
        let mut cookies = String::new();
        keep(&mut cookies, "A=1; Path=/; HttpOnly");
        keep(&mut cookies, "B=2");
        keep(&mut cookies, "A=3");
        assert_eq!(cookies, "A=1; B=2");
    }
}

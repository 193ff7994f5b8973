//! The way through an HTTP proxy: a tunnel made with `CONNECT`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bayeux_api::client::{FailureKind, TransportFailure};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use url::Url;

use crate::transport::settings::NetworkConfigError;

/// An HTTP proxy that all connections go through, by `CONNECT`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: String,
    credentials: Option<(String, String)>,
}

impl Proxy {
    /// Names a proxy by its URL, `http://host:port` or, for a proxy that wants to know who comes,
    /// `http://user:password@host:port`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), credentials: None }
    }

    /// Sends this user and password to the proxy (`Basic` authorization), in place of those in its
    /// URL.
    #[must_use]
    pub fn with_credentials(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { credentials: Some((user.into(), password.into())), ..self }
    }

    /// Reads the URL.
    pub(super) fn gate(&self) -> Result<Gate, NetworkConfigError> {
        let wrong = |problem: String| NetworkConfigError::Proxy { url: self.shown(), problem };
        let url = Url::parse(&self.url).map_err(|error| wrong(error.to_string()))?;
        if url.scheme() != "http" {
            return Err(wrong(format!("its scheme is {}", url.scheme())));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(wrong("it has no host".to_owned()));
        };
        let credentials = self.credentials.clone().or_else(|| in_url(&url));
        let authorization = credentials.map(|(user, password)| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        });
        Ok(Gate { authority: format!("{host}:{port}"), authorization })
    }

    /// Returns the URL without user and password.
    fn shown(&self) -> String {
        match self.url.rsplit_once('@') {
            None => self.url.clone(),
            Some((before, host)) => {
                let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
                format!("{scheme}://{host}")
            }
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.shown()).finish()
    }
}

/// A proxy whose URL was read.
#[derive(Clone)]
pub(super) struct Gate {
    /// `host:port`.
    pub(super) authority: String,
    authorization: Option<String>,
}

impl Gate {
    /// Asks the proxy at the other end of `stream` to connect it to `target`, which is `host:port`.
    ///
    /// `failed` makes the failures.
    pub(super) async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        target: &str,
        failed: impl Fn(FailureKind, String) -> TransportFailure,
    ) -> Result<(), TransportFailure> {
        let authorization = match &self.authorization {
            Some(value) => format!("Proxy-Authorization: {value}\r\n"),
            None => String::new(),
        };
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        let unreachable = |problem: String| {
            let proxy = &self.authority;
            failed(FailureKind::Unreachable, format!("the proxy {proxy} {problem}"))
        };
        let head = async {
            stream.write_all(request.as_bytes()).await?;
            read_head(stream).await
        };
        let head = head.await.map_err(|error| unreachable(format!("failed: {error}")))?;
        let status = head.as_deref().and_then(status);
        match status {
            None => Err(unreachable("does not speak HTTP".to_owned())),
            Some((200..300, _)) => Ok(()),
            Some((code, words)) => {
                let proxy = &self.authority;
                let reason = format!("the proxy {proxy} answered {words} to CONNECT {target}");
                let mut failure = failed(FailureKind::Status, reason);
                failure.http_code = Some(code);
                Err(failure)
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&self.authority).finish()
    }
}

/// Reads up to the empty line that ends a head, or gives up when it is too long. It reads byte by byte,
/// because what follows belongs to the tunnel; a head is short and read once in a connection.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Option<String>> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MOST_HEAD {
            return Ok(None);
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).ok())
}

/// Reads the status line: the code, and the code with its words.
fn status(head: &str) -> Option<(u16, &str)> {
    let line = head.lines().next()?;
    let (version, words) = line.split_once(' ')?;
    let code = words.get(..3)?.parse().ok()?;
    version.starts_with("HTTP/1.").then_some((code, words.trim_end()))
}

fn in_url(url: &Url) -> Option<(String, String)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decode(url.username()), decode(url.password().unwrap_or_default())))
}

const MOST_HEAD: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_by_its_url() {
        let gate = Proxy::new("http://user:p%40ss@proxy.example:3128").gate().unwrap();
        assert_eq!(gate.authority, "proxy.example:3128");
        assert_eq!(gate.authorization.as_deref(), Some("Basic dXNlcjpwQHNz"));
        let gate = Proxy::new("http://[::1]").with_credentials("a", "b").gate().unwrap();
        assert_eq!(gate.authority, "[::1]:80");
        assert_eq!(gate.authorization.as_deref(), Some("Basic YTpi"));
    }

    #[test]
    fn a_wrong_proxy_is_refused_without_showing_its_password() {
        for url in ["proxy.example:3128", "https://u:secret@proxy.example", "", "http://u:secret@"]
        {
            let error = Proxy::new(url).gate().unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(!format!("{:?}", Proxy::new("http://u:secret@p")).contains("secret"));
    }

    #[test]
    fn a_status_line_is_read() {
        assert_eq!(status("HTTP/1.1 200 OK\r\n\r\n"), Some((200, "200 OK")));
        assert_eq!(status("HTTP/1.0 407\r\n\r\n"), Some((407, "407")));
        assert_eq!(status("SSH-2.0-OpenSSH\r\n\r\n"), None);
        assert_eq!(status("\r\n\r\n"), None);
        assert_eq!(status("HTTP/1.1 2é0\r\n\r\n"), None);
    }
}

//! HTTP requests: each over a connection of its own, or all over one of HTTP/2.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinSet};

/// What the tabs of one browser share: its cookies, and what a proxy adds to its requests.
#[derive(Debug, Default)]
pub struct Browser {
    cookies: Mutex<BTreeMap<String, String>>,
    /// Headers of every request, as a proxy adds them.
    pub headers: Vec<(&'static str, String)>,
}

impl Browser {
    /// Returns the cookie of this name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Sets a cookie, as if the server had.
    pub fn set_cookie(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Forgets all cookies.
    pub fn clear(&self) {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the value of the `Cookie` header, if there are any.
    pub fn header(&self) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Returns what a proxy has added, for a list of headers.
    pub(crate) fn added(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Takes over the cookies of a response.
    pub fn keep(&self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').expect("a cookie has a name and a value");
            self.set_cookie(name, value);
        }
    }
}

/// Sends requests to one address.
#[derive(Debug)]
pub struct Http {
    address: SocketAddr,
    http2: Option<Http2>,
}

#[derive(Debug)]
struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    _connection: JoinSet<()>,
}

impl Http {
    /// Makes a sender of HTTP/1.1 requests. Each has a connection of its own, which is closed when
    /// the future is dropped.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, http2: None }
    }

    /// Makes a sender of HTTP/2 requests with prior knowledge, all over one connection. A stream is
    /// reset when its future is dropped.
    pub async fn http2(address: SocketAddr) -> Self {
        let io = TokioIo::new(connect(address).await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let mut task = JoinSet::new();
        task.spawn(async { drop(connection.await) });
        Self { address, http2: Some(Http2 { sender, _connection: task }) }
    }

    /// Starts making a request for `path`.
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        match self.http2 {
            Some(_) => Request::builder()
                .version(Version::HTTP_2)
                .uri(format!("http://{}{path}", self.address)),
            None => Request::builder().uri(path).header(header::HOST, self.address.to_string()),
        }
        .method(method)
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, hyper::Error> {
        let mut connection = JoinSet::new();
        let response = match &self.http2 {
            Some(http2) => http2.sender.clone().send_request(request).await?,
            None => {
                let io = TokioIo::new(connect(self.address).await);
                let (mut sender, driver) = http1::handshake(io).await?;
                connection.spawn(async { drop(driver.await) });
                sender.send_request(request).await?
            }
        };
        let (parts, body) = response.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }

    /// Posts `body` to `path` with the given headers.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, hyper::Error> {
        let mut request = self.request(Method::POST, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }

    /// Gets `path` with the given headers.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn get(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Response<Bytes>, hyper::Error> {
        let mut request = self.request(Method::GET, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::default()).unwrap()).await
    }
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    // A request is written in two parts, head and body.
    stream.set_nodelay(true).unwrap();
    stream
}

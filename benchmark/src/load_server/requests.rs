//! HTTP requests, counted and timed between the network and Bayeux.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bayeux_server::{BayeuxService, Body};
use http::{Request, Response};
use serde_json::{Value, json};
use tower_service::Service;

use crate::{
    histogram::{Times, grouped},
    say,
};

/// What all requests did.
#[derive(Debug)]
pub(crate) struct Requests {
    is_counting: bool,
    tells_long: bool,
    active: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    since: Instant,
    total: u64,
    /// Answered with a status of 400 or more.
    failed: u64,
    /// The most that were active at once.
    max_active: u64,
    /// How long they took until their answer was there, held connects included: the sum, and the
    /// sum of the squares, in seconds.
    sum: f64,
    squares: f64,
    longest: Duration,
    /// How long the server worked at them: the time that they were held is not in it.
    work: Times,
}

/// What takes longer is told of, as with CometD.
const LONG: Duration = Duration::from_millis(500);

impl Requests {
    pub(crate) fn new(is_counting: bool, tells_long: bool) -> Self {
        let seen = Mutex::new(Seen::new());
        Self { is_counting, tells_long, active: AtomicU64::new(0), seen }
    }

    /// Puts the counting before a service.
    pub(crate) fn count(self: &Arc<Self>, service: BayeuxService) -> Counting {
        let is_on = self.is_counting || self.tells_long;
        Counting { service, requests: is_on.then(|| self.clone()) }
    }

    pub(crate) fn reset(&self) {
        *self.lock() = Seen::new();
    }

    /// Returns what to print; none when nothing is counted.
    pub(crate) fn report(&self) -> Option<String> {
        let seen = self.is_counting.then(|| self.lock().clone())?;
        let (average, deviation) = seen.average();
        let (total, longest) = (seen.sum * 1e3, seen.longest.as_secs_f64() * 1e3);
        let rate = seen.total as f64 / seen.since.elapsed().as_secs_f64();
        Some(format!(
            "{}\nRequests times (total/avg/max - stddev): {total:.0}/{:.3}/{longest:.0} ms - {:.3} \
             (held connects included)\nRequests (total/failed/max - rate): {}/{}/{} - {} requests/s",
            seen.work.titled("Requests - Latency"),
            average * 1e3,
            deviation * 1e3,
            seen.total,
            seen.failed,
            seen.max_active,
            grouped(rate),
        ))
    }

    pub(crate) fn to_json(&self) -> Value {
        if !self.is_counting {
            return Value::Null;
        }
        let seen = self.lock().clone();
        json!({
            "total": seen.total,
            "failed": seen.failed,
            "maxActive": seen.max_active,
            "latency": seen.work.to_json(),
        })
    }

    fn begin(&self) {
        let active = self.active.fetch_add(1, Relaxed) + 1;
        let mut seen = self.lock();
        seen.max_active = seen.max_active.max(active);
    }

    fn end(&self, took: Duration, work: Duration, is_failed: bool) {
        let mut seen = self.lock();
        let seconds = took.as_secs_f64();
        seen.total += 1;
        seen.failed += u64::from(is_failed);
        seen.sum += seconds;
        seen.squares += seconds * seconds;
        seen.longest = seen.longest.max(took);
        seen.work.record(work);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            total: 0,
            failed: 0,
            max_active: 0,
            sum: 0.0,
            squares: 0.0,
            longest: Duration::ZERO,
            work: Times::new(),
        }
    }

    /// Returns the mean and the standard deviation of the times, in seconds.
    fn average(&self) -> (f64, f64) {
        let count = self.total.max(1) as f64;
        let mean = self.sum / count;
        (mean, (self.squares / count - mean * mean).max(0.0).sqrt())
    }
}

/// A service whose requests are counted, unless nobody asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    service: BayeuxService,
    requests: Option<Arc<Requests>>,
}

impl<B> Service<Request<B>> for Counting
where
    BayeuxService: Service<
            Request<B>,
            Response = Response<Body>,
            Error = Infallible,
            Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>,
        >,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Counted;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Counted {
        let count = self.requests.clone().map(|requests| {
            requests.begin();
            let path = requests.tells_long.then(|| request.uri().path().to_owned());
            Count { requests, path, since: Instant::now(), work: Duration::ZERO }
        });
        Counted { answer: self.service.call(request), count }
    }
}

/// A request that is being answered.
pub(crate) struct Counted {
    answer: Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>,
    count: Option<Count>,
}

struct Count {
    requests: Arc<Requests>,
    path: Option<String>,
    since: Instant,
    work: Duration,
}

impl Future for Counted {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let before = self.count.is_some().then(Instant::now);
        let answer = self.answer.as_mut().poll(context);
        if let (Some(count), Some(before)) = (&mut self.count, before) {
            count.work += before.elapsed();
        }
        let response = ready!(answer)?;
        if let Some(count) = &self.count {
            let took = count.since.elapsed();
            let is_failed = response.status().as_u16() >= 400;
            count.requests.end(took, count.work, is_failed);
            count.tell_if_long(took);
        }
        Poll::Ready(Ok(response))
    }
}

impl Count {
    fn tell_if_long(&self, took: Duration) {
        let Some(path) = &self.path else { return };
        let (took, work) = (took.as_millis(), self.work.as_millis());
        // CometD's clients say in the path that a request is a connect, which may be held.
        let is_held = path.ends_with("/connect");
        let long = LONG.as_millis();
        if work > long || (took > long && !is_held) {
            say::note(format!("a request to {path} took {took} ms, {work} ms of it work"));
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.requests.active.fetch_sub(1, Relaxed);
    }
}

//! A link to a server that breaks as a test says.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
};

/// A TCP link to a server, which a test can break. It lasts until it is dropped.
#[derive(Debug)]
pub struct Link {
    /// Where clients connect to.
    pub address: SocketAddr,
    state: Arc<LinkState>,
    _carrying: JoinSet<()>,
}

#[derive(Debug)]
struct LinkState {
    target: Mutex<SocketAddr>,
    /// How often the link was cut.
    cuts: watch::Sender<usize>,
    is_silent: watch::Sender<bool>,
    is_refusing: watch::Sender<bool>,
    /// How many connections there were.
    connections: AtomicUsize,
    /// How often bytes of clients were held up, since the link was silent.
    held: AtomicUsize,
    /// How many bytes still go to clients before the next cut.
    left: Mutex<Option<usize>>,
    was_cut: Notify,
}

impl Link {
    /// Makes a link to `target`.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(LinkState {
            target: Mutex::new(target),
            cuts: watch::Sender::new(0),
            is_silent: watch::Sender::new(false),
            is_refusing: watch::Sender::new(false),
            connections: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            left: Mutex::default(),
            was_cut: Notify::new(),
        });
        let mut carrying = JoinSet::new();
        let shared = state.clone();
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                if *shared.is_refusing.borrow() {
                    continue;
                }
                let target = *shared.target.lock().unwrap();
                let Ok(far) = TcpStream::connect(target).await else { continue };
                shared.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(carry(near, far, shared.clone()));
            }
        });
        Self { address, state, _carrying: carrying }
    }

    /// Returns the address for clients.
    pub fn url(&self) -> String {
        format!("http://{}/cometd", self.address)
    }

    /// Returns how many connections it has carried so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Returns how often it has held up what clients sent, since it was [silent](Self::silence).
    pub fn held(&self) -> usize {
        self.state.held.load(Ordering::Relaxed)
    }

    /// Ends all connections; what was held up is lost.
    pub fn cut(&self) {
        self.state.cut();
    }

    /// Leads new connections to `target`.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.state.target.lock().unwrap() = target;
    }

    /// Carries nothing more, without a word, or goes on.
    pub fn silence(&self, is_silent: bool) {
        self.state.is_silent.send_replace(is_silent);
    }

    /// Closes new connections at once, or no longer.
    pub fn refuse(&self, is_refusing: bool) {
        self.state.is_refusing.send_replace(is_refusing);
    }

    /// Cuts the link when `left` bytes more have gone to clients. Then it is whole again.
    pub fn cut_after(&self, left: usize) {
        *self.state.left.lock().unwrap() = Some(left);
    }

    /// Returns whether the cut is still to come, and forgets it.
    pub fn take_cut(&self) -> bool {
        self.state.left.lock().unwrap().take().is_some()
    }

    /// Waits until the link was cut after so many bytes.
    pub async fn was_cut(&self) {
        crate::within("the cut", self.state.was_cut.notified()).await;
    }
}

impl LinkState {
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Returns how many of `count` bytes may go to the client, and whether the link is cut then.
    fn allow(&self, count: usize) -> (usize, bool) {
        let mut left = self.left.lock().unwrap();
        match *left {
            Some(most) if most <= count => {
                *left = None;
                (most, true)
            }
            Some(most) => {
                *left = Some(most - count);
                (count, false)
            }
            None => (count, false),
        }
    }
}

async fn carry(near: TcpStream, far: TcpStream, state: Arc<LinkState>) {
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let mut cuts = state.cuts.subscribe();
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let up = async {
        let mut silent = state.is_silent.subscribe();
        let mut part = vec![0; 16 * 1024];
        loop {
            let count = near_read.read(&mut part).await.unwrap_or(0);
            if *silent.borrow() && count > 0 {
                state.held.fetch_add(1, Ordering::Relaxed);
            }
            let _ = silent.wait_for(|is_silent| !is_silent).await;
            if count == 0 || far_write.write_all(&part[..count]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut silent = state.is_silent.subscribe();
        let mut part = vec![0; 16 * 1024];
        loop {
            let count = far_read.read(&mut part).await.unwrap_or(0);
            let _ = silent.wait_for(|is_silent| !is_silent).await;
            if count == 0 {
                return;
            }
            let (count, is_cut) = state.allow(count);
            let is_written = near_write.write_all(&part[..count]).await.is_ok();
            if is_cut {
                state.cut();
                state.was_cut.notify_one();
            }
            if is_cut || !is_written {
                return;
            }
        }
    };
    // What is held up goes nowhere any more, be the link silent no longer.
    tokio::select! {
        biased;
        _ = cuts.changed() => {}
        () = up => {}
        () = down => {}
    }
}

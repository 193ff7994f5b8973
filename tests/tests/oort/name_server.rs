//! A name server of a test's own.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::SRV},
};
use tokio::{net::UdpSocket, task::JoinHandle};

/// Answers over UDP what it was told to; it ends when it is dropped.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    running: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<String, Vec<RData>>,
    lifetime: u32,
    is_broken: bool,
    asked: usize,
}

impl NameServer {
    /// Starts one whose answers hold for so many seconds.
    pub(crate) async fn start(lifetime: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { lifetime, ..State::default() }));
        let running = tokio::spawn(serve(socket, state.clone()));
        Self { address, state, running }
    }

    /// Has `name` stand for these addresses.
    pub(crate) fn set_addresses(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse::<IpAddr>().unwrap().into());
        self.set(name, addresses.collect());
    }

    /// Has `name` stand for the services at these hosts and ports.
    pub(crate) fn set_services(&self, name: &str, services: &[(&str, u16)]) {
        let service = |(host, port): &(&str, u16)| {
            RData::SRV(SRV::new(0, 0, *port, Name::from_ascii(host).unwrap()))
        };
        self.set(name, services.iter().map(service).collect());
    }

    fn set(&self, name: &str, records: Vec<RData>) {
        self.state.lock().unwrap().records.insert(format!("{name}."), records);
    }

    /// Has it fail from now on, or no longer.
    pub(crate) fn set_broken(&self, is_broken: bool) {
        self.state.lock().unwrap().is_broken = is_broken;
    }

    /// Returns how many questions there were.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 2_000];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        let answer = state.lock().unwrap().answer(&question);
        socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
    }
}

impl State {
    fn answer(&mut self, question: &Message) -> Message {
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        let query = question.queries[0].clone();
        self.asked += 1;
        let known = self.records.get(&query.name.to_ascii().to_lowercase());
        answer.metadata.response_code = match known {
            _ if self.is_broken => ResponseCode::ServFail,
            Some(records) => {
                let of_type = records.iter().filter(|data| data.record_type() == query.query_type);
                let of_type = of_type.map(|data| {
                    Record::from_rdata(query.name.clone(), self.lifetime, data.clone())
                });
                answer.answers.extend(of_type);
                ResponseCode::NoError
            }
            None => ResponseCode::NXDomain,
        };
        debug_assert!(query.query_type != RecordType::ANY, "nobody asks for all");
        answer.add_query(query);
        answer
    }
}

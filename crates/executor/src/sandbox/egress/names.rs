//! Who answers when a container asks for names: what is denied is refused, what is allowed is asked of
//! the machine's resolvers, and its addresses are let through before the answer is given.

use super::{filter, set};
use crate::egress::{Effect, Egress};
use hickory_proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::RData,
};
use std::{
    collections::{BTreeMap, HashSet},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc::UnboundedSender},
    task::spawn_blocking,
    time::timeout,
};

/// How long a resolver may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long addresses are let through at least, in seconds: programs keep them that long themselves.
const SECONDS_MIN: u32 = 60;
/// And at most: a day.
const SECONDS_MAX: u32 = 86_400;
/// Questions of one container that are asked at once.
const AT_ONCE_MAX: usize = 64;
/// Names that are told as denied, each once.
const DENIED_MAX: usize = 100;
/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// How a question came, and goes on.
#[derive(Clone, Copy)]
enum By {
    Datagram,
    Stream,
}

/// What is known to whoever answers one container.
#[derive(Clone)]
pub(super) struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    egress: Egress,
    table: String,
    resolvers: Vec<Ipv4Addr>,
    denied: UnboundedSender<String>,
    told: Mutex<HashSet<String>>,
    at_once: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(
        egress: Egress,
        table: String,
        resolvers: Vec<Ipv4Addr>,
        denied: UnboundedSender<String>,
    ) -> Self {
        let (told, at_once) = (Mutex::default(), Arc::new(Semaphore::new(AT_ONCE_MAX)));
        Self { inner: Arc::new(Inner { egress, table, resolvers, denied, told, at_once }) }
    }

    /// Answers datagrams for good.
    pub(super) async fn serve_datagrams(self, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
            let Ok(turn) = Arc::clone(&self.inner.at_once).try_acquire_owned() else { continue };
            let (asked, inner) = (buffer[..length].to_vec(), Arc::clone(&self.inner));
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                if let Some(answer) = inner.answer(&asked, By::Datagram).await {
                    // Whoever does not hear it asks again.
                    let _ = socket.send_to(&answer, from).await;
                }
                drop(turn);
            });
        }
    }

    /// Answers connections for good.
    pub(super) async fn serve_streams(self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let Ok(turn) = Arc::clone(&self.inner.at_once).try_acquire_owned() else { continue };
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move {
                // A connection that breaks or says nothing is its own end.
                let _ = timeout(2 * PATIENCE, inner.converse(stream)).await;
                drop(turn);
            });
        }
    }
}

impl Inner {
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let asked = read_framed(&mut stream).await?;
            let Some(answer) = self.answer(&asked, By::Stream).await else { return Ok(()) };
            write_framed(&mut stream, &answer).await?;
        }
    }

    /// The answer to a question; none to what is none.
    async fn answer(&self, asked: &[u8], by: By) -> Option<Vec<u8>> {
        let message = Message::from_vec(asked).ok()?;
        let refused = |code| {
            let mut answer =
                Message::error_msg(message.metadata.id, message.metadata.op_code, code);
            answer.add_queries(message.queries.iter().cloned());
            answer.to_vec().ok()
        };
        let [query] = &message.queries[..] else { return refused(ResponseCode::FormErr) };
        if message.metadata.message_type != MessageType::Query
            || message.metadata.op_code != OpCode::Query
        {
            return refused(ResponseCode::NotImp);
        }
        let name = query.name().to_ascii();
        let (effect, rule) = self.egress.judge(&name);
        if effect == Effect::Deny {
            self.tell(name.trim_end_matches('.'));
            return refused(ResponseCode::Refused);
        }
        match self.ask(asked, by).await {
            Some(answer) if self.let_through(&answer, rule).await.is_some() => Some(answer),
            _ => refused(ResponseCode::ServFail),
        }
    }

    /// Tells each denied name once.
    fn tell(&self, name: &str) {
        let mut told = self.told.lock().expect("no holder of this lock panics");
        if told.len() < DENIED_MAX && told.insert(name.to_owned()) {
            // Whoever listened may have gone.
            let _ = self.denied.send(name.to_owned());
        }
    }

    /// What the first of the machine's resolvers says that says something.
    async fn ask(&self, asked: &[u8], by: By) -> Option<Vec<u8>> {
        for resolver in &self.resolvers {
            let resolver = SocketAddr::from((*resolver, 53));
            let answer = match by {
                By::Datagram => timeout(PATIENCE, ask_by_datagram(resolver, asked)).await,
                By::Stream => timeout(PATIENCE, ask_by_stream(resolver, asked)).await,
            };
            match answer {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => tracing::debug!(%resolver, %error, "a resolver says nothing"),
                Err(_) => tracing::debug!(%resolver, "a resolver says nothing in time"),
            }
        }
        None
    }

    /// Lets the addresses of an answer through; none when that fails.
    async fn let_through(&self, answer: &[u8], rule: Option<usize>) -> Option<()> {
        let Some(rule) = rule else { return Some(()) };
        let answer = Message::from_vec(answer).ok()?;
        let address = |data: &RData| match data {
            RData::A(address) => Some(address.0),
            _ => None,
        };
        let seconds = |ttl: u32| ttl.clamp(SECONDS_MIN, SECONDS_MAX);
        let found = answer.answers.iter();
        let found: BTreeMap<Ipv4Addr, u32> = found
            .filter_map(|record| Some((address(&record.data)?, seconds(record.ttl))))
            .collect();
        if found.is_empty() {
            return Some(());
        }
        let (table, set) = (&self.table, set(rule));
        // An element that is there keeps its time unless it is made anew.
        let addresses: Vec<_> = found.keys().map(ToString::to_string).collect();
        let elements: Vec<_> = found
            .iter()
            .map(|(address, seconds)| format!("{address} timeout {seconds}s"))
            .collect();
        let (addresses, elements) = (addresses.join(", "), elements.join(", "));
        let rules = format!(
            "add element inet {table} {set} {{ {addresses} }}\n\
             delete element inet {table} {set} {{ {addresses} }}\n\
             add element inet {table} {set} {{ {elements} }}\n"
        );
        match spawn_blocking(move || filter(&rules)).await {
            Ok(Ok(())) => Some(()),
            Ok(Err(fault)) => {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, "addresses cannot be let through");
                None
            }
            Err(_) => None,
        }
    }
}

async fn ask_by_datagram(resolver: SocketAddr, asked: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).await?;
    socket.connect(resolver).await?;
    socket.send(asked).await?;
    let mut answer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut answer).await?;
        // Another answer than to this question is somebody else's.
        if answer[..length].get(..2) == asked.get(..2) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn ask_by_stream(resolver: SocketAddr, asked: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    write_framed(&mut stream, asked).await?;
    read_framed(&mut stream).await
}

async fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn write_framed(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(bytes);
    stream.write_all(&framed).await
}

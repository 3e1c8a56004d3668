//! A store of objects that answers as S3 does, in memory, and checks that requests are signed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Requests answered with 503 before any is served.
pub(crate) type Refusals = u32;

/// The store, for as long as its process lives.
pub(crate) struct Store {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    parts: BTreeMap<u32, Vec<u8>>,
    pending: BTreeMap<String, String>,
    requests: Vec<String>,
    refusals: Refusals,
    /// How many requests are served before every bucket is gone.
    served_max: Option<usize>,
}

/// An object as it was put.
#[derive(Clone, Default)]
pub(crate) struct Object {
    pub(crate) body: Vec<u8>,
    /// The metadata, without `x-amz-meta-`.
    pub(crate) metadata: BTreeMap<String, String>,
    /// The number of the request that put it, as its time.
    modified: usize,
}

impl Store {
    /// Starts on a port of its own.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&served));
                thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { endpoint, state }
    }

    /// Puts an object, `bucket/key`, where builds find it.
    pub(crate) fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        let object = Object { body: body.into(), ..Object::default() };
        self.state.lock().unwrap().objects.insert(format!("/{path}"), object);
    }

    /// Takes an object away.
    pub(crate) fn remove(&self, path: &str) {
        self.state.lock().unwrap().objects.remove(&format!("/{path}")).unwrap();
    }

    /// Answers the next requests with 503.
    pub(crate) fn refuse(&self, refusals: Refusals) {
        self.state.lock().unwrap().refusals = refusals;
    }

    /// Serves so many requests, and has no bucket from then on.
    pub(crate) fn vanish_after(&self, requests: usize) {
        self.state.lock().unwrap().served_max = Some(requests);
    }

    /// The object at `bucket/key`.
    pub(crate) fn object(&self, path: &str) -> Object {
        self.state.lock().unwrap().objects[&format!("/{path}")].clone()
    }

    /// All paths, one a line.
    pub(crate) fn paths(&self) -> String {
        let state = self.state.lock().unwrap();
        state.objects.keys().map(|path| format!("{path}\n")).collect()
    }

    /// Method, path and what is special of every request.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

/// A request.
pub(crate) struct Call {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(call) = read_call(&mut reader) {
        let (status, headers, body) = answer(&call, &mut state.lock().unwrap());
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n");
        let mut writer = stream;
        writer.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    }
}

/// The next request of a connection.
pub(crate) fn read_call(reader: &mut BufReader<&TcpStream>) -> Option<Call> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), decode(value))
    };
    let query = query.split('&').map(pair).collect();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Call { method, path: decode(path), query, headers, body })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            let digits = str::from_utf8(&digits).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

type Answer = (u16, String, Vec<u8>);

fn answer(call: &Call, state: &mut State) -> Answer {
    let query = |name: &str| call.query.get(name).map(String::as_str);
    assert_eq!(query("X-Amz-Security-Token"), Some("token"));
    assert!(query("X-Amz-Credential").unwrap().starts_with("ASIABUILD/"));
    let signed = query("X-Amz-SignedHeaders").unwrap().split(';').collect::<Vec<_>>();
    for name in call.headers.keys().filter(|name| name.starts_with("x-amz-")) {
        assert!(signed.contains(&name.as_str()), "{name} is not signed");
    }
    let special = ["uploads", "partNumber", "uploadId", "list-type", "versionId"]
        .iter()
        .filter_map(|name| Some(format!(" {name}={}", query(name)?)));
    state.requests.push(format!("{} {}{}", call.method, call.path, special.collect::<String>()));
    if state.refusals > 0 {
        state.refusals -= 1;
        return error(503, "SlowDown", "Reduce your request rate.");
    }
    let vanished = state.served_max.is_some_and(|served_max| state.requests.len() > served_max);
    if vanished || call.path.starts_with("/gone/") {
        return error(404, "NoSuchBucket", "The specified bucket does not exist");
    }
    match (call.method.as_str(), query("list-type"), query("uploadId"), query("uploads")) {
        ("GET", Some(_), _, _) => list(call, state),
        ("GET", None, _, _) => match state.objects.get(&call.path) {
            Some(object) => read(call, object),
            None => error(404, "NoSuchKey", "The specified key does not exist."),
        },
        ("PUT" | "POST", _, _, None)
            if call.headers.get("if-none-match").is_some_and(|wanted| wanted == "*")
                && state.objects.contains_key(&call.path) =>
        {
            error(412, "PreconditionFailed", "An object is there.")
        }
        ("PUT", _, None, _) => {
            let put = object(state, &call.headers, call.body.clone());
            state.objects.insert(call.path.clone(), put);
            (200, String::new(), Vec::new())
        }
        ("DELETE", _, Some(_), _) => {
            state.parts.clear();
            (204, String::new(), Vec::new())
        }
        ("PUT", _, Some(_), _) => {
            let number = query("partNumber").unwrap().parse().unwrap();
            state.parts.insert(number, call.body.clone());
            (200, format!("etag: \"part{number}\"\r\n"), Vec::new())
        }
        ("POST", _, _, Some(_)) => {
            state.pending = call.headers.clone();
            xml("<InitiateMultipartUploadResult xmlns=\"NS\"><UploadId>U1</UploadId>\
                 </InitiateMultipartUploadResult>")
        }
        ("POST", _, Some(_), None) => {
            let tags = String::from_utf8(call.body.clone()).unwrap();
            for number in state.parts.keys() {
                assert!(tags.contains(&format!("part{number}")), "{tags}");
            }
            let body = std::mem::take(&mut state.parts).into_values().flatten().collect();
            let put = object(state, &state.pending, body);
            state.objects.insert(call.path.clone(), put);
            xml("<CompleteMultipartUploadResult/>")
        }
        _ => error(405, "MethodNotAllowed", "Not here."),
    }
}

/// The object, or what is asked for of it.
fn read(call: &Call, object: &Object) -> Answer {
    use md5::{Digest, Md5};
    let tag = format!("\"{}\"", hex::encode(Md5::digest(&object.body)));
    if call.headers.get("if-match").is_some_and(|wanted| *wanted != tag) {
        return error(412, "PreconditionFailed", "Another object is there.");
    }
    let Some(range) = call.headers.get("range").map(|range| &range["bytes=".len()..]) else {
        return (200, format!("etag: {tag}\r\n"), object.body.clone());
    };
    let length = object.body.len();
    let (first, last) = range.split_once('-').unwrap();
    let (first, end) = match first.parse::<usize>() {
        Ok(first) => (first, last.parse::<usize>().map_or(length, |last| length.min(last + 1))),
        Err(_) => (length.saturating_sub(last.parse().unwrap()), length),
    };
    if first >= end {
        return error(416, "InvalidRange", "The requested range is not satisfiable");
    }
    let headers = format!("etag: {tag}\r\ncontent-range: bytes {first}-{}/{length}\r\n", end - 1);
    (206, headers, object.body[first..end].to_vec())
}

fn object(state: &State, headers: &BTreeMap<String, String>, body: Vec<u8>) -> Object {
    let metadata = headers.iter().filter_map(|(name, value)| {
        Some((name.strip_prefix("x-amz-meta-")?.to_owned(), value.clone()))
    });
    Object { body, metadata: metadata.collect(), modified: state.requests.len() }
}

/// Pages of two keys.
fn list(call: &Call, state: &State) -> Answer {
    let prefix = format!("{}/{}", call.path.trim_end_matches('/'), call.query["prefix"]);
    let after = call.query.get("continuation-token").cloned().unwrap_or_default();
    let bucket = format!("{}/", call.path.trim_end_matches('/'));
    let mut keys = state.objects.keys().filter(|path| path.starts_with(&prefix));
    let page: Vec<_> = keys.by_ref().filter(|path| **path > after).take(2).collect();
    let contents: String = page
        .iter()
        .map(|path| {
            let (key, modified) = (&path[bucket.len()..], state.objects[*path].modified);
            format!(
                "<Contents><Key>{key}</Key><LastModified>{modified:09}</LastModified></Contents>"
            )
        })
        .collect();
    let more = match (keys.next(), page.last()) {
        (Some(_), Some(last)) => format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
        ),
        _ => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    xml(&format!("<ListBucketResult xmlns=\"NS\">{contents}{more}</ListBucketResult>"))
}

fn xml(text: &str) -> Answer {
    let text = text.replace("NS", "http://s3.amazonaws.com/doc/2006-03-01/");
    (200, String::new(), text.into_bytes())
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let text = format!(
        "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>R1</RequestId>\
         <HostId>H1</HostId></Error>"
    );
    (status, String::new(), text.into_bytes())
}

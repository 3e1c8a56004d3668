//! A small client: one connection that is kept, JSON requests, signed by our own code.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant, SystemTime},
};
use wire::sigv4::{Credentials, sign};

/// Where everything is.
pub(crate) const REGION: &str = "eu-central-1";

/// How long what a log is to tell may be waited for.
const TOLD_WITHIN_MAX: Duration = Duration::from_secs(120);

/// One connection to the service.
pub(crate) struct Client {
    connection: BufReader<TcpStream>,
    address: SocketAddr,
    credentials: Credentials,
    /// Whether the other side has said that it closes the connection.
    closed: bool,
}

/// What the service answered.
pub(crate) enum Answer {
    Done(Value),
    /// The error's type, as the service spells it.
    Refused(String),
}

/// A log that is followed, as the service tells of it.
pub(crate) struct Tail {
    connection: BufReader<TcpStream>,
    read: Vec<u8>,
}

impl Tail {
    /// Reads on, and gives all that was read so far.
    pub(crate) fn more(&mut self) -> Result<&[u8]> {
        let new = self.connection.fill_buf()?;
        ensure!(!new.is_empty(), "the log is told no further");
        self.read.extend_from_slice(new);
        let count = new.len();
        self.connection.consume(count);
        ensure!(self.read.starts_with(b"HTTP/1.1 200"), "a log is not told");
        Ok(&self.read)
    }

    /// Reads on until this was told.
    pub(crate) fn until(&mut self, told: &[u8]) -> Result<()> {
        let began = Instant::now();
        while !self.more()?.windows(told.len()).any(|part| part == told) {
            // The service says each second that it is there.
            ensure!(began.elapsed() < TOLD_WITHIN_MAX, "it is not told for {TOLD_WITHIN_MAX:?}");
        }
        Ok(())
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, credentials: Credentials) -> Result<Self> {
        Ok(Self { connection: connected(address)?, address, credentials, closed: false })
    }

    pub(crate) fn codebuild(&mut self, operation: &str, input: &Value) -> Result<Value> {
        match self.call("codebuild", &format!("CodeBuild_20161006.{operation}"), input)? {
            Answer::Done(output) => Ok(output),
            Answer::Refused(error) => bail!("{operation} is refused: {error}"),
        }
    }

    pub(crate) fn parameters(&mut self, operation: &str, input: &Value) -> Result<Value> {
        match self.call("ssm", &format!("AmazonSSM.{operation}"), input)? {
            Answer::Done(output) => Ok(output),
            Answer::Refused(error) => bail!("{operation} is refused: {error}"),
        }
    }

    pub(crate) fn logs(&mut self, operation: &str, input: &Value) -> Result<Answer> {
        self.call("logs", &format!("Logs_20140328.{operation}"), input)
    }

    /// Follows what is logged in a group from now on, on a connection of its own.
    pub(crate) fn tail(&self, group_arn: &str) -> Result<Tail> {
        let mut client = Self::connect(self.address, self.credentials.clone())?;
        let body = serde_json::to_vec(&json!({ "logGroupIdentifiers": [group_arn] }))?;
        client.send("logs", "Logs_20140328.StartLiveTail", &body)?;
        let mut tail = Tail { connection: client.connection, read: Vec::new() };
        // The first frame says that the session has begun.
        tail.until(b"sessionId")?;
        Ok(tail)
    }

    fn call(&mut self, service: &str, target: &str, input: &Value) -> Result<Answer> {
        let body = serde_json::to_vec(input)?;
        if self.closed {
            self.connection = connected(self.address)?;
        }
        self.send(service, target, &body).context("a request")?;
        let (status, answer) = self.receive().context("an answer")?;
        // Some answer nothing where there is nothing to say.
        let output: Value = match &answer[..] {
            [] => Value::Null,
            answer => serde_json::from_slice(answer)?,
        };
        if status == 200 {
            return Ok(Answer::Done(output));
        }
        Ok(Answer::Refused(output["__type"].as_str().unwrap_or_default().to_owned()))
    }

    fn send(&mut self, service: &str, target: &str, body: &[u8]) -> Result<()> {
        let request = http::Request::post(format!("http://{}/", self.address))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .header("content-length", body.len())
            .body(())?;
        let (mut parts, ()) = request.into_parts();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        sign(&mut parts, body, &self.credentials, (REGION, service), i64::try_from(now)?)?;
        let mut text = b"POST / HTTP/1.1\r\n".to_vec();
        for (name, value) in &parts.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(body);
        Ok(self.connection.get_mut().write_all(&text)?)
    }

    fn receive(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        self.connection.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no status line: {line:?}"))?;
        self.closed = line.starts_with("HTTP/1.0");
        let mut length = 0;
        loop {
            line.clear();
            self.connection.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse()?;
                }
                Some((name, value)) if name.eq_ignore_ascii_case("connection") => {
                    self.closed = value.eq_ignore_ascii_case("close");
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body)?;
        Ok((status, body))
    }
}

fn connected(address: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).context("a connection")?;
    stream.set_nodelay(true).context("a connection without delay")?;
    Ok(BufReader::new(stream))
}

//! Requests without a signature, over TCP or a socket in the file system: what Buildbot and
//! container engines take.

use super::peer::RUN_MAX;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
};

/// Where requests go.
#[derive(Clone)]
pub(super) enum Place {
    Address(SocketAddr),
    Socket(PathBuf),
}

trait Stream: Read + Write {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

impl Place {
    /// Asks, and gives the JSON that is answered; null when nothing is.
    pub(super) fn json(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let text = self.text(method, path, body)?;
        if text.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&text).context("an answer in JSON")
    }

    /// Asks, and gives all that is answered.
    pub(super) fn text(&self, method: &str, path: &str, body: &Value) -> Result<Vec<u8>> {
        let (status, mut answer) = self.ask(method, path, body)?;
        let mut text = Vec::new();
        answer.read_to_end(&mut text)?;
        ensure!(status < 400, "{path}: {status} {}", String::from_utf8_lossy(&text));
        Ok(text)
    }

    /// Asks, and reads the answer as it comes until a text is in it.
    pub(super) fn until(&self, path: &str, text: &[u8]) -> Result<bool> {
        let (status, mut answer) = self.ask("GET", path, &Value::Null)?;
        ensure!(status < 400, "{path}: {status}");
        let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            match answer.read(&mut chunk)? {
                0 => return Ok(false),
                count => read.extend_from_slice(&chunk[..count]),
            }
            if super::peer::contains(&read, text) {
                return Ok(true);
            }
        }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Box<dyn Read>)> {
        let mut stream: Box<dyn Stream> = match self {
            Self::Address(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(RUN_MAX))?;
                Box::new(stream)
            }
            Self::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(RUN_MAX))?;
                Box::new(stream)
            }
        };
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat())?;
        answer(BufReader::new(stream))
    }
}

fn answer(mut stream: BufReader<Box<dyn Stream>>) -> Result<(u16, Box<dyn Read>)> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.with_context(|| format!("no status line: {line:?}"))?;
    let mut chunked = false;
    let mut length = None;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked";
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse()?);
        }
    }
    Ok((
        status,
        match (chunked, length) {
            (true, _) => Box::new(Chunked { stream, left: 0 }),
            (false, Some(length)) => Box::new(stream.take(length)),
            (false, None) => Box::new(stream),
        },
    ))
}

/// A body that comes in chunks, each behind its length.
struct Chunked {
    stream: BufReader<Box<dyn Stream>>,
    left: usize,
}

impl Read for Chunked {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            let mut line = String::new();
            while line.trim().is_empty() {
                line.clear();
                if self.stream.read_line(&mut line)? == 0 {
                    return Ok(0);
                }
            }
            self.left = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = self.left.min(into.len());
        let count = self.stream.read(&mut into[..most])?;
        self.left -= count;
        Ok(count)
    }
}

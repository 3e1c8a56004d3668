//! Git repositories behind a password, as git's own server program serves them, and a service that
//! gives that password out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use tempfile::TempDir;

/// The only user.
pub(crate) const USER: &str = "x-access-token";
/// The user's password.
pub(crate) const PASSWORD: &str = "t0p-s3cret-t0ken";

/// A server, for as long as its process lives.
pub(crate) struct GitServer {
    /// Where it listens, such as `http://127.0.0.1:1234`.
    pub(crate) url: String,
    /// Where the service listens that knows the password.
    pub(crate) credentials_url: String,
    folder: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
    questions: Arc<Mutex<Vec<String>>>,
    bytes_sent: Arc<AtomicU64>,
}

/// Who may read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Open,
    /// Who has the password.
    Password,
}

impl GitServer {
    /// Starts the server and the service on ports of their own.
    pub(crate) fn start(access: Access) -> Self {
        let folder = TempDir::with_prefix("git-server").unwrap();
        let (requests, questions) = (Arc::default(), Arc::default());
        let bytes_sent = Arc::<AtomicU64>::default();
        let root = folder.path().to_owned();
        let (log, sent) = (Arc::clone(&requests), Arc::clone(&bytes_sent));
        let url = serve(move |call| {
            let log: &Mutex<Vec<String>> = &log;
            log.lock().unwrap().push(format!("{} {}", call.method, call.target));
            let authorization = call.headers.get("authorization").map(String::as_str);
            if access == Access::Password && authorization != Some(&basic()) {
                let head = "www-authenticate: Basic realm=\"git\"\r\n".to_owned();
                return (401, head, b"who are you?\n".to_vec());
            }
            let answer = backend(&root, call);
            sent.fetch_add(answer.2.len() as u64, Ordering::Relaxed);
            answer
        });
        let log = Arc::clone(&questions);
        let credentials_url = serve(move |call| {
            let log: &Mutex<Vec<String>> = &log;
            let question = String::from_utf8_lossy(&call.body).into_owned();
            let answer = format!("username={USER}\npassword={PASSWORD}\n");
            log.lock().unwrap().push(question);
            (200, String::new(), answer.into_bytes())
        });
        Self { url, credentials_url, folder, requests, questions, bytes_sent }
    }

    /// A repository with one branch, `main`, and the files given.
    pub(crate) fn repository(&self, name: &str, files: &[(&str, &str)]) -> Repository {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        let repository = Repository { path };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["config", "receive.denyCurrentBranch", "ignore"]);
        repository.commit(files);
        repository
    }

    /// Method and target of every request.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many bytes of repositories have been sent.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    /// What the service was asked for.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.questions.lock().unwrap().clone()
    }
}

/// A repository that is served, with a work tree to commit from.
pub(crate) struct Repository {
    pub(crate) path: PathBuf,
}

impl Repository {
    /// Runs git in it and gives what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(&self.path)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", "/nonexistent")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Ann")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "ann@host")))
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    /// Names a commit of another repository as a submodule at `path`, to be found at `url`.
    pub(crate) fn add_submodule(&self, path: &str, url: &str, commit: &str) {
        let text = format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n");
        fs::write(self.path.join(".gitmodules"), text).unwrap();
        self.git(&["add", ".gitmodules"]);
        let entry = format!("160000,{commit},{path}");
        self.git(&["update-index", "--add", "--cacheinfo", &entry]);
        self.git(&["commit", "--quiet", "--message=a submodule"]);
    }

    /// Commits files, and gives the commit's id.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.path.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=a change"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

fn basic() -> String {
    // Base64 of "x-access-token:t0p-s3cret-t0ken".
    "Basic eC1hY2Nlc3MtdG9rZW46dDBwLXMzY3JldC10MGtlbg==".to_owned()
}

/// A request.
pub(crate) struct Call {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

type Answer = (u16, String, Vec<u8>);

/// Serves on a port of its own, one request a connection, and gives the address.
pub(crate) fn serve(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            thread::spawn(move || {
                let Some(call) = read_call(&stream) else { return };
                let (status, headers, body) = answer(&call);
                let head = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
                    body.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            });
        }
    });
    url
}

fn read_call(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
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
    Some(Call { method, target, headers, body })
}

/// Has git's own server program answer.
fn backend(root: &std::path::Path, call: &Call) -> Answer {
    let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
    let header = |name: &str| call.headers.get(name).cloned().unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &call.method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&call.body).unwrap();
    let printed = child.wait_with_output().unwrap().stdout;
    let end = printed.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(printed[..end + 2].to_vec()).unwrap();
    let status = head.strip_prefix("Status: ").and_then(|rest| rest.get(..3)?.parse().ok());
    (status.unwrap_or(200), head, printed[end + 4..].to_vec())
}

//! Requests to one registry: redirects, challenges, and what is to be done when it does not answer.

use super::{
    Credentials, RegistrySettings,
    authorize::{Authorization, Transport, authorize, challenge},
};
use crate::image::Digest;
use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};
use thiserror::Error;
use ureq::{
    Agent, Body,
    http::{self, Method, Request, Response, Uri, header},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
};

const CONNECT_SECONDS_MAX: Duration = Duration::from_secs(10);
const REDIRECTS_MAX: usize = 5;
/// How often a request is made that is not answered.
const TRIES: u32 = 3;
/// How long it is waited after the first of these; then longer.
const PAUSE: Duration = Duration::from_millis(150);
/// How long a registry that did not answer is not asked about images that are in place.
const AWAY_FOR: Duration = Duration::from_secs(30);

/// Why a registry did not give what it was asked for.
#[derive(Debug, Error)]
pub(crate) enum Trouble {
    /// It cannot be reached, or has trouble of its own; both may pass.
    #[error("{0}")]
    Away(String),
    /// It does not have it.
    #[error("{0}")]
    Missing(String),
    /// It does not give it to whoever asks.
    #[error("{0}")]
    Denied(String),
    /// What it says is not understood, or not taken.
    #[error("{0}")]
    Refused(String),
}

impl Trouble {
    pub(super) fn away(url: &str, error: &ureq::Error) -> Self {
        let why = match error {
            ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::Io(error) => error.to_string(),
            other => other.to_string(),
        };
        Self::Away(format!("{url}: {why}"))
    }
}

/// How long a registry has to say what a name points to, when the image is in place.
const LOOK_SECONDS_MAX: Duration = Duration::from_secs(5);

/// How long it may take until there is an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not long: there is something to go on with.
    Short,
    /// As long as it takes, if only something comes.
    Long,
}

/// One registry, with the connections to it and the tokens that it gave.
pub(crate) struct Client {
    base: String,
    http: Agent,
    /// The same, with little time.
    hasty: Agent,
    transport: Transport,
    known: Mutex<HashMap<String, Authorization>>,
    away_until: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Whom and for what a client asks.
pub(super) struct Asking<'a> {
    /// The repository.
    pub repository: &'a str,
    /// Who asks.
    pub credentials: Option<&'a Credentials>,
}

/// The clients that were needed so far.
#[derive(Debug)]
pub(crate) struct Clients {
    settings: BTreeMap<String, RegistrySettings>,
    stalled: Duration,
    made: Mutex<HashMap<String, Arc<Client>>>,
}

/// A registry that is asked for images of another, or of its own.
pub(super) struct Endpoint {
    /// Who asks it.
    pub client: Arc<Client>,
    /// The registry's host, by which credentials are found.
    pub host: String,
    /// What stands before repositories, with a slash at its end, if anything does.
    pub prefix: String,
}

impl Clients {
    /// No clients yet. A registry that sends nothing for `stalled` is given up.
    pub(crate) fn new(settings: BTreeMap<String, RegistrySettings>, stalled: Duration) -> Self {
        Self { settings, stalled, made: Mutex::default() }
    }

    /// Who is asked for the images of a registry, in this order. The error is a sentence about the
    /// configuration.
    pub(super) fn endpoints(&self, registry: &str) -> Result<Vec<Endpoint>, String> {
        let mut endpoints = Vec::new();
        for mirror in self.settings.get(registry).map_or(&[][..], |settings| &settings.mirrors) {
            let broken = || format!("the mirror {mirror:?} of {registry} is no URL");
            let uri: Uri = mirror.parse().map_err(|_| broken())?;
            let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
            let (scheme, host) = scheme.zip(uri.authority()).ok_or_else(broken)?;
            let path = uri.path().trim_matches('/');
            let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
            let client = self.client(scheme, host.as_str(), host.as_str())?;
            endpoints.push(Endpoint { client, host: host.to_string(), prefix });
        }
        let plain = self.settings.get(registry).is_some_and(|settings| settings.plain_http);
        let scheme = if plain { "http" } else { "https" };
        // Docker's own registry answers at another name than images have.
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        let client = self.client(scheme, host, registry)?;
        endpoints.push(Endpoint { client, host: registry.to_owned(), prefix: String::new() });
        Ok(endpoints)
    }

    fn client(&self, scheme: &str, host: &str, registry: &str) -> Result<Arc<Client>, String> {
        let base = format!("{scheme}://{host}");
        let mut made = self.made.lock().expect("no holder of this lock panics");
        if let Some(client) = made.get(&base) {
            return Ok(Arc::clone(client));
        }
        let ca_file = self.settings.get(registry).and_then(|settings| settings.ca_file.as_deref());
        let client = Client {
            http: agent(self.stalled, None, ca_file)?,
            hasty: agent(self.stalled, Some(LOOK_SECONDS_MAX), ca_file)?,
            base: base.clone(),
            transport: if scheme == "http" { Transport::Any } else { Transport::Tls },
            known: Mutex::default(),
            away_until: Mutex::default(),
        };
        Ok(Arc::clone(made.entry(base).or_insert(Arc::new(client))))
    }
}

fn agent(
    stalled: Duration,
    whole: Option<Duration>,
    ca_file: Option<&Path>,
) -> Result<Agent, String> {
    let roots = match ca_file {
        Some(file) => RootCerts::from(
            certificates(file).map_err(|error| format!("{}: {error}", file.display()))?,
        ),
        None => RootCerts::WebPki,
    };
    let tls = TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(roots).build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT_SECONDS_MAX.min(stalled)))
        .timeout_resolve(Some(CONNECT_SECONDS_MAX.min(stalled)))
        .timeout_recv_response(Some(stalled))
        .timeout_per_read(Some(stalled))
        .timeout_global(whole)
        .tls_config(tls)
        .user_agent(concat!("buildyard/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(Agent::new_with_config(config))
}

fn certificates(file: &Path) -> io::Result<Vec<Certificate<'static>>> {
    let pem = fs::read(file)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(io::Error::other)? {
            certificates.push(certificate);
        }
    }
    match certificates.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::InvalidData, "it has no certificate")),
        false => Ok(certificates),
    }
}

impl Client {
    /// Where the registry is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Whether it did not answer a moment ago.
    pub(super) fn is_away(&self) -> bool {
        let until = *self.away_until.lock().expect("no holder of this lock panics");
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Notes that it does not answer.
    pub(super) fn note_away(&self) {
        let until = Some(Instant::now() + AWAY_FOR);
        *self.away_until.lock().expect("no holder of this lock panics") = until;
    }

    /// Asks again when there is no answer, and gives the one that says yes.
    pub(super) fn ask_patiently(
        &self,
        request: &Request<()>,
        asking: &Asking<'_>,
    ) -> Result<Response<Body>, Trouble> {
        let mut tries = 1;
        loop {
            match self.ask(request, asking, Patience::Long) {
                Err(Trouble::Away(_)) if tries < TRIES => {
                    thread::sleep(PAUSE * tries * tries);
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Asks once, with what the registry wants to be told, and gives an answer that says yes.
    pub(super) fn ask(
        &self,
        request: &Request<()>,
        asking: &Asking<'_>,
        patience: Patience,
    ) -> Result<Response<Body>, Trouble> {
        let http = match patience {
            Patience::Short => &self.hasty,
            Patience::Long => &self.http,
        };
        let answer = self.follow(http, request, self.known(asking))?;
        if answer.status() != 401 {
            return verdict(request, answer);
        }
        let headers = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let challenges: Vec<_> =
            headers.filter_map(|value| value.to_str().ok()).filter_map(challenge).collect();
        let Some(challenge) = challenges.first() else {
            return Err(Trouble::Refused("it does not say how to sign in".to_owned()));
        };
        // A token may have ended before its time.
        let (repository, credentials) = (asking.repository, asking.credentials);
        let authorization = authorize(http, self.transport, challenge, repository, credentials)?;
        let Some(authorization) = authorization else {
            return Err(Trouble::Denied("no basic auth credentials".to_owned()));
        };
        self.keep(asking, authorization.clone());
        let answer = self.follow(http, request, Some(authorization))?;
        if answer.status() == 401 {
            self.known.lock().expect("no holder of this lock panics").remove(&key(asking));
            return Err(Trouble::Denied(said(answer, "unauthorized")));
        }
        verdict(request, answer)
    }

    fn known(&self, asking: &Asking<'_>) -> Option<Authorization> {
        let known = self.known.lock().expect("no holder of this lock panics");
        known.get(&key(asking)).filter(|known| known.is_good()).cloned()
    }

    fn keep(&self, asking: &Asking<'_>, authorization: Authorization) {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        known.retain(|_, known| known.is_good());
        known.insert(key(asking), authorization);
    }

    /// Follows redirects. Another host is not told what this one is.
    fn follow(
        &self,
        http: &Agent,
        request: &Request<()>,
        mut authorization: Option<Authorization>,
    ) -> Result<Response<Body>, Trouble> {
        let mut uri = request.uri().clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut next = Request::builder().method(request.method()).uri(&uri);
            for (name, value) in request.headers() {
                next = next.header(name, value);
            }
            if let Some(authorization) = &authorization {
                next = next.header(header::AUTHORIZATION, &authorization.value);
            }
            let url = uri.to_string();
            let bad = |error: http::Error| Trouble::Refused(format!("{url}: {error}"));
            let answer = http.run(next.body(()).map_err(bad)?);
            let answer = answer.map_err(|error| Trouble::away(&self.base, &error))?;
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let target = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let target = target.and_then(|target| self.target(&uri, target)).ok_or_else(|| {
                Trouble::Refused(format!("{} points to where it is not followed", self.base))
            })?;
            if target.authority() != uri.authority() {
                authorization = None;
            }
            uri = target;
        }
        Err(Trouble::Refused(format!("{} points on and on", self.base)))
    }

    /// Where a redirect leads; none where TLS would be lost on the way.
    fn target(&self, from: &Uri, target: &str) -> Option<Uri> {
        let whole = match target.starts_with('/') && !target.starts_with("//") {
            true => format!("{}://{}{target}", from.scheme_str()?, from.authority()?),
            false => target.to_owned(),
        };
        let uri: Uri = whole.parse().ok()?;
        match uri.scheme_str()? {
            "https" => Some(uri),
            "http" if self.transport == Transport::Any => Some(uri),
            _ => None,
        }
    }
}

/// By what a token is found again: for a repository, and for whoever asks.
fn key(asking: &Asking<'_>) -> String {
    let who = asking.credentials.map(Credentials::fingerprint).unwrap_or_default();
    format!("{who} {}", asking.repository)
}

impl Credentials {
    /// A text that tells credentials apart and gives none of them away.
    pub(crate) fn fingerprint(&self) -> String {
        let text = match self {
            Self::Password { username, password } => format!("{username}\0{password}"),
            Self::IdentityToken(token) => format!("\0{token}"),
        };
        Digest::of(text.as_bytes()).digits().to_owned()
    }
}

fn verdict(request: &Request<()>, answer: Response<Body>) -> Result<Response<Body>, Trouble> {
    match answer.status().as_u16() {
        200..300 => Ok(answer),
        404 if request.method() == Method::HEAD => {
            Err(Trouble::Missing("manifest unknown".to_owned()))
        }
        404 => Err(Trouble::Missing(said(answer, "not found"))),
        403 => Err(Trouble::Denied(said(answer, "denied"))),
        429 => Err(Trouble::Away(said(answer, "too many requests"))),
        status @ 500.. => Err(Trouble::Away(format!("it answers {status}"))),
        status => Err(Trouble::Refused(said(answer, &format!("it answers {status}")))),
    }
}

/// What a registry says about why it refuses.
fn said(answer: Response<Body>, otherwise: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        message: String,
    }
    let mut body = answer.into_body();
    let text = body.with_config().limit(64 << 10).read_to_vec().unwrap_or_default();
    let said: Option<Said> = serde_json::from_slice(&text).ok();
    let first = said.and_then(|said| said.errors.into_iter().next());
    let message = first.map(|one| one.message).filter(|message| !message.is_empty());
    // A stranger's words, on one line and not too many.
    let message = message.unwrap_or_else(|| otherwise.to_owned());
    message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

//! An image's place: what a name points to, and its documents and layers, in the registry itself or
//! in a mirror of it.

use super::{
    Credentials, DockerConfig,
    client::{Asking, Clients, Endpoint, Patience, Trouble},
};
use crate::{
    LaunchError,
    image::{
        Digest, Reference,
        manifest::{Blob, DOCUMENT_BYTES_MAX, DOCUMENT_TYPES, Source},
        reference::Version,
    },
};
use std::{
    io::Read,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use ureq::{
    Body,
    http::{Method, Request, Response, header},
};

/// An image's place.
pub(crate) struct Repository<'a> {
    reference: &'a Reference,
    endpoints: Vec<(Endpoint, Option<Credentials>)>,
    /// Which of them has answered.
    chosen: AtomicUsize,
    /// What the name points to, once it was read.
    top: Mutex<Option<(Digest, Vec<u8>)>>,
}

/// What a name points to.
pub(crate) struct Pointer {
    /// The document's digest.
    pub digest: Digest,
}

impl<'a> Repository<'a> {
    /// The place of this image. What is given is told to the registry that the name names and to no
    /// mirror of it; the rest is found in Docker's file.
    pub(crate) fn new(
        clients: &Clients,
        docker: &DockerConfig,
        reference: &'a Reference,
        given: Option<&Credentials>,
    ) -> Result<Self, LaunchError> {
        let endpoints = clients.endpoints(reference.registry());
        let endpoints = endpoints.map_err(|why| unusable(reference, &why))?;
        let with_credentials = endpoints.into_iter().map(|endpoint| {
            let own = endpoint.host == reference.registry();
            let known = match given.filter(|_| own) {
                Some(given) => Some(given.clone()),
                None => docker.credentials(&endpoint.host)?,
            };
            Ok((endpoint, known))
        });
        let endpoints: Result<Vec<_>, String> = with_credentials.collect();
        let endpoints = endpoints.map_err(|why| unusable(reference, &why))?;
        Ok(Self { reference, endpoints, chosen: AtomicUsize::new(0), top: Mutex::default() })
    }

    /// Which of the repository's images it is.
    pub(crate) fn version(&self) -> &Version {
        self.reference.version()
    }

    /// Whether nobody who could be asked has answered a moment ago.
    pub(crate) fn is_away(&self) -> bool {
        self.endpoints.iter().all(|(endpoint, _)| endpoint.client.is_away())
    }

    /// Asks what the name points to, and takes no long time for it.
    pub(crate) fn look(&self) -> Result<Pointer, Trouble> {
        let mut trouble = None;
        for (endpoint, credentials) in &self.endpoints {
            let asking = self.asking(endpoint, credentials.as_ref());
            let request =
                document_request(Method::HEAD, &asking.url(endpoint, &self.manifest_path()));
            let asked = endpoint.client.ask(&request, &asking.asking(), Patience::Short);
            let pointer = asked.and_then(|answer| {
                let told = header_text(&answer, "docker-content-digest");
                let digest = told.and_then(|told| told.parse().ok());
                digest.map(|digest| Pointer { digest }).ok_or_else(|| {
                    Trouble::Refused("it does not say what the name points to".to_owned())
                })
            });
            match pointer {
                Ok(pointer) => return Ok(pointer),
                Err(error) => {
                    if matches!(error, Trouble::Away(_)) {
                        endpoint.client.note_away();
                    }
                    trouble = Some(error);
                }
            }
        }
        Err(trouble.unwrap_or_else(|| Trouble::Away("nobody can be asked".to_owned())))
    }

    /// Reads what the name points to.
    pub(crate) fn top(&self) -> Result<Blob, LaunchError> {
        let path = self.manifest_path();
        let answer = self.get(&path, |url| document_request(Method::GET, url));
        let answer = answer.map_err(|trouble| self.told(&trouble))?;
        let told = header_text(&answer, "docker-content-digest");
        let kind = header_text(&answer, header::CONTENT_TYPE.as_str());
        let bytes = self.read(answer)?;
        let digest = Digest::of(&bytes);
        let asked = match self.reference.version() {
            Version::Digest(asked) => Some(asked.to_string()),
            Version::Tag(_) => told,
        };
        if let Some(asked) = asked.filter(|asked| *asked != digest.to_string()) {
            return Err(self.unusable(&format!("{asked} is not what its digest says")));
        }
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
        let kind = kind.filter(|kind| DOCUMENT_TYPES.contains(&kind.as_str()));
        let kind = kind
            .or_else(|| own_type(&bytes))
            .ok_or_else(|| self.unusable("its manifest is of a kind that is not understood"))?;
        let blob = Blob::new(&kind, &digest, bytes.len() as u64);
        *self.top.lock().expect("no holder of this lock panics") = Some((digest, bytes));
        Ok(blob)
    }

    /// What a registry's trouble means for the image.
    pub(crate) fn told(&self, trouble: &Trouble) -> LaunchError {
        let name = self.reference;
        let repository = format!("{}/{}", name.registry(), name.repository());
        self.unusable(&match trouble {
            Trouble::Missing(said) => format!("manifest for {name} not found: {said}"),
            Trouble::Denied(said) => format!(
                "pull access denied for {repository}, repository does not exist or may require \
                 authorization: {said}"
            ),
            Trouble::Away(why) | Trouble::Refused(why) => why.clone(),
        })
    }

    fn manifest_path(&self) -> String {
        match self.reference.version() {
            Version::Tag(tag) => format!("manifests/{tag}"),
            Version::Digest(digest) => format!("manifests/{digest}"),
        }
    }

    fn asking<'b>(
        &self,
        endpoint: &Endpoint,
        credentials: Option<&'b Credentials>,
    ) -> OwnedAsking<'b> {
        let repository = format!("{}{}", endpoint.prefix, self.reference.repository());
        OwnedAsking { repository, credentials }
    }

    /// Asks those who may have it, beginning with the one that has answered before.
    fn get(
        &self,
        path: &str,
        request: impl Fn(&str) -> Request<()>,
    ) -> Result<Response<Body>, Trouble> {
        let mut trouble = None;
        for index in self.chosen.load(Relaxed)..self.endpoints.len() {
            let (endpoint, credentials) = &self.endpoints[index];
            let asking = self.asking(endpoint, credentials.as_ref());
            let request = request(&asking.url(endpoint, path));
            match endpoint.client.ask_patiently(&request, &asking.asking()) {
                Ok(answer) => {
                    self.chosen.store(index, Relaxed);
                    return Ok(answer);
                }
                Err(error) => trouble = Some(error),
            }
        }
        Err(trouble.unwrap_or_else(|| Trouble::Away("nobody can be asked".to_owned())))
    }

    fn read(&self, answer: Response<Body>) -> Result<Vec<u8>, LaunchError> {
        let mut bytes = Vec::new();
        let reader = answer.into_body().into_reader();
        reader
            .take(DOCUMENT_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.unusable(&error.to_string()))?;
        if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(self.unusable("a document of it is larger than any should be"));
        }
        Ok(bytes)
    }
}

impl Source for Repository<'_> {
    fn document(&self, blob: &Blob) -> Result<Vec<u8>, LaunchError> {
        let digest = blob.digest(self)?;
        if let Some((known, bytes)) = &*self.top.lock().expect("no holder of this lock panics")
            && *known == digest
        {
            return Ok(bytes.clone());
        }
        let answer = match DOCUMENT_TYPES.contains(&blob.media_type.as_str()) {
            true => self.get(&format!("manifests/{digest}"), |u| document_request(Method::GET, u)),
            false => self.get(&format!("blobs/{digest}"), |url| blob_request(url, 0)),
        };
        self.read(answer.map_err(|trouble| self.told(&trouble))?)
    }

    fn layer(&self, blob: &Blob, offset: u64) -> Result<Box<dyn Read + Send + '_>, LaunchError> {
        let digest = blob.digest(self)?;
        let answer = self.get(&format!("blobs/{digest}"), |url| blob_request(url, offset));
        let answer = answer.map_err(|trouble| match trouble {
            Trouble::Missing(said) => self.unusable(&format!("the layer {digest}: {said}")),
            other => self.told(&other),
        })?;
        let is_rest = answer.status() == 206;
        let starts_there =
            header_text(&answer, header::CONTENT_RANGE.as_str()).is_some_and(|range| {
                range.trim_start_matches("bytes ").starts_with(&format!("{offset}-"))
            });
        let mut reader = answer.into_body().into_reader();
        if offset > 0 && !(is_rest && starts_there) {
            // A registry that knows no ranges gives all of it again.
            if is_rest {
                return Err(self.unusable("it gives other bytes than it was asked for"));
            }
            let skipped = std::io::copy(&mut (&mut reader).take(offset), &mut std::io::sink());
            skipped.map_err(|error| self.unusable(&format!("the layer {digest}: {error}")))?;
        }
        Ok(Box::new(reader))
    }

    fn is_far(&self) -> bool {
        true
    }

    fn unusable(&self, reason: &str) -> LaunchError {
        unusable(self.reference, reason)
    }
}

/// AWS: the word before the colon is what its container service calls such a failure.
fn unusable(reference: &Reference, reason: &str) -> LaunchError {
    LaunchError::Image(format!("CannotPullContainerError: {reference}: {reason}"))
}

struct OwnedAsking<'a> {
    repository: String,
    credentials: Option<&'a Credentials>,
}

impl OwnedAsking<'_> {
    fn asking(&self) -> Asking<'_> {
        Asking { repository: &self.repository, credentials: self.credentials }
    }

    fn url(&self, endpoint: &Endpoint, path: &str) -> String {
        format!("{}/v2/{}/{path}", endpoint.client.base(), self.repository)
    }
}

fn document_request(method: Method, url: &str) -> Request<()> {
    let request = Request::builder().method(method).uri(url);
    request
        .header(header::ACCEPT, DOCUMENT_TYPES.join(", "))
        .body(())
        .expect("hosts, repositories, tags and digests were checked")
}

fn blob_request(url: &str, offset: u64) -> Request<()> {
    let mut request = Request::builder().method(Method::GET).uri(url);
    if offset > 0 {
        request = request.header(header::RANGE, format!("bytes={offset}-"));
    }
    request.body(()).expect("hosts, repositories and digests were checked")
}

fn header_text(answer: &Response<Body>, name: &str) -> Option<String> {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The type that a document says it has.
fn own_type(bytes: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: String,
    }
    let typed: Typed = serde_json::from_slice(bytes).ok()?;
    DOCUMENT_TYPES.contains(&typed.media_type.as_str()).then_some(typed.media_type)
}

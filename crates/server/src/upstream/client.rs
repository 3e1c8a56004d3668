//! A client of an upstream: signs a request as its own, and gives the answer as it came.

use super::{
    credentials::{Credentialed, NoCredentials},
    settings::{Endpoint, UpstreamSettings},
};
use crate::{clock, fault};
use serde::Deserialize;
use std::{fs, io, path::PathBuf, time::Duration};
use thiserror::Error;
use ureq::{
    Agent,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
};
use wire::{Caller, Protocol, Service, ServiceError, sigv4};

const CONNECT_SECONDS_MAX: Duration = Duration::from_secs(5);
const ANSWER_SECONDS_MAX: Duration = Duration::from_secs(20);

/// A secret has 64 KiB and a batch twenty of them; JSON's escapes make them up to six times as
/// large.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Another service that answers.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    endpoint: Option<Endpoint>,
    region: Option<String>,
    credentials: Credentialed,
    http: Agent,
}

/// Why an upstream cannot be used, or did not answer.
#[derive(Debug, Error)]
pub enum UpstreamError {
    /// There are no credentials.
    #[error("use the upstream: failed to {0}")]
    Credentials(String),
    /// The file of certificates cannot be read.
    #[error("read the certificates in {}", file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The request cannot be made.
    #[error("make a request to {0}")]
    Request(String),
    /// It did not answer.
    #[error("reach {url}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
}

impl From<NoCredentials> for UpstreamError {
    fn from(error: NoCredentials) -> Self {
        Self::Credentials(fault::chain(&error))
    }
}

/// What an upstream answers when it refuses.
#[derive(Default, Deserialize)]
struct Refused {
    #[serde(rename = "__type", default)]
    code: String,
    // AWS: the services do not agree on the first letter.
    #[serde(alias = "Message", default)]
    message: String,
}

impl Upstream {
    /// The upstream of these settings. Fails when its credentials are not there.
    pub(crate) fn new(settings: &UpstreamSettings) -> Result<Self, UpstreamError> {
        let credentials = match &settings.credentials_file {
            Some(path) => Credentialed::File {
                path: path.clone(),
                profile: settings.profile.clone().unwrap_or_else(|| "default".to_owned()),
            },
            None => Credentialed::Variables,
        };
        credentials.read()?;
        let roots = match &settings.ca_file {
            Some(file) => RootCerts::from(
                certificates(file)
                    .map_err(|source| UpstreamError::Certificates { file: file.clone(), source })?,
            ),
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(roots).build();
        let http = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_SECONDS_MAX))
            .timeout_global(Some(ANSWER_SECONDS_MAX))
            .tls_config(tls)
            .user_agent(concat!("buildyard/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            endpoint: settings.endpoint.clone(),
            region: settings.region.clone(),
            credentials,
            http: Agent::new_with_config(http),
        })
    }

    /// Asks the upstream what a caller asks, and gives its answer or its refusal.
    pub(crate) async fn ask(
        &self,
        caller: &Caller,
        service: &'static Service,
        operation: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ServiceError> {
        let (this, operation, body) = (self.clone(), operation.to_owned(), body.to_vec());
        let region = self.region.clone().unwrap_or_else(|| caller.region.clone());
        let asked = move || this.send(service, &operation, &body, &region);
        let answered = tokio::task::spawn_blocking(asked).await;
        match answered {
            Ok(Ok((200..300, answer))) => Ok(answer),
            Ok(Ok((status, answer))) => Err(refusal(service, status, &answer)),
            Ok(Err(error)) => {
                let told = format!("failed to {}", fault::chain(&error));
                tracing::error!(request = caller.request_id, error = told, "no upstream answer");
                Err(unavailable(service))
            }
            Err(error) => Err(fault::told(&caller.request_id, &error)),
        }
    }

    fn send(
        &self,
        service: &Service,
        operation: &str,
        body: &[u8],
        region: &str,
    ) -> Result<(u16, Vec<u8>), UpstreamError> {
        let url = match &self.endpoint {
            Some(endpoint) => endpoint.as_str().to_owned(),
            None => aws_endpoint(service.name, region),
        };
        let Protocol::Json11 { target_prefix } = service.protocol else {
            return Err(UpstreamError::Request(url));
        };
        let request = http::Request::post(&url)
            .header("content-type", wire::json::CONTENT_TYPE)
            .header("x-amz-target", format!("{target_prefix}.{operation}"))
            .body(());
        let (mut parts, ()) =
            request.map_err(|_| UpstreamError::Request(url.clone()))?.into_parts();
        let now = i64::try_from(clock::now().millis() / 1_000).unwrap_or(i64::MAX);
        let credentials = self.credentials.read()?;
        sigv4::sign(&mut parts, body, &credentials, (region, service.name), now)
            .map_err(|_| UpstreamError::Credentials("send the credentials in a header".into()))?;
        let unreachable =
            |error| UpstreamError::Unreachable { url: url.clone(), source: Box::new(error) };
        let answer = self.http.run(http::Request::from_parts(parts, body)).map_err(unreachable)?;
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
        let bytes = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok((status, bytes.map_err(unreachable)?))
    }
}

/// Where AWS's own service is.
fn aws_endpoint(service: &str, region: &str) -> String {
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://{service}.{region}.amazonaws.com{end}")
}

fn certificates(file: &std::path::Path) -> io::Result<Vec<Certificate<'static>>> {
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

/// The upstream's refusal as ours. Its own trouble stays a trouble that may pass.
fn refusal(service: &Service, status: u16, answer: &[u8]) -> ServiceError {
    let refused: Refused = serde_json::from_slice(answer).unwrap_or_default();
    let code = refused.code.rsplit('#').next().unwrap_or_default().to_owned();
    if code.is_empty() {
        return unavailable(service);
    }
    ServiceError { status, ..ServiceError::refusal(code, refused.message) }
}

fn unavailable(service: &Service) -> ServiceError {
    let message = format!(
        "The {} that this service asks does not answer: the service's own log says why.",
        service.name
    );
    ServiceError { status: 503, ..ServiceError::refusal("ServiceUnavailable", message) }
}

#[cfg(test)]
mod tests {
    use super::{aws_endpoint, refusal};
    use wire::secretsmanager::SERVICE;

    #[test]
    fn awss_endpoints_are_by_service_and_region() {
        assert_eq!(aws_endpoint("ssm", "eu-west-1"), "https://ssm.eu-west-1.amazonaws.com");
        assert_eq!(aws_endpoint("ssm", "cn-north-1"), "https://ssm.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn a_refusal_is_passed_on_and_nonsense_is_none() {
        let given = refusal(&SERVICE, 400, br#"{"__type":"a.b#NoWay","Message":"no"}"#);
        assert_eq!((&*given.code, &*given.message, given.status), ("NoWay", "no", 400));
        let given = refusal(&SERVICE, 403, b"<html>");
        assert_eq!((&*given.code, given.status), ("ServiceUnavailable", 503));
    }
}

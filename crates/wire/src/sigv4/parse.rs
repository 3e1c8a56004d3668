//! Reads a signature out of the `Authorization` header or, presigned, out of the query.

use super::error::AuthError;
use super::{ALGORITHM, TERMINATOR, moment};
use http::header::{AUTHORIZATION, DATE};
use http::request::Parts;
use percent_encoding::percent_decode_str;

/// The longest life of a presigned request: a week.
const EXPIRES_SECONDS_MAX: i64 = 604_800;

/// The signature that a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whose key it claims to be.
    pub access_key_id: String,
    /// The day of the scope, as eight digits.
    pub date: String,
    /// The Region of the scope.
    pub region: String,
    /// The service of the scope, such as `codebuild`.
    pub service: String,
    /// The token that belongs to a temporary key.
    pub session_token: Option<String>,
    /// For a presigned request, for how many seconds after its date it is valid.
    pub expires_seconds: Option<i64>,
    /// When it says that it was signed, in seconds since the epoch.
    pub(super) signed_at: i64,
    /// The same as it was spelled.
    pub(super) timestamp: String,
    pub(super) signed_headers: Vec<String>,
    /// Hexadecimal, not yet looked at.
    pub(super) signature: String,
    /// Whether it came in the query.
    pub(super) presigned: bool,
}

/// The parts of a signature before they are taken apart.
#[derive(Default)]
struct Fields {
    credential: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
    timestamp: Option<(i64, String)>,
    session_token: Option<String>,
    expires_seconds: Option<i64>,
    presigned: bool,
}

impl Signature {
    /// The request's signature; `None` when it carries none, or speaks another scheme.
    pub fn parse(parts: &Parts) -> Result<Option<Self>, AuthError> {
        let authorization = parts.headers.get(AUTHORIZATION);
        let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
        if let Some(value) = authorization.filter(|value| value.starts_with("AWS")) {
            return complete(from_header(parts, value)?).map(Some);
        }
        let query = parts.uri.query().unwrap_or_default();
        if parameter(query, "X-Amz-Algorithm").is_some() {
            return complete(from_query(query)?).map(Some);
        }
        Ok(None)
    }
}

fn from_header(parts: &Parts, value: &str) -> Result<Fields, AuthError> {
    let (algorithm, list) = value.split_once(' ').unwrap_or((value, ""));
    if algorithm != ALGORITHM {
        return Err(AuthError::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")));
    }
    let mut fields = Fields::default();
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(AuthError::Incomplete(format!(
                "'{pair}' not a valid key=value pair (missing equal-sign) in Authorization \
                 header: '{list}'.",
                list = list.trim(),
            )));
        };
        let value = Some(value.to_owned());
        match name {
            "Credential" => fields.credential = value,
            "SignedHeaders" => fields.signed_headers = value,
            "Signature" => fields.signature = value,
            _ => {}
        }
    }
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    fields.timestamp = match header("x-amz-date") {
        Some(text) => moment::from_basic(text).map(|at| (at, text.to_owned())),
        None => header(DATE.as_str()).and_then(|text| {
            let at = moment::from_basic(text).or_else(|| moment::from_http(text))?;
            Some((at, moment::to_basic(at)))
        }),
    };
    fields.session_token = header("x-amz-security-token").map(str::to_owned);
    Ok(fields)
}

fn from_query(query: &str) -> Result<Fields, AuthError> {
    match parameter(query, "X-Amz-Algorithm") {
        Some(algorithm) if algorithm == ALGORITHM => {}
        other => {
            let other = other.unwrap_or_default();
            return Err(AuthError::Incomplete(format!("Unsupported AWS 'algorithm': '{other}'.")));
        }
    }
    let expires_seconds =
        parameter(query, "X-Amz-Expires").map(|text| expiry(&text)).transpose()?;
    let timestamp = parameter(query, "X-Amz-Date");
    Ok(Fields {
        credential: parameter(query, "X-Amz-Credential"),
        signed_headers: parameter(query, "X-Amz-SignedHeaders"),
        signature: parameter(query, "X-Amz-Signature"),
        timestamp: timestamp.and_then(|text| Some((moment::from_basic(&text)?, text))),
        session_token: parameter(query, "X-Amz-Security-Token"),
        expires_seconds,
        presigned: true,
    })
}

fn expiry(text: &str) -> Result<i64, AuthError> {
    let sentence = match text.parse::<i64>() {
        Ok(seconds) if (0..=EXPIRES_SECONDS_MAX).contains(&seconds) => return Ok(seconds),
        Ok(seconds) if seconds < 0 => "X-Amz-Expires must be non-negative".to_owned(),
        Ok(_) => format!(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given \
             X-Amz-Expires must be less than {EXPIRES_SECONDS_MAX} seconds"
        ),
        Err(_) => "X-Amz-Expires should be a number".to_owned(),
    };
    Err(AuthError::Incomplete(sentence))
}

/// The first value of that name, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// Takes the fields apart; everything that is missing is named in one sentence after another.
fn complete(fields: Fields) -> Result<Signature, AuthError> {
    let Fields {
        credential: Some(credential),
        signed_headers: Some(signed_headers),
        signature: Some(signature),
        timestamp: Some((signed_at, timestamp)),
        session_token,
        expires_seconds,
        presigned,
    } = fields
    else {
        return Err(missing(&fields));
    };
    let [access_key_id, date, region, service] = scope(&credential)?;
    let day = timestamp.get(..8).unwrap_or_default();
    if day != date {
        return Err(AuthError::Invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{date}' != '{day}', from '{timestamp}'."
        )));
    }
    let signed_headers: Vec<String> =
        signed_headers.split(';').map(str::to_ascii_lowercase).collect();
    Ok(Signature {
        access_key_id,
        date,
        region,
        service,
        session_token,
        expires_seconds,
        signed_at,
        timestamp,
        signed_headers,
        signature,
        presigned,
    })
}

fn missing(fields: &Fields) -> AuthError {
    let place =
        if fields.presigned { "AWS query-string parameters" } else { "Authorization header" };
    let prefix = if fields.presigned { "X-Amz-" } else { "" };
    let absent = [
        ("Credential", fields.credential.is_none()),
        ("Signature", fields.signature.is_none()),
        ("SignedHeaders", fields.signed_headers.is_none()),
    ];
    let absent = absent.into_iter().filter(|(_, absent)| *absent);
    let verb = if fields.presigned { "must include" } else { "requires" };
    let noun = if fields.presigned { "" } else { " parameter" };
    let mut sentences: Vec<String> =
        absent.map(|(name, _)| format!("{place} {verb} '{prefix}{name}'{noun}.")).collect();
    if fields.timestamp.is_none() {
        sentences.push(if fields.presigned {
            format!("{place} must include 'X-Amz-Date'.")
        } else {
            format!("{place} requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        });
    }
    AuthError::Incomplete(sentences.join(" "))
}

/// Key, day, Region and service of `KEY/20150830/eu-west-1/codebuild/aws4_request`.
fn scope(credential: &str) -> Result<[String; 4], AuthError> {
    let mut parts = credential.rsplitn(5, '/');
    let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
    let (terminator, service, region, date, key) = (next(), next(), next(), next(), next());
    match (terminator, service, region, date, key) {
        (Some(terminator), ..)
            if terminator != TERMINATOR && credential.matches('/').count() == 4 =>
        {
            Err(AuthError::Invalid(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not \
                 '{terminator}'."
            )))
        }
        (Some(_), Some(service), Some(region), Some(date), Some(key)) => {
            Ok([key, date, region, service])
        }
        _ => Err(AuthError::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{credential}'"
        ))),
    }
}

//! Who looks: signing in with an access key, and the cookie that says so afterwards.
//!
//! The cookie holds no secret: it names the key and when the session ends, signed by the service.
//! It holds over a restart, and is worth nothing once the key is another.

use super::{
    answer::{Page, see_other},
    form::{Form, Sent},
    frame::{Frame, Section},
};
use crate::{clock, http::Front, identity::Identity};
use askama::Template;
use axum::{
    Router,
    extract::{FromRequestParts, Query, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{COOKIE, SET_COOKIE},
        request::Parts,
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use wire::{Caller, Principal};

const COOKIE_NAME: &str = "buildyard-session";
/// How long a session lasts.
const SESSION_SECONDS: u64 = 12 * 60 * 60;
/// A form's token, and the mask over it.
const TOKEN_BYTES: usize = 16;

pub(super) fn routes() -> Router<Arc<Front>> {
    Router::new()
        .route("/console/sign-in", get(ask).post(sign_in))
        .route("/console/sign-out", post(sign_out))
}

/// Somebody who has signed in. As an argument of a handler, it sends others to sign in first.
#[derive(Clone)]
pub(super) struct Visitor {
    /// Who that is to the API.
    pub(super) caller: Caller,
    /// What a form of this session holds, in a text of its own for each page.
    pub(super) form_token: String,
    /// The same without the mask.
    token: String,
}

impl FromRequestParts<Arc<Front>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        front: &Arc<Front>,
    ) -> Result<Self, Self::Rejection> {
        match cookie(&parts.headers).and_then(|cookie| visitor(front, cookie)) {
            Some(visitor) => Ok(visitor),
            None => {
                let to = parts.uri.path_and_query().map_or("", |path| path.as_str());
                let to: String = form_urlencoded::byte_serialize(to.as_bytes()).collect();
                Err(see_other(&format!("/console/sign-in?to={to}")))
            }
        }
    }
}

/// Reads the cookie.
fn visitor(front: &Front, cookie: &str) -> Option<Visitor> {
    let (body, signature) = cookie.rsplit_once('.')?;
    let identity = &front.identity;
    if !same(signature, &sign(identity, body)) {
        return None;
    }
    let mut parts = body.split('.');
    let (key, ends_at, region) = (parts.next()?, parts.next()?, parts.next()?);
    let ends_at: u64 = ends_at.parse().ok()?;
    if ends_at <= clock::now().millis() / 1_000 || key != identity.root().access_key_id {
        return None;
    }
    Some(Visitor {
        caller: Caller {
            account_id: front.account_id.clone(),
            region: region.to_owned(),
            arn: format!("arn:aws:iam::{}:root", front.account_id),
            user_id: front.account_id.clone(),
            principal: Principal::Root,
            request_id: Uuid::new_v4().to_string(),
        },
        form_token: masked(&front.identity.derived("console-form", cookie, TOKEN_BYTES)),
        token: front.identity.derived("console-form", cookie, TOKEN_BYTES),
    })
}

impl Visitor {
    /// Whether a form's token is one of this session's pages.
    pub(super) fn has_made(&self, form_token: &str) -> bool {
        unmasked(form_token).is_some_and(|token| same(&token, &self.token))
    }
}

/// A token, as digits, behind a mask that is another each time: pages are compressed, and how long
/// they then are would otherwise tell of it.
fn masked(token: &str) -> String {
    let mut mask = [0; TOKEN_BYTES];
    getrandom::fill(&mut mask).expect("the system has random numbers");
    let bytes = hex::decode(token).unwrap_or_default();
    let hidden: Vec<u8> = bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    hex::encode(mask) + &hex::encode(hidden)
}

/// The token behind the mask.
fn unmasked(text: &str) -> Option<String> {
    let bytes = hex::decode(text).ok()?;
    let (mask, hidden) = bytes.split_at_checked(TOKEN_BYTES)?;
    let token: Vec<u8> = hidden.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    Some(hex::encode(token))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    pairs
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

fn sign(identity: &Identity, body: &str) -> String {
    identity.derived("console-session", body, 32)
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    to: String,
    key: String,
    region: String,
    problem: &'static str,
    cli: String,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    to: String,
}

async fn ask(State(front): State<Arc<Front>>, Query(wanted): Query<Wanted>) -> Response {
    let region = front.codebuild.config.region().to_owned();
    question(&front, StatusCode::OK, wanted.to, String::new(), region, "")
}

fn question(
    front: &Front,
    status: StatusCode,
    to: String,
    key: String,
    region: String,
    problem: &'static str,
) -> Response {
    let frame = Frame::of_nobody("Sign in", Section::None);
    let cli = format!("buildyard credentials --data-dir {}", front.data_dir.display());
    Page(status, SignIn { frame, to, key, region, problem, cli }).into_response()
}

async fn sign_in(State(front): State<Arc<Front>>, headers: HeaderMap, form: Form) -> Response {
    let (key, secret) = (form.text("key").trim(), form.text("secret").trim());
    let region = form.text("region").trim();
    let root = front.identity.root();
    let region_is_one = !region.is_empty()
        && region.len() <= 32
        && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let known = same(key, &root.access_key_id) & same(secret, &root.secret_access_key);
    let problem = match (known, region_is_one) {
        (false, _) => "There is no such access key, or the secret does not belong to it.",
        (true, false) => "A region has letters, digits and hyphens, as in us-east-1.",
        (true, true) => {
            let ends_at = clock::now().millis() / 1_000 + SESSION_SECONDS;
            let body = format!("{key}.{ends_at}.{region}.{}", Uuid::new_v4().simple());
            let signature = sign(&front.identity, &body);
            let cookie = set_cookie(&headers, &format!("{body}.{signature}"), SESSION_SECONDS);
            return ([(SET_COOKIE, cookie)], see_other(own_page(form.text("to")))).into_response();
        }
    };
    let (to, key, region) = (form.text("to").to_owned(), key.to_owned(), region.to_owned());
    question(&front, StatusCode::FORBIDDEN, to, key, region, problem)
}

async fn sign_out(headers: HeaderMap, _: Sent) -> Response {
    ([(SET_COOKIE, set_cookie(&headers, "", 0))], see_other("/console/sign-in")).into_response()
}

fn set_cookie(headers: &HeaderMap, value: &str, seconds: u64) -> HeaderValue {
    let https = headers.get("x-forwarded-proto").is_some_and(|protocol| protocol == "https");
    let secure = if https { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE_NAME}={value}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::from_str(&text).expect("keys, regions and signatures have no strange characters")
}

/// Where to go after signing in: nowhere but to a page of the console.
fn own_page(to: &str) -> &str {
    let is_own = to == "/console" || to.starts_with("/console/") || to.starts_with("/console?");
    let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own && is_plain { to } else { "/console" }
}

#[cfg(test)]
mod tests {
    use super::{masked, own_page, unmasked};

    #[test]
    fn a_token_has_another_text_each_time() {
        let token = "00112233445566778899aabbccddeeff";
        assert_ne!(masked(token), masked(token));
        assert_eq!(unmasked(&masked(token)).as_deref(), Some(token));
        assert_eq!(unmasked("0011"), None);
        assert_eq!(unmasked("not digits"), None);
    }

    #[test]
    fn signing_in_leads_to_pages_of_the_console_alone() {
        for own in ["/console", "/console/projects?q=a", "/console?x"] {
            assert_eq!(own_page(own), own);
        }
        for other in ["", "https://example.com", "//example.com", "/consoles", "/console/\n", "/x"]
        {
            assert_eq!(own_page(other), "/console");
        }
    }
}

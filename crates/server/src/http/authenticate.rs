//! Who asks: the signature is verified, and the key's owner becomes the caller.

use crate::{
    clock,
    identity::{Identity, TokenError, is_session_key},
};
use http::request::Parts;
use wire::{
    Caller, Principal, Service, ServiceError,
    sigv4::{AuthError, Payload, Signature},
};

/// Finds out who made a request, or says in the service's dialect why nobody knows.
pub(super) fn authenticate(
    identity: &Identity,
    account_id: &str,
    service: &Service,
    (parts, body): (&Parts, &[u8]),
    request_id: &str,
) -> Result<Caller, ServiceError> {
    let signature = signature(identity, service, parts, body);
    let (signature, principal) = signature.map_err(|error| error.to_error(service))?;
    Ok(match principal {
        Whose::Root => Caller {
            account_id: account_id.to_owned(),
            region: signature.region,
            arn: format!("arn:aws:iam::{account_id}:root"),
            user_id: account_id.to_owned(),
            principal: Principal::Root,
            request_id: request_id.to_owned(),
        },
        Whose::Session { build_arn, session_arn } => {
            let session = session_arn.rsplit('/').next().unwrap_or_default().to_owned();
            let role = identity.derived("role-id", session_arn.trim_end_matches(&session), 9);
            Caller {
                account_id: account_id.to_owned(),
                region: signature.region,
                user_id: format!("AROA{}:{session}", role[..17].to_uppercase()),
                arn: session_arn,
                principal: Principal::Build { build_arn },
                request_id: request_id.to_owned(),
            }
        }
    })
}

enum Whose {
    Root,
    Session { build_arn: String, session_arn: String },
}

fn signature(
    identity: &Identity,
    service: &Service,
    parts: &Parts,
    body: &[u8],
) -> Result<(Signature, Whose), AuthError> {
    let signature = Signature::parse(parts)?.ok_or(AuthError::Missing)?;
    let secret = identity.secret_of(&signature.access_key_id).ok_or(AuthError::UnknownAccessKey)?;
    let now = clock::now();
    let seconds = i64::try_from(now.millis() / 1_000).unwrap_or(i64::MAX);
    signature.verify(&secret, parts, Payload::of(body), seconds)?;
    if signature.service != service.name {
        return Err(AuthError::wrong_service(service));
    }
    if !is_session_key(&signature.access_key_id) {
        // AWS: a token makes the key another one, which nobody has.
        if signature.session_token.is_some() {
            return Err(AuthError::UnknownAccessKey);
        }
        return Ok((signature, Whose::Root));
    }
    let token = signature.session_token.as_deref().unwrap_or_default();
    let claims =
        identity.check(&signature.access_key_id, token, now).map_err(|error| match error {
            TokenError::Invalid => AuthError::UnknownAccessKey,
            TokenError::Expired => AuthError::ExpiredToken,
        })?;
    let whose = Whose::Session { build_arn: claims.build_arn, session_arn: claims.session_arn };
    Ok((signature, whose))
}

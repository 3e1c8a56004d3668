//! Access control lists: everything is its owner's alone, which is all that can be asked for.

use super::{Answer, Buckets, object, refusal};
use s3s::dto::{
    AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput,
    GetObjectAclOutput, Grant, Grantee, Owner, Permission, PutBucketAclInput, PutBucketAclOutput,
    PutObjectAclInput, PutObjectAclOutput, Type,
};
use s3s::{S3Request, S3Response, S3Result};
use sha2::{Digest as _, Sha256};

pub(super) async fn get_bucket(
    service: &Buckets,
    request: S3Request<GetBucketAclInput>,
) -> Answer<GetBucketAclOutput> {
    let GetBucketAclInput { bucket, expected_bucket_owner } = &request.input;
    service.bucket(bucket, expected_bucket_owner.as_deref()).await?;
    let (owner, grants) = (Some(service.owner()), Some(vec![service.grant()]));
    Ok(S3Response::new(GetBucketAclOutput { grants, owner }))
}

pub(super) async fn put_bucket(
    service: &Buckets,
    request: S3Request<PutBucketAclInput>,
) -> Answer<PutBucketAclOutput> {
    let input = &request.input;
    service.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
    check_canned(input.acl.as_ref().map(|acl| acl.as_str()))?;
    service.check_policy(input.access_control_policy.as_ref())?;
    check_grants(&request.headers)?;
    Ok(S3Response::new(PutBucketAclOutput {}))
}

pub(super) async fn get_object(
    service: &Buckets,
    request: S3Request<GetObjectAclInput>,
) -> Answer<GetObjectAclOutput> {
    let GetObjectAclInput { bucket, expected_bucket_owner, key, version_id, .. } = &request.input;
    service.check_owner(expected_bucket_owner.as_deref())?;
    object::find(service, bucket, key, version_id.as_deref()).await?;
    let (owner, grants) = (Some(service.owner()), Some(vec![service.grant()]));
    Ok(S3Response::new(GetObjectAclOutput { grants, owner, ..GetObjectAclOutput::default() }))
}

pub(super) async fn put_object(
    service: &Buckets,
    request: S3Request<PutObjectAclInput>,
) -> Answer<PutObjectAclOutput> {
    let input = &request.input;
    service.check_owner(input.expected_bucket_owner.as_deref())?;
    object::find(service, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    check_canned(input.acl.as_ref().map(|acl| acl.as_str()))?;
    service.check_policy(input.access_control_policy.as_ref())?;
    check_grants(&request.headers)?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}

/// Refuses a canned list that would let in anybody else.
pub(super) fn check_canned(acl: Option<&str>) -> S3Result<()> {
    match acl {
        None | Some("private" | "bucket-owner-full-control" | "bucket-owner-read") => Ok(()),
        Some(_) => Err(refusal::acl_unsupported()),
    }
}

/// Refuses grants in headers.
pub(super) fn check_grants(headers: &http::HeaderMap) -> S3Result<()> {
    if headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-")) {
        return Err(refusal::acl_unsupported());
    }
    Ok(())
}

impl Buckets {
    /// The account that owns everything.
    pub(super) fn owner(&self) -> Owner {
        let id = hex::encode(Sha256::digest(self.config.account_id.as_bytes()));
        Owner { display_name: Some("owner".into()), id: Some(id) }
    }

    fn grant(&self) -> Grant {
        let Owner { display_name, id } = self.owner();
        Grant {
            grantee: Some(Grantee {
                display_name,
                email_address: None,
                id,
                type_: Type::from_static(Type::CANONICAL_USER),
                uri: None,
            }),
            permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
        }
    }

    /// Refuses a list that lets in anybody but the owner.
    fn check_policy(&self, policy: Option<&AccessControlPolicy>) -> S3Result<()> {
        let Some(grants) = policy.and_then(|policy| policy.grants.as_ref()) else { return Ok(()) };
        let owner = self.owner().id;
        let is_owner = |grant: &Grant| grant.grantee.as_ref().is_some_and(|it| it.id == owner);
        if grants.iter().all(is_owner) { Ok(()) } else { Err(refusal::acl_unsupported()) }
    }
}

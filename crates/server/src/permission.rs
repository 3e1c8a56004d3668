//! What a caller may do. The root user may do everything; a build what builds are for.

use wire::{Caller, Principal};

/// Whether the caller may do `action`, such as `codebuild:StartBuild`.
///
/// A build may read and write objects, see projects and builds, write logs of its own, and start
/// and stop builds as pipelines written in buildspecs do. It may not make or remove buckets,
/// projects or log groups of others: that is for people.
pub(crate) fn may(caller: &Caller, action: &str) -> bool {
    match &caller.principal {
        Principal::Root => true,
        Principal::Build { .. } => build_may(action),
    }
}

/// Whether any build may do `action`.
pub(crate) fn build_may(action: &str) -> bool {
    let Some((service, operation)) = action.split_once(':') else { return false };
    match service {
        "sts" => operation == "GetCallerIdentity",
        "codebuild" => {
            operation.starts_with("BatchGet")
                || operation.starts_with("List")
                || operation.starts_with("Describe")
                || matches!(operation, "StartBuild" | "StopBuild" | "RetryBuild")
        }
        "logs" => {
            operation.starts_with("Describe")
                || operation.starts_with("Get")
                || operation.starts_with("Filter")
                || operation.starts_with("List")
                || matches!(
                    operation,
                    "CreateLogGroup" | "CreateLogStream" | "PutLogEvents" | "StartLiveTail"
                )
        }
        "s3" => {
            let bucket_change = matches!(operation, "CreateBucket" | "DeleteBucket")
                || operation.starts_with("PutBucket")
                || operation.starts_with("DeleteBucket");
            !bucket_change
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may;
    use wire::{Caller, Principal};

    fn caller(principal: Principal) -> Caller {
        Caller {
            account_id: "000000000000".into(),
            region: "us-east-1".into(),
            arn: "arn:aws:sts::000000000000:assumed-role/r/s".into(),
            user_id: "u".into(),
            principal,
            request_id: "1".into(),
        }
    }

    #[test]
    fn a_build_may_what_builds_are_for() {
        let build = caller(Principal::Build { build_arn: "b".into() });
        for action in ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "logs:PutLogEvents"] {
            assert!(may(&build, action), "{action}");
        }
        for action in [
            "codebuild:DeleteProject",
            "codebuild:CreateProject",
            "s3:DeleteBucket",
            "iam:Any",
            "x",
        ] {
            assert!(!may(&build, action), "{action}");
            assert!(may(&caller(Principal::Root), action), "{action}");
        }
    }
}

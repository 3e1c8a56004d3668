//! What a caller may do. The root user may do everything; a build what builds are for.

use crate::name_patterns::NamePatterns;
use wire::{Caller, Principal};

/// Whether the caller may do `action`, such as `codebuild:StartBuild`.
///
/// A build may read and write objects, see projects and builds, write logs of its own, start and
/// stop builds as pipelines written in buildspecs do, and read secrets and parameters. It may not
/// make or remove buckets, projects, secrets or log groups of others: that is for people.
pub(crate) fn may(caller: &Caller, action: &str) -> bool {
    match &caller.principal {
        Principal::Root => true,
        Principal::Build { .. } => build_may(action),
    }
}

/// Whether the caller may read the secret or parameter of that name.
pub(crate) fn may_read(caller: &Caller, readable: &NamePatterns, name: &str) -> bool {
    match &caller.principal {
        Principal::Root => true,
        Principal::Build { .. } => readable.allow(name),
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
        "secretsmanager" => {
            matches!(operation, "GetSecretValue" | "BatchGetSecretValue" | "DescribeSecret")
        }
        "ssm" => matches!(operation, "GetParameter" | "GetParameters" | "GetParametersByPath"),
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
    use super::{may, may_read};
    use crate::name_patterns::NamePatterns;
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
        for action in [
            "s3:GetObject",
            "s3:PutObject",
            "s3:ListBucket",
            "logs:PutLogEvents",
            "secretsmanager:GetSecretValue",
            "ssm:GetParameters",
        ] {
            assert!(may(&build, action), "{action}");
        }
        for action in [
            "codebuild:DeleteProject",
            "codebuild:CreateProject",
            "s3:DeleteBucket",
            "secretsmanager:PutSecretValue",
            "secretsmanager:ListSecrets",
            "ssm:PutParameter",
            "ssm:DescribeParameters",
            "iam:Any",
            "x",
        ] {
            assert!(!may(&build, action), "{action}");
            assert!(may(&caller(Principal::Root), action), "{action}");
        }
    }

    #[test]
    fn a_build_reads_the_names_that_the_operator_opens_to_builds() {
        let build = caller(Principal::Build { build_arn: "b".into() });
        let readable = NamePatterns::new(["ci/*"]);
        assert!(may_read(&build, &readable, "ci/db"));
        assert!(!may_read(&build, &readable, "prod/db"));
        assert!(may_read(&caller(Principal::Root), &readable, "prod/db"));
    }
}

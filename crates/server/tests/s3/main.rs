//! S3 as its clients see it: the AWS CLI and boto3 against the service in this process.
//!
//! Each script stands alone and finds the service by `AWS_ENDPOINT_URL` and the usual variables.

use axum::Router;
use server::s3::{Access, BadKey, Config, S3Service};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use store::objects::ObjectStore;

const ACCESS_KEY: &str = "AKIAROOTROOTROOTROOT";
const SECRET: &str = "root/secret+root/secret+root/secret+root";
const BUILD_KEY: &str = "ASIABUILDBUILDBUILDB";
const EXPIRED_KEY: &str = "ASIAEXPIREDEXPIREDEX";
const TOKEN: &str = "a-session-token/with+signs==";

/// One key that may do everything, one that may read and write below `limited/mine/`.
struct Keys;

impl Access for Keys {
    fn secret(&self, access_key_id: &str) -> Result<String, BadKey> {
        match access_key_id {
            ACCESS_KEY | BUILD_KEY => Ok(SECRET.into()),
            EXPIRED_KEY => Err(BadKey::Expired),
            _ => Err(BadKey::Unknown),
        }
    }

    fn check_token(&self, access_key_id: &str, token: Option<&str>) -> Result<(), BadKey> {
        match (access_key_id, token) {
            (ACCESS_KEY, None) | (BUILD_KEY, Some(TOKEN)) => Ok(()),
            _ => Err(BadKey::Token),
        }
    }

    fn allows(&self, caller: &str, action: &str, bucket: Option<&str>, key: Option<&str>) -> bool {
        let is_own = bucket == Some("limited") && key.is_some_and(|key| key.starts_with("mine/"));
        let is_meant = matches!(action, "s3:GetObject" | "s3:PutObject" | "s3:DeleteObject");
        caller == ACCESS_KEY || (is_own && is_meant)
    }
}

async fn run(script: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let objects = ObjectStore::open(folder.path().join("objects")).expect("a store");
    let service: S3Service = server::s3::service(objects, Arc::new(Keys), Config::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback_service(service);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/s3").join(script);
    let mut command = Command::new("python3");
    command
        .arg(path)
        .env_remove("AWS_PROFILE")
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("LIMITED_ACCESS_KEY_ID", BUILD_KEY)
        .env("LIMITED_SESSION_TOKEN", TOKEN)
        .env("EXPIRED_ACCESS_KEY_ID", EXPIRED_KEY)
        .env("WORK", folder.path())
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread");
    let output = output.expect("python3 runs");
    serving.abort();
    assert!(
        output.status.success(),
        "{script} failed\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

macro_rules! scripts {
    ($($name:ident = $script:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            run($script).await;
        })*
    };
}

scripts! {
    the_cli_makes_a_bucket_and_copies_files = "cli.py";
    objects_come_back_as_they_were_put = "objects.py";
    listings_agree_with_a_model = "listings.py";
    versions_and_delete_markers_stack = "versions.py";
    parts_become_an_object = "multipart.py";
    conditions_hold_or_refuse = "conditions.py";
    checksums_are_verified_and_given_back = "checksums.py";
    copies_tags_and_settings_are_kept = "copies.py";
    only_the_rightful_get_in = "access.py";
}

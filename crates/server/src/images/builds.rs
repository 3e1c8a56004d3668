//! Brings in the image of a build.

use super::{ImageName, Names};
use crate::{build_request::BuildRequest, secrets::SecretsService};
use executor::{
    Arrival, Asked, Credentials, Executor, Image, Images, LaunchError, Progress, Pulled, Reference,
    StoredImage,
};
use serde::Deserialize;
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wire::{
    Caller, Principal, Sensitive,
    secretsmanager::{GetSecretValueRequest, SecretsManager},
};

/// How long a pull takes before the build's log says that it did.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// Brings in the images of builds.
pub struct BuildImages {
    images: Images,
    names: Names,
    /// Where the credentials of private registries are; none where there are no secrets.
    secrets: Option<Arc<SecretsService>>,
}

/// The image of a build.
#[derive(Debug)]
pub struct Provided {
    /// The image.
    pub image: Image,
    /// What the build's log says about it; nothing, usually.
    pub notes: Vec<String>,
}

/// An image that is being pulled.
#[derive(Clone, Debug)]
pub struct Pulling {
    /// Its whole name.
    pub name: String,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// What a secret with a registry's credential holds. AWS: the same members.
#[derive(Deserialize)]
struct RegistrySecret {
    username: String,
    password: String,
}

impl BuildImages {
    /// The images of builds, whose private registries' credentials are in `secrets`.
    pub fn new(images: Images, names: Names, secrets: Option<Arc<SecretsService>>) -> Self {
        Self { images, names, secrets }
    }

    /// Brings in a build's image, unless `ending` is cancelled before. Tells `watch` when it is being
    /// pulled.
    pub async fn provide(
        &self,
        request: &BuildRequest,
        ending: &CancellationToken,
        watch: impl FnOnce(Pulling),
    ) -> Result<Provided, LaunchError> {
        let environment = request.environment();
        let meaning = self.names.meaning(&environment.image).map_err(LaunchError::Image)?;
        let reference = match meaning {
            ImageName::Here(image) => return Ok(Provided { image, notes: Vec::new() }),
            ImageName::Named(reference) => reference,
        };
        let secret = environment.registry_credential.map(|registry| registry.credential);
        let credentials = match secret {
            Some(secret) => Some(self.credentials(request, &secret, &reference).await?),
            None => None,
        };
        let began = Instant::now();
        let progress = Arc::new(Progress::default());
        watch(Pulling { name: reference.to_string(), progress: Arc::clone(&progress) });
        let pulling = self.pull(reference, credentials, Arc::clone(&progress));
        let pulled = match ending.run_until_cancelled(pulling).await {
            Some(pulled) => pulled?,
            None => {
                progress.cancel();
                return Err(stopped());
            }
        };
        let notes = notes(&pulled, began.elapsed());
        Ok(Provided { image: Image::Stored(pulled.image), notes })
    }

    /// Has an image wherever an executor makes containers from it, unless `ending` is cancelled before.
    pub async fn hand_over(
        provided: &mut Provided,
        executor: &dyn Executor,
        ending: &CancellationToken,
        pulling: &Pulling,
    ) -> Result<(), LaunchError> {
        let began = Instant::now();
        let handing = executor.provide(&provided.image, &pulling.progress);
        match ending.run_until_cancelled(handing).await {
            Some(handed) => handed?,
            None => return Err(stopped()),
        }
        let (took, bytes) = (began.elapsed(), pulling.progress.fetched_bytes());
        if took >= WORTH_A_LINE && bytes > 0 {
            let (megabytes, seconds) = (bytes / 1_000_000, took.as_secs());
            let name = &pulling.name;
            provided.notes.push(format!(
                "Gave image {name} to the container engine: {megabytes} MB in {seconds} s"
            ));
        }
        Ok(())
    }

    /// What is in place under a build's image's name, without a question to anybody.
    pub fn in_place(&self, request: &BuildRequest) -> Option<StoredImage> {
        match self.names.meaning(&request.environment().image) {
            Ok(ImageName::Named(reference)) => self.images.in_place(&reference).ok().flatten(),
            Ok(ImageName::Here(_)) | Err(_) => None,
        }
    }

    /// Pulls on a thread of its own: whoever waits may go, and the service may end.
    async fn pull(
        &self,
        reference: Reference,
        credentials: Option<Credentials>,
        progress: Arc<Progress>,
    ) -> Result<Pulled, LaunchError> {
        let images = self.images.clone();
        let (done, pulled) = oneshot::channel();
        let work = move || {
            // Nobody waits any more for the image of a build that was stopped.
            let _ =
                done.send(images.pull(&reference, Asked::ForUse, credentials.as_ref(), &progress));
        };
        let spawned = thread::Builder::new().name("pull".to_owned()).spawn(work);
        spawned.map_err(|error| executor::Fault::new("begin to pull an image", error))?;
        pulled.await.expect("pulling does not panic")
    }

    // AWS: the secret is read with the service role. Here whoever may make projects may also read
    // secrets.
    async fn credentials(
        &self,
        request: &BuildRequest,
        secret: &str,
        reference: &Reference,
    ) -> Result<Credentials, LaunchError> {
        let refused =
            |why: &str| LaunchError::Image(format!("CannotPullContainerError: {reference}: {why}"));
        let secrets = self.secrets.as_ref().ok_or_else(|| refused("there are no secrets here"))?;
        let caller = Caller {
            account_id: request.account_id.clone(),
            region: request.region.clone(),
            arn: format!("arn:aws:iam::{}:root", request.account_id),
            user_id: request.account_id.clone(),
            principal: Principal::Root,
            request_id: request.id.uuid().to_owned(),
        };
        let input = GetSecretValueRequest {
            secret_id: secret.to_owned(),
            ..GetSecretValueRequest::default()
        };
        let value = secrets.get_secret_value(&caller, input).await;
        let value = value.map_err(|error| refused(&error.message))?;
        let Sensitive(text) = value.secret_string.unwrap_or_default();
        let known: RegistrySecret = serde_json::from_str(&text).map_err(|_| {
            refused(&format!("the secret {secret} must be JSON with username and password"))
        })?;
        Ok(Credentials::Password { username: known.username, password: known.password })
    }
}

fn stopped() -> LaunchError {
    LaunchError::Image("the build was stopped".to_owned())
}

/// What the log says. AWS: nothing; so here nothing, unless somebody would ask.
fn notes(pulled: &Pulled, took: Duration) -> Vec<String> {
    let name = &pulled.image.name;
    match &pulled.arrival {
        Arrival::Unchecked { because } => vec![format!(
            "Image {name} is as it was pulled last: its registry cannot be asked ({because})"
        )],
        Arrival::Fetched { bytes } if took >= WORTH_A_LINE => {
            let megabytes = bytes / 1_000_000;
            vec![format!("Pulled image {name}: {megabytes} MB in {} s", took.as_secs())]
        }
        Arrival::Fetched { .. } | Arrival::InPlace => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::notes;
    use executor::{Arrival, Digest, Pulled, StoredImage};
    use std::time::Duration;

    #[test]
    fn the_log_says_what_somebody_would_ask() {
        let told = |arrival, seconds| {
            let image = StoredImage { name: "r/a:1".to_owned(), manifest: Digest::of(b"") };
            notes(&Pulled { image, arrival }, Duration::from_secs(seconds))
        };
        let fetched = || Arrival::Fetched { bytes: 512_345_678 };
        assert_eq!(told(fetched(), 12), ["Pulled image r/a:1: 512 MB in 12 s"]);
        assert_eq!(told(fetched(), 4), [""; 0]);
        assert_eq!(told(Arrival::InPlace, 60), [""; 0]);
        let because = "connection refused".to_owned();
        let away = told(Arrival::Unchecked { because }, 0);
        let expected = "Image r/a:1 is as it was pulled last: its registry cannot be asked \
                        (connection refused)";
        assert_eq!(away, [expected]);
    }
}

//! The images that an engine has of this machine's: each is given to it once, from the folder where
//! this machine keeps it, and found again by a name that has its digest.

use super::{CONFLICT, DockerEngine, Engine, NOT_FOUND, fault, is, told};
use crate::{
    Fault, Image, LaunchError,
    image::{Digest, EngineImage, IMAGE_LABEL, Images, Progress, STORE_LABEL},
};
use bollard::{
    body_try_stream,
    models::ImageSummary,
    query_parameters::{ImportImageOptions, ListImagesOptions, RemoveImageOptions},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::{
    collections::HashMap,
    io::{self, Write},
    sync::{Arc, Mutex, Weak},
};
use tokio::{
    sync::{Mutex as Turn, mpsc},
    task::spawn_blocking,
};

/// How much of an image is on its way to an engine at once, in pieces.
const PIECES_MAX: usize = 16;

/// Images of this machine that an engine had, and has no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineImagesRemoved {
    /// How many.
    pub count: usize,
    /// Their bytes, as the engine counts them: what they share is counted for each.
    pub bytes: u64,
}

/// Whose turn it is to give an image to the engine, so that nobody else does meanwhile.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Digest, Weak<Turn<()>>>>);

impl Turns {
    fn of(&self, manifest: &Digest) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().expect("no holder of this lock panics");
        turns.retain(|_, turn| turn.strong_count() > 0);
        let known = turns.get(manifest).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turn = Arc::default();
            turns.insert(manifest.clone(), Arc::downgrade(&turn));
            turn
        })
    }
}

impl DockerEngine {
    /// Removes the engine's copies of images that were given to it from these and are none of them
    /// any more, but for those that containers are made of.
    pub async fn collect(&self, images: &Images) -> Result<EngineImagesRemoved, Fault> {
        let engine = Engine::connect(self, "").await?;
        let ours = images.clone();
        let look = move || Ok::<_, Fault>((ours.lock()?, ours.instance()?));
        let (_lock, instance) = spawn_blocking(look).await.expect("looking does not panic")?;
        let mut removed = EngineImagesRemoved::default();
        for copy in engine.copies(&instance).await? {
            let manifest = copy.labels.get(IMAGE_LABEL).and_then(|label| label.parse().ok());
            let is_needed = match manifest {
                Some(manifest) => images.knows(&manifest)?,
                None => false,
            };
            if !is_needed && engine.remove_copy(&copy.id).await? {
                removed.count += 1;
                removed.bytes += u64::try_from(copy.size).unwrap_or_default();
            }
        }
        Ok(removed)
    }
}

impl Engine {
    /// The engine's own name of an image, which is given to it when it does not have it. Given up
    /// when it is dropped; the engine then keeps nothing.
    pub(in crate::sandbox) async fn provide(
        &self,
        images: &Images,
        image: &Image,
        progress: &Arc<Progress>,
    ) -> Result<String, LaunchError> {
        let (ours, asked) = (images.clone(), image.clone());
        let looked = spawn_blocking(move || ours.for_engine(&asked)).await;
        let looked = looked.expect("looking does not panic")?;
        let wanted = looked.ok_or_else(|| LaunchError::Image(unfit(image)))?;
        if let Some(id) = self.find(&wanted).await? {
            return Ok(id);
        }
        let turn = self.turns.of(&wanted.manifest);
        let _turn = turn.lock().await;
        match self.find(&wanted).await? {
            Some(id) => Ok(id),
            None => self.load(images, Arc::new(wanted), progress).await,
        }
    }

    async fn find(&self, wanted: &EngineImage) -> Result<Option<String>, Fault> {
        match self.docker.inspect_image(&wanted.tag()).await {
            Ok(found) => {
                let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
                let is_it = labels.get(IMAGE_LABEL) == Some(&wanted.manifest.to_string());
                Ok(found.id.filter(|_| is_it))
            }
            Err(error) if is(&error, NOT_FOUND) => Ok(None),
            Err(error) => Err(fault("look for an image", &error)),
        }
    }

    async fn load(
        &self,
        images: &Images,
        wanted: Arc<EngineImage>,
        progress: &Arc<Progress>,
    ) -> Result<String, LaunchError> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let (images, packed, progress) =
            (images.clone(), Arc::clone(&wanted), Arc::clone(progress));
        let packing =
            spawn_blocking(move || images.write_archive(&packed, Pieces(sender), &progress));
        let pieces = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (Ok(piece), receiver))
        });
        let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
        let mut loading =
            Box::pin(self.docker.import_image(options, body_try_stream(pieces), None));
        let mut refused = None;
        while let Some(step) = loading.next().await {
            let problem = match step {
                Ok(step) => step.error_detail.and_then(|detail| detail.message),
                Err(error) => Some(told(&error)),
            };
            refused = refused.or(problem);
        }
        drop(loading);
        match packing.await.expect("packing does not panic") {
            // Without a reader it cannot be written, and the reader has said why.
            Err(LaunchError::Fault(fault))
                if fault.source.kind() == io::ErrorKind::BrokenPipe && refused.is_some() => {}
            packed => packed?,
        }
        match (self.find(&wanted).await?, refused) {
            (Some(id), _) => Ok(id),
            (None, refused) => {
                let (name, reason) = (&wanted.name, refused.unwrap_or_default());
                Err(LaunchError::Image(format!(
                    "CannotPullContainerError: {name}: the container engine does not take it: \
                     {reason}"
                )))
            }
        }
    }

    /// The engine's copies of the images of one folder.
    async fn copies(&self, instance: &str) -> Result<Vec<ImageSummary>, Fault> {
        let label = format!("{STORE_LABEL}={instance}");
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
        let found = self.docker.list_images(Some(options)).await;
        found.map_err(|error| fault("list a container engine's images", &error))
    }

    /// Removes a copy, unless a container is made of it.
    async fn remove_copy(&self, id: &str) -> Result<bool, Fault> {
        let options = RemoveImageOptions::default();
        match self.docker.remove_image(id, Some(options), None).await {
            Ok(_) => Ok(true),
            Err(error) if is(&error, NOT_FOUND) || is(&error, CONFLICT) => Ok(false),
            Err(error) => Err(fault("remove an image from the container engine", &error)),
        }
    }
}

fn unfit(image: &Image) -> String {
    let name = match image {
        Image::Rootfs(folder) => format!("rootfs:{}", folder.display()),
        Image::Host | Image::OciLayout { .. } | Image::Stored(_) => "host".to_owned(),
    };
    format!(
        "the image {name} is for the sandbox and runtimes; a container engine takes images that \
         are pulled, imported, made here, or in OCI layout"
    )
}

/// What is written becomes pieces of a stream.
struct Pieces(mpsc::Sender<Bytes>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Bytes::copy_from_slice(bytes));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

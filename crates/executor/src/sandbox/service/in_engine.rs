//! A container in a container engine: what is laid out for it on disk, and the keeper beside it.

use super::{
    Inner, Job, Locked, RootFileSystem, append_to, in_memory,
    ways_out::{Belongings, etc_files},
};
use crate::{
    Container, ContainerSpec, Fault, MountKind,
    fault::Doing,
    sandbox::{
        engine::Engine,
        keeper::{AGENT, AGENT_PLACE, DOOR, DOOR_PLACE, SOCKET, SOCKET_PLACE},
        message::DELIVERY,
        root::overlays_folder,
        state::Plan,
    },
};
use bollard::models::{Mount, MountType, MountVolumeOptions};
use rustix::{
    fs::{Mode, OFlags, open},
    process::Pid,
};
use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::net::UnixListener,
    },
    path::Path,
};

/// What stands beside a container that runs.
struct Beside {
    door: UnixListener,
    journal: fs::File,
    belongings: Belongings,
}

impl Inner {
    /// Starts a container of an image that the engine has.
    pub(super) fn start_in_engine(
        &self,
        spec: &ContainerSpec,
        (engine, agent): (&Engine, &Path),
        image: String,
        locked: &Locked,
    ) -> Result<Container, Fault> {
        let folder = locked.folder.path();
        let cgroup = self.hierarchies.no_group();
        let way_out = self.way_out(spec);
        let (way_out, mut belongings) =
            self.provide(spec, cgroup.clone(), way_out, &locked.folder)?;
        let door = open_door(folder, agent)?;
        let files = etc_files(&spec.id, way_out.as_ref());
        let mut mounts = vec![bind(&folder.join(DOOR), Path::new(DOOR_PLACE), true)];
        mounts.extend(lay_files(folder, &files)?);
        mounts.extend(spec_mounts(folder, spec, engine)?);
        mounts.extend(spec.folders_in_memory.iter().map(|place| in_engines_memory(place)));
        let journal = append_to(&spec.journal).doing_to("open the journal", &spec.journal)?;
        let entrypoint = [AGENT_PLACE, "--door", SOCKET_PLACE];
        let made = engine.start(spec, image, mounts, &entrypoint)?;
        if let Some(process) = Pid::from_raw(made.process) {
            belongings.share.add_root_of(process);
        }
        if let Some(plan) = locked.folder.plan()? {
            locked.folder.write_plan(&Plan { share: belongings.share.clone(), ..plan })?;
        }
        let job = Job {
            id: spec.id.to_string(),
            folder: folder.to_owned(),
            root: RootFileSystem { layers: Vec::new(), folders: Vec::new() },
            mounts: Vec::new(),
            folders_in_memory: Vec::new(),
            privileges: spec.privileges,
            files: Vec::new(),
            limits: spec.limits,
            cgroup,
            listen: spec.listen.clone(),
            way_out,
            user: Engine::user(),
            watchers: self.watchers,
            runtime: None,
            engine: Some(made),
        };
        self.keep(&spec.orders, &job, Beside { door, journal, belongings }, locked)
    }

    /// Has a keeper stand beside a container that runs, whose agent is at the door.
    fn keep(
        &self,
        orders: &[u8],
        job: &Job,
        beside: Beside,
        locked: &Locked,
    ) -> Result<Container, Fault> {
        let Beside { door, journal, belongings } = beside;
        let note = locked.folder.open_started()?;
        let text = serde_json::to_vec(job).map_err(io::Error::from).doing("spell the job")?;
        let text = in_memory("job", &text).doing("pass the job on")?;
        let orders = in_memory("orders", orders).doing("pass the orders on")?;
        let errors = locked.folder.path().join("agent-errors");
        let errors = append_to(&errors).doing_to("open", &errors)?;
        let delivery: [BorrowedFd<'_>; DELIVERY.len()] = [
            locked.lock.as_fd(),
            note.as_fd(),
            text.as_fd(),
            door.as_fd(),
            orders.as_fd(),
            journal.as_fd(),
            errors.as_fd(),
        ];
        let id = locked.folder.id();
        let id = id.ok_or_else(|| Fault::because("start a container", "it has no id"))?;
        self.made(&id, belongings, self.ask_helper(&delivery)?, locked)
    }
}

/// Lays the agent down and listens beside it.
fn open_door(folder: &Path, agent: &Path) -> Result<UnixListener, Fault> {
    let door = folder.join(DOOR);
    fs::create_dir(&door).doing_to("make the folder", &door)?;
    let link = door.join(AGENT);
    fs::hard_link(agent, &link).doing_to("lay the agent down as", &link)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = open(&door, flags, Mode::empty()).doing_to("open", &door)?;
    // The folder's own path may be too long for a socket's name.
    let place = format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd());
    UnixListener::bind(place).doing_to("listen in", &door)
}

fn in_engines_memory(place: &Path) -> Mount {
    Mount {
        typ: Some(MountType::TMPFS),
        target: Some(place.display().to_string()),
        ..Mount::default()
    }
}

/// Writes the files that are different in each container.
fn lay_files(folder: &Path, files: &[(std::path::PathBuf, String)]) -> Result<Vec<Mount>, Fault> {
    let own = folder.join("files");
    fs::create_dir(&own).doing_to("make the folder", &own)?;
    let lay = |(number, (place, text)): (usize, &(std::path::PathBuf, String))| {
        let file = own.join(number.to_string());
        fs::write(&file, text).doing_to("write", &file)?;
        Ok(bind(&file, place, false))
    };
    files.iter().enumerate().map(lay).collect()
}

fn spec_mounts(folder: &Path, spec: &ContainerSpec, engine: &Engine) -> Result<Vec<Mount>, Fault> {
    let mut overlays = 0;
    let mount = |mount: &crate::Mount| match mount.kind {
        MountKind::ReadOnly => Ok(bind(&mount.host, &mount.container, true)),
        MountKind::ReadWrite => Ok(bind(&mount.host, &mount.container, false)),
        MountKind::CopyOnWrite => {
            let own = overlays_folder(folder).join(overlays.to_string());
            let layers = layers(&own, mount)?;
            let volume = engine.overlay(&spec.id, overlays, layers)?;
            overlays += 1;
            Ok(Mount {
                typ: Some(MountType::VOLUME),
                source: Some(volume),
                target: Some(mount.container.display().to_string()),
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(true),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            })
        }
    };
    spec.mounts.iter().map(mount).collect()
}

fn bind(source: &Path, target: &Path, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.display().to_string()),
        target: Some(target.display().to_string()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

/// What a volume is made of that is an overlay over a folder of the host: the engine mounts it.
fn layers(folder: &Path, mount: &crate::Mount) -> Result<String, Fault> {
    let (written, work) = (folder.join("written"), folder.join("work"));
    for folder in [&written, &work] {
        fs::create_dir_all(folder).doing_to("make the folder", folder)?;
    }
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        mount.host.display(),
        written.display(),
        work.display()
    );
    if layers.contains([':', '\\']) || layers.split(',').count() != 3 {
        let doing = format!("show {} to a container engine", mount.host.display());
        return Err(Fault::because(doing, "its path has a character that overlays separate by"));
    }
    Ok(layers)
}

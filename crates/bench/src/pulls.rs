//! An image of a registry on loopback, pulled and unpacked: by the program, by podman and by skopeo,
//! and fetched alone by skopeo, in turn.

use super::{
    giving,
    report::{Report, Times},
};
use anyhow::{Context, Result, bail, ensure};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};
use tar::{Builder, Header};

/// Layers, as an image with a system, tools and a program has them: MiB of each.
const LAYERS_MIB: [u64; 6] = [120, 200, 80, 60, 30, 10];
/// Of ten files three hold what cannot be compressed.
const NOISY_OF_TEN: u64 = 3;
/// The sizes of files, in turn: most are small, most bytes are in large ones.
const SIZES: [u64; 12] =
    [800, 2_000, 300, 9_000, 1_200, 4_000, 30_000, 500, 6_000, 15_000, 120_000, 700_000];

/// Runs the rounds and prints what they gave.
pub(crate) fn run(program: &Path, rounds: usize, report: &mut Report) -> Result<()> {
    for tool in ["docker-registry", "skopeo", "podman"] {
        if Command::new(tool).arg("--version").output().is_err() {
            bail!("{tool} is not installed");
        }
    }
    let folder = tempfile::tempdir_in("/var/tmp").context("a temporary folder")?;
    let folder = folder.path();
    let layout = folder.join("layout");
    let bytes = make_image(&layout)?;
    let registry = Registry::start(folder)?;
    let name = format!("{}/image:1", registry.host);
    let from = format!("oci:{}:image", layout.display());
    let to = format!("docker://{name}");
    quiet(skopeo().args(["copy", "--dest-tls-verify=false", &from, &to]))?;
    report.size("the image that is pulled, unpacked", LAYERS_MIB.iter().sum::<u64>() << 20);
    report.size("the same as it travels", bytes);
    let configuration = folder.join("buildyard.toml");
    let text = format!("[images.registries.\"{}\"]\nplain_http = true\n", registry.host);
    fs::write(&configuration, text)?;
    let saved = folder.join("image.tar");
    let to = format!("docker-archive:{}:{name}", saved.display());
    quiet(skopeo().args(["copy", &from, &to]))?;
    let mut times: [Times; 4] = std::array::from_fn(|_| Times::default());
    let (mut given, mut loaded) = (Times::default(), Times::default());
    for round in 0..=rounds {
        let place = folder.join(format!("round-{round}"));
        let mut commands = pulls(program, &name, &configuration, &place);
        fs::create_dir_all(&place)?;
        for (command, times) in commands.iter_mut().zip(&mut times) {
            // What others have written is not this one's to wait for.
            quiet(&mut Command::new("sync"))?;
            let began = Instant::now();
            quiet(command)?;
            // The first round warms the registry's files.
            if round > 0 {
                times.0.push(began.elapsed());
            }
        }
        // Its store is a mount of itself, and stays one.
        quiet(Command::new("umount").arg(place.join("store/overlay")))?;
        quiet(&mut Command::new("sync"))?;
        let took =
            giving::to_podman(program, &place.join("ours/images"), &name, &place.join("given"))?;
        let podman = place.join("loaded");
        let mut load = Command::new("podman");
        load.args(giving::store(&podman)).args(["load", "--quiet", "--input"]).arg(&saved);
        quiet(&mut Command::new("sync"))?;
        let began = Instant::now();
        quiet(&mut load)?;
        if round > 0 {
            given.0.push(took);
            loaded.0.push(began.elapsed());
        }
        let _ = Command::new("umount").arg(podman.join("root/overlay")).output();
        quiet(Command::new("rm").arg("-rf").arg(&place))?;
    }
    let [ours, podman, skopeo, fetched] = times;
    report.times("an image pulled, unpacked and on the disk", &ours);
    report.times("the same by podman pull", &podman);
    report.times("the same by skopeo copy", &skopeo);
    report.times("fetched and not unpacked by skopeo copy", &fetched);
    report.times("the image given to podman, which does not have it", &given);
    report.times("the same by podman load", &loaded);
    report.ratio("podman pull / ours", &podman, &ours);
    report.ratio("skopeo copy / ours", &skopeo, &ours);
    report.ratio("skopeo copy without unpacking / ours", &fetched, &ours);
    report.ratio("podman load / giving", &loaded, &given);
    Ok(())
}

/// The commands that pull an image into a place: in the order in which they are told of.
fn pulls(program: &Path, name: &str, configuration: &Path, place: &Path) -> [Command; 4] {
    let from = format!("docker://{name}");
    let ours = place.join("ours");
    let (root, runroot) = (place.join("root"), place.join("runroot"));
    let store = format!("[overlay@{0}/store+{0}/run]", place.display());
    let mut commands = [Command::new(program), Command::new("podman"), skopeo(), skopeo()];
    commands[0].args(["image", "pull", name, "--data-dir"]).arg(ours);
    commands[0].arg("--config").arg(configuration);
    commands[1].arg("--root").arg(&root).arg("--runroot").arg(&runroot);
    commands[1].args(["--storage-driver=overlay", "pull", "--tls-verify=false", name]);
    commands[2].args(["copy", "--src-tls-verify=false", &from]);
    commands[2].arg(format!("containers-storage:{store}{name}"));
    commands[3].args(["copy", "--src-tls-verify=false", &from]);
    commands[3].arg(format!("dir:{}", place.join("copy").display()));
    commands
}

fn skopeo() -> Command {
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy");
    command
}

/// Runs a command to its end.
fn quiet(command: &mut Command) -> Result<()> {
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// A registry on a free port of loopback.
struct Registry {
    process: Child,
    host: String,
}

impl Registry {
    fn start(folder: &Path) -> Result<Self> {
        let configuration = folder.join("registry.yml");
        let document = json!({
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": folder.join("registry")}},
            "http": {"addr": "127.0.0.1:0", "secret": "for-measures"},
        });
        fs::write(&configuration, document.to_string())?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&configuration).env("OTEL_TRACES_EXPORTER", "none");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().context("docker-registry")?;
        let mut said = BufReader::new(process.stderr.take().context("its log")?);
        let mut line = String::new();
        let host = loop {
            line.clear();
            ensure!(said.read_line(&mut line)? > 0, "the registry does not listen");
            if let Some((_, rest)) = line.split_once("listening on ") {
                let end = rest.find(['"', ',', ' ', '\n']).unwrap_or(rest.len());
                break rest[..end].to_owned();
            }
        };
        // A log that nobody reads would stop it.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(Self { process, host })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes an image in OCI layout, the same each time, and gives the bytes of its layers.
fn make_image(layout: &Path) -> Result<u64> {
    fs::create_dir_all(layout.join("blobs/sha256"))?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let (mut layers, mut diffs, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (number, mib) in LAYERS_MIB.iter().enumerate() {
        let archive = archive(number, mib << 20, &mut noise)?;
        diffs.push(format!("sha256:{}", hex::encode(Sha256::digest(&archive))));
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&archive)?;
        let packed = packed.finish()?;
        bytes += packed.len() as u64;
        layers.push(blob(layout, "application/vnd.oci.image.layer.v1.tar+gzip", &packed)?);
    }
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let configuration = json!({
        "architecture": architecture, "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": diffs},
    });
    let configuration = configuration.to_string();
    let kind = "application/vnd.oci.image.config.v1+json";
    let configuration = blob(layout, kind, configuration.as_bytes())?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": kind, "config": configuration, "layers": layers,
    });
    let mut manifest = blob(layout, kind, manifest.to_string().as_bytes())?;
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "image"});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(layout.join("index.json"), index.to_string())?;
    Ok(bytes)
}

fn blob(layout: &Path, kind: &str, bytes: &[u8]) -> Result<Value> {
    let digest = hex::encode(Sha256::digest(bytes));
    fs::write(layout.join("blobs/sha256").join(&digest), bytes)?;
    let digest = format!("sha256:{digest}");
    Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
}

fn archive(number: usize, bytes: u64, noise: &mut Noise) -> Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let mut left = bytes;
    let mut files = 0;
    while left > 0 {
        let size = SIZES[files % SIZES.len()].min(left);
        let folder = PathBuf::from(format!("usr/lib/layer{number}/part{}", files / 40));
        if files % 40 == 0 {
            let mut header = header(0o755, 0);
            header.set_entry_type(tar::EntryType::Directory);
            archive.append_data(&mut header, &folder, std::io::empty())?;
        }
        let content = noise.file(size, files as u64 % 10 < NOISY_OF_TEN);
        let mut header = header(0o644, size);
        archive.append_data(&mut header, folder.join(format!("file{files}")), &*content)?;
        left -= size;
        files += 1;
    }
    Ok(archive.into_inner()?)
}

fn header(mode: u32, bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(bytes);
    header.set_mtime(1_750_000_000);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Numbers that look drawn and are the same each time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A file of noise, or of words as programs and texts have them.
    fn file(&mut self, bytes: u64, noisy: bool) -> Vec<u8> {
        let bytes = usize::try_from(bytes).unwrap_or_default();
        let mut content = Vec::with_capacity(bytes + 16);
        while content.len() < bytes {
            let drawn = self.next();
            match noisy {
                true => content.extend(drawn.to_le_bytes()),
                false => {
                    let word = drawn % 3_000;
                    content.extend(format!("{:x} ", word * word * 7_919).into_bytes());
                }
            }
        }
        content.truncate(bytes);
        content
    }
}

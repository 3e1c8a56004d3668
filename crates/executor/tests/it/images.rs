//! Images in OCI layout: what they hold arrives, and what they must not hold is refused.

#![expect(clippy::print_stdout, reason = "a machine that cannot run a test says so")]

use crate::{
    agent::AGENT,
    world::{World, block_on},
};
use executor::{
    Executor, Exit, Image, Images, ImagesConfig, ImportFrom, LaunchError, Origin, Progress,
    Reference,
};
use flate2::{Compression, write::GzEncoder};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use tar::{Builder, EntryType, Header};

type Check = (&'static str, fn());

/// What every executor does with images in OCI layout.
pub(crate) const BY_ALL: [Check; 4] = [
    ("layers_lie_over_each_other", layers_lie_over_each_other),
    ("an_image_is_told_by_its_tag_and_platform", an_image_is_told_by_its_tag_and_platform),
    ("bad_layers_are_refused", bad_layers_are_refused),
    ("tampered_images_are_refused", tampered_images_are_refused),
];

/// The tests of this file.
pub(crate) fn trials(name: &str) -> Vec<Trial> {
    let more: [Check; 2] = [
        ("links_in_layers_stay_inside", links_in_layers_stay_inside),
        ("settings_are_the_image_s", settings_are_the_image_s),
    ];
    let trial = |(check, body): Check| {
        Trial::test(format!("{name}::{check}"), move || {
            body();
            Ok(())
        })
    };
    BY_ALL.into_iter().chain(more).map(trial).collect()
}

/// A layout that is being made.
struct Layout {
    folder: PathBuf,
    manifests: Vec<Value>,
}

/// An image with a shell and what belongs to it, in this machine's own store of images.
pub(crate) fn with_a_shell(folder: &Path) -> Image {
    let images = Images::open(ImagesConfig::in_folder(folder.join("images"))).expect("images");
    let name: Reference = "localhost/shell:1".parse().expect("a name");
    if let Some(image) = images.in_place(&name).expect("images") {
        return Image::Stored(image);
    }
    let mut layout = Layout::at(folder.join("shell"));
    let layer =
        TOOLS.iter().fold(tools(), |layer, tool| layer.link(&format!("bin/{tool}"), "busybox"));
    let layer = layer.folder("etc/").folder("tmp/").folder("var/").folder("var/tmp/");
    let layers = [layout.blob(GZIP, &layer.gzip())];
    layout.tag(layout.manifest(architecture(), &layers), "latest");
    let from = ImportFrom::Path(layout.folder);
    let taken = images.import(&from, Some(&name), Origin::Import, &Progress::default());
    Image::Stored(taken.expect("an image").remove(0))
}

/// A file that only this image has, beside a shell; in OCI layout.
pub(crate) fn in_a_layout(world: &World) -> Image {
    let mut layout = Layout::new(world, "only");
    let zstd =
        zstd::encode_all(&tools().file("only", "this one\n").tar()[..], 3).expect("an archive");
    let layers = [layout.blob(ZSTD, &zstd)];
    layout.tag(layout.manifest(architecture(), &layers), "only");
    layout.image(None)
}

impl Layout {
    fn new(world: &World, name: &str) -> Self {
        Self::at(world.folder.path().join(name))
    }

    fn at(folder: PathBuf) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).expect("a layout");
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a mark");
        Self { folder, manifests: Vec::new() }
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = hex::encode(Sha256::digest(bytes));
        fs::write(self.folder.join("blobs/sha256").join(&digest), bytes).expect("a blob");
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    }

    fn manifest(&self, architecture: &str, layers: &[Value]) -> Value {
        let config = json!({"architecture": architecture, "os": "linux", "config": {
            "Env": ["PATH=/bin:/tools", "EMPTY=", "TWO=a=b"], "WorkingDir": "/work", "User": "1000",
        }});
        let config =
            self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        self.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes())
    }

    fn tag(&mut self, mut manifest: Value, tag: &str) {
        manifest["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        self.manifests.push(manifest);
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        fs::write(self.folder.join("index.json"), index.to_string()).expect("an index");
    }

    fn image(&self, tag: Option<&str>) -> Image {
        Image::OciLayout { folder: self.folder.clone(), tag: tag.map(str::to_owned) }
    }
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// An archive of a layer that is being made.
struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, path: &str, mode: u32, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        // Written as they are: the builder's own ways refuse what these tests must make.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).expect("an entry");
        self
    }

    fn file(self, path: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, path, 0o644, "", content.as_bytes())
    }

    fn folder(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, 0o755, "", b"")
    }

    fn link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, 0o777, target, b"")
    }

    fn tar(self) -> Vec<u8> {
        self.0.into_inner().expect("an archive")
    }

    fn gzip(self) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&self.tar()).expect("an archive");
        packed.finish().expect("an archive")
    }
}

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// What the shells of tests call beside what each image has.
const TOOLS: [&str; 9] =
    ["head", "mkdir", "mkfifo", "rm", "seq", "sleep", "sort", "touch", "xargs"];

/// A layer with a shell: the test agent, called so, is the only program there is.
fn tools() -> Layer {
    let shell = static_busybox().unwrap_or_else(|| fs::read(&*AGENT).expect("an agent"));
    let layer =
        Layer::new().folder("bin").entry(EntryType::Regular, "bin/busybox", 0o755, "", &shell);
    ["sh", "cat", "ls", "stat", "find", "echo"]
        .iter()
        .fold(layer, |layer, tool| layer.link(&format!("bin/{tool}"), "busybox"))
}

/// The machine's busybox, if it runs without libraries.
fn static_busybox() -> Option<Vec<u8>> {
    let program = fs::read("/bin/busybox").ok()?;
    let loader = b"/ld-linux";
    (!program.windows(loader.len()).any(|window| window == loader)).then_some(program)
}

fn has_busybox() -> bool {
    let there = static_busybox().is_some();
    if !there {
        println!("no static busybox in /bin: the inside of the image is not looked at");
    }
    there
}

fn run(world: &World, image: Image, command: &str) -> String {
    let mut spec = world.spec(&format!("sh exec 2>&1; {command}"));
    spec.image = image;
    let (exit, said) = block_on(world.run(&spec));
    assert_eq!(exit, Exit::Exited { code: Some(0) }, "{said}");
    said
}

fn refusal(world: &World, image: Image) -> String {
    let mut spec = world.spec("exit 0");
    spec.image = image;
    let refused = block_on(world.sandbox.launch(&spec)).expect_err("the image is bad");
    assert_eq!(block_on(world.sandbox.list()).expect("a list"), []);
    match refused {
        LaunchError::Image(reason) => reason,
        LaunchError::Fault(fault) => panic!("not a fault of ours: {fault:?}"),
    }
}

fn layers_lie_over_each_other() {
    if !has_busybox() {
        return;
    }
    let world = World::new();
    let mut layout = Layout::new(&world, "layout");
    let lowest = tools()
        .folder("./kept/")
        .file("./kept/one", "one\n")
        .file("kept/two", "two\n")
        .folder("emptied")
        .file("emptied/old", "old\n")
        .file("replaced", "old\n")
        .entry(EntryType::Link, "kept/second-name", 0o644, "kept/one", b"");
    let middle = Layer::new().folder("kept").file("kept/.wh.two", "").file("replaced", "new\n");
    let upper = Layer::new()
        .folder("emptied")
        .file("emptied/.wh..wh..opq", "")
        .file("emptied/new", "new\n");
    let zstd = zstd::encode_all(&middle.tar()[..], 3).expect("an archive");
    let layers = [
        layout.blob(GZIP, &lowest.gzip()),
        layout.blob(ZSTD, &zstd),
        layout.blob(TAR, &upper.tar()),
    ];
    layout.tag(layout.manifest(architecture(), &layers), "only");
    for _ in 0..2 {
        let said = run(
            &world,
            layout.image(None),
            "cat /kept/one /kept/second-name /replaced; ls /kept /emptied; \
             stat -c %Y /kept/one /kept; echo mine > /kept/one; cat /kept/one",
        );
        assert_eq!(
            said,
            "one\none\nnew\n/emptied:\nnew\n\n/kept:\none\nsecond-name\n1000000000\n1000000000\n\
             mine\nstatus 0\n"
        );
    }
}

fn an_image_is_told_by_its_tag_and_platform() {
    let world = World::new();
    let mut layout = Layout::new(&world, "layout");
    let layers = |text: &str| [layout.blob(TAR, &Layer::new().file("which", text).tar())];
    let (one, two) = (layers("one"), layers("two"));
    let mut here = layout.manifest(architecture(), &two);
    here["platform"] = json!({"os": "linux", "architecture": architecture()});
    let mut elsewhere = layout.manifest("s390x", &one);
    elsewhere["platform"] = json!({"os": "linux", "architecture": "s390x"});
    let index = json!({"schemaVersion": 2, "manifests": [elsewhere, here]}).to_string();
    let index = layout.blob("application/vnd.oci.image.index.v1+json", index.as_bytes());
    layout.tag(layout.manifest("s390x", &one), "foreign");
    layout.tag(index, "many");
    assert!(
        refusal(&world, layout.image(None)).ends_with("it needs a tag; there are: foreign, many")
    );
    let reason = refusal(&world, layout.image(Some("other")));
    assert!(reason.ends_with("there is no tag \"other\"; there are: foreign, many"), "{reason}");
    let reason = refusal(&world, layout.image(Some("foreign")));
    assert!(reason.contains("made for linux/s390x"), "{reason}");
    let mut spec = world.spec("exit 4");
    spec.image = layout.image(Some("many"));
    assert_eq!(block_on(world.run(&spec)).0, Exit::Exited { code: Some(4) });
    let reason = refusal(&world, Layout::new(&world, "empty").image(None));
    assert!(reason.contains("index.json"), "{reason}");
}

/// How many things are kept of images, of each kind.
fn kept(world: &World) -> [usize; 4] {
    let count = |folder| fs::read_dir(world.folder.path().join("images").join(folder));
    ["layers", "parts", "uses", "manifests"].map(|folder| count(folder).expect("a folder").count())
}

fn bad_layers_are_refused() {
    let world = World::new();
    world.spec("an engine's has an image by now");
    let before = kept(&world);
    let bad = [
        (Layer::new().file("../out", "x").tar(), "leads out of the layer"),
        (Layer::new().file("a/../../out", "x").tar(), "leads out of the layer"),
        (
            Layer::new().entry(EntryType::Link, "shadow", 0o644, "../../etc/shadow", b"").tar(),
            "leads out",
        ),
        (
            Layer::new().entry(EntryType::Link, "shadow", 0o644, "/etc/shadow", b"").tar(),
            "not there",
        ),
        (
            Layer::new().entry(EntryType::Char, "null", 0o666, "", b"").tar(),
            "may not bring a device",
        ),
        (
            Layer::new().entry(EntryType::Block, "disk", 0o666, "", b"").tar(),
            "may not bring a device",
        ),
        (
            Layer::new().file("file", "x").file("file/inside", "x").tar(),
            "its folder cannot be made",
        ),
        (
            Layer::new().file("whole", &"x".repeat(5000)).tar()[..2000].to_vec(),
            "not a whole archive",
        ),
        (b"this is no archive at all".repeat(100), "not a whole archive"),
        (Layer::new().file(".wh...", "").tar(), "hides nothing"),
    ];
    for (number, (bytes, why)) in bad.into_iter().enumerate() {
        let mut layout = Layout::new(&world, &format!("layout-{number}"));
        let layers = [layout.blob(TAR, &bytes)];
        layout.tag(layout.manifest(architecture(), &layers), "bad");
        let reason = refusal(&world, layout.image(None));
        assert!(reason.contains(why), "{number}: {reason}");
    }
    assert_eq!(kept(&world), before, "nothing stays");
    assert!(!world.folder.path().join("out").exists());
}

fn tampered_images_are_refused() {
    let world = World::new();
    let mut layout = Layout::new(&world, "layout");
    let layer = layout.blob(GZIP, &Layer::new().file("file", "good\n").gzip());
    let digest = layer["digest"].as_str().expect("a digest").replace("sha256:", "");
    layout.tag(layout.manifest(architecture(), std::slice::from_ref(&layer)), "tampered");
    let evil = Layer::new().file("file", "evil\n").gzip();
    fs::write(layout.folder.join("blobs/sha256").join(digest), evil).expect("a blob");
    let reason = refusal(&world, layout.image(None));
    assert!(reason.ends_with("is not what its digest says"), "{reason}");

    let mut layout = Layout::new(&world, "other");
    let unknown = json!({"mediaType": "text/plain", "digest": layer["digest"], "size": 1});
    layout.blob(TAR, b"");
    fs::write(layout.folder.join("blobs/sha256/none"), "").expect("a blob");
    layout.tag(layout.manifest(architecture(), &[unknown]), "unknown");
    let reason = refusal(&world, layout.image(None));
    assert!(reason.contains("No such file") || reason.contains("not understood"), "{reason}");
}

fn links_in_layers_stay_inside() {
    if !has_busybox() {
        return;
    }
    let world = World::new();
    let mut layout = Layout::new(&world, "layout");
    let outside = world.folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    let layer = tools()
        .link("absolute", outside.to_str().expect("a path"))
        .link("relative", "../../../../../../../../../../../../tmp")
        .folder("real")
        .link("inner", "/real")
        .file("inner/file", "through a link\n")
        .folder("absolute-etc")
        .link("etc", "/absolute-etc");
    let layers = [layout.blob(GZIP, &layer.gzip())];
    layout.tag(layout.manifest(architecture(), &layers), "links");
    let said =
        run(&world, layout.image(None), "cat /real/file; ls -d /absolute-etc; cat /etc/hostname");
    assert!(said.starts_with("through a link\n/absolute-etc\ntest-"), "{said}");
    // A file through a link that leads out of the layer ends up inside, where the link would lead.
    let through = Layer::new()
        .link("absolute", outside.to_str().expect("a path"))
        .file("absolute/planted", "planted\n");
    let layers = [layout.blob(TAR, &through.tar())];
    let mut layout = Layout { manifests: Vec::new(), ..layout };
    layout.tag(layout.manifest(architecture(), &layers), "through");
    let mut spec = world.spec("exit 0");
    spec.image = layout.image(None);
    // It is refused or stays inside; outside there is nothing.
    let _ = block_on(world.sandbox.launch(&spec));
    block_on(world.sandbox.destroy(&spec.id)).expect("an end");
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
}

fn settings_are_the_image_s() {
    let world = World::new();
    let mut layout = Layout::new(&world, "layout");
    layout.tag(layout.manifest(architecture(), &[]), "bare");
    let settings = block_on(world.sandbox.image_settings(&layout.image(None))).expect("settings");
    let variable = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let expected = [("PATH", "/bin:/tools"), ("EMPTY", ""), ("TWO", "a=b")].map(variable);
    assert_eq!(settings.environment, expected);
    assert_eq!(settings.working_folder, Path::new("/work"));
    assert_eq!(settings.user, "1000");
    let mut spec = world.spec("say bare\nexit 0");
    spec.image = layout.image(Some("bare"));
    let (exit, said) = block_on(world.run(&spec));
    assert_eq!((exit, said.as_str()), (Exit::Exited { code: Some(0) }, "bare\n"));
}

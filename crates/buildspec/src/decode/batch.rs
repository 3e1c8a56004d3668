//! The section `batch`.

use super::reader::Reader;
use crate::model::{Batch, BatchBuild, BatchEnv, BatchFanout, BatchKind, BatchMatrix};
use crate::problem::{Problem, Severity};
use crate::yaml::{Entry, Node, Place};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

const KINDS: &[&str] = &["build-list", "build-matrix", "build-graph", "build-fanout"];
const BATCH_KEYS: &[&str] =
    &["fast-fail", "build-list", "build-matrix", "build-graph", "build-fanout"];
const BUILD_KEYS: &[&str] =
    &["identifier", "buildspec", "debug-session", "depend-on", "env", "ignore-failure"];
const ENV_KEYS: &[&str] =
    &["compute-type", "fleet", "image", "privileged-mode", "type", "variables"];
const STATIC_KEYS: &[&str] = &["ignore-failure", "env"];
const DYNAMIC_KEYS: &[&str] = &["buildspec", "env"];

/// How many builds a batch may have unless its project says otherwise.
const BUILDS_MAX: u64 = 100;

/// A build and the places that only its checks need.
struct Build {
    build: BatchBuild,
    identifier_place: Place,
    depend_on_places: Vec<Place>,
}

/// Which list a build stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    List,
    Graph,
}

impl Reader<'_> {
    pub(super) fn batch(&mut self, section: &Entry) -> Option<Batch> {
        let mut fast_fail = false;
        let mut kind: Option<(&str, Option<BatchKind>)> = None;
        for entry in self.section(section, "batch") {
            let value = &entry.value;
            match &*entry.key {
                "fast-fail" => {
                    fast_fail = self.flag(value, "batch.fast-fail").unwrap_or_default();
                }
                key if KINDS.contains(&key) => match kind {
                    Some((first, _)) => {
                        self.problem(Problem::batch_kind_twice(entry.key_place, key, first));
                    }
                    None => kind = Some((key, self.batch_kind(key, entry))),
                },
                _ => {
                    self.unknown_key(entry, "batch", BATCH_KEYS);
                }
            }
        }
        if kind.is_none() && section.value.entries().is_some() {
            self.problem(Problem::batch_kind_missing(section.key_place, KINDS));
        }
        let (_, kind) = kind?;
        let kind = kind?;
        let builds = kind.builds();
        if builds == 0 {
            self.problem(Problem::section_empty(section.key_place, "batch"));
        }
        if builds > BUILDS_MAX {
            self.problem(Problem::many_builds(section.key_place, builds));
        }
        Some(Batch { fast_fail, kind })
    }

    fn batch_kind(&mut self, key: &str, entry: &Entry) -> Option<BatchKind> {
        let value = &entry.value;
        match key {
            "build-list" => Some(BatchKind::List(self.builds(value, Shape::List))),
            "build-graph" => Some(BatchKind::Graph(self.builds(value, Shape::Graph))),
            "build-matrix" => Some(BatchKind::Matrix(self.matrix(entry))),
            _ => self.fanout(entry).map(BatchKind::Fanout),
        }
    }

    fn builds(&mut self, node: &Rc<Node>, shape: Shape) -> Vec<BatchBuild> {
        let path = match shape {
            Shape::List => "batch.build-list",
            Shape::Graph => "batch.build-graph",
        };
        let items = self.list(node, path).iter().enumerate();
        let builds: Vec<_> = items
            .map(|(index, item)| self.batch_build(item, &format!("{path}[{index}]"), shape))
            .collect();
        self.check_identifiers(&builds);
        if shape == Shape::Graph {
            self.check_graph(&builds);
        }
        builds.into_iter().map(|build| build.build).collect()
    }

    fn batch_build(&mut self, node: &Node, path: &str, shape: Shape) -> Build {
        let mut build = BatchBuild::default();
        let mut identifier_place = node.place;
        let mut depend_on_places = Vec::new();
        for entry in self.mapping(node, path) {
            let value = &entry.value;
            let inner = format!("{path}.{}", entry.key);
            match &*entry.key {
                "identifier" => {
                    identifier_place = value.place;
                    build.identifier = self.optional_text(value, &inner).unwrap_or_default();
                }
                "buildspec" => build.buildspec = self.optional_text(value, &inner),
                "debug-session" => {
                    build.debug_session = self.flag(value, &inner).unwrap_or_default();
                }
                "ignore-failure" => {
                    build.ignore_failure = self.flag(value, &inner).unwrap_or_default();
                }
                "depend-on" if shape == Shape::List => {
                    self.problem(Problem::depends_on_in_list(entry.key_place));
                }
                "depend-on" => {
                    for item in self.list(value, &inner) {
                        let Some(name) = self.optional_text(item, &inner) else { continue };
                        build.depend_on.push(name);
                        depend_on_places.push(item.place);
                    }
                }
                "env" => build.env = self.batch_env(entry, &inner),
                _ => self.unknown_key(entry, path, BUILD_KEYS),
            }
        }
        if build.identifier.is_empty() && (node.is_null() || node.entries().is_some()) {
            self.problem(Problem::required(node.place, path, "identifier"));
        }
        Build { build, identifier_place, depend_on_places }
    }

    fn batch_env(&mut self, env: &Entry, path: &str) -> BatchEnv {
        let mut found = BatchEnv::default();
        for entry in self.section(env, path) {
            let value = &entry.value;
            let inner = format!("{path}.{}", entry.key);
            match &*entry.key {
                "compute-type" => found.compute_type = self.optional_text(value, &inner),
                "fleet" => found.fleet = self.optional_text(value, &inner),
                "image" => found.image = self.optional_text(value, &inner),
                "privileged-mode" => found.privileged_mode = self.flag(value, &inner),
                "type" => found.environment_type = self.optional_text(value, &inner),
                "variables" => {
                    found.variables = self.variables(value, &inner);
                    self.lint_variables(value);
                }
                _ => self.unknown_key(entry, path, ENV_KEYS),
            }
        }
        if found.compute_type.is_some() && found.fleet.is_some() {
            self.problem(Problem::fleet_and_compute_type(env.key_place, path));
        }
        found
    }

    fn check_identifiers(&mut self, builds: &[Build]) {
        let mut taken = HashSet::new();
        for build in builds {
            let identifier = build.build.identifier.as_str();
            if !identifier.is_empty() && !taken.insert(identifier) {
                self.problem(Problem::identifier_twice(build.identifier_place, identifier));
            }
        }
    }

    /// Every name must be a build's, and no build may wait for itself by any way round.
    fn check_graph(&mut self, builds: &[Build]) {
        let identifiers = builds.iter().map(|build| build.build.identifier.as_str());
        let index: HashMap<_, _> = identifiers.clone().zip(0_usize..).collect();
        let mut edges = vec![Vec::new(); builds.len()];
        for (from, build) in builds.iter().enumerate() {
            for (name, place) in build.build.depend_on.iter().zip(&build.depend_on_places) {
                match index.get(name.as_str()) {
                    Some(to) => edges[from].push((*to, *place)),
                    None if self.has_room(Severity::Error) => {
                        let known = identifiers.clone();
                        self.problem(Problem::depends_on_unknown(*place, name, known));
                    }
                    None => {}
                }
            }
        }
        if let Some((place, circle)) = circle(&edges) {
            let names: Vec<_> =
                circle.iter().map(|at| builds[*at].build.identifier.as_str()).collect();
            self.problem(Problem::depends_on_itself(place, &names));
        }
    }

    fn matrix(&mut self, section: &Entry) -> BatchMatrix {
        let mut matrix = BatchMatrix::default();
        let path = "batch.build-matrix";
        for entry in self.section(section, path) {
            match &*entry.key {
                "static" => self.matrix_static(entry, &mut matrix),
                "dynamic" => self.matrix_dynamic(entry, &mut matrix),
                _ => {
                    let known = &["static", "dynamic"];
                    self.unknown_key(entry, path, known);
                }
            }
        }
        matrix
    }

    fn matrix_static(&mut self, section: &Entry, matrix: &mut BatchMatrix) {
        let path = "batch.build-matrix.static";
        for entry in self.section(section, path) {
            let inner = format!("{path}.{}", entry.key);
            match &*entry.key {
                "ignore-failure" => {
                    matrix.ignore_failure = self.flag(&entry.value, &inner).unwrap_or_default();
                }
                "env" => {
                    for entry in self.section(entry, &inner) {
                        let (value, path) = (&entry.value, format!("{inner}.{}", entry.key));
                        match &*entry.key {
                            "privileged-mode" => matrix.privileged_mode = self.flag(value, &path),
                            "type" => matrix.environment_type = self.optional_text(value, &path),
                            _ => {
                                let known = &["privileged-mode", "type"];
                                self.unknown_key(entry, &inner, known);
                            }
                        }
                    }
                }
                _ => self.unknown_key(entry, path, STATIC_KEYS),
            }
        }
    }

    fn matrix_dynamic(&mut self, section: &Entry, matrix: &mut BatchMatrix) {
        let path = "batch.build-matrix.dynamic";
        for entry in self.section(section, path) {
            let inner = format!("{path}.{}", entry.key);
            match &*entry.key {
                "buildspec" => matrix.buildspecs = self.texts(&entry.value, &inner),
                "env" => {
                    for entry in self.section(entry, &inner) {
                        let (value, path) = (&entry.value, format!("{inner}.{}", entry.key));
                        match &*entry.key {
                            "compute-type" => matrix.compute_types = self.texts(value, &path),
                            "image" => matrix.images = self.texts(value, &path),
                            "variables" => matrix.variables = self.matrix_variables(entry, &path),
                            _ => {
                                let known = &["compute-type", "image", "variables"];
                                self.unknown_key(entry, &inner, known);
                            }
                        }
                    }
                }
                _ => self.unknown_key(entry, path, DYNAMIC_KEYS),
            }
        }
    }

    fn matrix_variables(&mut self, section: &Entry, path: &str) -> Vec<(String, Vec<String>)> {
        let mut variables = Vec::new();
        for entry in self.section(section, path) {
            let inner = format!("{path}.{}", entry.key);
            let items = self.list(&entry.value, &inner);
            let values: Vec<_> = items.iter().filter_map(|item| self.text(item, &inner)).collect();
            if !self.variable_name(entry) {
                continue;
            }
            if values.is_empty() {
                self.problem(Problem::section_empty(entry.key_place, &inner));
                continue;
            }
            variables.push((entry.key.to_string(), values));
        }
        variables
    }

    fn fanout(&mut self, fanout: &Entry) -> Option<BatchFanout> {
        let path = "batch.build-fanout";
        let mut parallelism = None;
        let mut ignore_failure = false;
        let entries = self.mapping(&fanout.value, path);
        for entry in entries {
            let inner = format!("{path}.{}", entry.key);
            match &*entry.key {
                "parallelism" => parallelism = self.count(&entry.value, &inner),
                "ignore-failure" => {
                    ignore_failure = self.flag(&entry.value, &inner).unwrap_or_default();
                }
                _ => {
                    let known = &["parallelism", "ignore-failure"];
                    self.unknown_key(entry, path, known);
                }
            }
        }
        if !entries.iter().any(|entry| &*entry.key == "parallelism") {
            self.problem(Problem::required(fanout.key_place, path, "parallelism"));
        }
        Some(BatchFanout { parallelism: parallelism?, ignore_failure })
    }
}

/// A way round, if there is one, and the place where it closes. It begins and ends with the same.
fn circle(edges: &[Vec<(usize, Place)>]) -> Option<(Place, Vec<usize>)> {
    let mut finished = vec![false; edges.len()];
    let mut on_way = vec![false; edges.len()];
    for start in 0..edges.len() {
        // The way from `start`, each with the number of edges already followed.
        let mut way = vec![(start, 0_usize)];
        while let Some((at, next)) = way.last_mut() {
            on_way[*at] = true;
            if finished[*at] || *next == edges[*at].len() {
                finished[*at] = true;
                on_way[*at] = false;
                way.pop();
                continue;
            }
            let (to, place) = edges[*at][*next];
            *next += 1;
            if on_way[to] {
                let from = way.iter().position(|(at, _)| *at == to).unwrap_or_default();
                let circle = way[from..].iter().map(|(at, _)| *at).chain([to]);
                return Some((place, circle.collect()));
            }
            way.push((to, 0));
        }
    }
    None
}

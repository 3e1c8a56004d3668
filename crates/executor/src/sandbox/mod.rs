//! The sandbox built in: namespaces, overlays, control groups and a system call filter, made by a
//! single-threaded helper that is our own program executed again.
//!
//! The *service* (`service`, `state`) keeps the folder on disk and waits. The helpers' *origin*
//! (`origin`), executed once, copies itself for each launch. The copy, a *helper* (`helper`), makes
//! the control groups and the container's first process, which sets itself up (`first`, `root`,
//! `network`, `privileges`, `filter`) and becomes the agent.
//!
//! Where the way out is not root's to lay, a *porter* (`porter`) stands on it, another copy.
//!
//! With an OCI runtime (`runtime`) it becomes a `keeper` instead, in which the runtime makes an inner
//! box. Of a container that an engine makes (`engine`) a keeper stands beside.

mod cgroup;
mod config;
mod disk;
mod egress;
mod engine;
mod filter;
mod first;
mod helper;
mod keeper;
mod known;
mod message;
mod netlink;
mod network;
mod opening;
mod origin;
mod outside;
mod porter;
mod privileges;
mod process;
mod remove;
mod root;
mod runtime;
mod service;
mod state;
mod syscall;

pub use config::{Agent, HostImage, OutboundNetwork, SandboxConfig, Users};
pub use engine::{DockerEngine, EngineImagesRemoved};
pub use netlink::Ipv4Range;
pub use opening::Opening;
pub use origin::{HELPER_VERB, helper_main};
pub use remove::tree as remove_tree;
pub use runtime::{OciRuntime, RuntimeKind};
pub use service::Sandbox;

pub(crate) use message::RootFileSystem;

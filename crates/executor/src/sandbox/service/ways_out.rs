//! What a container has outside of its folder, above all its way out: who has one, the gate and the
//! porter on it, and how it is closed again. How it is laid is the keeper's and the helper's matter.

use super::{Inner, disk_share, kill};
use crate::{
    ContainerId, ContainerSpec, Fault, Network,
    fault::Doing,
    sandbox::{
        cgroup::Group,
        disk::DiskShare,
        egress::Gate,
        known::Known,
        network::WayOut,
        outside::Outside,
        process::{self, Found},
        state::{ContainerFolder, Plan},
    },
};
use std::path::PathBuf;
use tokio::sync::mpsc::UnboundedReceiver;

/// What a container has outside of its folder.
pub(super) struct Belongings {
    pub(super) group: Group,
    pub(super) share: DiskShare,
    /// The gate on its way out, and what it tells.
    pub(super) gate: Option<(Gate, UnboundedReceiver<String>)>,
    /// Why it has no way out, though it should.
    pub(super) no_way_out: Option<String>,
}

impl Inner {
    /// A way out, if the container is to have one; or why there is none.
    pub(super) fn way_out(&self, spec: &ContainerSpec) -> Result<Option<WayOut>, String> {
        if spec.network == Network::None {
            return Ok(None);
        }
        let way_out = self.outside.take()?;
        if way_out.outlet.is_some() && !spec.egress.is_open() {
            return Err("rules of what it may reach hold only where the service is root".to_owned());
        }
        Ok(Some(way_out))
    }

    /// Plans what a container has outside of its folder, and provides what has to be there before it.
    pub(super) fn provide(
        &self,
        spec: &ContainerSpec,
        group: Group,
        way_out: Result<Option<WayOut>, String>,
        folder: &ContainerFolder,
    ) -> Result<(Option<WayOut>, Belongings), Fault> {
        let (mut way_out, no_way_out) = match way_out {
            Ok(way_out) => (way_out, None),
            Err(reason) => (None, Some(reason)),
        };
        let has_porter = way_out.as_ref().is_some_and(|way_out| way_out.outlet.is_some());
        let interface = way_out.as_ref().map(|way_out| way_out.interface.clone());
        let share = disk_share(spec, folder);
        let is_gated = way_out.is_some() && !spec.egress.is_open();
        let plan = Plan {
            cgroup: group.clone(),
            interface: interface.filter(|_| !has_porter),
            is_gated,
            has_porter,
            share: share.clone(),
        };
        folder.write_plan(&plan)?;
        let gate = way_out.as_mut().filter(|_| is_gated);
        let gate = gate.map(|way_out| self.outside.gate(way_out, &spec.egress)).transpose()?;
        Ok((way_out, Belongings { group, share, gate, no_way_out }))
    }

    /// Puts the gate back that a container had before the service was restarted.
    pub(super) fn gate_again(
        &self,
        spec: &ContainerSpec,
        folder: &ContainerFolder,
    ) -> Result<Option<(Gate, UnboundedReceiver<String>)>, Fault> {
        let plan = folder.plan()?.filter(|plan| plan.is_gated);
        let interface = plan.and_then(|plan| plan.interface);
        interface.map(|interface| self.outside.gate_again(&interface, &spec.egress)).transpose()
    }

    /// Gives back what a container's way out has of this machine.
    pub(super) fn close_way_out(&self, plan: &Plan) -> Result<(), Fault> {
        let Some(interface) = &plan.interface else { return Ok(()) };
        if plan.is_gated {
            Gate::remove(interface)?;
        }
        // The cable goes with the container's network, which the kernel takes apart on its own; doing
        // it here would hold up every other change of the machine's network.
        self.outside.give_back(interface);
        Ok(())
    }
}

/// Ends the porter on a container's way out. It goes by itself when the container does, but nobody is
/// to find it there after the container is gone.
pub(super) fn end_porter(folder: &ContainerFolder) -> Result<(), Fault> {
    let Some(porter) = folder.porter()? else { return Ok(()) };
    if let Found::There(process) = porter.find().doing("look for a porter")? {
        kill(&process)?;
        process::reap(&process);
    }
    Ok(())
}

/// Keeps a gate for as long as its container is known; gives what it tells.
pub(super) fn keep(
    gate: Option<(Gate, UnboundedReceiver<String>)>,
    known: &Known,
) -> Option<UnboundedReceiver<String>> {
    let (gate, told) = gate?;
    known.keep_gate(gate);
    Some(told)
}

/// The files of `/etc` that are different in each container.
pub(super) fn etc_files(id: &ContainerId, way_out: Option<&WayOut>) -> Vec<(PathBuf, String)> {
    vec![
        ("/etc/hostname".into(), format!("{id}\n")),
        ("/etc/hosts".into(), format!("127.0.0.1 localhost {id}\n::1 localhost ip6-localhost\n")),
        ("/etc/resolv.conf".into(), Outside::resolv_conf(way_out)),
    ]
}

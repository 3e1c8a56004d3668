//! One build, from the orders to the last word.

use crate::fault::{Doing, Fault};
use crate::inherited::{self, Inherited};
use crate::journal::Journal;
use crate::layout::Layout;
use crate::output::Output;
use crate::processes;
use crate::run::{self, Build};
use crate::usage::Meter;
use agent_protocol::{Fact, Orders, PROTOCOL_VERSION};
use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, set_dumpable_behavior, umask};
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::sync::Arc;

/// Runs the build that the executor ordered. How it went is in the journal; an error means that
/// nothing could be run.
///
/// Without a door, the orders and the journal are open files.
pub(crate) fn run(layout: Layout, door: Option<&OsStr>) -> Result<(), Fault> {
    // The build must not read the agent's memory nor the files that it has open.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .doing(|| "hide the agent's memory".to_owned())?;
    umask(Mode::from_raw_mode(0o022));
    let Inherited { orders, journal } = match door {
        None => inherited::take()?,
        Some(door) => inherited::knock(door)?,
    };
    let journal = Arc::new(Journal::begin(journal).doing(|| "begin the journal".to_owned())?);
    record_panics(&journal);
    // What follows at once takes it along.
    journal.append_soon(|batch| batch.fact(&Fact::Hello { protocol: PROTOCOL_VERSION }));
    prepare(layout, orders, &journal).inspect_err(|fault| journal.line(&fault.to_string())).map(
        |build| {
            run::run(&build);
            build.journal.flush();
            processes::end_all();
            build.output.close();
            run::tell_used(&build);
            journal.append(|batch| batch.fact(&Fact::Finished));
        },
    )
}

fn prepare(layout: Layout, orders: impl Read, journal: &Arc<Journal>) -> Result<Build, Fault> {
    let orders = read_orders(orders)?;
    processes::adopt_orphans()?;
    layout.make_folders().doing(|| "make the agent's folders".to_owned())?;
    // Every shell begins here. A folder that all inherit costs less than one that each must be
    // given: without one, starting a process does not copy the agent's memory map.
    std::env::set_current_dir(layout.readonly())
        .doing(|| "go to the folder of the first shell".to_owned())?;
    let meter = Meter::start(&layout)?;
    let output = Output::start(Arc::clone(journal))?;
    Ok(Build::new(orders, layout, Arc::clone(journal), output, meter))
}

fn read_orders(mut from: impl Read) -> Result<Orders, Fault> {
    let mut text = Vec::new();
    from.read_to_end(&mut text).doing(|| "read the orders".to_owned())?;
    let orders: Orders =
        serde_json::from_slice(&text).doing(|| "understand the orders".to_owned())?;
    if orders.protocol != PROTOCOL_VERSION {
        let doing = format!(
            "follow orders of protocol {}: this agent speaks {PROTOCOL_VERSION}",
            orders.protocol
        );
        return Err(Fault::new(doing, ErrorKind::Unsupported));
    }
    Ok(orders)
}

/// Makes a panic, which ends the agent, a part of the journal.
fn record_panics(journal: &Arc<Journal>) {
    let journal = Arc::clone(journal);
    std::panic::set_hook(Box::new(move |panic| {
        journal.last_words(&format!("the agent failed: {panic}"));
    }));
}

//! The sentence at a build's end that says which compute type would have done. Pure.

use agent_protocol::{BuildUsed, ComputeOrder, ComputeType};

/// The part of a compute type's memory, in percent, that must be enough: what just fits is slow.
const MEMORY_PERCENT: u64 = 90;
/// The part of its processors that may be wanted all at once: measuring is not exact.
const PROCESSORS_PERCENT: u32 = 110;

/// Says what the build used and which of the compute types would have done. `memory_kills` is how
/// many processes were ended because the memory was used up.
pub(crate) fn advice(used: &BuildUsed, compute: &ComputeOrder, memory_kills: u64) -> String {
    let sentence = format!(
        "This build used at most {} of memory and {} processors",
        bytes(used.used.memory_peak_bytes),
        tenths(used.processors_peak_millis.into())
    );
    if memory_kills > 0 {
        return match larger(compute) {
            Some(larger) => {
                let memory = bytes(larger.memory_bytes);
                format!("{sentence}, and that was not enough: {} has {memory}.", larger.name)
            }
            None => format!("{sentence}, and that was not enough."),
        };
    }
    match compute.types.iter().find(|known| would_do(known, used)) {
        Some(known) if known.name == compute.name => {
            format!("{sentence}: {} is the smallest that does.", known.name)
        }
        Some(known) => format!("{sentence}: {} would have done.", known.name),
        None => format!("{sentence}."),
    }
}

/// The compute type with more memory than the build's own.
fn larger(compute: &ComputeOrder) -> Option<&ComputeType> {
    let own = compute.types.iter().find(|known| known.name == compute.name)?;
    compute.types.iter().find(|known| known.memory_bytes > own.memory_bytes)
}

fn would_do(compute: &ComputeType, used: &BuildUsed) -> bool {
    let memory = compute.memory_bytes / 100 * MEMORY_PERCENT;
    let millis = compute.processors * 10 * PROCESSORS_PERCENT;
    used.used.memory_peak_bytes <= memory && used.processors_peak_millis <= millis
}

/// Bytes as people read them.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ if bytes.trailing_zeros() >= 30 => format!("{} GiB", bytes >> 30),
        _ => format!("{} GiB", tenths((bytes >> 20) * 1_000 / 1_024)),
    }
}

/// Thousandths as a number with one place.
fn tenths(thousandths: u64) -> String {
    let tenths = (thousandths + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::{advice, bytes};
    use agent_protocol::{BuildUsed, ComputeOrder, ComputeType, Used};

    fn said(mebibytes: u64, processors_millis: u32, own: &str, kills: u64) -> String {
        let sizes = [("SMALL", 2, 4), ("MEDIUM", 4, 8), ("LARGE", 8, 16)];
        let types = sizes.map(|(name, processors, gibibytes)| ComputeType {
            name: name.to_owned(),
            processors,
            memory_bytes: gibibytes << 30,
        });
        let compute = ComputeOrder { name: own.to_owned(), types: types.into(), is_advised: true };
        let used = Used { memory_peak_bytes: mebibytes << 20, ..Used::default() };
        let used = BuildUsed { used, processors_peak_millis: processors_millis };
        let said = advice(&used, &compute, kills);
        said.strip_prefix("This build used at most ").unwrap().to_owned()
    }

    #[test]
    fn the_smallest_that_fits_is_named() {
        for (mebibytes, millis, own, expected) in [
            (300, 949, "LARGE", "300 MiB of memory and 0.9 processors: SMALL would have done."),
            (
                1_230,
                2_010,
                "MEDIUM",
                "1.2 GiB of memory and 2.0 processors: SMALL would have done.",
            ),
            (100, 2_600, "LARGE", "100 MiB of memory and 2.6 processors: MEDIUM would have done."),
            (3_900, 100, "LARGE", "3.8 GiB of memory and 0.1 processors: MEDIUM would have done."),
            (
                100,
                0,
                "SMALL",
                "100 MiB of memory and 0.0 processors: SMALL is the smallest that does.",
            ),
            (99_000, 0, "LARGE", "96.7 GiB of memory and 0.0 processors."),
        ] {
            assert_eq!(said(mebibytes, millis, own, 0), expected);
        }
    }

    #[test]
    fn memory_that_was_not_enough_asks_for_more() {
        assert_eq!(
            said(4_000, 1_000, "SMALL", 1),
            "3.9 GiB of memory and 1.0 processors, and that was not enough: MEDIUM has 8 GiB."
        );
        let end = "and that was not enough.";
        assert!(said(4_000, 1_000, "LARGE", 1).ends_with(end));
        assert!(said(4_000, 1_000, "OTHER", 1).ends_with(end));
    }

    #[test]
    fn bytes_have_fitting_units() {
        for (number, shown) in
            [(0, "0 KiB"), (5 << 20, "5 MiB"), (4 << 30, "4 GiB"), (1_610_612_736, "1.5 GiB")]
        {
            assert_eq!(bytes(number), shown);
        }
    }
}

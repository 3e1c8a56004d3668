//! The time by this machine's clock. The only place that asks.

use agent_protocol::Timestamp;
use std::time::SystemTime;

/// The time now.
pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

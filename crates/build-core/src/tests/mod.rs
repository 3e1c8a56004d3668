//! A build's life told in scenarios, and what must hold for every history.

mod properties;
mod queue;
mod retry;
mod scenario;

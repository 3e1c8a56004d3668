//! The HTTP client that speaks to the service: no redirects, no proxy, and refusals are answers.

use ureq::Agent;

/// A client that has not said anything yet.
pub(crate) fn client() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent("buildyard-agent")
        .build();
    Agent::new_with_config(config)
}

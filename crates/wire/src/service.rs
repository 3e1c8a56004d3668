//! What the encodings have to know of one service.

/// One AWS service: its names and its dialect. The values are generated.
#[derive(Debug)]
pub struct Service {
    /// The name in a signature's scope and in an action, such as `codebuild`.
    pub name: &'static str,
    /// The version of the API, a date.
    pub api_version: &'static str,
    /// How requests and answers are spelled.
    pub protocol: Protocol,
    /// Every operation that AWS's service has, sorted by name; we honour some of them.
    pub operations: &'static [&'static str],
    /// The error code for input that violates a constraint of the model.
    pub invalid_input: &'static str,
}

/// The spellings of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// JSON bodies; the `X-Amz-Target` header names the operation.
    Json11 {
        /// What stands before the dot in the target header.
        target_prefix: &'static str,
    },
    /// Form bodies with an `Action`, answered in XML.
    Query {
        /// The namespace of every answer.
        namespace: &'static str,
    },
}

impl Service {
    /// The operation that a request's `X-Amz-Target` header names, when it is one of this service.
    ///
    /// The name is only what stands after the prefix; it may be unknown.
    pub fn operation_of_target<'a>(&self, target: &'a str) -> Option<&'a str> {
        match self.protocol {
            Protocol::Json11 { target_prefix } => {
                target.strip_prefix(target_prefix)?.strip_prefix('.')
            }
            Protocol::Query { .. } => None,
        }
    }

    /// Whether AWS's service has an operation of that name.
    pub fn knows(&self, operation: &str) -> bool {
        self.operations.binary_search(&operation).is_ok()
    }
}

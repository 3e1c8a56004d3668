//! The variables of a build's environment: those with a value, and those that refer to one.

use agent_protocol::{Keeper, Reference, Variable};
use wire::codebuild::{EnvironmentVariable, EnvironmentVariableType};

/// The project's and the caller's variables: those with a value, and those that refer to one.
pub(super) fn variables(own: Vec<EnvironmentVariable>) -> (Vec<Variable>, Vec<Reference>) {
    let (mut variables, mut references) = (Vec::new(), Vec::new());
    for EnvironmentVariable { name, value, r#type } in own {
        let keeper = match r#type.unwrap_or(EnvironmentVariableType::Plaintext) {
            EnvironmentVariableType::ParameterStore => Keeper::ParameterStore,
            EnvironmentVariableType::SecretsManager => Keeper::SecretsManager,
            EnvironmentVariableType::Plaintext | EnvironmentVariableType::Unknown(_) => {
                variables.push(Variable { name, value });
                continue;
            }
        };
        references.push(Reference { name, keeper, value });
    }
    (variables, references)
}

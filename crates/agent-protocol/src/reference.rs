//! Variables whose values a service keeps.

use serde::{Deserialize, Serialize};

/// An environment variable whose value a service keeps, for the agent to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// Who keeps the value.
    pub keeper: Keeper,
    /// Which value: the parameter's name, or a reference to a secret.
    pub value: String,
}

/// A service that keeps values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Keeper {
    /// Systems Manager Parameter Store.
    ParameterStore,
    /// Secrets Manager.
    SecretsManager,
}

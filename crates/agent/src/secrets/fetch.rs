//! Which variables of the build have values that services keep, and getting them all.

use super::client::Client;
use super::{parameters, secret_values};
use crate::environment::merge;
use crate::log;
use crate::outcome::{SECRETS_MANAGER_ERROR, Stop};
use crate::run::Build;
use agent_protocol::Keeper;
use buildspec::{Buildspec, SecretReference, expand_variables};

/// The values that services keep, under the names of the variables that have them.
#[derive(Default)]
pub(crate) struct Held {
    /// Of the buildspec's variables.
    pub(crate) buildspec: Vec<(String, String)>,
    /// Of the project's and the caller's.
    pub(crate) caller: Vec<(String, String)>,
}

/// A variable, and what its value is called where it is kept.
pub(super) struct Wanted<T> {
    /// The variable's name.
    pub(super) name: String,
    /// Who names it.
    level: Level,
    /// What its value is called.
    pub(super) value: T,
}

#[derive(Clone, Copy)]
enum Level {
    Buildspec,
    Caller,
}

/// Gets every value that the build needs, or says why the phase fails.
///
/// AWS: with the build's own credentials. A buildspec's variable that the project or the caller
/// overrides is not asked for. `resolved` is the version of the source where that has one.
pub(crate) fn fetch(
    build: &Build,
    buildspec: &Buildspec,
    resolved: Option<&str>,
) -> Result<Held, Stop> {
    let (mut parameters, mut secrets) = wanted(build, buildspec)?;
    let mut held = Held::default();
    if parameters.is_empty() && secrets.is_empty() {
        return Ok(held);
    }
    let plain = || merge(&build.orders, &buildspec.env.variables, &Held::default(), resolved);
    expand(&mut parameters, &mut secrets, plain);
    build.journal.flush();
    let client = Client::new(&build.orders.object_store);
    if !parameters.is_empty() {
        build.journal.line(log::DECRYPTING_PARAMETERS);
        let values = parameters::get(&client, &parameters)?;
        held.keep(parameters.into_iter().zip(values));
    }
    let values = secret_values::get(&client, &secrets)?;
    held.keep(secrets.into_iter().zip(values));
    // Before anything can print them.
    build.journal.hide(held.values());
    Ok(held)
}

impl Held {
    fn values(&self) -> impl Iterator<Item = &str> {
        self.buildspec.iter().chain(&self.caller).map(|(_, value)| value.as_str())
    }

    fn keep<T>(&mut self, values: impl Iterator<Item = (Wanted<T>, String)>) {
        for (wanted, value) in values {
            let level = match wanted.level {
                Level::Buildspec => &mut self.buildspec,
                Level::Caller => &mut self.caller,
            };
            level.push((wanted.name, value));
        }
    }
}

type WantedParameters = Vec<Wanted<String>>;
type WantedSecrets = Vec<Wanted<SecretReference>>;

fn wanted(build: &Build, buildspec: &Buildspec) -> Result<(WantedParameters, WantedSecrets), Stop> {
    let orders = &build.orders;
    let is_overridden = |name: &str| {
        orders.variables.iter().any(|variable| variable.name == name)
            || orders.references.iter().any(|reference| reference.name == name)
    };
    let env = &buildspec.env;
    let (mut parameters, mut secrets) = (Vec::new(), Vec::new());
    let level = Level::Buildspec;
    for (name, parameter) in env.parameter_store.iter().filter(|(name, _)| !is_overridden(name)) {
        parameters.push(Wanted { name: name.clone(), level, value: parameter.clone() });
    }
    for (name, secret) in env.secrets_manager.iter().filter(|(name, _)| !is_overridden(name)) {
        secrets.push(Wanted { name: name.clone(), level, value: secret.clone() });
    }
    let level = Level::Caller;
    for reference in &orders.references {
        let name = reference.name.clone();
        match reference.keeper {
            Keeper::ParameterStore => {
                parameters.push(Wanted { name, level, value: reference.value.clone() });
            }
            Keeper::SecretsManager => {
                let value = SecretReference::parse(&reference.value).map_err(|error| {
                    let message = format!("{name}: {} is no reference: {error}", reference.value);
                    Stop::Failure { code: SECRETS_MANAGER_ERROR, message }
                })?;
                secrets.push(Wanted { name, level, value });
            }
        }
    }
    Ok((parameters, secrets))
}

/// Replaces variables in what the buildspec says. Neither a parameter's name nor a secret's can hold
/// a dollar sign.
fn expand(
    parameters: &mut WantedParameters,
    secrets: &mut WantedSecrets,
    variables: impl Fn() -> Vec<(String, String)>,
) {
    let texts = parameters.iter_mut().map(|wanted| (wanted.level, vec![&mut wanted.value]));
    let parts = secrets.iter_mut().map(|wanted| {
        let SecretReference { secret_id, json_key, version_stage, version_id } = &mut wanted.value;
        let others = [json_key, version_stage, version_id].into_iter().flatten();
        (wanted.level, [secret_id].into_iter().chain(others).collect())
    });
    let of_buildspec = |(level, parts): (Level, Vec<_>)| match level {
        Level::Buildspec => parts,
        Level::Caller => Vec::new(),
    };
    let referring = texts.chain(parts).flat_map(of_buildspec).filter(|text| text.contains('$'));
    let mut known = None;
    for text in referring {
        let known = known.get_or_insert_with(&variables);
        *text = expand_variables(text, |name| {
            let found = known.iter().find(|(known, _)| known == name);
            Some(found.map_or_else(|| format!("${{{name}}}"), |(_, value)| value.clone()))
        });
    }
}

//! Values of Parameter Store.

use super::client::{Client, Service};
use super::fetch::Wanted;
use crate::outcome::{DECRYPTED_VARIABLES_ERROR, Stop};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// The most names of one request. AWS: the same.
const NAMES_MAX: usize = 10;

/// Gets the values, in the order of what is wanted.
pub(super) fn get(client: &Client<'_>, wanted: &[Wanted<String>]) -> Result<Vec<String>, Stop> {
    let names: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.value.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let mut values = HashMap::new();
    for names in names.chunks(NAMES_MAX) {
        let request = json!({ "Names": names, "WithDecryption": true });
        let answer = client
            .call(Service::Parameters, "GetParameters", &request)
            .map_err(|error| error.stop(DECRYPTED_VARIABLES_ERROR))?;
        for parameter in answer["Parameters"].as_array().into_iter().flatten() {
            note(parameter, &mut values);
        }
    }
    wanted
        .iter()
        .map(|Wanted { name, value: parameter, .. }| {
            let value = values.get(parameter.as_str());
            let value =
                value.ok_or_else(|| failure(format!("parameter does not exist: {parameter}")))?;
            match value.contains('\0') {
                true => {
                    Err(failure(format!("{name}: the value of {parameter} has a NUL character")))
                }
                false => Ok(value.clone()),
            }
        })
        .collect()
}

/// Keeps a value under every name that it may have been asked for by.
fn note(parameter: &Value, values: &mut HashMap<String, String>) {
    let text = |member: &str| parameter[member].as_str();
    let Some(value) = text("Value") else { return };
    let selector = text("Selector").unwrap_or_default();
    for name in [text("Name"), text("ARN")].into_iter().flatten() {
        values.insert(format!("{name}{selector}"), value.to_owned());
    }
}

fn failure(message: String) -> Stop {
    Stop::Failure { code: DECRYPTED_VARIABLES_ERROR, message }
}

//! Values of Secrets Manager: whole secrets, and members of those that are JSON.

use super::client::{Client, Service};
use super::fetch::Wanted;
use crate::outcome::{SECRETS_MANAGER_ERROR, Stop};
use buildspec::SecretReference;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What names a version of a secret: the secret, the stage, the version's id.
type Version<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// Gets the values, in the order of what is wanted. Each version of a secret is asked for once.
pub(super) fn get(
    client: &Client<'_>,
    wanted: &[Wanted<SecretReference>],
) -> Result<Vec<String>, Stop> {
    let mut secrets: BTreeMap<Version<'_>, String> = BTreeMap::new();
    let mut values = Vec::new();
    for Wanted { name, value: reference, .. } in wanted {
        let stage = reference.version_stage.as_deref();
        let version = (reference.secret_id.as_str(), stage, reference.version_id.as_deref());
        let secret = match secrets.get(&version) {
            Some(secret) => secret,
            None => {
                let secret = get_one(client, version)?;
                secrets.entry(version).or_insert(secret)
            }
        };
        let value = match &reference.json_key {
            Some(key) => member(secret, key, &reference.secret_id)?,
            None => secret.clone(),
        };
        if value.contains('\0') {
            return Err(failure(format!("{name}: the value of {reference} has a NUL character")));
        }
        values.push(value);
    }
    Ok(values)
}

fn get_one(client: &Client<'_>, (id, stage, version): Version<'_>) -> Result<String, Stop> {
    let members = [("SecretId", Some(id)), ("VersionStage", stage), ("VersionId", version)];
    let request: Map<String, Value> = members
        .into_iter()
        .filter_map(|(member, value)| Some((member.to_owned(), value?.into())))
        .collect();
    let answer = client
        .call(Service::Secrets, "GetSecretValue", &Value::Object(request))
        .map_err(|error| error.stop(SECRETS_MANAGER_ERROR))?;
    let text = answer["SecretString"].as_str().map(str::to_owned);
    text.ok_or_else(|| failure(format!("secret {id} is binary, which no variable can be")))
}

/// A member of a secret that is a JSON object: a text's characters, and all else as it is written.
fn member(secret: &str, key: &str, id: &str) -> Result<String, Stop> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(secret)
        .map_err(|_| failure(format!("secret {id} is not a JSON object: it has no key {key}")))?;
    let raw = members
        .get(key)
        .ok_or_else(|| failure(format!("key {key} does not exist in secret {id}")))?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned()))
}

fn failure(message: String) -> Stop {
    Stop::Failure { code: SECRETS_MANAGER_ERROR, message }
}

#[cfg(test)]
mod tests {
    use super::member;

    fn of(secret: &str, key: &str) -> Result<String, String> {
        member(secret, key, "db").map_err(|stop| stop.into_outcome().context().message)
    }

    #[test]
    fn a_member_is_a_text_or_what_is_written() {
        let secret = r#"{"text": "a\"b", "number": 1.10, "truth": true, "list": [1, "two"]}"#;
        assert_eq!(of(secret, "text").unwrap(), "a\"b");
        assert_eq!(of(secret, "number").unwrap(), "1.10");
        assert_eq!(of(secret, "truth").unwrap(), "true");
        assert_eq!(of(secret, "list").unwrap(), r#"[1, "two"]"#);
    }

    #[test]
    fn what_is_not_there_is_said_without_the_secret() {
        assert_eq!(of("{}", "k").unwrap_err(), "key k does not exist in secret db");
        for secret in ["hunter2", "[1]", "\"hunter2\"", ""] {
            let said = of(secret, "k").unwrap_err();
            assert_eq!(said, "secret db is not a JSON object: it has no key k");
        }
    }
}

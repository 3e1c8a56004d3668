//! AWS Query: requests are forms with dotted names, answers and errors are XML.

use super::{json, xml};
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::schema::{Schema, Shape};
use crate::service::{Protocol, Service};
use percent_encoding::percent_decode;
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// The content type of answers.
pub const CONTENT_TYPE: &str = "text/xml";

/// A form: names and values in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form body or a query string; bytes that are not UTF-8 are replaced.
    pub fn parse(body: &[u8]) -> Self {
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let mut halves = pair.splitn(2, |byte| *byte == b'=');
                    let mut half = || decode(halves.next().unwrap_or_default());
                    (half(), half())
                })
                .collect(),
        )
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The operation that the form asks for.
    pub fn action(&self) -> Option<&str> {
        self.get("Action")
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| {
            key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// The positions `n` for which there is a `<prefix>.<n>` or anything below it.
    fn positions(&self, prefix: &str) -> BTreeSet<u32> {
        let position = |(key, _): &(String, String)| {
            key.strip_prefix(prefix)?.strip_prefix('.')?.split('.').next()?.parse().ok()
        };
        self.0.iter().filter_map(position).collect()
    }

    /// The value under `name` as an untyped tree; a text that its type does not allow stays text,
    /// for the check to complain about.
    fn tree(&self, schema: &Schema, name: &str) -> Value {
        match schema {
            Schema::Structure(structure) => {
                let member = |name: &str, member: &str| match name {
                    "" => member.to_owned(),
                    parent => format!("{parent}.{member}"),
                };
                let members = structure.0.iter().filter_map(|(key, _, schema)| {
                    let path = member(name, key);
                    self.has(&path).then(|| ((*key).to_owned(), self.tree(schema, &path)))
                });
                Value::Object(members.collect())
            }
            Schema::List(member, ..) => {
                let prefix = format!("{name}.member");
                let positions = self.positions(&prefix);
                let item = |n: u32| self.tree(member, &format!("{prefix}.{n}"));
                Value::Array(positions.into_iter().map(item).collect())
            }
            Schema::Map(_, member, ..) => {
                let prefix = format!("{name}.entry");
                let entry = |n: u32| {
                    let key = self.get(&format!("{prefix}.{n}.key")).unwrap_or_default();
                    (key.to_owned(), self.tree(member, &format!("{prefix}.{n}.value")))
                };
                Value::Object(self.positions(&prefix).into_iter().map(entry).collect())
            }
            leaf => scalar(leaf, self.get(name).unwrap_or_default()),
        }
    }
}

/// Reads a request's form, and checks every constraint of the model.
pub fn request<T: Shape>(service: &Service, body: &[u8]) -> Result<T, ServiceError> {
    json::shape(service, Form::parse(body).tree(T::schema(), ""))
}

/// Writes the body of an answer.
pub fn answer<T: Shape>(
    service: &Service,
    operation: &str,
    caller: &Caller,
    output: &T,
) -> Vec<u8> {
    let tree = serde_json::to_value(output).expect("shapes have text keys only");
    xml::document(&format!("{operation}Response"), namespace(service), |xml| {
        xml.element(&format!("{operation}Result"), |xml| xml.members(T::schema(), &tree));
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", &caller.request_id));
    })
}

/// Writes the body of an answer that has no result.
pub fn empty_answer(service: &Service, operation: &str, caller: &Caller) -> Vec<u8> {
    xml::document(&format!("{operation}Response"), namespace(service), |xml| {
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", &caller.request_id));
    })
}

/// Writes the body of an error.
pub fn error(service: &Service, error: &ServiceError, request_id: &str) -> Vec<u8> {
    xml::document("ErrorResponse", namespace(service), |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", if error.is_refusal() { "Sender" } else { "Receiver" });
            xml.text("Code", &error.code);
            xml.text("Message", &error.message);
        });
        xml.text("RequestId", request_id);
    })
}

fn namespace(service: &Service) -> &'static str {
    match service.protocol {
        Protocol::Query { namespace } => namespace,
        Protocol::Json11 { .. } => "",
    }
}

fn decode(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

/// A form's text as the JSON value that its type would have.
fn scalar(schema: &Schema, text: &str) -> Value {
    let as_is = || Value::String(text.to_owned());
    match schema {
        Schema::Integer(..) | Schema::Long(..) => {
            text.parse::<i64>().map_or_else(|_| as_is(), Value::from)
        }
        Schema::Double(..) => {
            text.parse().ok().and_then(Number::from_f64).map_or_else(as_is, Value::Number)
        }
        Schema::Boolean => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => as_is(),
        },
        Schema::Timestamp => text.parse::<jiff::Timestamp>().map_or_else(
            |_| as_is(),
            |moment| {
                let moment = crate::Timestamp::from_millis(moment.as_millisecond());
                serde_json::to_value(moment).expect("a moment is a number")
            },
        ),
        Schema::Text(_) | Schema::Enum(_) | Schema::Blob => as_is(),
        Schema::List(..) | Schema::Map(..) | Schema::Structure(_) => Value::Object(Map::new()),
    }
}

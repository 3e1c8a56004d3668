//! The part of a service model that the project keeps. What is not a field here is stripped.

use crate::ordered::Ordered;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// One service.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    pub(crate) metadata: Metadata,
    pub(crate) operations: Ordered<Operation>,
    pub(crate) shapes: Ordered<Shape>,
}

/// What the service calls itself and how it is spoken to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    pub(crate) protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) json_version: Option<String>,
    pub(crate) endpoint_prefix: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) xml_namespace: Option<String>,
}

/// One operation: the names of its input, output and errors.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<ShapeRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<ShapeRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<ShapeRef>,
}

/// The use of a shape by another or by an operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShapeRef {
    pub(crate) shape: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result_wrapper: Option<String>,
}

/// A named type with its constraints.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) required: Vec<String>,
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(crate) members: Ordered<ShapeRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<ShapeRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<ShapeRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<ShapeRef>,
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<serde_json::Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<serde_json::Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) sensitive: bool,
    /// Whether the service refuses a wrong value in words of its own.
    #[serde(skip)]
    pub(crate) judged_by_service: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) exception: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) fault: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) event: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) eventstream: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) union: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorTrait>,
}

/// The types that the models use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
    Blob,
}

/// How an exception is spelled when it is not by its own name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorTrait {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) http_status_code: Option<u16>,
}

impl Model {
    /// Reads a stripped model.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("parsing {}", path.display()))
    }

    /// Leaves to the service: a list's least length, a text's pattern, an enum's values.
    pub(crate) fn leave_to_service(&mut self, names: &[String]) -> Result<()> {
        for name in names {
            let shape = self.shapes.get_mut(name);
            let shape = shape.with_context(|| format!("the model has no shape {name}"))?;
            match shape.kind {
                Kind::List => shape.min = None,
                _ => shape.pattern = None,
            }
            shape.judged_by_service = true;
        }
        Ok(())
    }

    /// The shape of that name; a model that names one it does not have is broken.
    pub(crate) fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).with_context(|| format!("the model has no shape {name}"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

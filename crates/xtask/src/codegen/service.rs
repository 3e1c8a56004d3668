//! Writes what there is once for each service: its description, its trait, its dispatch table.

use super::{Choice, names, reach};
use crate::model::{Model, Operation};
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;

/// An operation that has a trait method.
struct Method<'a> {
    name: &'a str,
    input: String,
    /// The output's type; none when the answer is empty.
    output: Option<String>,
}

/// Writes all of it.
pub(crate) fn write(out: &mut String, name: &str, choice: &Choice, model: &Model) -> Result<()> {
    let codec = match model.metadata.protocol.as_str() {
        "json" => "json",
        "query" => "query",
        other => bail!("no codec for the protocol {other}"),
    };
    let methods = methods(choice, model)?;
    writeln!(out, "use crate::codec::{codec};")?;
    out.push_str(USES);
    description(out, name, choice, model)?;
    service_trait(out, choice, &methods)?;
    dispatch(out, choice, codec, &methods)
}

const USES: &str = "use crate::caller::Caller;
use crate::error::ServiceError;
use crate::schema::Shape;
use crate::service::{Protocol, Service};
use serde::{Deserialize, Serialize};
use std::future::Future;

";

fn methods<'a>(choice: &'a Choice, model: &Model) -> Result<Vec<Method<'a>>> {
    let mut methods = Vec::new();
    for name in &choice.operations {
        let operation: &Operation = model.operations.get(name).context("operation")?;
        if reach::stream(model, operation.output.as_ref())?.is_some() {
            continue;
        }
        let input = operation.input.as_ref().with_context(|| format!("{name} has no input"))?;
        methods.push(Method {
            name,
            input: names::capital(&input.shape),
            output: operation.output.as_ref().map(|output| names::capital(&output.shape)),
        });
    }
    Ok(methods)
}

fn description(out: &mut String, name: &str, choice: &Choice, model: &Model) -> Result<()> {
    let metadata = &model.metadata;
    let protocol = match (&metadata.target_prefix, &metadata.xml_namespace) {
        (Some(prefix), _) => format!("Protocol::Json11 {{ target_prefix: {prefix:?} }}"),
        (None, Some(namespace)) => format!("Protocol::Query {{ namespace: {namespace:?} }}"),
        (None, None) => bail!("the model has neither a target prefix nor a namespace"),
    };
    let mut operations: Vec<&str> = model.operations.iter().map(|(name, _)| name).collect();
    operations.sort_unstable();
    writeln!(
        out,
        "pub static SERVICE: Service = Service {{ name: {name:?}, api_version: {:?}, \
         protocol: {protocol}, operations: &{operations:?}, invalid_input: {:?} }};\n",
        metadata.api_version, choice.invalid_input,
    )?;
    Ok(())
}

fn service_trait(out: &mut String, choice: &Choice, methods: &[Method<'_>]) -> Result<()> {
    writeln!(out, "/// The operations that get through to a server. Those that it does not")?;
    writeln!(out, "/// implement answer that they are not supported yet.")?;
    writeln!(out, "pub trait {}: Send + Sync {{", choice.trait_name)?;
    for Method { name, input, output } in methods {
        let output = output.as_deref().unwrap_or("()");
        writeln!(
            out,
            "fn {}(&self, caller: &Caller, input: {input}) \
             -> impl Future<Output = Result<{output}, ServiceError>> + Send {{\n\
             let _ = (caller, input);\n\
             std::future::ready(Err(ServiceError::not_supported(&SERVICE, {name:?})))\n}}\n",
            names::snake(name),
        )?;
    }
    writeln!(out, "}}\n")?;
    Ok(())
}

fn dispatch(out: &mut String, choice: &Choice, codec: &str, methods: &[Method<'_>]) -> Result<()> {
    writeln!(
        out,
        "/// Decodes the body, checks it against the model, calls the operation, encodes its answer.\n\
         #[allow(clippy::too_many_lines, reason = \"a table: one arm for each operation\")]\n\
         pub async fn call<S: {}>(service: &S, caller: &Caller, operation: &str, body: &[u8]) \
         -> Result<Vec<u8>, ServiceError> {{\nmatch operation {{",
        choice.trait_name,
    )?;
    for Method { name, output, .. } in methods {
        let answer = match (codec, output) {
            ("json", Some(_)) => "json::answer(&output)".to_owned(),
            ("json", None) => "Vec::new()".to_owned(),
            (_, Some(_)) => format!("query::answer(&SERVICE, {name:?}, caller, &output)"),
            (_, None) => format!("query::empty_answer(&SERVICE, {name:?}, caller)"),
        };
        let binding = if output.is_some() { "let output = " } else { "" };
        writeln!(
            out,
            "{name:?} => {{\nlet input = {codec}::request(&SERVICE, body)?;\n\
             {binding}service.{}(caller, input).await?;\nOk({answer})\n}}",
            names::snake(name),
        )?;
    }
    writeln!(out, "other => Err(ServiceError::no_such_operation(&SERVICE, other)),\n}}\n}}\n")?;
    Ok(())
}

//! Writes structures, enums, errors and the constraints of every shape.

use super::names;
use super::reach::Reach;
use crate::model::{Kind, Model, Shape};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Writes everything that is reached.
pub(crate) fn write(out: &mut String, model: &Model, reach: &Reach) -> Result<()> {
    for name in &reach.shapes {
        let shape = model.shape(name)?;
        if shape.kind == Kind::Structure {
            structure(out, model, name, shape)?;
        }
    }
    enums(out, model, reach)?;
    for name in &reach.streams {
        stream(out, name, model.shape(name)?)?;
    }
    errors(out, model, reach)?;
    constraints(out, model, reach)
}

fn structure(out: &mut String, model: &Model, name: &str, shape: &Shape) -> Result<()> {
    let camel = shape.members.iter().filter(|(m, _)| names::camel(&names::field(m)) == *m).count();
    let pascal = shape.members.iter();
    let pascal = pascal.filter(|(m, _)| names::pascal_of_snake(&names::field(m)) == *m).count();
    let (style, spelled): (&str, fn(&str) -> String) = if pascal > camel {
        ("PascalCase", names::pascal_of_snake)
    } else {
        ("camelCase", names::camel)
    };
    writeln!(out, "#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]")?;
    writeln!(out, "#[serde(default, rename_all = {style:?})]")?;
    writeln!(out, "pub struct {} {{", names::capital(name))?;
    for (member, target) in shape.members.iter() {
        let field = names::field(member);
        let rename = (spelled(&field) != member).then(|| format!("rename = {member:?}"));
        let ty = rust_type(model, &target.shape)?;
        let required = shape.required.iter().any(|r| r == member);
        let skip = (!required).then(|| "skip_serializing_if = \"Option::is_none\"".to_owned());
        let attributes: Vec<String> = rename.into_iter().chain(skip).collect();
        if !attributes.is_empty() {
            writeln!(out, "#[serde({})]", attributes.join(", "))?;
        }
        let ty = if required { ty } else { format!("Option<{ty}>") };
        writeln!(out, "pub {field}: {ty},")?;
    }
    writeln!(out, "}}\n")?;
    writeln!(
        out,
        "impl Shape for {} {{\nfn schema() -> &'static crate::Schema {{\n&constraints::{}\n}}\n}}\n",
        names::capital(name),
        names::constant(name),
    )?;
    Ok(())
}

fn rust_type(model: &Model, name: &str) -> Result<String> {
    let shape = model.shape(name)?;
    let part = |part: &Option<crate::model::ShapeRef>| -> Result<String> {
        rust_type(model, &part.as_ref().context("a list or map without a type")?.shape)
    };
    Ok(match shape.kind {
        Kind::Structure => names::capital(name),
        Kind::List => format!("Vec<{}>", part(&shape.member)?),
        Kind::Map => {
            format!("std::collections::BTreeMap<{}, {}>", part(&shape.key)?, part(&shape.value)?)
        }
        Kind::String if !shape.values.is_empty() => names::capital(name),
        Kind::String if shape.sensitive => "crate::Sensitive".to_owned(),
        Kind::String => "String".to_owned(),
        Kind::Integer => "i32".to_owned(),
        Kind::Long => "i64".to_owned(),
        Kind::Float | Kind::Double => "f64".to_owned(),
        Kind::Boolean => "bool".to_owned(),
        Kind::Timestamp => "crate::Timestamp".to_owned(),
        Kind::Blob => "crate::Blob".to_owned(),
    })
}

fn enums(out: &mut String, model: &Model, reach: &Reach) -> Result<()> {
    let mut body = String::new();
    for name in &reach.shapes {
        let shape = model.shape(name)?;
        if shape.values.is_empty() {
            continue;
        }
        let mut taken = BTreeSet::from(["Unknown".to_owned()]);
        writeln!(body, "    {} {{", names::capital(name))?;
        for value in &shape.values {
            let variant = names::variant(value);
            ensure!(taken.insert(variant.clone()), "two values of {name} become {variant}");
            writeln!(body, "        {variant} = {value:?},")?;
        }
        writeln!(body, "    }}")?;
    }
    if !body.is_empty() {
        writeln!(out, "crate::value::text_enum! {{\n{body}}}\n")?;
    }
    Ok(())
}

fn stream(out: &mut String, name: &str, shape: &Shape) -> Result<()> {
    let name = names::capital(name);
    let mut arms = [String::new(), String::new(), String::new()];
    writeln!(out, "/// The frames of one event stream.")?;
    writeln!(out, "#[derive(Clone, Debug, PartialEq)]\npub enum {name} {{")?;
    for (member, target) in shape.members.iter() {
        let variant = names::capital(member);
        writeln!(out, "{variant}({}),", names::capital(&target.shape))?;
        let exception = member.ends_with("Exception");
        writeln!(arms[0], "Self::{variant}(_) => {member:?},")?;
        writeln!(arms[1], "Self::{variant}(_) => {exception},")?;
        writeln!(arms[2], "Self::{variant}(event) => json::answer(event),")?;
    }
    let [kinds, exceptions, payloads] = arms;
    writeln!(
        out,
        "}}\n\nimpl crate::event_stream::StreamEvent for {name} {{\n\
         fn kind(&self) -> &'static str {{\nmatch self {{\n{kinds}}}\n}}\n\n\
         fn is_exception(&self) -> bool {{\nmatch self {{\n{exceptions}}}\n}}\n\n\
         fn payload(&self) -> Vec<u8> {{\nmatch self {{\n{payloads}}}\n}}\n}}\n",
    )?;
    Ok(())
}

fn errors(out: &mut String, model: &Model, reach: &Reach) -> Result<()> {
    if reach.errors.is_empty() {
        return Ok(());
    }
    writeln!(out, "/// The errors that the model declares for these operations.")?;
    writeln!(out, "pub mod error {{\nuse crate::error::ServiceError;\n")?;
    for name in &reach.errors {
        let shape = model.shape(name)?;
        let declared = shape.error.as_ref();
        let code = declared.and_then(|e| e.code.as_deref()).unwrap_or(name);
        let status = declared.and_then(|e| e.http_status_code);
        let status = status.unwrap_or(if shape.fault { 500 } else { 400 });
        writeln!(
            out,
            "pub fn {}(message: impl Into<String>) -> ServiceError {{\n\
             ServiceError {{ status: {status}, ..ServiceError::refusal({code:?}, message) }}\n}}\n",
            names::snake(name.trim_end_matches("Exception")),
        )?;
    }
    writeln!(out, "}}\n")?;
    Ok(())
}

fn constraints(out: &mut String, model: &Model, reach: &Reach) -> Result<()> {
    writeln!(out, "mod constraints {{")?;
    let mut uses = BTreeSet::from(["Schema"]);
    let mut body = String::new();
    for name in &reach.shapes {
        let schema = schema(model, name)?;
        for part in ["Text {", "Structure(", "Pattern::"] {
            let imported = part.trim_end_matches([' ', '{', '(', ':']);
            if schema.replace("Schema::Structure(", "").contains(part) {
                uses.insert(imported);
            }
        }
        writeln!(body, "pub(super) static {}: Schema = {schema};\n", names::constant(name))?;
    }
    let uses: Vec<&str> = uses.into_iter().collect();
    writeln!(out, "use crate::schema::{{{}}};\n", uses.join(", "))?;
    writeln!(out, "{body}}}\n")?;
    let all: Vec<String> = reach
        .shapes
        .iter()
        .map(|name| format!("&constraints::{}", names::constant(name)))
        .collect();
    writeln!(out, "/// The constraints of every shape, for the test that tries them all.")?;
    writeln!(out, "#[cfg(test)]\npub(crate) static SCHEMAS: &[&crate::Schema] =")?;
    writeln!(out, "&[{}];", all.join(", "))?;
    Ok(())
}

fn schema(model: &Model, name: &str) -> Result<String> {
    let shape = model.shape(name)?;
    let part = |part: &Option<crate::model::ShapeRef>| -> Result<String> {
        let target = &part.as_ref().context("a list or map without a type")?.shape;
        Ok(format!("&{}", names::constant(target)))
    };
    let limit = |limit: &Option<serde_json::Number>, otherwise: &str| {
        limit.as_ref().map_or_else(|| otherwise.to_owned(), ToString::to_string)
    };
    let within = |least: &str, greatest: &str| {
        format!("{}, {}", limit(&shape.min, least), limit(&shape.max, greatest))
    };
    let counts = within("0", "usize::MAX");
    Ok(match shape.kind {
        Kind::Structure => structure_schema(shape)?,
        Kind::List => format!("Schema::List({}, {counts})", part(&shape.member)?),
        Kind::Map => {
            format!("Schema::Map({}, {}, {counts})", part(&shape.key)?, part(&shape.value)?)
        }
        Kind::String if !shape.values.is_empty() && !shape.judged_by_service => {
            format!("Schema::Enum(super::{}::VALUES)", names::capital(name))
        }
        Kind::String => format!(
            "Schema::Text(Text {{ min: {}, max: {}, pattern: {}, sensitive: {} }})",
            limit(&shape.min, "0"),
            limit(&shape.max, "usize::MAX"),
            shape.pattern.as_deref().map_or_else(|| "None".to_owned(), pattern),
            shape.sensitive,
        ),
        Kind::Integer => {
            format!("Schema::Integer({})", within("i32::MIN as i64", "i32::MAX as i64"))
        }
        Kind::Long => format!("Schema::Long({})", within("i64::MIN", "i64::MAX")),
        Kind::Float | Kind::Double => format!(
            "Schema::Double({}f64, {}f64)",
            limit(&shape.min, "-1e308"),
            limit(&shape.max, "1e308")
        ),
        Kind::Boolean => "Schema::Boolean".to_owned(),
        Kind::Timestamp => "Schema::Timestamp".to_owned(),
        Kind::Blob => "Schema::Blob".to_owned(),
    })
}

fn structure_schema(shape: &Shape) -> Result<String> {
    let mut members = String::new();
    for (member, target) in shape.members.iter() {
        let required = shape.required.iter().any(|r| r == member);
        write!(members, "({member:?}, {required}, &{}), ", names::constant(&target.shape))?;
    }
    Ok(format!("Schema::Structure(Structure(&[{members}]))"))
}

/// Both spellings of a pattern. AWS's classes are of ASCII; ours would be of Unicode.
fn pattern(text: &str) -> String {
    let expression = text.replace(r"\w", "[0-9A-Za-z_]").replace(r"\d", "[0-9]");
    format!("Some(Pattern::new({}, {}))", raw(text), raw(&expression))
}

fn raw(text: &str) -> String {
    format!("r#\"{text}\"#")
}

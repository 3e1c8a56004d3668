//! Which shapes the chosen operations need.

use super::Choice;
use crate::model::{Kind, Model, ShapeRef};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

/// The shapes to generate, by name.
#[derive(Default)]
pub(crate) struct Reach {
    /// Everything that is spelled as a value.
    pub(crate) shapes: BTreeSet<String>,
    /// Event streams, which are spelled as frames around values.
    pub(crate) streams: BTreeSet<String>,
    /// Errors that an operation can answer.
    pub(crate) errors: BTreeSet<String>,
}

impl Reach {
    /// Follows the chosen operations' inputs, outputs and errors.
    pub(crate) fn of(model: &Model, choice: &Choice) -> Result<Self> {
        let mut reach = Self::default();
        for name in &choice.operations {
            let operation = model
                .operations
                .get(name)
                .with_context(|| format!("operations.toml names {name}, the model does not"))?;
            for shape in operation.input.iter() {
                reach.follow(model, &shape.shape, &mut Vec::new())?;
            }
            match stream(model, operation.output.as_ref())? {
                Some(stream) => reach.follow_stream(model, &stream)?,
                None => {
                    for shape in operation.output.iter() {
                        reach.follow(model, &shape.shape, &mut Vec::new())?;
                    }
                }
            }
            reach.errors.extend(operation.errors.iter().map(|error| error.shape.clone()));
        }
        Ok(reach)
    }

    fn follow(&mut self, model: &Model, name: &str, above: &mut Vec<String>) -> Result<()> {
        ensure!(!above.iter().any(|a| a == name), "{name} contains itself; codegen has no boxes");
        if !self.shapes.insert(name.to_owned()) {
            return Ok(());
        }
        let shape = model.shape(name)?;
        above.push(name.to_owned());
        let parts = [&shape.member, &shape.key, &shape.value].into_iter().flatten();
        for part in parts.chain(shape.members.iter().map(|(_, member)| member)) {
            self.follow(model, &part.shape, above)?;
        }
        above.pop();
        Ok(())
    }

    fn follow_stream(&mut self, model: &Model, name: &str) -> Result<()> {
        self.streams.insert(name.to_owned());
        for (_, event) in model.shape(name)?.members.iter() {
            self.follow(model, &event.shape, &mut Vec::new())?;
        }
        Ok(())
    }
}

/// The event stream that an operation's output consists of, if it does.
pub(crate) fn stream(model: &Model, output: Option<&ShapeRef>) -> Result<Option<String>> {
    let Some(output) = output else { return Ok(None) };
    for (_, member) in model.shape(&output.shape)?.members.iter() {
        let shape = model.shape(&member.shape)?;
        if shape.kind == Kind::Structure && shape.eventstream {
            return Ok(Some(member.shape.clone()));
        }
    }
    Ok(None)
}

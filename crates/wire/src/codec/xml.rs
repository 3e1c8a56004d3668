//! Writes the XML of Query answers: every value is an element, lists hold `member`s.

use crate::schema::Schema;
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde_json::Value;

const INFALLIBLE: &str = "writing to memory does not fail";

/// Writes a document whose root element is `name` in `namespace`.
pub(super) fn document(name: &str, namespace: &str, inside: impl FnOnce(&mut Xml)) -> Vec<u8> {
    let mut xml = Xml(Writer::new(Vec::new()));
    let mut start = BytesStart::new(name);
    start.push_attribute(("xmlns", namespace));
    xml.event(Event::Start(start));
    inside(&mut xml);
    xml.event(Event::End(BytesEnd::new(name)));
    xml.0.into_inner()
}

/// An open element.
pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// Writes an element with what `inside` writes into it.
    pub(super) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.event(Event::Start(BytesStart::new(name)));
        inside(self);
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// Writes an element with a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.element(name, |xml| xml.event(Event::Text(BytesText::new(text))));
    }

    /// Writes the members of a structure's tree.
    pub(super) fn members(&mut self, schema: &Schema, tree: &Value) {
        let (Schema::Structure(structure), Value::Object(members)) = (schema, tree) else { return };
        for (name, _, schema) in structure.0 {
            if let Some(value) = members.get(*name) {
                self.element(name, |xml| xml.content(schema, value));
            }
        }
    }

    fn content(&mut self, schema: &Schema, value: &Value) {
        match (schema, value) {
            (Schema::Structure(_), _) => self.members(schema, value),
            (Schema::List(member, ..), Value::Array(items)) => {
                for item in items {
                    self.element("member", |xml| xml.content(member, item));
                }
            }
            (Schema::Map(_, member, ..), Value::Object(entries)) => {
                for (key, value) in entries {
                    self.element("entry", |xml| {
                        xml.text("key", key);
                        xml.element("value", |xml| xml.content(member, value));
                    });
                }
            }
            (Schema::Timestamp, _) => {
                let moment = serde_json::from_value::<crate::Timestamp>(value.clone());
                let moment = moment.expect("a shape's moment is a number");
                self.event(Event::Text(BytesText::new(&moment.to_iso8601())));
            }
            (_, Value::String(text)) => self.event(Event::Text(BytesText::new(text))),
            (_, other) => self.event(Event::Text(BytesText::new(&other.to_string()))),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect(INFALLIBLE);
    }
}

//! What can be seen in the syntax tree.

use super::{Finding, Source};
use anyhow::{Context, Result};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ExprMethodCall, ImplItemFn, ItemFn, ItemMod, ItemUse, TraitItemFn, UseTree,
    Visibility,
};

const FUNCTION_LINES_MAX: usize = 70;

/// Functions that may be longer, by file and name: tables, where a cut would hide the whole.
const LONG: [(&str, &str); 0] = [];

/// Checks the length of functions, and `unwrap` and glob imports outside tests.
pub(super) fn check(source: &Source<'_>) -> Result<Vec<Finding>> {
    let file = syn::parse_file(source.text).with_context(|| format!("parsing {}", source.file))?;
    let is_test = source.is_test() || file.attrs.iter().any(is_cfg_test);
    let mut walk = Walk { source, is_test, found: Vec::new() };
    walk.visit_file(&file);
    Ok(walk.found)
}

struct Walk<'a> {
    source: &'a Source<'a>,
    is_test: bool,
    found: Vec<Finding>,
}

impl Walk<'_> {
    fn find(&mut self, span: Span, sentence: impl Into<String>) {
        self.found.push(self.source.finding(span.start().line, sentence));
    }

    /// The lines between the braces. A literal of many lines counts as one: it is data.
    fn length(&mut self, name: &syn::Ident, block: &Block) {
        let span = block.brace_token.span;
        let lines = (span.close().start().line - span.open().start().line).saturating_sub(1);
        let lines = lines.saturating_sub(literal_lines(block.to_token_stream()));
        let name = name.to_string();
        let excepted = LONG.contains(&(self.source.file, name.as_str()));
        if lines > FUNCTION_LINES_MAX && !excepted && !self.source.is_generated() {
            let sentence = format!("`{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}");
            self.find(span.open(), sentence);
        }
    }

    /// Visits with what the attributes say about being a test.
    fn inside(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let outside = self.is_test;
        self.is_test |= attributes.iter().any(|a| is_cfg_test(a) || is_test(a));
        visit(self);
        self.is_test = outside;
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.length(&function.sig.ident, &function.block);
        self.inside(&function.attrs, |walk| visit::visit_item_fn(walk, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.length(&function.sig.ident, &function.block);
        self.inside(&function.attrs, |walk| visit::visit_impl_item_fn(walk, function));
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.length(&function.sig.ident, block);
        }
        self.inside(&function.attrs, |walk| visit::visit_trait_item_fn(walk, function));
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.inside(&module.attrs, |walk| visit::visit_item_mod(walk, module));
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !self.is_test && matches!(item.vis, Visibility::Inherited) && has_glob(&item.tree) {
            self.find(item.span(), "a glob import hides where names come from");
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "unwrap" && call.args.is_empty() && !self.is_test {
            let sentence = "`unwrap` outside tests; `expect` states the invariant";
            self.find(call.method.span(), sentence);
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// How many lines literals go on for after their first.
fn literal_lines(tokens: TokenStream) -> usize {
    let lines = |tree: TokenTree| match tree {
        TokenTree::Group(group) => literal_lines(group.stream()),
        TokenTree::Literal(literal) => {
            literal.span().end().line.saturating_sub(literal.span().start().line)
        }
        TokenTree::Ident(_) | TokenTree::Punct(_) => 0,
    };
    tokens.into_iter().map(lines).sum()
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
}

fn is_cfg_test(attribute: &Attribute) -> bool {
    let mut test = false;
    if attribute.path().is_ident("cfg") {
        // `cfg(not(test))` and the like do not parse as this, and are not tests.
        let _ = attribute.parse_nested_meta(|meta| {
            test |= meta.path.is_ident("test");
            Ok(())
        });
    }
    test
}

fn has_glob(tree: &UseTree) -> bool {
    match tree {
        UseTree::Glob(_) => true,
        UseTree::Path(path) => has_glob(&path.tree),
        UseTree::Group(group) => group.items.iter().any(has_glob),
        UseTree::Name(_) | UseTree::Rename(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, check};
    use expect_test::{Expect, expect};

    fn findings(file: &str, text: &str, expected: &Expect) {
        let found = check(&Source { file, text }).unwrap();
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn functions_end_somewhere() {
        let body = "    step();\n".repeat(71);
        let text = format!("fn long() {{\n{body}}}\nimpl A {{ fn other() {{\n{body}}} }}\n");
        findings(
            "crates/a/src/a.rs",
            &text,
            &expect![[r#"
            crates/a/src/a.rs:1: `long` has 71 lines, more than 70
            crates/a/src/a.rs:74: `other` has 71 lines, more than 70"#]],
        );
        let text = format!("fn short() {{\n{}}}\n", "    step();\n".repeat(70));
        findings("crates/a/src/a.rs", &text, &expect![]);
        let data = format!("fn data() {{\n    print!(\"{}\");\n}}\n", "line\n".repeat(100));
        findings("crates/a/src/a.rs", &data, &expect![]);
    }

    #[test]
    fn only_tests_unwrap() {
        let text = "fn a() { b().unwrap(); b().unwrap_or(1); }\n\
                    #[test]\nfn c() { b().unwrap(); }\n\
                    #[cfg(test)]\nmod tests { fn d() { b().unwrap(); } }\n\
                    #[cfg(not(test))]\nmod real { fn d() { b().unwrap(); } }\n";
        findings(
            "crates/a/src/a.rs",
            text,
            &expect![[r#"
            crates/a/src/a.rs:1: `unwrap` outside tests; `expect` states the invariant
            crates/a/src/a.rs:7: `unwrap` outside tests; `expect` states the invariant"#]],
        );
        findings("crates/a/tests/it/main.rs", text, &expect![]);
        findings("crates/a/src/tests/all.rs", text, &expect![]);
    }

    #[test]
    fn names_are_imported_by_name() {
        let text = "use a::{b::*, c};\nuse a::d;\npub use e::*;\n";
        findings(
            "crates/a/src/a.rs",
            text,
            &expect!["crates/a/src/a.rs:1: a glob import hides where names come from"],
        );
    }
}

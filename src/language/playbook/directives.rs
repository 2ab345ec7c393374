//! Keywords that plays, blocks and tasks share.

use crate::core::source::Diagnostic;
use crate::language::yaml::{Kind, Node};

use super::keywords::is_template;
use super::model::Directives;
use super::reader::Reader;

impl Reader<'_> {
    /// Takes a keyword into the directives; false where it is none of them. `when` and `delegate_to` are not of a play.
    pub(super) fn directive(&mut self, into: &mut Directives, name: &str, node: &Node) -> bool {
        match name {
            "vars" => into.vars = self.vars(node),
            "environment" => into.environment = self.environment(node),
            "tags" => into.tags = self.texts(node, name, true),
            "when" => into.when = self.conditions(node, name),
            "become" => into.becomes = self.boolean(node, name),
            "become_user" => into.become_user = self.text_node(node, name),
            "become_method" => self.become_method(node),
            "ignore_errors" => into.ignore_errors = self.boolean(node, name),
            "ignore_unreachable" => into.ignore_unreachable = self.boolean(node, name),
            "any_errors_fatal" => into.any_errors_fatal = self.boolean(node, name),
            "no_log" => into.no_log = self.boolean(node, name),
            "check_mode" => into.check_mode = self.boolean(node, name),
            "diff" => into.diff = self.boolean(node, name),
            "delegate_to" => into.delegate_to = self.text_node(node, name),
            "run_once" => into.run_once = self.boolean(node, name),
            "timeout" => into.timeout = self.duration(node, name),
            "remote_user" => into.remote_user = self.text_node(node, name),
            "connection" => into.connection = self.connection(node),
            _ => return false,
        }
        true
    }

    fn environment(&mut self, node: &Node) -> Vec<Node> {
        let mut environment = Vec::new();
        for item in Self::one_or_many(node) {
            match &item.kind {
                Kind::Map(_) => environment.push(item),
                Kind::String(text) if is_template(text) => environment.push(item),
                _ => self.wrong(&item, "environment", "a mapping of names to values"),
            }
        }
        environment
    }

    /// Conditions: one or a list of texts and booleans.
    pub(super) fn conditions(&mut self, node: &Node, keyword: &str) -> Vec<Node> {
        let mut conditions = Vec::new();
        for item in Self::one_or_many(node) {
            match item.kind {
                Kind::String(_) | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => conditions.push(item),
                _ => self.wrong(&item, keyword, "a condition or a list of them"),
            }
        }
        conditions
    }

    fn become_method(&mut self, node: &Node) {
        if node.as_str().is_some_and(|method| matches!(method, "sudo" | "ansible.builtin.sudo")) {
            return;
        }
        self.report(
            Diagnostic::error(node.span, "only the become method sudo is supported")
                .label("not supported yet")
                .help("leave become_method out"),
        );
    }

    fn connection(&mut self, node: &Node) -> Option<Node> {
        let text = self.text(node, "connection")?;
        let short = text.value.strip_prefix("ansible.builtin.").unwrap_or(&text.value);
        if is_template(short) || matches!(short, "local" | "ssh" | "smart" | "paramiko" | "paramiko_ssh") {
            return Some(Node { span: node.span, kind: Kind::String(short.to_owned()) });
        }
        self.report(
            Diagnostic::error(node.span, format!("the connection `{}` is not supported", text.value))
                .label("not supported")
                .help("use ssh or local"),
        );
        None
    }
}

//! The YAML form: groups with `hosts`, `children` and `vars`.

use crate::core::source::Diagnostic;
use crate::core::values::{Value, Var};
use crate::language::yaml::{Kind, Node};

use super::super::reader::Reader;
use super::builder::Builder;

impl Reader<'_> {
    pub(super) fn yaml_inventory(&mut self, builder: &mut Builder, node: &Node) {
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(node, "the inventory", "a mapping of groups");
            return;
        }
        if node.get("plugin").is_some() {
            self.report(
                Diagnostic::error(node.span, "dynamic inventories are not supported yet")
                    .label("a plugin's configuration")
                    .help("list the hosts"),
            );
            return;
        }
        for (name, key, value) in self.mapping(node, "the inventory") {
            self.yaml_group(builder, name, key, value);
        }
    }

    fn yaml_group(&mut self, builder: &mut Builder, name: &str, key: &Node, node: &Node) {
        builder.group(name, key.span);
        for (section, section_key, value) in self.mapping(node, &format!("the group `{name}`")) {
            match section {
                "hosts" => self.yaml_hosts(builder, name, value),
                "vars" => {
                    for (variable, key, value) in self.mapping(value, "vars") {
                        self.connection_variable(variable, &value.to_value(), key.span);
                        let variable = variable.to_owned();
                        builder.group(name, key.span).vars.insert(variable, written(value));
                    }
                }
                "children" => {
                    if let Some(child) = value.as_str() {
                        self.yaml_child(builder, name, child, value, &Node { span: value.span, kind: Kind::Null });
                        continue;
                    }
                    for (child, key, value) in self.mapping(value, "children") {
                        self.yaml_child(builder, name, child, key, value);
                    }
                }
                _ => self.unknown_key(
                    section,
                    section_key,
                    &format!("the group `{name}`"),
                    ["hosts", "children", "vars"],
                ),
            }
        }
    }

    fn yaml_child(&mut self, builder: &mut Builder, parent: &str, child: &str, key: &Node, node: &Node) {
        self.yaml_group(builder, child, key, node);
        if !builder.child(parent, child) {
            self.report(
                Diagnostic::error(key.span, format!("the groups `{parent}` and `{child}` would contain each other"))
                    .label("a circle")
                    .help("leave one of the two out"),
            );
        }
    }

    fn yaml_hosts(&mut self, builder: &mut Builder, group: &str, node: &Node) {
        if let Some(host) = node.as_str() {
            self.hosts_of_pattern(builder, group, host, node.span, &[]);
            return;
        }
        for (host, key, value) in self.mapping(node, "hosts") {
            let mut vars: Vec<(String, Value)> = Vec::new();
            for (variable, key, value) in self.mapping(value, &format!("the host `{host}`")) {
                let value = value.to_value();
                self.connection_variable(variable, &value, key.span);
                vars.push((variable.to_owned(), value));
            }
            self.hosts_of_pattern(builder, group, host, key.span, &vars);
        }
    }
}

/// `!unsafe` text is data.
fn written(node: &Node) -> Var {
    match node.kind {
        Kind::Unsafe(_) => Var::data(node.to_value()),
        _ => Var::written(node.to_value()),
    }
}

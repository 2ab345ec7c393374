//! Hosts that exist: an inventory in INI or YAML form, read as Ansible reads it.

mod builder;
mod host_range;
mod ini;
mod model;
#[cfg(test)]
mod tests;
mod yaml;

pub use model::{Inventory, InventoryGroup, InventoryHost};

use std::path::Path;

use crate::core::source::{Diagnostic, Files, SourceMap, Span};

use super::reader::Reader;
use builder::Builder;

/// Reads an inventory: a file in INI or YAML form, or a list of hosts with a comma in it (`web1,web2` or `web1,`).
pub fn load_inventory(files: &dyn Files, sources: &SourceMap, path: &Path) -> (Inventory, Vec<Diagnostic>) {
    let mut reader = Reader::new(files, sources, path);
    let mut builder = Builder::default();
    let name = path.to_string_lossy();
    if name.contains(',') {
        let file = sources.add("--inventory", name.as_ref());
        let span = Span { file, line: 1, column: 1, end_line: 1, end_column: name.chars().count() as u32 + 1 };
        for host in name.split(',').map(str::trim).filter(|host| !host.is_empty()) {
            reader.hosts_of_pattern(&mut builder, "ungrouped", host, span, &[]);
        }
    } else {
        reader.inventory(&mut builder, path);
    }
    let inventory = builder.finish();
    if inventory.hosts.is_empty() && reader.problems.is_empty() {
        reader.report(
            Diagnostic::warning(Span::default(), format!("the inventory {} has no hosts", path.display()))
                .help("plays on localhost run all the same"),
        );
    }
    (inventory, reader.problems)
}

impl Reader<'_> {
    fn inventory(&mut self, builder: &mut Builder, path: &Path) {
        for folder in ["group_vars", "host_vars"] {
            let folder = self.folder.join(folder);
            if self.files.exists(&folder) {
                self.report(
                    Diagnostic::warning(Span::default(), format!("{} is not read yet", folder.display()))
                        .help("put the variables into the inventory, or into a file that vars_files names"),
                );
            }
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if matches!(extension.as_deref(), Some("yml" | "yaml" | "json")) {
            if let Some(node) = self.yaml(path, None) {
                self.yaml_inventory(builder, &node);
            }
            return;
        }
        let Some(bytes) = self.bytes(path, None) else { return };
        let Ok(text) = String::from_utf8(bytes) else {
            self.report(
                Diagnostic::error(Span::default(), format!("the inventory {} is not UTF-8 text", path.display()))
                    .help("is it the right file? An inventory is a text file in INI or YAML form"),
            );
            return;
        };
        if extension.is_none() && text.starts_with("---") {
            if let Some(node) = self.yaml(path, None) {
                self.yaml_inventory(builder, &node);
            }
            return;
        }
        let file = self.sources.add(path, text.clone());
        self.ini_inventory(builder, file, &text);
    }
}

//! Which symbolic links stay inside of a folder.

use std::path::{Component, Path};

/// Whether a link at `link` (relative to the folder) to `target` stays inside, judged by the names alone.
pub fn is_inward(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide() {
        let inward = |link: &str, target: &str| is_inward(Path::new(link), Path::new(target));
        assert!(inward("a", "b") && inward("x/a", "../b") && inward("x/y/a", "../../b/../c"));
        assert!(!inward("a", "../b") && !inward("a", "/etc") && !inward("x/a", "../../b") && !inward("a", "b/../../c"));
    }
}

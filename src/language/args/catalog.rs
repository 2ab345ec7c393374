//! Finding a module by the name that an author wrote.

use super::actions::ACTIONS;
use super::files::FILE_MODULES;
use super::probes::PROBES;
use super::programs::PROGRAMS;
use super::table::ModuleSpec;

/// Every module and action that dayfly has.
pub fn all() -> impl Iterator<Item = &'static ModuleSpec> {
    [ACTIONS, PROGRAMS, FILE_MODULES, PROBES].into_iter().flatten()
}

/// The module of a short name or of a full one in `ansible.builtin` or `ansible.legacy`.
pub fn find(name: &str) -> Option<&'static ModuleSpec> {
    let short = short_name(name);
    all().find(|spec| spec.name == short)
}

/// The name without `ansible.builtin.` or `ansible.legacy.`.
pub fn short_name(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name)
}

/// Whether Ansible has a module of this name that dayfly does not have yet: one of its own, a well-known one of a
/// collection by its short name, or any name in a collection.
pub fn is_known_to_ansible(name: &str) -> bool {
    let short = short_name(name);
    LATER.contains(&short) || (short.split('.').count() >= 3 && short.split('.').all(|part| !part.is_empty()))
}

/// Modules of `ansible.builtin`, and well-known ones of collections that playbooks name shortly.
const LATER: &[&str] = &[
    "add_host",
    "apt",
    "apt_key",
    "apt_repository",
    "assemble",
    "async_status",
    "async_wrapper",
    "blockinfile",
    "cron",
    "deb822_repository",
    "debconf",
    "dnf",
    "dnf5",
    "dpkg_selections",
    "expect",
    "gather_facts",
    "get_url",
    "getent",
    "git",
    "group",
    "group_by",
    "hostname",
    "import_playbook",
    "import_role",
    "include",
    "include_role",
    "iptables",
    "known_hosts",
    "mount_facts",
    "package",
    "package_facts",
    "pip",
    "reboot",
    "replace",
    "rpm_key",
    "service",
    "service_facts",
    "set_stats",
    "subversion",
    "systemd",
    "systemd_service",
    "sysvinit",
    "tempfile",
    "unarchive",
    "uri",
    "user",
    "validate_argument_spec",
    "wait_for",
    "wait_for_connection",
    "yum",
    "yum_repository",
    "acl",
    "alternatives",
    "archive",
    "at",
    "authorized_key",
    "docker_compose",
    "docker_container",
    "docker_image",
    "ec2",
    "ec2_instance",
    "filesystem",
    "firewalld",
    "gem",
    "git_config",
    "htpasswd",
    "ini_file",
    "jenkins_job",
    "k8s",
    "locale_gen",
    "lvol",
    "mail",
    "make",
    "modprobe",
    "mount",
    "mysql_db",
    "mysql_user",
    "npm",
    "openssl_certificate",
    "openssl_privatekey",
    "pacman",
    "pam_limits",
    "patch",
    "postgresql_db",
    "postgresql_user",
    "s3_object",
    "seboolean",
    "selinux",
    "slack",
    "snap",
    "supervisorctl",
    "synchronize",
    "sysctl",
    "timezone",
    "ufw",
    "xml",
    "zypper",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_short_and_full_and_typos_are_told_from_what_comes_later() {
        assert_eq!(find("ansible.builtin.copy").map(|spec| spec.name), Some("copy"));
        assert_eq!(find("ansible.legacy.shell").map(|spec| spec.name), Some("shell"));
        assert!(find("copi").is_none());
        assert!(is_known_to_ansible("ansible.builtin.apt"));
        assert!(is_known_to_ansible("community.general.ini_file"));
        assert!(!is_known_to_ansible("copi"));
        assert!(!is_known_to_ansible("ansible.builtin.copi"));
    }

    #[test]
    fn the_table_is_consistent() {
        for spec in all() {
            assert!(!is_known_to_ansible(spec.name), "{} is both here and later", spec.name);
            for (index, arg) in spec.args.iter().enumerate() {
                assert!(
                    arg.default.is_empty() || serde_json::from_str::<serde_json::Value>(arg.default).is_ok(),
                    "{}.{}: the default is no JSON",
                    spec.name,
                    arg.name
                );
                for name in std::iter::once(&arg.name).chain(arg.aliases) {
                    let owner = spec.args.iter().position(|other| other.name == *name || other.aliases.contains(name));
                    assert_eq!(owner, Some(index), "{}.{name} names two arguments", spec.name);
                }
            }
            for name in spec.exclusive.iter().chain(spec.one_of).flat_map(|group| group.iter()) {
                assert!(spec.arg(name).is_some(), "{}.{name} is not in the table", spec.name);
            }
            if let Some(name) = spec.free_argument() {
                assert!(spec.arg(name).is_some(), "{}.{name} takes the free text but is not there", spec.name);
            }
        }
    }
}

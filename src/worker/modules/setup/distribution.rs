//! Which Linux this is, as Ansible names it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Context, search_path, words};
use super::{Facts, content, facts};

const FAMILIES: &[(&str, &[&str])] = &[
    (
        "RedHat",
        &[
            "RedHat",
            "RHEL",
            "Fedora",
            "CentOS",
            "Scientific",
            "CloudLinux",
            "OracleLinux",
            "Amazon",
            "Virtuozzo",
            "XenServer",
            "Alibaba",
            "EulerOS",
            "openEuler",
            "AlmaLinux",
            "Rocky",
            "TencentOS",
            "EuroLinux",
            "MIRACLE",
        ],
    ),
    (
        "Debian",
        &[
            "Debian",
            "Ubuntu",
            "Raspbian",
            "Neon",
            "KDE neon",
            "Linux Mint",
            "SteamOS",
            "Devuan",
            "Kali",
            "Cumulus Linux",
            "Pop!_OS",
            "Parrot",
            "Pardus GNU/Linux",
            "Uos",
            "Deepin",
            "OSMC",
        ],
    ),
    ("Suse", &["SLES", "SLED", "openSUSE", "openSUSE Tumbleweed", "openSUSE Leap", "openSUSE MicroOS", "SL-Micro"]),
    ("Archlinux", &["Archlinux", "Antergos", "Manjaro"]),
    ("Gentoo", &["Gentoo", "Funtoo"]),
    ("ClearLinux", &["Clear Linux OS", "Clear Linux Mix"]),
];

/// Ansible's name for an os-release `ID`, where it is not the release's own `NAME`.
const NAMES: &[(&str, &str)] = &[
    ("debian", "Debian"),
    ("ubuntu", "Ubuntu"),
    ("raspbian", "Raspbian"),
    ("kali", "Kali"),
    ("linuxmint", "Linux Mint"),
    ("pop", "Pop!_OS"),
    ("rhel", "RedHat"),
    ("fedora", "Fedora"),
    ("centos", "CentOS"),
    ("rocky", "Rocky"),
    ("almalinux", "AlmaLinux"),
    ("ol", "OracleLinux"),
    ("amzn", "Amazon"),
    ("alpine", "Alpine"),
    ("arch", "Archlinux"),
    ("manjaro", "Manjaro"),
    ("gentoo", "Gentoo"),
    ("sles", "SLES"),
    ("opensuse-leap", "openSUSE Leap"),
    ("opensuse-tumbleweed", "openSUSE Tumbleweed"),
    ("clear-linux-os", "Clear Linux OS"),
    ("openEuler", "openEuler"),
];

/// Reads `KEY="value"` lines.
pub(super) fn release_file(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (key, value) = line.trim().split_once('=')?;
        let value = words::split(value).ok()?.into_iter().next().unwrap_or_default();
        (!key.starts_with('#')).then(|| (key.to_owned(), value))
    };
    text.lines().filter_map(pair).collect()
}

fn os_release() -> (BTreeMap<String, String>, &'static str) {
    let path = ["/etc/os-release", "/usr/lib/os-release"].into_iter().find(|path| content(path).is_some());
    let path = path.unwrap_or("/etc/os-release");
    (release_file(&content(path).unwrap_or_default()), path)
}

/// The family of this machine: `Debian`, `RedHat`, …
pub(super) fn family() -> String {
    gather().get("os_family").and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn gather() -> Facts {
    let (release, path) = os_release();
    describe(&release, path, content("/etc/debian_version").as_deref())
}

fn describe(release: &BTreeMap<String, String>, path: &str, debian_version: Option<&str>) -> Facts {
    let field = |key: &str| release.get(key).map(String::as_str).unwrap_or_default();
    let id = field("ID");
    let name = NAMES.iter().find(|(known, _)| *known == id).map_or_else(|| field("NAME"), |(_, name)| name);
    let name = if name.is_empty() { "Linux" } else { name };
    let family = FAMILIES.iter().find(|(_, names)| names.contains(&name)).map_or(name, |(family, _)| family);
    let is_numbered = |text: &&str| text.starts_with(|c: char| c.is_ascii_digit());
    let version = match name {
        // The file tells the point release, which os-release leaves out.
        "Debian" => debian_version.filter(is_numbered).unwrap_or(field("VERSION_ID")),
        _ => field("VERSION_ID"),
    };
    // `VERSION` reads `12 (bookworm)`, `22.04.3 LTS (Jammy Jellyfish)` or `9.3 (Blue Onyx)`.
    let in_brackets = field("VERSION").split_once('(').map(|(_, rest)| rest.trim_end_matches(')')).unwrap_or_default();
    let codename = match family {
        "Debian" if !field("VERSION_CODENAME").is_empty() => field("VERSION_CODENAME"),
        _ if name == "Fedora" => "",
        _ => in_brackets,
    };
    let release_name = if codename.is_empty() && name != "Fedora" { "NA" } else { codename };
    let version = if version.is_empty() { "NA" } else { version };
    let mut told = facts([
        ("distribution", json!(name)),
        ("distribution_version", json!(version)),
        ("distribution_major_version", json!(version.split('.').next().unwrap_or(version))),
        ("distribution_release", json!(release_name)),
        ("distribution_file_path", json!(path)),
        ("distribution_file_variety", json!(family)),
        ("distribution_file_parsed", json!(true)),
        ("os_family", json!(family)),
    ]);
    if name == "Debian"
        && let Some((_, minor)) = version.split_once('.')
    {
        told.insert("distribution_minor_version".into(), minor.into());
    }
    told
}

/// What `lsb_release` would tell, where it or its file is installed.
pub(super) fn lsb(context: &Context) -> Facts {
    let file = release_file(&content("/etc/lsb-release").unwrap_or_default());
    let has_program = search_path::find("lsb_release", context.environment).is_some();
    let (release, _) = os_release();
    let field = |from: &BTreeMap<String, String>, key: &str| from.get(key).cloned().unwrap_or_default();
    let (id, version, codename, description) = if file.contains_key("DISTRIB_ID") {
        (
            field(&file, "DISTRIB_ID"),
            field(&file, "DISTRIB_RELEASE"),
            field(&file, "DISTRIB_CODENAME"),
            field(&file, "DISTRIB_DESCRIPTION"),
        )
    } else if has_program {
        let id = field(&release, "ID");
        let mut letters = id.chars();
        let id = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
        (id, field(&release, "VERSION_ID"), field(&release, "VERSION_CODENAME"), field(&release, "PRETTY_NAME"))
    } else {
        return facts([("lsb", json!({}))]);
    };
    let major = version.split('.').next().unwrap_or_default().to_owned();
    let all = [
        ("id", id),
        ("release", version),
        ("codename", codename),
        ("description", description),
        ("major_release", major),
    ];
    let told: Facts = all
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect();
    facts([("lsb", told.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, debian: Option<&str>) -> [String; 5] {
        let told = describe(&release_file(text), "/etc/os-release", debian);
        ["distribution", "distribution_version", "distribution_major_version", "distribution_release", "os_family"]
            .map(|name| told[name].as_str().unwrap().to_owned())
    }

    #[test]
    fn names_them_as_ansible() {
        let debian = "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm";
        assert_eq!(told(debian, Some("12.11")), ["Debian", "12.11", "12", "bookworm", "Debian"]);
        let ubuntu = "NAME=Ubuntu\nID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION=\"22.04.3 LTS (Jammy Jellyfish)\"\nVERSION_CODENAME=jammy";
        assert_eq!(told(ubuntu, Some("bookworm/sid")), ["Ubuntu", "22.04", "22", "jammy", "Debian"]);
        let amazon = "NAME=\"Amazon Linux\"\nID=amzn\nVERSION_ID=\"2023\"\nVERSION=\"2023\"";
        assert_eq!(told(amazon, None), ["Amazon", "2023", "2023", "NA", "RedHat"]);
        let rocky = "NAME=\"Rocky Linux\"\nID=rocky\nVERSION_ID=\"9.3\"\nVERSION=\"9.3 (Blue Onyx)\"";
        assert_eq!(told(rocky, None), ["Rocky", "9.3", "9", "Blue Onyx", "RedHat"]);
        assert_eq!(told("NAME=Odd\nID=odd", None), ["Odd", "NA", "NA", "NA", "Odd"]);
    }
}

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{Bundle, BundleError, IGNORE_FILE, Rules, pack, unpack};

/// A playbook's folder with this and that in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in ["files/deep", ".git/objects", "empty", "data", "store/runs"] {
        fs::create_dir_all(at.join(name)).unwrap();
    }
    for name in ["p.yml", "files/a.txt", "files/deep/b", ".hidden", ".git/objects/x", "data/big", "store/runs/x"] {
        fs::write(at.join(name), name).unwrap();
    }
    fs::write(at.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at.join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("files/a.txt", at.join("link")).unwrap();
    folder
}

fn packed(at: &Path) -> Bundle {
    pack(at, "p.yml", &Rules { leave_out: vec![at.join("store")], ..Rules::default() }).unwrap()
}

fn names(at: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.strip_prefix(below).unwrap().display().to_string());
        if path.is_dir() && !path.is_symlink() {
            names(&path, below, found);
        }
    }
    found.sort();
}

fn unpacked(bundle: &Bundle) -> (tempfile::TempDir, Vec<String>) {
    let to = tempfile::tempdir().unwrap();
    unpack(&bundle.bytes, to.path()).unwrap();
    let mut found = Vec::new();
    names(to.path(), to.path(), &mut found);
    (to, found)
}

#[test]
fn what_was_packed_comes_out_without_git_store_and_the_ignored() {
    let from = folder();
    fs::write(from.path().join(IGNORE_FILE), "/data/\n*.tmp\n").unwrap();
    fs::write(from.path().join("x.tmp"), "").unwrap();
    let bundle = packed(from.path());
    let (to, found) = unpacked(&bundle);
    let expected = [
        ".dayflyignore",
        ".hidden",
        "empty",
        "files",
        "files/a.txt",
        "files/deep",
        "files/deep/b",
        "link",
        "p.yml",
        "run.sh",
    ];
    assert_eq!(found, expected);
    assert_eq!(fs::read_to_string(to.path().join("link")).unwrap(), "files/a.txt");
    let mode = |name: &str| fs::metadata(to.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("run.sh"), mode("p.yml")), (0o755, 0o644));
    // Once more over the same folder.
    unpack(&bundle.bytes, to.path()).unwrap();
}

#[test]
fn equal_folders_are_equal_bytes_whatever_their_times() {
    let (one, two) = (folder(), folder());
    let file = fs::File::options().write(true).open(two.path().join("p.yml")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(packed(one.path()), packed(two.path()));
    fs::write(two.path().join("p.yml"), "other").unwrap();
    assert_ne!(packed(one.path()).sha256, packed(two.path()).sha256);
}

#[test]
fn a_long_name_survives() {
    let from = folder();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    fs::create_dir(from.path().join("d".repeat(120))).unwrap();
    fs::write(from.path().join(&long), "x").unwrap();
    assert!(unpacked(&packed(from.path())).1.contains(&long));
}

#[test]
fn links_that_lead_out_are_refused_by_name() {
    for target in ["/etc/hostname", "../x", "../y/../../x"] {
        let from = folder();
        symlink(target, from.path().join("files/out")).unwrap();
        let result = pack(from.path(), "p.yml", &Rules::default());
        if target == "../x" {
            assert!(result.is_ok(), "from files/ this is inside");
            continue;
        }
        let error = result.unwrap_err();
        assert!(matches!(&error, BundleError::OutwardLink { link, .. } if link == "files/out"), "{error}");
        fs::write(from.path().join(IGNORE_FILE), "files/out\n").unwrap();
        packed(from.path());
    }
    // Inward by name, outward by an ignored link on its way.
    let from = folder();
    symlink("/etc", from.path().join("up")).unwrap();
    symlink("up/hostname", from.path().join("sly")).unwrap();
    fs::write(from.path().join(IGNORE_FILE), "up\n").unwrap();
    assert!(
        matches!(pack(from.path(), "p.yml", &Rules::default()), Err(BundleError::OutwardLink { link, .. }) if link == "sly")
    );
}

#[test]
fn a_folder_that_is_too_large_names_its_largest_files_and_the_cure() {
    let from = folder();
    fs::write(from.path().join("data/big"), vec![0; 3 << 20]).unwrap();
    let error = pack(from.path(), "p.yml", &Rules { largest: 1 << 20, ..Rules::default() }).unwrap_err().to_string();
    assert!(error.contains("data/big (3 MiB)") && error.contains(IGNORE_FILE) && error.contains("1 MiB"), "{error}");
}

#[test]
fn a_playbook_that_is_ignored_or_not_there_is_refused() {
    let from = folder();
    let error = |entry: &str| pack(from.path(), entry, &Rules::default()).unwrap_err().to_string();
    assert!(error("q.yml").contains("q.yml"));
    assert!(pack(from.path(), "./p.yml", &Rules::default()).is_ok());
    assert!(matches!(pack(Path::new("/nowhere"), "p.yml", &Rules::default()), Err(BundleError::File { .. })));
}

/// An archive as an attacker would write it.
fn crafted(path: &str, kind: tar::EntryType, target: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    let raw = header.as_mut_bytes();
    raw[..path.len()].copy_from_slice(path.as_bytes());
    raw[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, std::io::empty()).unwrap();
    zstd::encode_all(archive.into_inner().unwrap().as_slice(), 3).unwrap()
}

#[test]
fn nothing_in_a_bundle_writes_outside_of_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    let to = outside.path().join("to");
    let refused = |bytes: &[u8]| assert!(matches!(unpack(bytes, &to), Err(BundleError::Corrupt(_))));
    refused(&crafted("../x", tar::EntryType::Regular, ""));
    refused(&crafted("/tmp/x", tar::EntryType::Regular, ""));
    refused(&crafted("l", tar::EntryType::Symlink, "/etc"));
    refused(&crafted("l", tar::EntryType::Symlink, "../x"));
    refused(&crafted("l", tar::EntryType::Link, "p"));
    refused(&crafted("f", tar::EntryType::Fifo, ""));
    refused(b"not zstd");
    let bundle = packed(folder().path());
    refused(&bundle.bytes[..bundle.bytes.len() / 2]);
    assert!(!outside.path().join("x").exists());
}

//! Memory, processors, how long the machine is up, and who built it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Facts, content, facts, mounts};

pub(super) fn gather(timeout_seconds: u64) -> Facts {
    let mut told = memory(&content("/proc/meminfo").unwrap_or_default());
    told.extend(processors(&content("/proc/cpuinfo").unwrap_or_default()));
    if let Ok(allowed) = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)) {
        let count = (0..nix::sched::CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).count();
        told.insert("processor_nproc".into(), count.into());
    }
    let uptime = content("/proc/uptime").unwrap_or_default();
    if let Some(seconds) = uptime.split(['.', ' ']).next().and_then(|text| text.parse::<u64>().ok()) {
        told.insert("uptime_seconds".into(), seconds.into());
    }
    told.extend(builder());
    told.insert("mounts".into(), mounts::gather(timeout_seconds).into());
    told
}

fn memory(text: &str) -> Facts {
    let megabytes: BTreeMap<&str, i64> = text
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            Some((name, rest.split_whitespace().next()?.parse::<i64>().ok()? / 1024))
        })
        .collect();
    let of = |name: &str| megabytes.get(name).copied();
    let minus = |whole: Option<i64>, part: Option<i64>| whole.zip(part).map(|(whole, part)| whole - part);
    let without_cache = of("Cached").zip(of("MemFree")).zip(of("Buffers")).map(|((a, b), c)| a + b + c);
    let mut told: Facts = ["MemTotal", "SwapTotal", "MemFree", "SwapFree"]
        .into_iter()
        .filter_map(|name| of(name).map(|value| (format!("{}_mb", name.to_lowercase()), value.into())))
        .collect();
    told.insert(
        "memory_mb".into(),
        json!({
            "real": {
                "total": of("MemTotal"),
                "used": minus(of("MemTotal"), of("MemFree")),
                "free": of("MemFree"),
            },
            "nocache": {"free": without_cache, "used": minus(of("MemTotal"), without_cache)},
            "swap": {
                "total": of("SwapTotal"),
                "free": of("SwapFree"),
                "used": minus(of("SwapTotal"), of("SwapFree")),
                "cached": of("SwapCached"),
            },
        }),
    );
    told
}

fn processors(text: &str) -> Facts {
    let mut list: Vec<Value> = Vec::new();
    let mut flags = None;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    // Cores by socket, threads by core, in the order of appearance.
    let mut sockets: Vec<(&str, u64)> = Vec::new();
    let mut cores: Vec<(&str, u64)> = Vec::new();
    let (mut socket, mut core) = ("0", "0");
    for line in text.lines() {
        let (name, value) = line.split_once(':').map_or((line.trim(), ""), |(name, value)| (name.trim(), value.trim()));
        let number = || value.parse::<u64>().unwrap_or(1);
        match name {
            "flags" => flags = Some(value.split_whitespace().map(str::to_owned).collect::<Vec<_>>()),
            "model name" | "Processor" | "vendor_id" | "cpu" | "Vendor" | "processor" => {
                list.push(value.into());
                *counts.entry(name).or_default() += 1;
            }
            "physical id" => {
                socket = value;
                if !sockets.iter().any(|(known, _)| *known == value) {
                    sockets.push((value, 1));
                }
            }
            "core id" => {
                core = value;
                set(&mut cores, value, 1);
            }
            "cpu cores" => set(&mut sockets, socket, number()),
            "siblings" => set(&mut cores, core, number()),
            _ => {}
        }
    }
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    let is_processor_counted = matches!(std::env::consts::ARCH, "aarch64" | "arm" | "powerpc" | "powerpc64");
    let seen = if is_processor_counted {
        of("processor")
    } else if of("vendor_id") > 0 && of("vendor_id") == of("model name") {
        of("vendor_id")
    } else {
        list.len() as u64
    };
    let count = if sockets.is_empty() { seen } else { sockets.len() as u64 };
    let cores_each = sockets.first().map_or(1, |(_, cores)| (*cores).max(1));
    let siblings = cores.first().map_or(1, |(_, threads)| *threads);
    // Python rounds halves to the even neighbour.
    let threads = (siblings as f64 / cores_each as f64).round_ties_even() as u64;
    let mut told = facts([
        ("processor", json!(list)),
        ("processor_count", json!(count)),
        ("processor_cores", json!(cores_each)),
        ("processor_threads_per_core", json!(threads)),
        ("processor_vcpus", json!(threads * count * cores_each)),
        ("processor_nproc", json!(of("processor"))),
    ]);
    if let Some(flags) = flags {
        told.insert("flags".into(), json!(flags));
    }
    told
}

fn set<'a>(list: &mut Vec<(&'a str, u64)>, key: &'a str, value: u64) {
    match list.iter().position(|(known, _)| *known == key) {
        Some(at) => list[at].1 = value,
        None => list.push((key, value)),
    }
}

/// What the firmware says; `NA` where it says nothing.
fn builder() -> Facts {
    const FILES: [(&str, &str); 18] = [
        ("bios_date", "bios_date"),
        ("bios_vendor", "bios_vendor"),
        ("bios_version", "bios_version"),
        ("board_asset_tag", "board_asset_tag"),
        ("board_name", "board_name"),
        ("board_serial", "board_serial"),
        ("board_vendor", "board_vendor"),
        ("board_version", "board_version"),
        ("chassis_asset_tag", "chassis_asset_tag"),
        ("chassis_serial", "chassis_serial"),
        ("chassis_vendor", "chassis_vendor"),
        ("chassis_version", "chassis_version"),
        ("form_factor", "chassis_type"),
        ("product_name", "product_name"),
        ("product_serial", "product_serial"),
        ("product_uuid", "product_uuid"),
        ("product_version", "product_version"),
        ("system_vendor", "sys_vendor"),
    ];
    const FORMS: [&str; 12] = [
        "Unknown",
        "Other",
        "Unknown",
        "Desktop",
        "Low Profile Desktop",
        "Pizza Box",
        "Mini Tower",
        "Tower",
        "Portable",
        "Laptop",
        "Notebook",
        "Hand Held",
    ];
    FILES
        .into_iter()
        .map(|(name, file)| {
            let mut told = content(format!("/sys/devices/virtual/dmi/id/{file}")).unwrap_or_else(|| "NA".to_owned());
            if name == "form_factor"
                && let Some(form) = told.parse::<usize>().ok().and_then(|form| FORMS.get(form))
            {
                (*form).clone_into(&mut told);
            }
            (name.to_owned(), told.into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_memory_in_megabytes() {
        let told = memory(
            "MemTotal: 4096 kB\nMemFree: 1024 kB\nBuffers: 1024 kB\nCached: 1024 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
        );
        assert_eq!((&told["memtotal_mb"], &told["memfree_mb"]), (&json!(4), &json!(1)));
        assert_eq!(told["memory_mb"]["nocache"], json!({"free": 3, "used": 1}));
        assert_eq!(told["memory_mb"]["swap"]["cached"], Value::Null);
    }

    #[test]
    fn counts_sockets_cores_and_threads() {
        let cpu = |n: u32, core: u32| {
            format!(
                "processor\t: {n}\nvendor_id : V\nmodel name : M\nphysical id : 0\nsiblings : 4\ncore id : {core}\ncpu cores : 2\nflags : a b\n\n"
            )
        };
        let text: String = [cpu(0, 0), cpu(1, 0), cpu(2, 1), cpu(3, 1)].concat();
        let told = processors(&text);
        assert_eq!((&told["processor_count"], &told["processor_cores"]), (&json!(1), &json!(2)));
        assert_eq!((&told["processor_threads_per_core"], &told["processor_vcpus"]), (&json!(2), &json!(4)));
        assert_eq!((&told["processor_nproc"], &told["flags"]), (&json!(4), &json!(["a", "b"])));
        assert_eq!(told["processor"].as_array().unwrap().len(), 12);
    }
}

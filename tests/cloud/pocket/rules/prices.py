"""Plausible spot prices: from the size of the type, a little different per zone. No promise that they are AWS's."""

import zlib
from datetime import datetime, timedelta, timezone

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.responses.spot_instances import SpotInstances
from moto.core.responses import ActionResult

from . import world
from .filters import matches


def spot_price(instance_type: str, zone: str, when: float | None = None) -> float:
    """Dollars per hour: about 0.014 per vCPU, 0.0015 per GiB and 0.15 per GPU, moving by the six hours."""
    kind = INSTANCE_TYPES.get(instance_type, {})
    cores = kind.get("VCpuInfo", {}).get("DefaultVCpus", 2)
    memory = kind.get("MemoryInfo", {}).get("SizeInMiB", 2048) / 1024
    gpus = sum(g.get("Count", 0) for g in kind.get("GpuInfo", {}).get("Gpus", []))
    step = int((when or world.now()) // 21600)
    wobble = 0.9 + (zlib.crc32(f"{instance_type} {zone} {step}".encode()) % 2000) / 10000
    return round((0.014 * cores + 0.0015 * memory + 0.15 * gpus) * wobble, 6)


def parse_time(text, fallback: float) -> float:
    if text is None:
        return fallback
    if isinstance(text, (int, float)):
        return float(text)
    if isinstance(text, datetime):
        return text.replace(tzinfo=text.tzinfo or timezone.utc).timestamp()
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()


def describe_spot_price_history(self) -> ActionResult:
    """Newest first; the price that held at StartTime is included (botocore, DescribeSpotPriceHistory)."""
    self.error_on_dryrun()
    from .door import current

    call = current()
    wanted = {f.get("Name"): f.get("Values") or [] for f in call.get("Filters") or []}
    types = (call.get("InstanceTypes") or []) + wanted.get("instance-type", [])
    zones = ([call.get("AvailabilityZone")] if call.get("AvailabilityZone") else []) + wanted.get(
        "availability-zone", []
    )
    products = call.get("ProductDescriptions") or wanted.get("product-description", [])
    end = min(parse_time(call.get("EndTime"), world.now()), world.now())
    begin = max(parse_time(call.get("StartTime"), end - 86400), end - 90 * 86400)
    history = []
    for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(self.region, []):
        name, zone = offering["InstanceType"], offering["Location"]
        if (types and not matches(types, name)) or (zones and not matches(zones, zone)):
            continue
        step = end // 21600 * 21600
        while True:
            for product in ("Linux/UNIX",):
                if not products or matches(products, product) or matches(products, product + " (Amazon VPC)"):
                    history.append(
                        {
                            "InstanceType": name,
                            "ProductDescription": product,
                            "SpotPrice": f"{spot_price(name, zone, step):.6f}",
                            "AvailabilityZone": zone,
                            "Timestamp": datetime.fromtimestamp(step, timezone.utc),
                        }
                    )
            if step <= begin or len(history) > 5000:
                break
            step -= timedelta(hours=6).total_seconds()
    history.sort(key=lambda h: h["Timestamp"], reverse=True)
    start, most = int(call.get("NextToken") or 0), int(call.get("MaxResults") or 1000)
    following = str(start + most) if start + most < len(history) else ""
    return ActionResult({"SpotPriceHistory": history[start : start + most], "NextToken": following})


def install() -> None:
    SpotInstances.describe_spot_price_history = describe_spot_price_history

"""What the cloud offers: locations, server types, images. A choice of 2026's, with the real names."""

ROOT_PASSWORD = "RootPasswordOfTheFake"

_PLACES = [
    (1, "fsn1", "DE", "Falkenstein", "eu-central", 50.47612, 12.370071),
    (2, "nbg1", "DE", "Nuremberg", "eu-central", 49.452102, 11.076665),
    (3, "hel1", "FI", "Helsinki", "eu-central", 60.169855, 24.938379),
    (4, "ash", "US", "Ashburn, VA", "us-east", 39.045821, -77.487073),
    (5, "hil", "US", "Hillsboro, OR", "us-west", 45.54222, -122.951924),
    (6, "sin", "SG", "Singapore", "ap-southeast", 1.283333, 103.833333),
]
_EUROPE = ["fsn1", "nbg1", "hel1"]
_ALL = [place[1] for place in _PLACES]
# id, name, cores, memory, disk, cpu, architecture, where, price of a month
_TYPES = [
    (114, "cx23", 2, 4.0, 40, "shared", "x86", _EUROPE, "2.99"),
    (115, "cx33", 4, 8.0, 80, "shared", "x86", _EUROPE, "4.99"),
    (116, "cx43", 8, 16.0, 160, "shared", "x86", _EUROPE, "8.99"),
    (45, "cax11", 2, 4.0, 40, "shared", "arm", _EUROPE, "3.29"),
    (93, "cax21", 4, 8.0, 80, "shared", "arm", _EUROPE, "5.99"),
    (22, "cpx11", 2, 2.0, 40, "shared", "x86", ["ash", "hil", "sin"], "4.49"),
    (109, "cpx22", 2, 4.0, 80, "shared", "x86", _ALL, "5.99"),
    (96, "ccx13", 2, 8.0, 80, "dedicated", "x86", _ALL, "11.99"),
    (104, "cx22", 2, 4.0, 40, "shared", "x86", _EUROPE, "3.29"),
]
_OLD_TYPES = {"cx22": {"announced": "2025-10-01T00:00:00Z", "unavailable_after": "2026-01-01T00:00:00Z"}}
_GONE = {"announced": "2026-06-15T00:00:00Z", "unavailable_after": "2026-09-15T00:00:00Z"}
# id, kind, name, flavor, version, architecture, deprecation. Names recur per architecture.
_IMAGES = [
    (40093140, "app", "docker-ce", "ubuntu", "24.04", "x86", None),
    (105888141, "app", "docker-ce", "ubuntu", "24.04", "arm", None),
    (114690387, "system", "debian-12", "debian", "12", "x86", None),
    (114690389, "system", "debian-12", "debian", "12", "arm", None),
    (310557660, "system", "debian-13", "debian", "13", "x86", None),
    (310557661, "system", "debian-13", "debian", "13", "arm", None),
    (161547269, "system", "ubuntu-24.04", "ubuntu", "24.04", "x86", None),
    (161547270, "system", "ubuntu-24.04", "ubuntu", "24.04", "arm", None),
    (45557056, "system", "debian-11", "debian", "11", "x86", _GONE),
    (103908070, "system", "debian-11", "debian", "11", "arm", _GONE),
]


def locations():
    return [
        {
            "id": number,
            "name": name,
            "description": f"{city} DC Park 1",
            "country": country,
            "city": city,
            "latitude": north,
            "longitude": east,
            "network_zone": zone,
        }
        for number, name, country, city, zone, north, east in _PLACES
    ]


def _price(place, month):
    def both(value):
        return {"net": value, "gross": f"{float(value) * 1.19:.4f}"}

    return {
        "location": place,
        "price_hourly": both(f"{float(month) / 624:.4f}"),
        "price_monthly": both(month),
        "included_traffic": 21990232555520,
        "price_per_tb_traffic": both("1.00"),
    }


def server_types(unavailable=()):
    """`unavailable`: pairs of a type's and a location's name."""
    ids = {place[1]: place[0] for place in _PLACES}
    found = []
    for number, name, cores, memory, disk, cpu, architecture, where, month in _TYPES:
        old = _OLD_TYPES.get(name)
        places = [
            {
                "id": ids[place],
                "name": place,
                "available": not old and [name, place] not in unavailable,
                "recommended": not old,
                "deprecation": old,
            }
            for place in where
        ]
        found.append(
            {
                "id": number,
                "name": name,
                "description": name.upper(),
                "category": "Cost-Optimized" if cpu == "shared" else "General Purpose",
                "cores": cores,
                "memory": memory,
                "disk": disk,
                "deprecated": bool(old),
                "deprecation": old,
                "prices": [_price(place, month) for place in where],
                "storage_type": "local",
                "cpu_type": cpu,
                "architecture": architecture,
                "locations": places,
            }
        )
    return found


def images():
    return [
        {
            "id": number,
            "type": kind,
            "status": "available",
            "name": name,
            "description": f"{flavor.capitalize()} {version}" if kind == "system" else "Docker CE",
            "image_size": None,
            "disk_size": 5,
            "created": "2025-01-15T11:34:45Z",
            "created_from": None,
            "bound_to": None,
            "os_flavor": flavor,
            "os_version": version,
            "rapid_deploy": True,
            "protection": {"delete": False},
            "deprecated": old["announced"] if old else None,
            "deprecation": old,
            "deleted": None,
            "labels": {},
            "architecture": architecture,
        }
        for number, kind, name, flavor, version, architecture, old in _IMAGES
    ]

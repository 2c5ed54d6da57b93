#!/usr/bin/python3
"""image.py URL NAME TAG: pushes an image of one small layer to a registry, as `docker push` would, once it answers."""

import gzip
import hashlib
import io
import json
import sys
import tarfile
import time
import urllib.error
import urllib.request

URL, NAME, TAG = sys.argv[1:]
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def ask(method, url, data=None, kind="application/octet-stream"):
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return reply.headers


def blob(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    there = ask("POST", f"{URL}/v2/{NAME}/blobs/uploads/")["Location"]
    ask("PUT", f"{there}{'&' if '?' in there else '?'}digest={digest}", data)
    return {"digest": digest, "size": len(data)}


def answers():
    try:
        ask("GET", f"{URL}/v2/")
    except urllib.error.URLError:
        return False
    return True


def main():
    for _ in range(200):
        if answers():
            break
        time.sleep(0.1)
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        content = b"an agent's image\n"
        entry = tarfile.TarInfo("agent")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    config = {"architecture": "amd64", "os": "linux", "config": {}, "history": [{"created_by": "a test"}],
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()]}}
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **blob(json.dumps(config).encode())},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **blob(gzip.compress(layer.getvalue(), mtime=0))}],
    }
    ask("PUT", f"{URL}/v2/{NAME}/manifests/{TAG}", json.dumps(manifest).encode(), MANIFEST)


main()

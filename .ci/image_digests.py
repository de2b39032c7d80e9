"""Write the digest of each image beside its tag (``name:tag@sha256:…``) in Dockerfile and docker-compose.yml.

A tag can be moved to other content, a digest cannot. Images of Docker Hub's library are asked for with a token that
anybody gets; where the registry does not answer, the files stay as they are and a sentence says so.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import httpx

FILES = [Path(__file__).resolve().parents[1] / name for name in ("Dockerfile", "docker-compose.yml")]
_IMAGE = re.compile(r"^(\s*(?:image: |FROM ))([a-z0-9/._-]+):([A-Za-z0-9._-]+)(?:@sha256:[0-9a-f]{64})?$", re.MULTILINE)
_OURS = "ecg-platform"
_KINDS = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"


def digest_of(client: httpx.Client, name: str, tag: str) -> str:
    """Ask Docker Hub for the digest of an image of its library."""
    scope = {"service": "registry.docker.io", "scope": f"repository:library/{name}:pull"}
    token = client.get("https://auth.docker.io/token", params=scope).raise_for_status().json()["token"]
    head = client.head(
        f"https://registry-1.docker.io/v2/library/{name}/manifests/{tag}",
        headers={"Authorization": f"Bearer {token}", "Accept": _KINDS},
    ).raise_for_status()
    return str(head.headers["docker-content-digest"])


def with_digests(text: str, client: httpx.Client) -> str:
    """Return the file's text with the digests of today."""

    def pinned(found: re.Match[str]) -> str:
        before, name, tag = found.groups()
        return found[0] if name == _OURS else f"{before}{name}:{tag}@{digest_of(client, name, tag)}"

    return _IMAGE.sub(pinned, text)


def main() -> None:
    """Write the files anew, all or none."""
    with httpx.Client(timeout=15.0) as client:
        try:
            texts = [with_digests(file.read_text("utf-8"), client) for file in FILES]
        except (httpx.HTTPError, KeyError, ValueError) as error:
            sys.exit(f"The registry does not answer ({type(error).__name__}): the images keep their exact tags.")
    for file, text in zip(FILES, texts, strict=True):
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

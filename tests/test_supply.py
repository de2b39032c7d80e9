"""What is installed and what runs: pinned by version and hash, images by exact tag."""

import importlib.util
import re
import tomllib

import httpx

from ecg_core.settings import PROJECT_DIR

LOCK = (PROJECT_DIR / "requirements.txt").read_text("utf-8")
IMAGES = "\n".join((PROJECT_DIR / name).read_text("utf-8") for name in ("Dockerfile", "docker-compose.yml"))


def test_every_package_is_pinned_and_hashed_and_no_index_is_named():
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(blocks) > 200
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+", block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in LOCK


def test_the_installer_itself_is_one_of_them():
    assert re.search(r"^uv==", LOCK, re.MULTILINE)
    assert "sed -n '/^uv==/" in (PROJECT_DIR / "Makefile").read_text("utf-8")


def test_images_have_exact_tags():
    images = re.findall(r"^\s*(?:image: |FROM )(\S+)$", IMAGES, re.MULTILINE)
    assert len(images) >= 4
    for image in images:
        assert re.fullmatch(r"[a-z0-9/._-]+:\d+\.\d+(\.\d+)?[a-z0-9.-]*(@sha256:[0-9a-f]{64})?", image), image


def test_digests_are_written_beside_the_tags_and_again_over_old_ones():
    spec = importlib.util.spec_from_file_location("image_digests", PROJECT_DIR / ".ci" / "image_digests.py")
    digests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(digests)

    def registry(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.docker.io":
            return httpx.Response(200, json={"token": "t"})
        digest = f"sha256:{len(request.url.path):064x}"
        return httpx.Response(200, headers={"docker-content-digest": digest})

    with httpx.Client(transport=httpx.MockTransport(registry)) as client:
        once = digests.with_digests(IMAGES, client)
        assert digests.with_digests(once, client) == once
    pinned = re.findall(r"\S+@sha256:[0-9a-f]{64}$", once, re.MULTILINE)
    assert {image.split(":")[0] for image in pinned} == {"python", "postgres", "redis"}
    assert "ecg-platform:0" in once
    assert re.sub(r"@sha256:[0-9a-f]{64}", "", once) == re.sub(r"@sha256:[0-9a-f]{64}", "", IMAGES)


def test_a_release_is_handed_out_with_what_is_in_it():
    needed = (PROJECT_DIR / "requirements.in").read_text("utf-8")
    assert "cyclonedx-bom" in needed
    assert "pip-audit" in needed
    assert tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text("utf-8"))["project"]["license"]
    release = (PROJECT_DIR / ".ci" / "release").read_text("utf-8")
    assert "cyclonedx-py environment" in release
    assert "make audit" in (PROJECT_DIR / ".ci" / "run").read_text("utf-8")

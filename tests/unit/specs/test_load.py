"""The entry: files, folders, texts, `.env`, and what is said when something can't be read."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from flux.specs.findings import Finding, Severity
from flux.specs.load import load
from flux.specs.loaded import LoadedSpec, SpecRefused, SpecUnreadable

Read = Callable[..., LoadedSpec]
Refusals = Callable[..., list[Finding]]

WEB = "services:\n  web:\n    image: nginx:${TAG:-1}\n    ports: ['80:80']\n    env_file: web.env\n"


def test_a_folder_is_its_compose_file_and_names_the_app(read: Read, tmp_path: Path) -> None:
    folder = tmp_path / "My Blog"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(WEB)
    (folder / "web.env").write_text("A=$TAG\n")
    loaded = read(folder)
    assert loaded.options.name == "my-blog"
    assert loaded.findings[0].file.endswith("docker-compose.yml")


def test_the_environment_goes_before_dotenv_and_both_before_defaults(read: Read, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(WEB)
    (tmp_path / "web.env").write_text("A=$TAG$COLOUR\n")
    (tmp_path / ".env").write_text("TAG=2\nCOLOUR=red\n")
    loaded = read(tmp_path / "compose.yaml")
    assert loaded.app_spec.components[0].image == "docker.io/library/nginx:2"
    assert loaded.private.components[0].environment == (("A", "2red"),)
    assert read(tmp_path, {"TAG": "3"}).app_spec.components[0].image == "docker.io/library/nginx:3"


def test_the_process_environment_is_never_read(read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAG", "leaked")
    (tmp_path / "compose.yaml").write_text(WEB.replace("    env_file: web.env\n", ""))
    assert read(tmp_path).app_spec.components[0].image == "docker.io/library/nginx:1"


def test_a_text_reads_files_only_through_the_reader_it_was_given(refusals: Refusals) -> None:
    (found,) = refusals(WEB)
    assert (found.line, found.key) == (5, "services.web.env_file")
    files = {PurePosixPath("web.env"): b"A=1"}

    def read_file(path: PurePosixPath) -> bytes:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    loaded = load(WEB, read_file=read_file)
    assert loaded.private.components[0].environment == (("A", "1"),)


def test_a_mistake_in_an_env_file_is_reported_under_its_own_name(refusals: Refusals, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(WEB)
    (tmp_path / "web.env").write_text("A=1\n???\n")
    (found,) = refusals(tmp_path)
    assert (found.file, found.line) == ("web.env", 2)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SpecUnreadable, match="No such file"):
        load(tmp_path / "compose.yaml")
    with pytest.raises(SpecUnreadable, match=r"there is no compose\.yaml"):
        load(tmp_path)


@pytest.mark.parametrize("name", [".env", "web.env"])
def test_a_file_that_is_a_folder_is_a_finding(refusals: Refusals, tmp_path: Path, name: str) -> None:
    (tmp_path / "compose.yaml").write_text(WEB)
    (tmp_path / "web.env").write_text("")
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    (found,) = refusals(tmp_path)
    assert "can't be read" in found.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("null", "no service"),
        ("just words", "expected a mapping"),
        ("[1, 2]", "expected a mapping"),
        ("services:\n", "no service"),
        ("services: {}\n", "no service"),
        ("services: [web]\n", "expected a mapping"),
        ("services:\n  web:\n", "image"),
        ("services:\n  web: nginx\n", "image"),
        ("services:\n  web: {}\n", "image is missing"),
        ("web:\n  image: nginx\n", "not known here"),
        ("services:\n  web: {image: }\n", "found nothing"),
        ("services:\n  web: {image: [nginx]}\n", "found a list"),
    ],
)
def test_a_text_without_a_service_is_refused_with_what_to_do(refusals: Refusals, text: str, words: str) -> None:
    assert any(words in finding.message for finding in refusals(text))


def test_the_error_names_the_first_refusal_and_counts_the_others(vectors: Path) -> None:
    with pytest.raises(SpecRefused, match=r"typos\.yaml:4:5: services\.web\.enviroment: .* \(and 6 more\)"):
        load(vectors / "refused" / "typos.yaml")


def test_a_spec_that_grows_beyond_the_chain_s_bounds_is_refused(refusals: Refusals) -> None:
    labels = "".join(f"      l{i}: {'x' * 1000}\n" for i in range(60))
    text = "services:\n" + "".join(
        f"  s{i}:\n    image: nginx\n    restart: always\n    labels:\n{labels}" for i in range(2)
    )
    assert any("bytes" in finding.message for finding in refusals(text))


def test_profiles_choose_what_runs(read: Read) -> None:
    text = "services:\n  web: {image: nginx}\n  debug: {image: adminer, profiles: [debug, all]}\n"
    assert [found.name for found in read(text).app_spec.components] == ["web"]
    assert [found.name for found in read(text, profiles=["all"]).app_spec.components] == ["web", "debug"]
    assert [found.name for found in read(text, profiles=["*"]).app_spec.components] == ["web", "debug"]


def test_findings_come_in_the_order_of_the_file(read: Read, vectors: Path) -> None:
    loaded = read(vectors / "accepted" / "wordpress.yaml", {"DB_PASSWORD": "x"})
    lines = [finding.line for finding in loaded.findings]
    assert lines == sorted(lines)
    assert {finding.severity for finding in loaded.findings} == {Severity.HONOURED, Severity.WARNED}

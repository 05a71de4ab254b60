"""Settings merge defaults, config.yml, the environment and the command line, and refuse nonsense in one sentence."""

from pathlib import Path

import pytest

from unmask.pipeline.errors import UsageError
from unmask.stream.settings import ServeSettings, parse_sources


def test_defaults_listen_on_this_machine_only() -> None:
    """With nothing said, nobody else can reach the server."""
    settings = ServeSettings.load()
    assert settings.host == "127.0.0.1" and settings.loopback and settings.sources == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "camera-box"])
def test_any_other_address_is_not_loopback(host: str) -> None:
    """Every address that others can reach counts as open."""
    assert not ServeSettings.load(host=host).loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.9", "::1"])
def test_loopback_addresses(host: str) -> None:
    """All spellings of this machine count as loopback."""
    assert ServeSettings.load(host=host).loopback


def test_command_line_wins_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearer the user, the stronger."""
    config = tmp_path / "config.yml"
    config.write_text("port: 1\nmax_streams: 2\nmethod: mri\nsources:\n  door: rtsp://user:pass@camera/1\n")
    monkeypatch.setenv("UNMASK_PORT", "3")
    monkeypatch.setenv("UNMASK_MAX_STREAMS", "4")
    settings = ServeSettings.load(config, port=5, host=None)
    assert (settings.port, settings.max_streams, settings.method, settings.host) == (5, 4, "mri", "127.0.0.1")
    assert settings.sources[0].name == "door"
    assert "pass" not in repr(settings)


@pytest.mark.parametrize(
    "text", ["port: many", "nonsense: 1", "- a\n- b", "port: [", "sources: {'../x': 'demo:'}", "1: 2"]
)
def test_bad_config_is_a_usage_error(tmp_path: Path, text: str) -> None:
    """A file with a wrong value, an unknown key or no YAML is refused."""
    config = tmp_path / "config.yml"
    config.write_text(text)
    with pytest.raises(UsageError):
        ServeSettings.load(config)


def test_empty_config_changes_nothing(tmp_path: Path) -> None:
    """An empty file is a valid one."""
    config = tmp_path / "config.yml"
    config.write_text("")
    assert ServeSettings.load(config) == ServeSettings.load()


def test_missing_config_is_a_usage_error(tmp_path: Path) -> None:
    """A file that is not there is refused by name."""
    with pytest.raises(UsageError, match="nowhere.yml"):
        ServeSettings.load(tmp_path / "nowhere.yml")


def test_sources_of_the_command_line() -> None:
    """NAME=URL keeps every further equals sign in the URL."""
    (source,) = parse_sources(["door=rtsp://camera/?a=b"])
    assert (source.name, source.url.get_secret_value()) == ("door", "rtsp://camera/?a=b")


@pytest.mark.parametrize("pair", ["", "door", "door=", "=demo:", "a/b=demo:", "../x=demo:", "a b=demo:"])
def test_bad_sources_are_usage_errors(pair: str) -> None:
    """No name, no URL or a name that cannot stand in a path is refused."""
    with pytest.raises(UsageError):
        parse_sources([pair])


def test_two_sources_with_one_name_are_refused() -> None:
    """A name stands for one stream."""
    with pytest.raises(UsageError, match="same name"):
        ServeSettings.load(sources=parse_sources(["a=demo:", "a=demo:"]))


def test_unreadable_environment_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list in the environment that is not JSON is refused."""
    monkeypatch.setenv("UNMASK_SOURCES", "demo:")
    with pytest.raises(UsageError, match="sources"):
        ServeSettings.load()

"""What `unmask serve` can be told: defaults < config.yml < environment (`UNMASK_*`) < command line."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from unmask.pipeline.errors import UsageError

STREAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class SourceSetting(BaseModel):
    """A source that the server opens when it starts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: SecretStr

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_stream_name(value)


class TokenSetting(BaseModel):
    """A token with rights on some streams only; `streams` None means all of them, and adding and removing too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr
    streams: tuple[str, ...] | None = None


class ServeSettings(BaseSettings):
    """Settings of the server, fixed once it runs.

    Attributes:
        host, port: where it listens; any host but a loopback one demands a token. Port 0 takes a free one.
        token: the token of the administrator; generated, printed once and kept hashed when one is needed and absent.
        tokens: further tokens with rights on some streams only.
        token_file: where the hash of a generated token is kept.
        allowed_origins: further origins (`https://host[:port]`) whose pages may call; the server's own always may.
        sources: streams to open at the start.
        cameras_file: where cameras that are added to the running server are kept, passwords too; by default nowhere.
        precision: of the networks on a CPU; `bf16` is faster where the CPU has it, and a little less exact.
        max_streams, max_viewers, max_clients: admission limits; beyond them the answer is 503 with Retry-After.
        max_upload_mb: largest file that `POST /api/analyze` takes, in megabytes of 10^6 bytes.
        max_analyze_s: longest analysis of one uploaded file, in seconds of wall clock.
        history_pictures: whether the history keeps a small picture of a face in memory for each change of its state.
        decoder: of cameras' video: `auto`, `software`, or a kind of hardware, see `unmask.stream.decoding`.
        ice_servers: STUN and TURN URLs that the server's own peers use; none by default.
    """

    model_config = SettingsConfigDict(env_prefix="UNMASK_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8642, ge=0, le=65535)
    token: SecretStr | None = None
    tokens: tuple[TokenSetting, ...] = ()
    token_file: Path = Path("~/.config/unmask/token.argon2")
    allowed_origins: tuple[str, ...] = ()
    sources: tuple[SourceSetting, ...] = ()
    cameras_file: Path | None = None
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    method: str = "fusion"
    weights_dir: Path | None = None
    max_streams: int = Field(default=8, ge=1)
    max_viewers: int = Field(default=16, ge=1)
    max_clients: int = Field(default=256, ge=1)
    max_upload_mb: float = Field(default=512, gt=0)
    max_analyze_s: float = Field(default=1800, gt=0)
    history_pictures: bool = True
    decoder: str = "auto"
    ice_servers: tuple[str, ...] = ()

    @field_validator("sources", mode="before")
    @classmethod
    def _sources(cls, value: object) -> object:
        """Takes a mapping NAME -> URL, as config.yml has it, or a list of sources."""
        return [{"name": name, "url": url} for name, url in value.items()] if isinstance(value, Mapping) else value

    @field_validator("sources")
    @classmethod
    def _distinct(cls, value: tuple[SourceSetting, ...]) -> tuple[SourceSetting, ...]:
        names = [source.name for source in value]
        if len(set(names)) != len(names):
            raise ValueError("two sources have the same name")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Reads arguments and the environment, and no `.env` file."""
        return init_settings, env_settings

    @classmethod
    def load(cls, config: Path | None = None, **overrides: Any) -> "ServeSettings":
        """Merges config.yml, the environment and what the command line said (None means not said).

        Raises:
            UsageError: the file or a value makes no sense.
        """
        said = {key: value for key, value in overrides.items() if value is not None}
        try:
            from_environment = cls().model_dump(exclude_unset=True)
            return cls(**{**_read_config(config), **from_environment, **said})
        except ValidationError as error:
            raise UsageError(_sentence(error)) from None
        except SettingsError as error:
            raise UsageError(f"{error}") from None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host in LOOPBACK_NAMES:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def max_upload_bytes(self) -> int:
        """Largest upload in bytes."""
        return int(self.max_upload_mb * 1_000_000)


def check_stream_name(name: str) -> str:
    """Gives the name back when it can be used in a path.

    Raises:
        ValueError: it holds anything but letters, digits, `.`, `_` and `-`, or is too long.
    """
    if not STREAM_NAME.fullmatch(name):
        raise ValueError("a stream's name is 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit")
    return name


def parse_sources(pairs: Sequence[str]) -> tuple[SourceSetting, ...]:
    """Reads `NAME=URL` arguments.

    Raises:
        UsageError: an argument has no name, or one that cannot be used in a path.
    """
    sources = []
    for pair in pairs:
        name, separator, url = pair.partition("=")
        if not separator or not url:
            raise UsageError("a source is written NAME=URL, for example --source door=rtsp://camera.local/stream")
        try:
            sources.append(SourceSetting(name=name, url=SecretStr(url)))
        except ValidationError as error:
            raise UsageError(_sentence(error)) from None
    return tuple(sources)


def _read_config(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        content = yaml.safe_load(config.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {config}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UsageError(f"{config} is not a YAML file") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UsageError(f"{config} must hold settings by name, such as `port: 8642`")
    return content


def _sentence(error: ValidationError) -> str:
    """Says what is wrong without repeating a value, which may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    return f"setting `{where}`: {said}" if where else said
